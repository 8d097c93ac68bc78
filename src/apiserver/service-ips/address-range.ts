// A range of addresses of either family, from which services get theirs: arithmetic alone. An offset counts from the first usable
// address, so that the first service of a range is at 0.
import { type IpFamily, type ParsedIp, parseCidr, parseIp } from '../../machinery/index.ts';

export class AddressRange {
  /** As it is written, from its first address. */
  readonly cidr: string;
  readonly family: IpFamily;
  /** How many addresses can be used: not the network's own, nor the broadcast address of IPv4. */
  readonly size: bigint;
  readonly #base: bigint;
  readonly #bits: bigint;

  /** Throws on what is no range of at least two usable addresses. */
  constructor(text: string) {
    const cidr = parseCidr(text);
    const bits = cidr === undefined ? 0 : cidr.bytes.length * 8 - cidr.prefixLength;
    if (cidr === undefined || bits < 2)
      throw new Error(`${JSON.stringify(text)} is no address range such as 10.96.0.0/16 or fd00:10:96::/112`);
    this.cidr = cidr.network;
    this.family = cidr.family;
    this.#bits = BigInt(bits);
    this.#base = (numberOf(cidr) >> this.#bits) << this.#bits;
    this.size = (1n << this.#bits) - (cidr.family === 'IPv4' ? 2n : 1n);
  }

  at(offset: bigint): string {
    return textOf(this.#base + 1n + offset, this.family);
  }

  /** Whether the address lies between the ends of the range. */
  spans(ip: ParsedIp): boolean {
    return ip.family === this.family && numberOf(ip) >> this.#bits === this.#base >> this.#bits;
  }

  /** Whether the address is one that services get. */
  gives(ip: ParsedIp): boolean {
    const offset = numberOf(ip) - this.#base - 1n;
    return ip.family === this.family && offset >= 0n && offset < this.size;
  }
}

/** Ranges as a flag names them: `10.96.0.0/16` or, for two families, `10.96.0.0/16,fd00:10:96::/112`. Throws on anything else. */
export function parseRanges(text: string): [AddressRange, ...AddressRange[]] {
  const [first, second, ...more] = text.split(',').map((cidr) => new AddressRange(cidr.trim()));
  if (more.length > 0 || first?.family === second?.family)
    throw new Error(`${JSON.stringify(text)} names more than one range of each address family`);
  return second === undefined ? [first!] : [first!, second];
}

/** The address that the kubernetes service always has. */
export const firstServiceIp = (cidrs: string): string => parseRanges(cidrs)[0].at(0n);

/** Where the cluster's DNS answers, in each family: the tenth address, as kubeadm has it. None in a range that small. */
export const dnsServiceIps = (cidrs: string): string[] =>
  parseRanges(cidrs).flatMap((range) => (range.size > 9n ? [range.at(9n)] : []));

const numberOf = ({ bytes }: ParsedIp): bigint => bytes.reduce((n, byte) => (n << 8n) + BigInt(byte), 0n);

function textOf(n: bigint, family: IpFamily): string {
  const hex = n.toString(16).padStart(family === 'IPv4' ? 8 : 32, '0');
  if (family === 'IPv4')
    return hex
      .match(/../g)!
      .map((part) => Number.parseInt(part, 16))
      .join('.');
  return parseIp(hex.match(/..../g)!.join(':'))!.text;
}
