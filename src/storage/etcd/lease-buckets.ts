// Leases shared by records that end at about the same time: one lease a record would cost etcd more than the record. A bucket takes
// writes of one time to live for a while and lives that much longer, so a record ends up to that while late and never early.
import type { Clock } from '../../base/index.ts';

export interface LeaseBucketsOptions {
  /** Makes a lease of so many seconds. */
  readonly grant: (ttlSeconds: number) => Promise<bigint>;
  readonly clock: Clock;
}

interface Bucket {
  readonly lease: Promise<bigint>;
  readonly takesUntilMs: number;
  records: number;
}

/** All records of a lease are deleted in one commit, so a bucket must not grow without bound. */
const maxRecords = 1000;

/** How long one lease takes further records: a twentieth of their time, between a second and a minute. */
export const bucketSeconds = (ttlSeconds: number): number =>
  Math.min(60, Math.max(1, Math.floor(ttlSeconds / 20)));

export class LeaseBuckets {
  readonly #grant: (ttlSeconds: number) => Promise<bigint>;
  readonly #clock: Clock;
  readonly #buckets = new Map<number, Bucket>();

  constructor({ grant, clock }: LeaseBucketsOptions) {
    this.#grant = grant;
    this.#clock = clock;
  }

  /** The lease for a record that is written now. Rejects as `grant` does; the next call asks again. */
  leaseFor(ttlSeconds: number): Promise<bigint> {
    const nowMs = this.#clock.monotonicMs();
    const open = this.#buckets.get(ttlSeconds);
    if (open !== undefined && nowMs < open.takesUntilMs && open.records < maxRecords) {
      open.records++;
      return open.lease;
    }
    for (const [ttl, bucket] of this.#buckets) if (nowMs >= bucket.takesUntilMs) this.#buckets.delete(ttl);
    const window = bucketSeconds(ttlSeconds);
    const lease = this.#grant(ttlSeconds + window);
    const bucket = { lease, takesUntilMs: nowMs + window * 1000, records: 1 };
    this.#buckets.set(ttlSeconds, bucket);
    lease.catch(() => this.#drop(ttlSeconds, bucket));
    return lease;
  }

  /** The lease is gone before its time (revoked, or etcd restored): the next record gets a new one. */
  async forget(ttlSeconds: number, lease: bigint): Promise<void> {
    const bucket = this.#buckets.get(ttlSeconds);
    if (bucket !== undefined && (await bucket.lease) === lease) this.#drop(ttlSeconds, bucket);
  }

  #drop(ttlSeconds: number, bucket: Bucket): void {
    if (this.#buckets.get(ttlSeconds) === bucket) this.#buckets.delete(ttlSeconds);
  }
}
