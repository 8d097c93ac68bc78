// Addresses that load balancers may be given: ranges as an administrator writes them. Pure.
import { parseCidr, parseIp } from '../../machinery/index.ts';

interface Range {
  readonly family: 'IPv4' | 'IPv6';
  readonly first: bigint;
  readonly last: bigint;
}

export class AddressPool {
  readonly #ranges: readonly Range[];

  /** `10.0.0.240-10.0.0.250`, `192.0.2.0/28` or one address each. Throws an Error that names what cannot be read. */
  constructor(ranges: readonly string[]) {
    this.#ranges = ranges.map(parseRange);
  }

  get isEmpty(): boolean {
    return this.#ranges.length === 0;
  }

  has(address: string): boolean {
    const ip = parseIp(address);
    if (ip === undefined) return false;
    const value = numberOf(ip.bytes);
    return this.#ranges.some(
      ({ family, first, last }) => family === ip.family && first <= value && value <= last,
    );
  }

  /** The first free address of a family, in the order of the ranges. */
  firstFree(family: 'IPv4' | 'IPv6', isFree: (address: string) => boolean): string | undefined {
    for (const range of this.#ranges) {
      if (range.family !== family) continue;
      for (let value = range.first; value <= range.last; value++) {
        const address = textOf(value, family);
        if (isFree(address)) return address;
      }
    }
    return undefined;
  }
}

function parseRange(text: string): Range {
  const cidr = parseCidr(text);
  if (cidr !== undefined) {
    const first = numberOf(parseIp(cidr.network.split('/')[0]!)!.bytes);
    const bits = BigInt(cidr.bytes.length * 8 - cidr.prefixLength);
    return { family: cidr.family, first, last: first + (1n << bits) - 1n };
  }
  const ends = text.split('-').map((end) => parseIp(end.trim()));
  const [from, to] = ends.length === 1 ? [ends[0], ends[0]] : ends;
  if (from === undefined || to === undefined || from.family !== to.family || ends.length > 2)
    throw new Error(`"${text}" is no range of addresses: write FIRST-LAST or ADDRESS/LENGTH`);
  const [first, last] = [numberOf(from.bytes), numberOf(to.bytes)];
  if (first > last) throw new Error(`the range "${text}" ends before it begins`);
  return { family: from.family, first, last };
}

const numberOf = (bytes: readonly number[]): bigint =>
  bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);

function textOf(value: bigint, family: 'IPv4' | 'IPv6'): string {
  if (family === 'IPv4') return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
  const groups = Array.from({ length: 8 }, (_, i) =>
    ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16),
  );
  return parseIp(groups.join(':'))!.text;
}
