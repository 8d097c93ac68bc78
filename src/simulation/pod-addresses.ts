// The pod addresses of one node: those of its podCIDR, each given to one pod at a time, a freed one not at once again. One number and a
// set of those in use: ten thousand nodes have one each. Of IPv6 the last 32 bits are that number.
import { parseCidr, parseIp } from '../machinery/index.ts';

export class PodAddresses {
  readonly #base: number;
  readonly #size: number;
  /** The first 96 bits of IPv6: `fd00:0:0:1:0:0:`; '' of IPv4. */
  readonly #prefix: string;
  readonly #used = new Set<number>();
  #last = 1;

  /** `cidr`: a range of either family. Its first two addresses (network, bridge) and its last are not given. */
  constructor(cidr: string) {
    const [address = '', bits = '32'] = cidr.split('/');
    const isV6 = address.includes(':');
    this.#prefix = isV6 ? prefixOf(cidr) : '';
    this.#base = numberOf(address);
    this.#size = isV6 ? 2 ** Math.min(24, 128 - Number(bits)) : 2 ** (32 - Number(bits));
  }

  /** undefined = all are in use. */
  take(): string | undefined {
    const usable = this.#size - 3;
    for (let i = 0; i < usable; i++) {
      this.#last = this.#last + 1 >= this.#size - 1 ? 2 : this.#last + 1;
      if (this.#used.has(this.#last)) continue;
      this.#used.add(this.#last);
      return textOf(this.#base + this.#last, this.#prefix);
    }
    return undefined;
  }

  /** Somebody has it already: a pod that ran before the simulation was started again. */
  occupy(ip: string): void {
    const at = numberOf(ip) - this.#base;
    if (at > 0 && at < this.#size) this.#used.add(at);
  }

  free(ip: string): void {
    this.#used.delete(numberOf(ip) - this.#base);
  }

  clear(): void {
    this.#used.clear();
  }
}

const numberOf = (ip: string): number => {
  const parts = ip.includes(':') ? (parseIp(ip)?.bytes.slice(12) ?? []) : ip.split('.').map(Number);
  const [a = 0, b = 0, c = 0, d = 0] = parts;
  return ((a * 256 + b) * 256 + c) * 256 + d;
};

function prefixOf(cidr: string): string {
  const bytes = parseIp(parseCidr(cidr)?.network.split('/')[0] ?? '')?.bytes ?? [];
  return [0, 2, 4, 6, 8, 10].map((i) => `${(bytes[i]! * 256 + bytes[i + 1]!).toString(16)}:`).join('');
}

const textOf = (n: number, prefix: string): string =>
  prefix === ''
    ? `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`
    : parseIp(`${prefix}${(n >>> 16).toString(16)}:${(n & 0xffff).toString(16)}`)!.text;
