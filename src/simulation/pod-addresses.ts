// The pod addresses of one node: those of its podCIDR, each given to one pod at a time, a freed one not at once again. One number and a
// set of those in use: ten thousand nodes have one each.

export class PodAddresses {
  readonly #base: number;
  readonly #size: number;
  readonly #used = new Set<number>();
  #last = 1;

  /** `cidr`: an IPv4 range. Its first two addresses (network, bridge) and its last are not given. */
  constructor(cidr: string) {
    const [address = '', bits = '32'] = cidr.split('/');
    this.#base = numberOf(address);
    this.#size = 2 ** (32 - Number(bits));
  }

  /** undefined = all are in use. */
  take(): string | undefined {
    const usable = this.#size - 3;
    for (let i = 0; i < usable; i++) {
      this.#last = this.#last + 1 >= this.#size - 1 ? 2 : this.#last + 1;
      if (this.#used.has(this.#last)) continue;
      this.#used.add(this.#last);
      return textOf(this.#base + this.#last);
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
  const [a = 0, b = 0, c = 0, d = 0] = ip.split('.').map(Number);
  return ((a * 256 + b) * 256 + c) * 256 + d;
};

const textOf = (n: number): string => `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;
