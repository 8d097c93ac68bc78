// The fake of nftables for the proxy's tests: takes the text of transactions as the kernel does, and follows a packet through the rules.
// It reads only the statements that the proxy writes, and throws on others.
import type { Family } from './contribution.ts';
import { isInRange } from './node-port-addresses.ts';

interface ModelSet {
  readonly isMap: boolean;
  readonly declaration: string;
  readonly elements: Map<string, string>;
}

interface ModelChain {
  /** '' = only jumped to */
  readonly hook: string;
  rules: string[];
}

interface ModelTable {
  readonly sets: Map<string, ModelSet>;
  readonly chains: Map<string, ModelChain>;
}

export interface Packet {
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'tcp' | 'udp' | 'sctp';
  readonly port: number;
  /** The node itself sends it. */
  readonly own?: boolean;
  /** It answers one that went the other way. */
  readonly reply?: boolean;
  /** Connection tracking cannot say what it belongs to: no address of it is changed. */
  readonly invalid?: boolean;
}

export interface Fate {
  readonly verdict: 'accept' | 'drop' | 'reject';
  readonly destination: string;
  readonly port: number;
  /** It leaves with the node's address. */
  readonly masqueraded: boolean;
}

export interface TraceOptions {
  readonly nodeIps: readonly string[];
  /** In place of `numgen random`: below `modulus`. */
  readonly pick?: (modulus: number) => number;
  /** Whose rules alone it meets; default `jotasu-proxy`. */
  readonly table?: string;
}

export class NftModel {
  #tables = new Map<string, ModelTable>();

