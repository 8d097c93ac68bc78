// Selectors of devices: what claims and classes of devices ask of a device, in CEL. As Kubernetes' dynamic-resource-allocation/cel: one
// variable `device` with its driver, its attributes and its capacity, both by domain and name. A domain that a device says nothing of is
// empty there and no fault, so that a selector need not ask for it first.
import type { ASTNode, Environment } from '@marcbachmann/cel-js';
import { type Compiled, compileIn, newEnvironment, remembering } from './environment.ts';
import { toSemver } from './formats.ts';
import { toCelQuantity } from './library.ts';

/** The value of an attribute; exactly one is set. */
export interface DeviceValue {
  readonly string?: string | undefined;
  readonly int?: number | undefined;
  readonly bool?: boolean | undefined;
  readonly version?: string | undefined;
}

/** A device as drivers describe it. Names without a domain are in the driver's. */
export interface DeviceFacts {
  readonly driver: string;
  readonly attributes?: Readonly<Record<string, DeviceValue>> | undefined;
  readonly capacity?: Readonly<Record<string, { readonly value: string }>> | undefined;
}

/** Why a text is no selector. `forbidden` = it is one, and costs too much. */
export interface SelectorFault {
  readonly type: 'invalid' | 'forbidden';
  readonly detail: string;
}

const maxSelectorCost = 1_000_000;
/** An attribute's text is that long at most; a device has fewer attributes than that. */
const mostMembers = 64;

type Domains = Map<string, Map<string, unknown>>;
const nothing: ReadonlyMap<string, unknown> = new Map();

class CelDevice {
  readonly driver: string;
  readonly attributes: Domains;
  readonly capacity: Domains;
  readonly attributesDomains: Domains;
  readonly capacityDomains: Domains;

  constructor({ driver, attributes = {}, capacity = {} }: DeviceFacts) {
    this.driver = driver;
    this.attributesDomains = byDomain(driver, attributes, attributeValue);
    this.capacityDomains = byDomain(driver, capacity, ({ value }) => toCelQuantity(value));
    this.attributes = withAnyDomain(this.attributesDomains);
    this.capacity = withAnyDomain(this.capacityDomains);
  }
}

function attributeValue({ string, int, bool, version }: DeviceValue, name: string): unknown {
  if (int !== undefined) return BigInt(int);
  if (bool !== undefined) return bool;
  if (string !== undefined) return string;
  if (version !== undefined) return toSemver(version);
  throw new Error(`attribute ${name}: unsupported attribute value`);
}

function byDomain<T>(
  driver: string,
  values: Readonly<Record<string, T>>,
  read: (value: T, name: string) => unknown,
): Domains {
  const domains: Domains = new Map();
  for (const [name, value] of Object.entries(values)) {
    const slash = name.indexOf('/');
    const domain = slash < 0 ? driver : name.slice(0, slash);
    let names = domains.get(domain);
    if (names === undefined) domains.set(domain, (names = new Map()));
    names.set(name.slice(slash + 1), read(value, name));
  }
  return domains;
}

/** Where domains that are not there are empty. */
function withAnyDomain(domains: Domains): Domains {
  const any: Domains = new Map(domains);
  // The evaluator tells a map by its constructor, so this is no class of its own.
  any.get = (domain) => domains.get(domain) ?? (nothing as Map<string, unknown>);
  return any;
}

const attributesType = 'map<string, map<string, dyn>>';
const capacityType = 'map<string, map<string, Quantity>>';
const fields = { driver: 'string', attributes: attributesType, capacity: capacityType };

const environmentWith = (of: Readonly<Record<string, string>>): Environment =>
  newEnvironment()
    .registerType('kubernetes.DRADevice', { ctor: CelDevice, fields: of } as never)
    .registerVariable('device', 'kubernetes.DRADevice');

let checked: Environment | undefined;
let evaluated: Environment | undefined;

/** Whether a domain is there is not what looking it up says: `in` asks others, which only the evaluator knows. */
const evaluatedFields = {
  ...fields,
  attributesDomains: attributesType,
  capacityDomains: capacityType,
};

const isNode = (value: unknown): value is ASTNode =>
  typeof value === 'object' && value !== null && 'op' in value && 'args' in value;

/** Where `device.attributes` and `device.capacity` stand to the right of an `in`, as ends in the text. */
function domainsAskedFor(value: unknown, ends: number[] = []): readonly number[] {
  if (Array.isArray(value)) for (const one of value) domainsAskedFor(one, ends);
  else if (isNode(value)) {
    const [, right] = value.op === 'in' ? (value.args as readonly unknown[]) : [];
    if (isNode(right) && right.op === '.' && /^(attributes|capacity)$/.test(String(right.args[1])))
      if (isNode(right.args[0]) && right.args[0].op === 'id' && right.args[0].args === 'device')
        ends.push((right as unknown as { end: number }).end);
    domainsAskedFor(value.args, ends);
  }
  return ends;
}

function compileSelector(text: string): Compiled {
  checked ??= environmentWith(fields);
  const compiled = compileIn(checked, text, []);
  if (!compiled.ok) return compiled;
  const ends = [...domainsAskedFor(checked.parse(text).ast)].sort((a, b) => b - a);
  if (ends.length === 0) return compiled;
  evaluated ??= environmentWith(evaluatedFields);
  const asked = ends.reduce((out, end) => `${out.slice(0, end)}Domains${out.slice(end)}`, text);
  return compileIn(evaluated, asked, []);
}

const compile = remembering((text) => compileSelector(text));

/** Why a text is no selector, in Kubernetes' words; undefined = it is one. */
export function deviceSelectorFault(text: string): SelectorFault | undefined {
  const compiled = compile(text, 'bool');
  if (!compiled.ok) return { type: 'invalid', detail: `compilation failed: ${compiled.error}` };
  const { type, cost } = compiled.value;
  if (type !== 'bool' && !/^(dyn|[A-Z]$|dyn<)/.test(type))
    return { type: 'invalid', detail: `must evaluate to bool or the unknown type, not ${type}` };
  return cost(mostMembers) > maxSelectorCost
    ? { type: 'forbidden', detail: 'too complex, exceeds cost limit' }
    : undefined;
}

/** A device that is asked by selectors, each of them once. */
export class SelectableDevice {
  readonly #facts: DeviceFacts;
  #seen: CelDevice | undefined;
  readonly #answers = new Map<string, boolean | Error>();

  constructor(facts: DeviceFacts) {
    this.#facts = facts;
  }

  /** Throws an Error that tells why it cannot be said: `CEL compile error: …`, `CEL runtime error: …`. */
  isSelectedBy(text: string): boolean {
    let answer = this.#answers.get(text);
    if (answer === undefined) {
      try {
        answer = this.#ask(text);
      } catch (error) {
        answer = error as Error;
      }
      this.#answers.set(text, answer);
    }
    if (typeof answer === 'boolean') return answer;
    throw answer;
  }

  #ask(text: string): boolean {
    const fault = deviceSelectorFault(text);
    const compiled = compile(text, 'bool');
    if (fault !== undefined || !compiled.ok) throw new Error(`CEL compile error: ${fault?.detail ?? ''}`);
    let value: unknown;
    try {
      this.#seen ??= new CelDevice(this.#facts);
      value = compiled.value.evaluate({ device: this.#seen });
    } catch (error) {
      throw new Error(`CEL runtime error: ${(error as Error).message}`, { cause: error });
    }
    if (typeof value !== 'boolean')
      throw new Error(`CEL runtime error: CEL result of type ${typeof value} could not be converted to bool`);
    return value;
  }
}
