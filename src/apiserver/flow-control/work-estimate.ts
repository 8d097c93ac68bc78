// How many seats a request takes: one, or for a list one for each 100 kB that it holds in memory at once. The formula is that of Kubernetes
// 1.35 (SizeBasedListCostEstimate) for lists from the watch cache, as every list here comes from memory: at most ten seats.
import type { Clock } from '../../base/index.ts';
import type { KindDef } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import type { RequestAttributes } from '../auth/attributes.ts';
import { widest } from './limits.ts';

const bytesPerSeat = 100_000;
/** A list from memory is sent as it is read: more than this is never held. */
const mostBytes = 1_000_000;

export interface ListWork {
  /** Of the kind, in all namespaces. */
  readonly objects: number;
  readonly averageBytes: number;
  /** 0 = none */
  readonly limit: number;
  /** It names one object. */
  readonly single: boolean;
}

/** Pure. */
export function listSeats({ objects, averageBytes, limit, single }: ListWork, most: number): number {
  const read = single ? 1 : limit > 0 && limit < objects ? limit : objects;
  const bytes = Math.min(mostBytes, read * averageBytes);
  return Math.max(1, Math.min(most, widest, Math.ceil(bytes / bytesPerSeat)));
}

const sampleSize = 64;
/** As often as kube-apiserver looks. */
const sampleEveryMs = 60_000;

interface Sample {
  readonly averageBytes: number;
  readonly untilMs: number;
}

export class WorkEstimator {
  readonly #store: Pick<Store, 'count' | 'list'>;
  readonly #clock: Clock;
  readonly #samples = new WeakMap<KindDef, Sample>();

  constructor(store: Pick<Store, 'count' | 'list'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Of a list, or of a watch that begins with one. `kind` undefined = another server has the objects: one seat. */
  list(
    a: RequestAttributes,
    kind: KindDef | undefined,
    { limit, most }: { limit: number; most: number },
  ): number {
    if (kind === undefined || a.name !== '') return 1;
    const objects = this.#store.count(kind.storagePrefix);
    if (objects === 0) return 1;
    return listSeats({ objects, averageBytes: this.#averageBytes(kind), limit, single: false }, most);
  }

  #averageBytes(kind: KindDef): number {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#samples.get(kind);
    if (known !== undefined && nowMs < known.untilMs) return known.averageBytes;
    const entries = this.#store.list(kind.storagePrefix);
    const step = Math.max(1, Math.floor(entries.length / sampleSize));
    let bytes = 0;
    let looked = 0;
    for (let i = 0; i < entries.length; i += step) {
      bytes += entries[i]!.wire.length;
      looked++;
    }
    const averageBytes = looked === 0 ? 0 : bytes / looked;
    this.#samples.set(kind, { averageBytes, untilMs: nowMs + sampleEveryMs });
    return averageBytes;
  }
}
