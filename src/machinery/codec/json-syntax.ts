// Says what is wrong with a JSON text in the words of Go's encoding/json, which kubectl users have seen before. Runs only
// after JSON.parse refused the text.

type Expect =
  | 'value'
  | 'valueOrEnd'
  | 'key'
  | 'keyOrEnd'
  | 'colon'
  | 'afterMember'
  | 'afterElement'
  | 'afterTop';

const escapes = new Set(['b', 'f', 'n', 'r', 't', '\\', '/', '"']);
const unexpectedEnd = 'unexpected end of JSON input';

/** The first fault: `invalid character '}' looking for beginning of value`. */
export function explainJsonError(text: string): string {
  const open: ('{' | '[')[] = [];
  let expect: Expect = 'value';
  let i = 0;
  const afterValue = (): Expect =>
    open.length === 0 ? 'afterTop' : open[open.length - 1] === '{' ? 'afterMember' : 'afterElement';
  for (;;) {
    while (' \t\r\n'.includes(text[i] ?? 'x')) i++;
    const c = text[i];
    if (c === undefined) return unexpectedEnd;
    switch (expect) {
      case 'keyOrEnd':
      case 'key':
        if (c === '}' && expect === 'keyOrEnd') {
          open.pop();
          expect = afterValue();
          i++;
          break;
        }
        if (c !== '"') return bad(c, 'looking for beginning of object key string');
        {
          const end = scanString(text, i);
          if (typeof end === 'string') return end;
          i = end;
          expect = 'colon';
        }
        break;
      case 'colon':
        if (c !== ':') return bad(c, 'after object key');
        expect = 'value';
        i++;
        break;
      case 'afterMember':
        if (c !== ',' && c !== '}') return bad(c, 'after object key:value pair');
        if (c === '}') open.pop();
        expect = c === ',' ? 'key' : afterValue();
        i++;
        break;
      case 'afterElement':
        if (c !== ',' && c !== ']') return bad(c, 'after array element');
        if (c === ']') open.pop();
        expect = c === ',' ? 'value' : afterValue();
        i++;
        break;
      case 'afterTop':
        return bad(c, 'after top-level value');
      default: {
        if (c === ']' && expect === 'valueOrEnd') {
          open.pop();
          expect = afterValue();
          i++;
        } else if (c === '{' || c === '[') {
          open.push(c);
          expect = c === '{' ? 'keyOrEnd' : 'valueOrEnd';
          i++;
        } else {
          const end = scanScalar(text, i);
          if (typeof end === 'string') return end;
          i = end;
          expect = afterValue();
        }
      }
    }
  }
}

/** As Go quotes a character. */
function bad(char: string, where: string): string {
  if (char === "'") return `invalid character '\\'' ${where}`;
  if (char === '"') return `invalid character '"' ${where}`;
  return `invalid character '${JSON.stringify(char).slice(1, -1)}' ${where}`;
}

const charAt = (text: string, i: number): string => String.fromCodePoint(text.codePointAt(i)!);

/** The index after the scalar, or the fault. */
function scanScalar(text: string, start: number): number | string {
  const c = text[start]!;
  if (c === '"') return scanString(text, start);
  if (c === 't') return scanLiteral(text, start, 'true');
  if (c === 'f') return scanLiteral(text, start, 'false');
  if (c === 'n') return scanLiteral(text, start, 'null');
  if (c === '-' || isDigit(c)) return scanNumber(text, start);
  return bad(charAt(text, start), 'looking for beginning of value');
}

function scanLiteral(text: string, start: number, literal: string): number | string {
  for (let k = 1; k < literal.length; k++) {
    if (start + k >= text.length) return unexpectedEnd;
    if (text[start + k] !== literal[k])
      return bad(charAt(text, start + k), `in literal ${literal} (expecting '${literal[k]}')`);
  }
  return start + literal.length;
}

function scanString(text: string, start: number): number | string {
  for (let i = start + 1; i < text.length; i++) {
    const c = text[i]!;
    if (c === '"') return i + 1;
    if (c < ' ') return bad(c, 'in string literal');
    if (c !== '\\') continue;
    i++;
    if (i >= text.length) break;
    if (escapes.has(text[i]!)) continue;
    if (text[i] !== 'u') return bad(charAt(text, i), 'in string escape code');
    for (let k = 0; k < 4; k++) {
      i++;
      if (i >= text.length) return unexpectedEnd;
      if (!/[0-9a-fA-F]/.test(text[i]!)) return bad(charAt(text, i), 'in \\u hexadecimal character escape');
    }
  }
  return unexpectedEnd;
}

const isDigit = (c: string | undefined): boolean => c !== undefined && c >= '0' && c <= '9';

function scanNumber(text: string, start: number): number | string {
  let i = start;
  const digits = (where: string): string | undefined => {
    if (i >= text.length) return unexpectedEnd;
    if (!isDigit(text[i])) return bad(charAt(text, i), where);
    while (isDigit(text[i])) i++;
    return undefined;
  };
  if (text[i] === '-') i++;
  if (text[i] === '0') i++;
  else {
    const fault = digits('in numeric literal');
    if (fault !== undefined) return fault;
  }
  if (text[i] === '.') {
    i++;
    const fault = digits('after decimal point in numeric literal');
    if (fault !== undefined) return fault;
  }
  if (text[i] === 'e' || text[i] === 'E') {
    i++;
    if (text[i] === '+' || text[i] === '-') i++;
    const fault = digits('in exponent of numeric literal');
    if (fault !== undefined) return fault;
  }
  return i;
}
