// Which service an address and port belongs to. Cluster addresses and node ports are given out by the API server, each once; external
// addresses are written by hand and those of load balancers by others, so two services may name the same. One of them has it, always
// the same one: a cluster address first, then whoever was first.

interface Claim {
  readonly owner: string;
  /** Lower goes first. */
  readonly rank: number;
}

export class Claims {
  readonly #byKey = new Map<string, Claim[]>();
  readonly #byOwner = new Map<string, ReadonlyMap<string, number>>();

  /** What the owner asks for from now on, each with its rank. Returns the other owners for whom something changed by it. */
  put(owner: string, wanted: ReadonlyMap<string, number>): Set<string> {
    const touched = new Set<string>();
    const old = this.#byOwner.get(owner) ?? none;
    if (wanted.size === 0) this.#byOwner.delete(owner);
    else this.#byOwner.set(owner, wanted);
    for (const [key, rank] of old) if (wanted.get(key) !== rank) this.#change(key, owner, { touched });
    for (const [key, rank] of wanted) if (old.get(key) !== rank) this.#change(key, owner, { rank, touched });
    touched.delete(owner);
    return touched;
  }

  owns(owner: string, key: string): boolean {
    return this.#byKey.get(key)?.[0]?.owner === owner;
  }

  /** Who has it; undefined = nobody. */
  ownerOf(key: string): string | undefined {
    return this.#byKey.get(key)?.[0]?.owner;
  }

  #change(key: string, owner: string, { rank, touched }: { rank?: number; touched: Set<string> }): void {
    const before = this.#byKey.get(key) ?? [];
    const after = before.filter((claim) => claim.owner !== owner);
    if (rank !== undefined) {
      const at = after.findIndex((claim) => claim.rank > rank);
      after.splice(at < 0 ? after.length : at, 0, { owner, rank });
    }
    if (after.length === 0) this.#byKey.delete(key);
    else this.#byKey.set(key, after);
    if (before[0]?.owner === after[0]?.owner) return;
    for (const first of [before[0], after[0]]) if (first !== undefined) touched.add(first.owner);
  }
}

const none: ReadonlyMap<string, number> = new Map();
