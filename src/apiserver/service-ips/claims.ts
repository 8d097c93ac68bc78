// How servers on one store keep from giving the same address to two services at once. A service that is stored holds what it names,
// and every server sees it; a claim covers the moment before. It is a record that only one server can make, made before the
// service is written and dropped after it:
//
// 1. claim the value, so nobody else can claim it; 2. catch up, so every service stored before is seen here; 3. look again
// whether the value is held; 4. write the service; 5. drop the claim.
//
// Who claims later than 5 sees the service in step 3. A server that dies between leaves a claim that ends by itself, long after
// a write it had sent could still happen.
import type { CommitResult, Store } from '../../storage/index.ts';

const prefix = '/jotasu/serviceclaims/';
/** Longer than a commit may take. */
const claimSeconds = 60;

export interface Claim {
  readonly key: string;
  readonly revision: number;
}

export interface ClaimResult {
  /** What another server has claimed at this moment. */
  readonly lost: readonly string[];
  /** Ours until dropped; none when any was lost. */
  readonly held: readonly Claim[];
}

export class ServiceClaims {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Claims all of them or none, and catches up. Rejects as a commit does. */
  async claim(values: readonly string[], owner: string): Promise<ClaimResult> {
    const results = await Promise.allSettled(values.map((value) => this.#create(value, owner)));
    const held: Claim[] = [];
    const lost: string[] = [];
    let failure: PromiseRejectedResult | undefined;
    for (const [i, result] of results.entries()) {
      if (result.status === 'rejected') failure = result;
      else if (result.value.ok)
        held.push({ key: prefix + values[i]!, revision: result.value.entry!.revision });
      else lost.push(values[i]!);
    }
    if (failure === undefined && lost.length === 0) {
      await this.#store.catchUp();
      return { lost, held };
    }
    await this.drop(held);
    if (failure !== undefined) throw failure.reason;
    return { lost, held: [] };
  }

  /** What cannot be dropped now ends by itself. */
  async drop(claims: readonly Claim[]): Promise<void> {
    await Promise.allSettled(
      claims.map(({ key, revision }) => this.#store.commit({ key, value: undefined, expect: revision })),
    );
  }

  #create(value: string, owner: string): Promise<CommitResult> {
    const bytes = Buffer.from(JSON.stringify({ metadata: { name: value }, owner }));
    return this.#store.commit({ key: prefix + value, value: bytes, expect: 0, ttlSeconds: claimSeconds });
  }
}
