// Label selectors, as objects and as text, compiled once into a test on labels. Grammar and errors are those of
// apimachinery's pkg/labels, because kubectl users read them.
import type { Parsed } from '../codec/parsed.ts';
import { parsed, unparsed } from '../codec/parsed.ts';
import type { LabelSelectorParts } from '../validation/label-selector.ts';
import { checkLabelKey, checkLabelValue } from '../validation/names.ts';

export type LabelOperator = '=' | '==' | '!=' | 'in' | 'notin' | 'exists' | '!' | 'gt' | 'lt';

/** One condition on one label; a selector is all of its requirements together. Values are sorted and without doubles. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;
export type LabelMatcher = (labels: Labels | undefined) => boolean;

const everything: LabelMatcher = () => true;
const nothing: LabelMatcher = () => false;

/** A label's value. Labels are plain objects: what they inherit (`constructor`) is no label. */
function labelOf(labels: Labels | undefined, key: string): string | undefined {
  const value: unknown = labels?.[key];
  return typeof value === 'string' ? value : undefined;
}

const byKey = (a: LabelRequirement, b: LabelRequirement): number =>
  a.key < b.key ? -1 : a.key > b.key ? 1 : 0;

const selectorOperators: Readonly<Record<string, LabelOperator>> = {
  In: 'in',
  NotIn: 'notin',
  Exists: 'exists',
  DoesNotExist: '!',
};

/**
 * The requirements of a `LabelSelector` object, sorted by key. The selector must have been validated: an unknown operator
 * throws, because a selector that silently selects something else is worse than none.
 */
export function labelRequirements(selector: LabelSelectorParts): readonly LabelRequirement[] {
  const out: LabelRequirement[] = [];
  for (const key in selector.matchLabels)
    out.push({ key, operator: '=', values: [selector.matchLabels[key]!] });
  for (const { key, operator: name, values } of selector.matchExpressions ?? []) {
    const operator = Object.hasOwn(selectorOperators, name) ? selectorOperators[name] : undefined;
    if (operator === undefined) throw new RangeError(`"${name}" is not a valid label selector operator`);
    out.push({ key, operator, values: values ?? [] });
  }
  return out.sort(byKey);
}

/**
 * The test of a selector: a `LabelSelector` object, or the requirements of `parseLabelSelector`. As in Kubernetes, no
 * selector (undefined, null) matches nothing and an empty one matches everything.
 */
export function compileLabelSelector(
  selector: LabelSelectorParts | readonly LabelRequirement[] | null | undefined,
): LabelMatcher {
  if (selector === null || selector === undefined) return nothing;
  const tests = (isRequirements(selector) ? selector : labelRequirements(selector)).map(compileRequirement);
  if (tests.length === 0) return everything;
  if (tests.length === 1) return tests[0]!;
  return (labels) => {
    for (let i = 0; i < tests.length; i++) if (!tests[i]!(labels)) return false;
    return true;
  };
}

const isRequirements = (
  selector: LabelSelectorParts | readonly LabelRequirement[],
): selector is readonly LabelRequirement[] => Array.isArray(selector);

/** The test of a plain label map, such as a service's selector. An empty or absent map matches everything. */
export const compileLabelMap = (labels: Labels | undefined): LabelMatcher =>
  compileLabelSelector(labels === undefined ? {} : { matchLabels: labels });

function compileRequirement({ key, operator, values }: LabelRequirement): LabelMatcher {
  switch (operator) {
    case '=':
    case '==':
    case 'in': {
      if (values.length === 1) {
        const wanted = values[0]!;
        return (labels) => labelOf(labels, key) === wanted;
      }
      const wanted = new Set(values);
      return (labels) => {
        const value = labelOf(labels, key);
        return value !== undefined && wanted.has(value);
      };
    }
    case '!=':
    case 'notin': {
      const unwanted = new Set(values);
      return (labels) => {
        const value = labelOf(labels, key);
        return value === undefined || !unwanted.has(value);
      };
    }
    case 'exists':
      return (labels) => labelOf(labels, key) !== undefined;
    case '!':
      return (labels) => labelOf(labels, key) === undefined;
    case 'gt':
    case 'lt': {
      const bound = parseInt64(values[0] ?? '');
      if (bound === undefined) return nothing;
      return (labels) => {
        const value = parseInt64(labelOf(labels, key) ?? '');
        if (value === undefined) return false;
        return operator === 'gt' ? value > bound : value < bound;
      };
    }
  }
}

