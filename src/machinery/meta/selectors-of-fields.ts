// Field selectors: `metadata.name=a,spec.nodeName!=b`. Which fields a kind offers is the kind's matter; here is the text form,
// with the grammar, the escapes and the errors of apimachinery's pkg/fields.
import { type Parsed, parsed, unparsed } from '../codec/parsed.ts';

export interface FieldRequirement {
  readonly field: string;
  readonly operator: '=' | '!=';
  readonly value: string;
}

/** The terms of the text in their sorted order. `==` is `=`; empty terms are skipped. */
export function parseFieldSelector(text: string): Parsed<readonly FieldRequirement[]> {
  const out: FieldRequirement[] = [];
  for (const term of splitTerms(text).sort()) {
    if (term === '') continue;
    const m = /!=|==?/.exec(term);
    if (m === null) return unparsed(`invalid selector: '${text}'; can't understand '${term}'`);
    const value = unescapeFieldValue(term.slice(m.index + m[0].length));
    if (!value.ok) return value;
    out.push({ field: term.slice(0, m.index), operator: m[0] === '!=' ? '!=' : '=', value: value.value });
  }
  return parsed(out);
}

/** At the commas that are not escaped. */
function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === ',') {
      terms.push(text.slice(start, i));
      start = i + 1;
    }
  }
  terms.push(text.slice(start));
  return terms;
}

function unescapeFieldValue(text: string): Parsed<string> {
  if (!/[\\,=]/.test(text)) return parsed(text);
  let out = '';
  let escaped = false;
  for (const char of text) {
    const special = char === '\\' || char === ',' || char === '=';
    if (escaped) {
      if (!special) return unparsed(`invalid field selector: invalid escape sequence: \\${char}`);
      out += char;
      escaped = false;
    } else if (char === '\\') escaped = true;
    // apimachinery prints the character's number
    else if (special)
      return unparsed(`invalid field selector: unescaped character in value: ${char.codePointAt(0)}`);
    else out += char;
  }
  return escaped ? unparsed('invalid field selector: invalid escape sequence: \\') : parsed(out);
}

export const escapeFieldValue = (value: string): string => value.replace(/[\\,=]/g, '\\$&');

/** The text of requirements; parsing it gives them again. */
export const formatFieldRequirements = (requirements: readonly FieldRequirement[]): string =>
  requirements.map((r) => `${r.field}${r.operator}${escapeFieldValue(r.value)}`).join(',');

/** The test of requirements. `reader` gives the function that reads a field; it throws for a field the kind does not offer. */
export function compileFieldSelector<T>(
  requirements: readonly FieldRequirement[],
  reader: (field: string) => (object: T) => string,
): (object: T) => boolean {
  const tests = requirements.map(({ field, operator, value }) => {
    const read = reader(field);
    return operator === '=' ? (object: T) => read(object) === value : (object: T) => read(object) !== value;
  });
  if (tests.length === 1) return tests[0]!;
  return (object) => tests.every((test) => test(object));
}