  /** Throws, and changes nothing, where the kernel would refuse. */
  apply(text: string): void {
    const before = this.#tables;
    this.#tables = structuredClone(before);
    try {
      for (const line of text.split('\n')) if (line !== '') this.#command(line);
      for (const table of this.#tables.values()) checkReferences(table);
    } catch (error) {
      this.#tables = before;
      throw error;
    }
  }

  /** Everything there is, in an order of its own: equal for equal tables. */
  text(): string {
    const sorted = <V>(entries: Map<string, V>): [string, V][] =>
      [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
    return sorted(this.#tables)
      .flatMap(([name, { sets, chains }]) => [
        name,
        ...sorted(sets).map(
          ([set, { declaration, elements }]) =>
            `${set} { ${declaration} } ${sorted(elements)
              .map((pair) => pair.join(' : '))
              .join(', ')}`,
        ),
        ...sorted(chains).map(([chain, { hook, rules }]) => `${chain} ${hook}\n  ${rules.join('\n  ')}`),
      ])
      .join('\n');
  }

  elements(family: Family, name: string): ReadonlyMap<string, string> {
    return this.#table(`${family} jotasu-proxy`).sets.get(name)?.elements ?? new Map();
  }

  #table(name: string): ModelTable {
    const table = this.#tables.get(name);
    if (table === undefined) throw new Error(`no table ${name}`);
    return table;
  }

  #command(line: string): void {
    const [verb = '', object = '', family = '', name = '', ...rest] = line.split(' ');
    const at = `${family} ${name}`;
    if (object === 'table') {
      if (verb === 'delete') this.#tables.delete(at);
      else if (!this.#tables.has(at)) this.#tables.set(at, { sets: new Map(), chains: new Map() });
      return;
    }
    const table = this.#table(at);
    const [own = '', ...more] = rest;
    const argument = more.join(' ');
    const inBraces = argument.replace(/^\{ /, '').replace(/ \}$/, '');
    const known = <V>(from: Map<string, V>): V => {
      const found = from.get(own);
      if (found === undefined) throw new Error(`no ${object} ${own}: ${line}`);
      return found;
    };
    switch (`${verb} ${object}`) {
      case 'add map':
      case 'add set': {
        if (table.sets.has(own)) return;
        table.sets.set(own, { isMap: object === 'map', declaration: inBraces, elements: new Map() });
        return;
      }
      case 'delete set':
        known(table.sets);
        table.sets.delete(own);
        return;
      case 'add chain':
        if (!table.chains.has(own)) table.chains.set(own, { hook: inBraces, rules: [] });
        return;
      case 'flush chain':
        known(table.chains).rules = [];
        return;
      case 'delete chain':
        known(table.chains);
        table.chains.delete(own);
        return;
      case 'add rule':
        known(table.chains).rules.push(argument);
        return;
      case 'add element': {
        const set = known(table.sets);
        for (const [key, value] of pairsOf(inBraces)) {
          const present = set.elements.get(key);
          if (present !== undefined && present !== value) throw new Error(`${own} has another ${key}`);
          if (set.isMap !== (value !== '')) throw new Error(`not an element of ${own}: ${key}`);
          set.elements.set(key, value);
        }
        return;
      }
      case 'delete element': {
        const set = known(table.sets);
        for (const [key] of pairsOf(inBraces))
          if (!set.elements.delete(key)) throw new Error(`${own} has no ${key}`);
        return;
      }
      default:
        throw new Error(`not understood: ${line}`);
    }
  }

  /** The first packet of a new connection, from where it comes in (or is made) to where it leaves. */
  trace(packet: Packet, options: TraceOptions): Fate {
    const family: Family = packet.destination.includes(':') ? 'ip6' : 'ip';
    return new Walk(this.#table(`${family} ${options.table ?? 'jotasu-proxy'}`), packet, options).run();
  }
}

function pairsOf(text: string): [key: string, value: string][] {
  return text.split(', ').map((element) => {
    const [key = '', value = ''] = element.split(' : ');
    return [key.replace(/ expires \S+$/, ''), value];
  });
}

/** What refers to something that is not there is refused by the kernel. */
function checkReferences({ sets, chains }: ModelTable): void {
  const inTexts = [
    ...[...chains.values()].flatMap(({ rules }) => rules),
    ...[...sets.values()].flatMap(({ elements }) => [...elements.values()]),
  ];
  for (const text of inTexts) {
    for (const [, chain] of text.matchAll(/\b(?:goto|jump) ([^\s,]+)/g))
      if (!chains.has(chain!)) throw new Error(`no chain ${chain}, named in ${text}`);
    for (const [, set] of text.matchAll(/@(\S+)/g))
      if (!sets.has(set!)) throw new Error(`no set ${set}, named in ${text}`);
  }
}

type Step = 'next' | 'no-match' | 'return' | 'accept' | 'drop' | 'reject';

class Walk {
  readonly #table: ModelTable;
  readonly #options: TraceOptions;
  readonly #packet: Packet;
  #destination: string;
  #port: number;
  #mark = 0;
  #changed = false;
  #masqueraded = false;

  constructor(table: ModelTable, packet: Packet, options: TraceOptions) {
    this.#table = table;
    this.#packet = packet;
    this.#options = options;
    this.#destination = packet.destination;
    this.#port = packet.port;
  }

  run(): Fate {
    const first = this.#packet.own ? ['output'] : ['prerouting'];
    let verdict = this.#hooks(first);
    if (verdict === 'accept' && !this.#packet.own)
      verdict = this.#hooks([this.#options.nodeIps.includes(this.#destination) ? 'input' : 'forward']);
    if (verdict === 'accept') this.#hooks(['postrouting']);
    return {
      verdict,
      destination: this.#destination,
      port: this.#port,
      masqueraded: this.#masqueraded,
    };
  }

  #hooks([hook]: readonly string[]): Fate['verdict'] {
    const chains = [...this.#table.chains.values()].flatMap((chain) => {
      const [, type, at, priority] = /^type (\w+) hook (\w+) priority (-?\d+)/.exec(chain.hook) ?? [];
      return type !== undefined && at === hook ? [{ type, chain, priority: Number(priority) }] : [];
    });
    chains.sort((a, b) => a.priority - b.priority);
    for (const { chain } of chains) {
      const step = this.#chain(chain.rules);
      if (step === 'drop' || step === 'reject') return step;
    }
    return 'accept';
  }

  #chain(rules: readonly string[]): Step {
    for (const rule of rules) {
      const step = this.#rule(rule);
      if (step !== 'next' && step !== 'no-match') return step;
    }
    return 'return';
  }

  #rule(rule: string): Step {
    let rest = rule;
    while (rest !== '') {
      const found = this.#statement(rest);
      if (found.step !== 'next') return found.step;
      rest = rest.slice(found.length).trimStart();
    }
    return 'next';
  }