/** A decimal integer of 64 bits, as Go's strconv.ParseInt takes it. */
function parseInt64(text: string): bigint | undefined {
  if (!/^[+-]?[0-9]{1,20}$/.test(text)) return undefined;
  const value = BigInt(text.startsWith('+') ? text.slice(1) : text);
  return BigInt.asIntN(64, value) === value ? value : undefined;
}

/** The text of requirements: `a=b,c in (x,y),!d`. Parsing it gives the same requirements again. */
export const formatLabelRequirements = (requirements: readonly LabelRequirement[]): string =>
  requirements.map(formatRequirement).join(',');

function formatRequirement({ key, operator, values }: LabelRequirement): string {
  const list = values.length > 1 ? [...values].sort().join(',') : (values[0] ?? '');
  switch (operator) {
    case 'exists':
      return key;
    case '!':
      return `!${key}`;
    case 'in':
    case 'notin':
      return `${key} ${operator} (${list})`;
    case 'gt':
      return `${key}>${list}`;
    case 'lt':
      return `${key}<${list}`;
    default:
      return `${key}${operator}${list}`;
  }
}

/** The text of a `LabelSelector` object, as scale's status carries it; empty for no selector and for an empty one. */
export const formatLabelSelector = (selector: LabelSelectorParts | null | undefined): string =>
  selector === null || selector === undefined ? '' : formatLabelRequirements(labelRequirements(selector));

/** The text of a plain label map: `a=b,c=d`, sorted by key. */
export const formatLabelMap = (labels: Labels | undefined): string =>
  formatLabelSelector(labels === undefined ? undefined : { matchLabels: labels });

type Token = '' | ',' | '(' | ')' | '!' | '=' | '==' | '!=' | '>' | '<' | 'in' | 'notin' | 'identifier';
interface Lexeme {
  readonly token: Token;
  readonly text: string;
}

const lexemes = /[ \t\r\n]*(?:(==|!=|[=!(),<>])|([^=!(),<> \t\r\n]+))/y;

function lex(text: string): readonly Lexeme[] {
  const out: Lexeme[] = [];
  lexemes.lastIndex = 0;
  for (let m = lexemes.exec(text); m !== null; m = lexemes.exec(text)) {
    if (m[1] !== undefined) out.push({ token: m[1] as Token, text: m[1] });
    else if (m[2] === 'in' || m[2] === 'notin') out.push({ token: m[2], text: m[2] });
    else out.push({ token: 'identifier', text: m[2]! });
  }
  out.push({ token: '', text: '' });
  return out;
}

/** Stops the parser; it never leaves this file. */
class Refused extends Error {}

const binaryOperators: Readonly<Partial<Record<Token, LabelOperator>>> = {
  in: 'in',
  notin: 'notin',
  '=': '=',
  '==': '==',
  '!=': '!=',
  '>': 'gt',
  '<': 'lt',
};

/**
 * The requirements a text asks for, sorted by key: `a=b,c!=d,e in (x,y),f notin (z),g,!h,i>5`. The empty text has none.
 * The error is worded as the API server words it.
 */
export function parseLabelSelector(text: string): Parsed<readonly LabelRequirement[]> {
  try {
    return parsed([...new SelectorParser(lex(text)).parse()].sort(byKey));
  } catch (error) {
    if (error instanceof Refused) return unparsed(error.message);
    throw error;
  }
}

class SelectorParser {
  readonly #lexemes: readonly Lexeme[];
  #at = 0;

  constructor(lexemes: readonly Lexeme[]) {
    this.#lexemes = lexemes;
  }

