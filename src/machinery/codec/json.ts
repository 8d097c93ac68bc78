// JSON bodies of requests. JSON.parse does the work; what it does not tell (duplicate keys, and errors in the words Go
// users know) is found by a scan of the text. HOT: bench/decode.ts (findDuplicateFields).
import { explainJsonError } from './json-syntax.ts';
import { type Parsed, parsed, unparsed } from './parsed.ts';

/** Nested deeper than this, a body is refused; no object comes near it, and recursive readers stay safe. */
const maxDepth = 1000;

/** The value of a JSON text. The error reads as encoding/json would put it. */
export function parseJson(body: string | Uint8Array): Parsed<unknown> {
  const text = typeof body === 'string' ? body : utf8.decode(body);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return unparsed(explainJsonError(text));
  }
  if (text.length > 2 * maxDepth && mayBeDeep(text) && depthExceeds(text, maxDepth))
    return unparsed('exceeded max depth');
  return parsed(value);
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

const quote = 0x22;
const backslash = 0x5c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const comma = 0x2c;
const colon = 0x3a;

/** The index of the quote that ends the string which starts at `start`. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let slash = end - 1;
    while (text.charCodeAt(slash) === backslash) slash--;
    if ((end - slash) % 2 === 1) return end;
  }
}

/** Counting brackets is quick, and few bodies have so many that they could be too deep. */
function mayBeDeep(text: string): boolean {
  let count = 0;
  for (let i = text.indexOf('{'); i >= 0; i = text.indexOf('{', i + 1)) count++;
  for (let i = text.indexOf('['); i >= 0; i = text.indexOf('[', i + 1)) count++;
  return count > maxDepth;
}

function depthExceeds(text: string, limit: number): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === quote) i = endOfString(text, i);
    else if (c === openBrace || c === openBracket) {
      if (++depth > limit) return true;
    } else if (c === closeBrace || c === closeBracket) depth--;
  }
  return false;
}

/** An open object or list of the scan. */
interface Level {
  /** undefined for a list */
  readonly keys: Set<string> | undefined;
  /** the member the scan is in */
  key: string;
  index: number;
}

/**
 * The full paths of keys that an object has twice, in the order of the text: `spec.containers[0].image`. The text must be
 * valid JSON (`parseJson` was ok).
 */
export function findDuplicateFields(text: string): string[] {
  const found: string[] = [];
  const levels: Level[] = [];
  let level: Level | undefined;
  let keyExpected = false;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case quote: {
        const end = endOfString(text, i);
        if (keyExpected) {
          keyExpected = false;
          let key = text.slice(i + 1, end);
          if (key.includes('\\')) key = JSON.parse(text.slice(i, end + 1)) as string;
          level!.key = key;
          const keys = level!.keys!;
          if (keys.has(key)) {
            const path = pathOf(levels);
            if (!found.includes(path)) found.push(path);
          } else keys.add(key);
        }
        i = end;
        break;
      }
      case openBrace:
        level = { keys: new Set(), key: '', index: 0 };
        levels.push(level);
        keyExpected = true;
        break;
      case openBracket:
        level = { keys: undefined, key: '', index: 0 };
        levels.push(level);
        keyExpected = false;
        break;
      case closeBrace:
      case closeBracket:
        levels.pop();
        level = levels[levels.length - 1];
        keyExpected = false;
        break;
      case comma:
        if (level!.keys === undefined) level!.index++;
        else keyExpected = true;
        break;
      case colon:
        keyExpected = false;
        break;
    }
  }
  return found;
}

function pathOf(levels: readonly Level[]): string {
  let path = '';
  for (const level of levels) {
    if (level.keys === undefined) path += `[${level.index}]`;
    else path += path === '' ? level.key : `.${level.key}`;
  }
  return path;
}
