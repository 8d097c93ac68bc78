// Pod address ranges of nodes, cut out of the cluster's range, of either family. In memory only: what is taken is learned from the
// nodes.
import { type IpFamily, type ParsedIp, parseCidr, parseIp } from '../../machinery/index.ts';

const numberOf = ({ bytes }: Pick<ParsedIp, 'bytes'>): bigint =>
  bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

function textOf(address: bigint, family: IpFamily): string {
  const hex = address.toString(16).padStart(family === 'IPv4' ? 8 : 32, '0');
  const text =
    family === 'IPv4'
      ? hex
          .match(/../g)!
          .map((byte) => Number.parseInt(byte, 16))
          .join('.')
      : hex.match(/.{4}/g)!.join(':');
  return parseIp(text)!.text;
}

export class PodRanges {
  readonly family: IpFamily;
  readonly #start: bigint;
  /** Of one node's range: how many of the last bits of an address are its own. */
  readonly #hostBits: bigint;
  readonly #maskSize: number;
  readonly #taken: Uint8Array;
  /** Below it everything is taken. */
  #first = 0;

  /** Throws RangeError when `maskSize` cuts no range out of `clusterCidr`. */
  constructor(clusterCidr: string, maskSize: number) {
    const cluster = parseCidr(clusterCidr);
    if (cluster === undefined) throw new RangeError(`"${clusterCidr}" is not an address range`);
    const width = cluster.bytes.length * 8;
    const bits = maskSize - cluster.prefixLength;
    if (!Number.isInteger(maskSize) || bits < 0 || maskSize > width || bits > 24)
      throw new RangeError(`ranges of /${maskSize} cannot be cut out of ${clusterCidr}`);
    this.family = cluster.family;
    const clusterBits = BigInt(width - cluster.prefixLength);
    this.#start = (numberOf(cluster) >> clusterBits) << clusterBits;
    this.#hostBits = BigInt(width - maskSize);
    this.#maskSize = maskSize;
    this.#taken = new Uint8Array(2 ** bits);
  }

  /** Notes a range that a node has, of whatever size; one outside the cluster's range changes nothing. */
  take(cidr: string): void {
    this.#mark(cidr, 1);
  }

  release(cidr: string): void {
    this.#mark(cidr, 0);
  }

  /** Takes the first free range; undefined = none is left. */
  next(): string | undefined {
    while (this.#first < this.#taken.length && this.#taken[this.#first] === 1) this.#first++;
    if (this.#first === this.#taken.length) return undefined;
    this.#taken[this.#first] = 1;
    const address = this.#start + (BigInt(this.#first) << this.#hostBits);
    return `${textOf(address, this.family)}/${this.#maskSize}`;
  }

  #mark(cidr: string, value: 0 | 1): void {
    const range = parseCidr(cidr);
    if (range === undefined || range.family !== this.family) return;
    const bits = BigInt(range.bytes.length * 8 - range.prefixLength);
    const start = (numberOf(range) >> bits) << bits;
    const last = start + (1n << bits) - 1n;
    const from = start < this.#start ? 0n : (start - this.#start) >> this.#hostBits;
    const to = last < this.#start ? -1n : (last - this.#start) >> this.#hostBits;
    if (from >= BigInt(this.#taken.length) || to < from) return;
    const end = to >= BigInt(this.#taken.length) ? this.#taken.length : Number(to) + 1;
    this.#taken.fill(value, Number(from), end);
    if (value === 0) this.#first = Math.min(this.#first, Number(from));
  }
}

/** What a node gets: a range of each family, all or none. */
export class NodeRanges {
  readonly #families: readonly PodRanges[];
  #reserved: readonly string[] = [];

  /** `clusterCidrs` as the flag has them: one range, or one of each family with a comma between. */
  constructor(clusterCidrs: string, maskSizes: Readonly<Record<IpFamily, number>>) {
    this.#families = clusterCidrs.split(',').map((cidr) => {
      const family = cidr.includes(':') ? 'IPv6' : 'IPv4';
      return new PodRanges(cidr.trim(), maskSizes[family]);
    });
    const [first, second, ...more] = this.#families;
    if (more.length > 0 || first?.family === second?.family)
      throw new RangeError(`"${clusterCidrs}" names more than one range of each address family`);
  }

  take(cidrs: readonly string[]): void {
    for (const cidr of cidrs) for (const ranges of this.#families) ranges.take(cidr);
  }

  /** Nobody gets of these, whatever is released. Called once. */
  reserve(cidrs: readonly string[]): void {
    this.#reserved = cidrs.map((cidr) => cidr.trim());
    this.take(this.#reserved);
  }

  release(cidrs: readonly string[]): void {
    for (const cidr of cidrs) for (const ranges of this.#families) ranges.release(cidr);
    if (cidrs.length > 0) this.take(this.#reserved);
  }

  /** In the order of the flag; undefined = one family has none left. */
  next(): readonly string[] | undefined {
    const out: string[] = [];
    for (const ranges of this.#families) {
      const cidr = ranges.next();
      if (cidr === undefined) {
        this.release(out);
        return undefined;
      }
      out.push(cidr);
    }
    return out;
  }
}
