// One table of nft as it should be, and the text of the transaction from what the kernel has to that. Owners hand in whole
// contributions; what several of them want is counted, and only what differs in the end becomes a command. HOT: 50,000 elements;
// a change costs what changed (bench/proxy.ts).
import type { TimedElement } from '../os/index.ts';
import { type Contribution, type Family, nothing } from './contribution.ts';

interface Wanted<V> {
  value: V;
  count: number;
  /** What others want in its place, for the moment between one owner's coming and the other's going. */
  rest: V[];
}

/** Values by key, each wanted by one owner or more, and what the kernel has in their place. */
class CountedEntries<V> {
  readonly entries = new Map<string, Wanted<V>>();
  /** What the kernel has, of those that changed since it was last told. */
  readonly before = new Map<string, V | undefined>();
  readonly #same: (a: V, b: V) => boolean;

  constructor(same: (a: V, b: V) => boolean) {
    this.#same = same;
  }

  want(key: string, value: V): void {
    const known = this.entries.get(key);
    if (known === undefined) {
      this.#touch(key, undefined);
      this.entries.set(key, { value, count: 1, rest: none });
    } else if (this.#same(known.value, value)) known.count++;
    else known.rest = [...known.rest, value];
  }

  leave(key: string, value: V): void {
    const known = this.entries.get(key);
    if (known === undefined) return;
    if (!this.#same(known.value, value)) {
      const at = known.rest.findIndex((other) => this.#same(other, value));
      known.rest = known.rest.filter((_, i) => i !== at);
      return;
    }
    if (--known.count > 0) return;
    this.#touch(key, known.value);
    this.entries.delete(key);
    for (const other of known.rest) this.want(key, other);
  }

  #touch(key: string, value: V | undefined): void {
    if (!this.before.has(key)) this.before.set(key, value);
  }

  /** Replaces what one owner wants. */
  replace(old: ReadonlyMap<string, V>, next: ReadonlyMap<string, V>): void {
    for (const [key, value] of old) {
      const now = next.get(key);
      if (now === undefined || !this.#same(value, now)) this.leave(key, value);
    }
    for (const [key, value] of next) {
      const was = old.get(key);
      if (was === undefined || !this.#same(was, value)) this.want(key, value);
    }
  }

  /** What changed: the value that the kernel has and the one it should have. Forgets it. */
  *changes(): Iterable<[key: string, was: V | undefined, is: V | undefined]> {
    for (const [key, was] of this.before) {
      const is = this.entries.get(key)?.value;
      if (was === undefined ? is !== undefined : is === undefined || !this.#same(was, is))
        yield [key, was, is];
    }
    this.before.clear();
  }
}

const none: never[] = [];
const sameText = (a: string, b: string): boolean => a === b;
const sameRules = (a: readonly string[], b: readonly string[]): boolean =>
  a === b || (a.length === b.length && a.every((rule, i) => rule === b[i]));
const noElements: ReadonlyMap<string, string> = new Map();

/** Longer statements make nft slower, shorter ones more of them. */
const elementsPerStatement = 1_000;

export class RuleTable {
  readonly family: Family;
  readonly name: string;
  /** Declarations and chains that are always there; in order, without the table's name. */
  #frame: readonly FrameLine[];
  readonly #owners = new Map<string, Contribution>();
  readonly #elements = new Map<string, CountedEntries<string>>();
  readonly #chains = new CountedEntries(sameRules);
  readonly #sets = new CountedEntries(sameText);

  constructor(family: Family, name: string, frame: readonly FrameLine[]) {
    this.family = family;
    this.name = name;
    this.#frame = frame;
  }

  /** Replaces what the owner wants; undefined = nothing any more. */
  put(owner: string, wanted: Contribution | undefined): void {
    const next = wanted ?? nothing;
    const old = this.#owners.get(owner) ?? nothing;
    if (wanted === undefined) this.#owners.delete(owner);
    else this.#owners.set(owner, wanted);
    for (const map of old.elements.keys()) this.#putElements(map, old, next);
    for (const map of next.elements.keys()) if (!old.elements.has(map)) this.#putElements(map, old, next);
    this.#chains.replace(old.chains, next.chains);
    this.#sets.replace(old.sets, next.sets);
  }

  #putElements(map: string, old: Contribution, next: Contribution): void {
    let entries = this.#elements.get(map);
    if (entries === undefined) this.#elements.set(map, (entries = new CountedEntries(sameText)));
    entries.replace(old.elements.get(map) ?? noElements, next.elements.get(map) ?? noElements);
  }

  /** Takes effect with the next replacement. */
  setFrame(frame: readonly FrameLine[]): void {
    this.#frame = frame;
  }

  /** Whether there are sets whose elements the kernel itself adds. */
  get remembers(): boolean {
    return this.#sets.entries.size > 0;
  }

  /** How many elements there should be in a map or set. */
  size(map: string): number {
    return this.#elements.get(map)?.entries.size ?? 0;
  }

  /**
   * The commands from what the last text left to what should be; '' when nothing changed. Whoever asks must bring it to the kernel, or
   * else send `replacement`. Order: what is referred to is there before the reference, and gone after it.
   */
  takeChanges(): string {
    const at = `${this.family} ${this.name}`;
    const declared: string[] = [];
    const ruled: string[] = [];
    const removed: string[] = [];
    const added: string[] = [];
    const dropped: string[] = [];
    for (const [name, was, is] of this.#sets.changes()) {
      // A set cannot be changed in its kind: nothing here ever asks for it.
      if (was === undefined && is !== undefined) declared.push(`add set ${at} ${name} { ${is} }`);
      else if (is === undefined) dropped.push(`delete set ${at} ${name}`);
    }
    const flushed: string[] = [];
    const gone: string[] = [];
    for (const [name, was, is] of this.#chains.changes()) {
      if (is === undefined) {
        // All rules first: two chains that go may refer to each other.
        flushed.push(`flush chain ${at} ${name}`);
        gone.push(`delete chain ${at} ${name}`);
        continue;
      }
      declared.push(was === undefined ? `add chain ${at} ${name}` : `flush chain ${at} ${name}`);
      for (const rule of is) ruled.push(`add rule ${at} ${name} ${rule}`);
    }
    for (const [map, entries] of this.#elements) {
      const away: string[] = [];
      const here: string[] = [];
      for (const [key, was, is] of entries.changes()) {
        if (was !== undefined) away.push(key);
        if (is !== undefined) here.push(is === '' ? key : `${key} : ${is}`);
      }
      statements(removed, `delete element ${at} ${map}`, away);
      statements(added, `add element ${at} ${map}`, here);
    }
    // Sets after the chains that look into them.
    const lines = [...declared, ...ruled, ...removed, ...added, ...flushed, ...gone, ...dropped];
    return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
  }

  /**
   * The commands that make the table from nothing, whatever was there, in one transaction: a packet sees the old table or the new one,
   * and connections go on, for they are the kernel's and not the table's. `remembered`: what sets with a time limit held, for those
   * that are still wanted.
   */
  takeReplacement(remembered: ReadonlyMap<string, readonly TimedElement[]> = new Map()): string {
    const at = `${this.family} ${this.name}`;
    this.#sets.before.clear();
    this.#chains.before.clear();
    const lines = [`add table ${at}`, `delete table ${at}`, `add table ${at}`];
    for (const { verb, name, text } of this.#frame)
      if (verb !== 'rule') lines.push(`add ${verb} ${at} ${name}${text === '' ? '' : ` { ${text} }`}`);
    for (const [name, { value }] of this.#sets.entries) {
      lines.push(`add set ${at} ${name} { ${value} }`);
      const known = (remembered.get(name) ?? []).filter(({ expires }) => expires > 0);
      statements(
        lines,
        `add element ${at} ${name}`,
        known.map(({ key, expires }) => `${key} expires ${expires}s`),
      );
    }
    for (const name of this.#chains.entries.keys()) lines.push(`add chain ${at} ${name}`);
    // Elements before the rules that look them up: the kernel compares each of the one with each of the other.
    for (const [map, entries] of this.#elements) {
      entries.before.clear();
      const here = Array.from(entries.entries, ([key, { value }]) =>
        value === '' ? key : `${key} : ${value}`,
      );
      statements(lines, `add element ${at} ${map}`, here);
    }
    for (const { verb, name, text } of this.#frame)
      if (verb === 'rule') lines.push(`add rule ${at} ${name} ${text}`);
    for (const [name, { value }] of this.#chains.entries)
      for (const rule of value) lines.push(`add rule ${at} ${name} ${rule}`);
    return `${lines.join('\n')}\n`;
  }
}

/** Part of a table that is always there. */
export interface FrameLine {
  readonly verb: 'map' | 'set' | 'chain' | 'rule';
  /** Of the map, set or chain. */
  readonly name: string;
  /** What is between the braces, or the rule. */
  readonly text: string;
}

function statements(lines: string[], start: string, elements: readonly string[]): void {
  for (let i = 0; i < elements.length; i += elementsPerStatement)
    lines.push(`${start} { ${elements.slice(i, i + elementsPerStatement).join(', ')} }`);
}