  *parse(): Iterable<LabelRequirement> {
    for (;;) {
      const first = this.#peek();
      if (first.token === '') return;
      if (first.token !== 'identifier' && first.token !== '!')
        throw new Refused(`found '${first.text}', expected: !, identifier, or 'end of string'`);
      try {
        yield this.#requirement();
      } catch (error) {
        throw error instanceof Refused ? new Refused(`unable to parse requirement: ${error.message}`) : error;
      }
      const separator = this.#next();
      if (separator.token === '') return;
      if (separator.token !== ',')
        throw new Refused(`found '${separator.text}', expected: ',' or 'end of string'`);
      const following = this.#peek();
      if (following.token !== 'identifier' && following.token !== '!')
        throw new Refused(`found '${following.text}', expected: identifier after ','`);
    }
  }

  /** Where a key or a value is expected, `in` and `notin` are names like any other. */
  #peek(): Lexeme {
    const lexeme = this.#lexemes[this.#at]!;
    return lexeme.token === 'in' || lexeme.token === 'notin'
      ? { token: 'identifier', text: lexeme.text }
      : lexeme;
  }

  #next(): Lexeme {
    const lexeme = this.#peek();
    if (lexeme.token !== '') this.#at++;
    return lexeme;
  }

  #requirement(): LabelRequirement {
    let name = this.#next();
    const negated = name.token === '!';
    if (negated) name = this.#next();
    if (name.token !== 'identifier') throw new Refused(`found '${name.text}', expected: identifier`);
    const key = name.text;
    const complaints = checkLabelKey(key);
    if (complaints.length > 0)
      throw new Refused(`<nil>: Invalid value: ${JSON.stringify(key)}: ${complaints.join('; ')}`);
    if (negated) return { key, operator: '!', values: [] };
    const after = this.#peek();
    if (after.token === '' || after.token === ',') return { key, operator: 'exists', values: [] };
    const operator = this.#operator();
    const values = operator === 'in' || operator === 'notin' ? this.#list() : [this.#exactValue()];
    checkValues(key, operator, values);
    return { key, operator, values };
  }

  #operator(): LabelOperator {
    const lexeme = this.#lexemes[this.#at]!;
    const operator = binaryOperators[lexeme.token];
    if (operator === undefined)
      throw new Refused(`found '${lexeme.text}', expected: in, notin, =, ==, !=, gt, lt`);
    this.#at++;
    return operator;
  }

  #exactValue(): string {
    const lexeme = this.#peek();
    if (lexeme.token === '' || lexeme.token === ',') return '';
    if (lexeme.token !== 'identifier') throw new Refused(`found '${lexeme.text}', expected: identifier`);
    this.#at++;
    return lexeme.text;
  }

  /** `(x,y)`; a missing value between commas or parentheses is the empty one. */
  #list(): readonly string[] {
    const open = this.#next();
    if (open.token !== '(') throw new Refused(`found '${open.text}' expected: '('`);
    const values = new Set<string>();
    for (let first = true; ; first = false) {
      const lexeme = this.#next();
      if (lexeme.token === ')' || lexeme.token === ',') values.add('');
      else if (lexeme.token !== 'identifier')
        throw new Refused(
          first
            ? `found '${lexeme.text}', expected: ',', ')' or identifier`
            : `found '${lexeme.text}', expected: ',', or identifier`,
        );
      else values.add(lexeme.text);
      if (lexeme.token === ')') break;
      if (lexeme.token === ',') continue;
      const end = this.#next();
      if (end.token === ')') break;
      if (end.token !== ',') throw new Refused(`found '${end.text}', expected: ',' or ')'`);
    }
    return [...values].sort();
  }
}

function checkValues(key: string, operator: LabelOperator, values: readonly string[]): void {
  const complaints: string[] = [];
  values.forEach((value, i) => {
    if ((operator === 'gt' || operator === 'lt') && parseInt64(value) === undefined)
      complaints.push(
        `values[${i}]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
      );
  });
  values.forEach((value, i) => {
    const found = checkLabelValue(value);
    if (found.length > 0)
      complaints.push(`values[${i}][${key}]: Invalid value: ${JSON.stringify(value)}: ${found.join('; ')}`);
  });
  if (complaints.length === 1) throw new Refused(complaints[0]);
  if (complaints.length > 1) throw new Refused(`[${complaints.join(', ')}]`);
}
