// Pod address ranges of nodes, cut out of the cluster's range. In memory only: what is taken is learned from the nodes.

const toNumber = (address: string): number =>
  address.split('.').reduce((n, part) => n * 256 + Number(part), 0);
const toAddress = (n: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join('.');

const ipv4Range = /^(\d{1,3}(?:\.\d{1,3}){3})\/(\d{1,2})$/;

function parseRange(cidr: string): { start: number; bits: number } | undefined {
  const [, address, bits] = ipv4Range.exec(cidr) ?? [];
  if (address === undefined || Number(bits) > 32 || address.split('.').some((part) => Number(part) > 255))
    return undefined;
  const size = 2 ** (32 - Number(bits));
  return { start: Math.floor(toNumber(address) / size) * size, bits: Number(bits) };
}

export class PodRanges {
  readonly #start: number;
  readonly #size: number;
  readonly #bits: number;
  readonly #taken: Uint8Array;
  /** Below it everything is taken. */
  #first = 0;

  /** Throws RangeError when `maskSize` cuts no range out of `clusterCidr`. */
  constructor(clusterCidr: string, maskSize: number) {
    const cluster = parseRange(clusterCidr);
    if (cluster === undefined) throw new RangeError(`"${clusterCidr}" is not an IPv4 range`);
    if (
      !Number.isInteger(maskSize) ||
      maskSize < cluster.bits ||
      maskSize > 32 ||
      maskSize - cluster.bits > 24
    )
      throw new RangeError(`ranges of /${maskSize} cannot be cut out of ${clusterCidr}`);
    this.#start = cluster.start;
    this.#bits = maskSize;
    this.#size = 2 ** (32 - maskSize);
    this.#taken = new Uint8Array(2 ** (maskSize - cluster.bits));
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
    return `${toAddress(this.#start + this.#first * this.#size)}/${this.#bits}`;
  }

  #mark(cidr: string, value: 0 | 1): void {
    const range = parseRange(cidr);
    if (range === undefined) return;
    const from = Math.max(0, Math.floor((range.start - this.#start) / this.#size));
    const to = Math.ceil((range.start + 2 ** (32 - range.bits) - this.#start) / this.#size);
    if (to <= from) return;
    this.#taken.fill(value, from, to);
    if (value === 0) this.#first = Math.min(this.#first, from);
  }
}