  #statement(text: string): { step: Step; length: number } {
    for (const [pattern, act] of statements) {
      const match = pattern.exec(text);
      if (match !== null) return { step: act(this, match), length: match[0].length };
    }
    throw new Error(`not understood: ${text}`);
  }

  /** The value of `ip daddr . tcp dport . numgen random mod 3`. */
  key(expression: string): string {
    return expression
      .split(' . ')
      .map((part) => {
        if (/ daddr$/.test(part)) return this.#destination;
        if (/ saddr$/.test(part)) return this.#packet.source;
        if (/ dport$/.test(part))
          return part === 'th dport' || this.isProtocol(part.split(' ')[0]!) ? String(this.#port) : 'none';
        if (part === 'meta l4proto') return this.#packet.protocol;
        const [, modulus] = /^numgen random mod (\d+)$/.exec(part) ?? [];
        if (modulus !== undefined) return String(this.#options.pick?.(Number(modulus)) ?? 0);
        throw new Error(`not understood: ${part}`);
      })
      .join(' . ');
  }

  find(target: string): ReadonlyMap<string, string> {
    if (target.startsWith('@')) return this.#table.sets.get(target.slice(1))!.elements;
    return new Map(pairsOf(target.replace(/^\{ /, '').replace(/ \}$/, '')));
  }

  /** `goto x`, `jump x`, `drop` … */
  verdict(text: string): Step {
    const [verb = '', chain = ''] = text.split(' ');
    if (verb === 'goto') return this.#chain(this.#table.chains.get(chain)!.rules);
    if (verb === 'jump') {
      const step = this.#chain(this.#table.chains.get(chain)!.rules);
      return step === 'return' ? 'next' : step;
    }
    return verb as Step;
  }

  sendTo(target: string | undefined): Step {
    if (target === undefined) return 'no-match';
    const [destination = '', port = ''] = target.split(' . ');
    this.#destination = destination;
    this.#port = Number(port);
    this.#changed = true;
    return 'accept';
  }

  remember(set: string): Step {
    this.#table.sets.get(set)!.elements.set(this.#packet.source, '');
    return 'next';
  }

  isPort(first: number, last: number): boolean {
    return this.#port >= first && this.#port <= last;
  }

  get isReply(): boolean {
    return this.#packet.reply === true;
  }

  get isInvalid(): boolean {
    return this.#packet.invalid === true;
  }

  isProtocol(protocol: string): boolean {
    return this.#packet.protocol === protocol;
  }

  isLocal(which: string): boolean {
    return this.#options.nodeIps.includes(which === 'saddr' ? this.#packet.source : this.#destination);
  }

  get wasChanged(): boolean {
    return this.#changed;
  }

  mark(change: (mark: number) => number): number {
    return (this.#mark = change(this.#mark));
  }

  masquerade(): Step {
    this.#masqueraded = true;
    return 'accept';
  }
}

const when = (holds: boolean): Step => (holds ? 'next' : 'no-match');
const address = '(ip6? [sd]addr)';
const keys = String.raw`((?:ip6? [sd]addr|meta l4proto|\w+ dport|numgen random mod \d+)(?: \. (?:ip6? [sd]addr|meta l4proto|\w+ dport|numgen random mod \d+))*)`;

const statements: readonly (readonly [RegExp, (walk: Walk, match: RegExpExecArray) => Step])[] = [
  [/^ct state new\b/, (walk) => when(!walk.isInvalid)],
  [/^ct state invalid\b/, (walk) => when(walk.isInvalid)],
  [/^ct state established,related\b/, (walk) => when(walk.isReply)],
  [/^icmpv6 type \d+-\d+/, () => 'no-match'],
  [/^ct status dnat\b/, (walk) => when(walk.wasChanged)],
  [/^fib ([sd]addr) type local\b/, (walk, [, which]) => when(walk.isLocal(which!))],
  [/^meta l4proto (tcp|udp|sctp)\b/, (walk, [, protocol]) => when(walk.isProtocol(protocol!))],
  [/^meta mark & (\S+) == 0/, (walk, [, bit]) => when((walk.mark((mark) => mark) & Number(bit)) === 0)],
  [
    /^meta mark set meta mark ([|^]) (\S+)/,
    (walk, [, how, bit]) => {
      walk.mark((mark) => (how === '|' ? mark | Number(bit) : mark ^ Number(bit)));
      return 'next';
    },
  ],
  [/^update @(\S+) \{ ip6? saddr \}/, (walk, [, set]) => walk.remember(set!)],
  [
    new RegExp(`^${keys} vmap (@\\S+|\\{.*\\})`),
    (walk, [, key, target]) => {
      const verdict = walk.find(target!).get(walk.key(key!));
      return verdict === undefined ? 'no-match' : walk.verdict(verdict);
    },
  ],
  [
    new RegExp(`^dnat ip6? to ${keys} map (@\\S+|\\{.*\\})`),
    (walk, [, key, target]) => walk.sendTo(walk.find(target!).get(walk.key(key!))),
  ],
  [/^dnat ip6? to \[?([^\]\s]+?)\]?:(\d+)$/, (walk, [, to, port]) => walk.sendTo(`${to} . ${port}`)],
  [new RegExp(`^${keys} @(\\S+)`), (walk, [, key, set]) => when(walk.find(`@${set}`).has(walk.key(key!)))],
  [new RegExp(`^${address} != (\\S+)`), (walk, [, key, range]) => when(!inRange(walk.key(key!), range!))],
  [new RegExp(`^${address} (\\S+)`), (walk, [, key, range]) => when(inRange(walk.key(key!), range!))],
  [
    /^(tcp|udp|sctp) dport (\d+)(?:-(\d+))?/,
    (walk, [, protocol, first, last]) =>
      when(walk.isProtocol(protocol!) && walk.isPort(Number(first), Number(last ?? first))),
  ],
  [/^masquerade fully-random/, (walk) => walk.masquerade()],
  [/^reject with tcp reset/, () => 'reject'],
  [/^(?:(?:goto|jump) \S+|return|accept|drop|reject)/, (walk, [verdict]) => walk.verdict(verdict)],
];

const inRange = (ip: string, range: string): boolean =>
  range.includes('/') ? isInRange(ip, range) : ip === range;
