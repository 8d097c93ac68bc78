// Why an expression does not compile or comes to nothing, in the words of cel-go, which Kubernetes shows to users: what is wrong, where,
// and the line with a mark under the place. The evaluator has words and places of its own; this is the only file that knows them.
import type { ASTNode } from '@marcbachmann/cel-js';

interface Fault {
  readonly code?: string;
  readonly summary?: string;
  readonly message?: string;
  readonly node?: Partial<ASTNode> & { readonly pos?: number; readonly end?: number };
  readonly range?: { readonly start: number };
}

const operands = `{'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER}`;

/** `list<string>` is `list(string)` there, and nothing is known of `dyn<int>` but that it may be anything. */
const typeName = (type: string): string =>
  type
    .trim()
    .replace(/dyn<[^<>]*>/g, 'dyn')
    .replaceAll('<', '(')
    .replaceAll('>', ')')
    .replace('google.protobuf.Timestamp', 'timestamp')
    .replace('google.protobuf.Duration', 'duration');

const operatorNames: Readonly<Record<string, string>> = { in: '@in', '!': '!_', '-': '-_' };
const binaryName = (op: string): string => operatorNames[op] ?? `_${op}_`;

export interface FaultWords {
  /** Whether a function of this name takes anything at all. */
  readonly hasFunction: (name: string) => boolean;
}

/** Why a text does not compile: `ERROR: <input>:1:8: undefined field 'x'` and the line it is in. */
export function compileFault(text: string, error: unknown, words: FaultWords): string {
  const fault = (error ?? {}) as Fault;
  const at = placeOf(text, fault);
  const before = text.slice(0, at).split('\n');
  const column = before.at(-1)!.length;
  const line = text.split('\n')[before.length - 1] ?? '';
  const said = compileWords(fault, words);
  return `ERROR: <input>:${before.length}:${column + 1}: ${said}\n | ${line}\n | ${'.'.repeat(column)}^`;
}

function placeOf(text: string, { node, range }: Fault): number {
  const start = node?.pos ?? range?.start ?? 0;
  const args = node?.args as unknown;
  const parts = Array.isArray(args) ? (args as readonly (Fault['node'] | string)[]) : [];
  const after = (from: number | undefined, sign: string): number => {
    const found = from === undefined ? -1 : text.indexOf(sign, from);
    return found < 0 ? start : found;
  };
  switch (node?.op) {
    case '.':
    case '.?':
      return after((parts[0] as Fault['node'])?.end, '.');
    case '[]':
    case '[?]':
      return after((parts[0] as Fault['node'])?.end, '[');
    case 'call':
      return after(start + String(parts[0]).length, '(');
    case 'rcall':
      return after((parts[1] as Fault['node'])?.end, '(');
    case '==':
    case '!=':
    case '<':
    case '<=':
    case '>':
    case '>=':
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
    case 'in':
      return after((parts[0] as Fault['node'])?.end, node.op);
    default:
      return start;
  }
}

const oneLine = ({ summary, message }: Fault, error?: unknown): string =>
  (summary || message || String(error)).split('\n')[0]!;

function compileWords(fault: Fault, { hasFunction }: FaultWords): string {
  const said = oneLine(fault);
  const undeclared = (name: string): string => `undeclared reference to '${name}' (in container '')`;
  switch (fault.code) {
    case 'unknown_variable':
      return undeclared(said.replace('Unknown variable: ', ''));
    case 'no_such_key':
      return `undefined field '${said.replace('No such key: ', '')}'`;
    case 'no_such_overload': {
      const binary = /^no such overload: (.+) (==|!=|<=|>=|<|>|in|[-+*/%]) (.+)$/.exec(said);
      if (binary !== null)
        return `found no matching overload for '${binaryName(binary[2]!)}' applied to '(${typeName(binary[1]!)}, ${typeName(binary[3]!)})'`;
      const unary = /^no such overload: ([-!])(.+)$/.exec(said);
      if (unary !== null)
        return `found no matching overload for '${operatorNames[unary[1]!]}' applied to '(${typeName(unary[2]!)})'`;
      return said;
    }
    case 'no_matching_overload': {
      const found = /^found no matching overload for '(?:(.+?)\.)?([A-Za-z_]\w*)\((.*)\)'$/.exec(said);
      if (found === null) return said;
      const [, receiver, name = '', args = ''] = found;
      if (!hasFunction(name)) return undeclared(name);
      return `found no matching overload for '${name}' applied to '${receiver === undefined ? '' : `${typeName(receiver)}.`}(${typeName(args)})'`;
    }
    case 'cannot_index_type':
      return `type '${typeName(/'(.+)'/.exec(said)?.[1] ?? '')}' does not support field selection`;
    case 'invalid_logical_operand':
    case 'invalid_condition_type':
      return `expected type 'bool' but found '${typeName(/got '(.+)'/.exec(said)?.[1] ?? '')}'`;
    case 'unexpected_token':
      return said === 'Unexpected token: EOF'
        ? `Syntax error: mismatched input '<EOF>' expecting ${operands}`
        : `Syntax error: ${said.replace(/^U/, 'u')}`;
    case 'bad_pattern':
      return said;
    default:
      return fault.code === undefined || /macro/.test(fault.code)
        ? said
        : `Syntax error: ${said.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase())}`;
  }
}

/** To which type a text could not be converted, by what the evaluator says. */
const unconverted: readonly (readonly [RegExp, string])[] = [
  [/^int\(\) type error: cannot convert/, 'int'],
  [/^uint\(\) type error: cannot convert/, 'uint'],
  [/^double\(\) type error: cannot convert/, 'double'],
  [/^bool\(\) conversion error/, 'bool'],
  [/^timestamp\(\) requires a string/, 'google.protobuf.Timestamp'],
  [/^Invalid duration string/, 'google.protobuf.Duration'],
];

/** Why there is no value. */
export function runFault(error: unknown): string {
  const to = unconverted.find(([says]) => says.test(oneLine((error ?? {}) as Fault, error)))?.[1];
  if (to !== undefined) return `type conversion error from 'string' to '${to}'`;
  const said = oneLine((error ?? {}) as Fault, error);
  const missing = /^No such key: (?!index)(.*)$/.exec(said);
  if (missing !== null) return `no such key: ${missing[1]}`;
  const index = /^No such key: index out of bounds, index (-?\d+)/.exec(said);
  return index === null ? said : `index out of bounds: ${index[1]}`;
}
