// What the words behind a flag must look like. Each parser takes the text and returns the value, or throws with what is expected;
// commander puts the flag's name before it. A parser also says what its key in a config file takes.
import { InvalidArgumentError } from 'commander';
import { formatDuration, parseCidr, parseDuration, parseIp } from '../machinery/index.ts';

/** What a key of a config file holds in YAML. Lists are of texts. */
export type Takes = 'text' | 'number' | 'duration' | 'list' | 'truth';

const taking = <P extends object>(takes: Takes, parser: P): P => Object.assign(parser, { takes });

/** No parser takes any text. */
export const takesOf = (parser: object | undefined): Takes =>
  (parser as { takes?: Takes } | undefined)?.takes ?? 'text';

const expected = (what: string): never => {
  throw new InvalidArgumentError(what);
};

export function whole(min: number, max: number): (text: string) => number {
  return taking('number', (text: string) => {
    const value = Number(text);
    return /^\d+$/.test(text) && value >= min && value <= max
      ? value
      : expected(`Must be a whole number from ${min} to ${max}.`);
  });
}

/** A number with or without a fraction. */
export function decimal(min: number, max: number): (text: string) => number {
  return taking('number', (text: string) => {
    const value = Number(text);
    return /^\d+(?:\.\d+)?$/.test(text) && value >= min && value <= max
      ? value
      : expected(`Must be a number from ${min} to ${max}.`);
  });
}

/** Of a flag that is on unless it is turned off: `--x=false`. */
export function truth(text: string): boolean {
  return text === 'true' || text === 'false' ? text === 'true' : expected('Must be true or false.');
}
taking('truth', truth);

const klogLevel = whole(0, 10);

/** How much is logged, as Kubernetes' programs take it: `-v 4`, `-v4` and, unlike other short flags, `-v=4`. */
export function verbosity(text: string): number {
  return klogLevel(text.replace(/^=/, ''));
}
taking('number', verbosity);

export interface NodeGroupFlag {
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

/** `name=min:max`, several after commas or in several flags. */
export function nodeGroups(text: string, before: readonly NodeGroupFlag[] = []): readonly NodeGroupFlag[] {
  const groups = list(text).map((item) => {
    const [name = '', bounds = ''] = item.split('=');
    const [min = '', max = '', ...more] = bounds.split(':');
    const isName = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name) && name.length <= 50;
    const areBounds = /^\d+$/.test(min) && /^[1-9]\d*$/.test(max) && more.length === 0;
    if (!isName || !areBounds || Number(min) > Number(max))
      return expected('Must be NAME=MIN:MAX, such as small=1:10.');
    return { name, min: Number(min), max: Number(max) };
  });
  const all = [...before, ...groups];
  return new Set(all.map(({ name }) => name)).size === all.length
    ? all
    : expected('Must name each group once.');
}
taking('list', nodeGroups);

/** What a timer of the runtime can wait at most; a longer one would end at once. */
const longestTimerMs = 2 ** 31 - 1;

interface DurationBounds {
  readonly minMs?: number;
  /** What is longer than a timer can wait makes sense only for what no timer waits for. */
  readonly maxMs?: number;
  /** 0 means never, whatever the shortest duration is. */
  readonly zero?: 'never';
}

/** A duration as Go writes them, from `minMs` (0) to `maxMs` (24 days): `2.5s`, `1m30s`, `300ms`, `0`. In milliseconds. */
export function duration(bounds: DurationBounds = {}): (text: string) => number {
  const { minMs = 0, maxMs = longestTimerMs, zero } = bounds;
  return taking('duration', (text: string) => {
    const value = parseDuration(text);
    if (value === undefined || value < 0) return expected('Must be a duration such as 2.5s, 300ms or 1m30s.');
    const ms = Math.round(value);
    if (zero === 'never' && value === 0) return 0;
    if (ms >= minMs && ms <= maxMs) return ms;
    const never = zero === 'never' ? '0, or ' : '';
    return expected(`Must be ${never}from ${formatDuration(minMs)} to ${formatDuration(maxMs)}.`);
  });
}

/** Of what no timer waits for: a hundred years at most. */
export const durationMs = duration({ maxMs: 100 * 365 * 86_400_000 });

/** A list after commas; the flag may also be given several times. */
export function list(text: string, before: readonly string[] = []): readonly string[] {
  const items = text.split(',').map((item) => item.trim());
  if (items.includes('')) return expected('Must be a list with commas between its items.');
  return [...before, ...items];
}
taking('list', list);

/** A list of which every item is one of `allowed`. */
export function listOf<T extends string>(
  allowed: readonly T[],
): (text: string, before?: readonly T[]) => readonly T[] {
  return taking('list', (text: string, before: readonly T[] = []) => {
    for (const item of list(text))
      if (!allowed.includes(item as T)) return expected(`Must be any of ${allowed.join(', ')}.`);
    return [...before, ...(list(text) as T[])];
  });
}

/** Addresses of a node: one, or one of each family with a comma between. In the usual form. */
export function addressesOfNode(text: string): string {
  const ips = text.split(',').map((part) => parseIp(part.trim()));
  const families = new Set(ips.map((ip) => ip?.family));
  return ips.every((ip) => ip !== undefined) && families.size === ips.length
    ? ips.map((ip) => ip.text).join(',')
    : expected('Must be an address such as 10.0.0.2, or one of each address family with a comma between.');
}

/** Ranges of services or pods: one, or one of each address family: `10.96.0.0/16,fd00:10:96::/112`. */
export function addressRanges(text: string): string {
  const what = 'Must be a range such as 10.96.0.0/16, or one of each address family with a comma between.';
  const families = new Set<string>();
  for (const part of text.split(',')) {
    const cidr = parseCidr(part);
    if (cidr === undefined || families.has(cidr.family)) return expected(what);
    if (cidr.network !== part) return expected(`${what} ${part} should be ${cidr.network}.`);
    if (cidr.bytes.length * 8 - cidr.prefixLength < 2) return expected(`${what} ${part} is too small.`);
    families.add(cidr.family);
  }
  return text;
}

/** Ranges as load balancers' pools are written: `10.0.0.240-10.0.0.250,192.0.2.0/28`. */
export function addressPool(text: string, before: readonly string[] = []): readonly string[] {
  for (const range of list(text)) {
    const [first, last, ...more] = range.split('-').map((end) => parseIp(end.trim()));
    const isPair = more.length === 0 && first !== undefined && (last ?? first).family === first.family;
    const ends = range.split('-').length;
    if (parseCidr(range) === undefined && !(isPair && (ends === 1 || last !== undefined)))
      return expected('Must be ranges such as 10.0.0.240-10.0.0.250 or 192.0.2.0/28.');
  }
  return [...before, ...list(text)];
}
taking('list', addressPool);

/** The same, or `auto` for what the cluster's own network has. */
export function clusterAddressPool(text: string, before: readonly string[] = []): readonly string[] {
  if (text === 'auto' && before.length === 0) return [text];
  return text === 'auto' || before[0] === 'auto'
    ? expected('Must be auto alone, or ranges.')
    : addressPool(text, before);
}
taking('list', clusterAddressPool);

/** The name of a cluster: it becomes part of node names, cgroups and files. */
export function clusterName(text: string): string {
  return /^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?$/.test(text)
    ? text
    : expected('Must be at most 40 lower-case letters, digits and dashes, with no dash at either end.');
}

/** The name of a node, as Kubernetes wants names of objects. */
export function nodeName(text: string): string {
  return /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(text)
    ? text
    : expected('Must be at most 63 lower-case letters, digits and dashes, with no dash at either end.');
}
