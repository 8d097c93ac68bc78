// Charges quotas: in their status, with a compare, so that several servers share them. The writes of one namespace that come while a
// charge is being committed wait and are then charged together, in the order in which they came: one commit for all of them.
import { amountsOf, listOf, type QuotaAmounts, ResourceQuota, remainderOf } from '../../../api/index.ts';
import type { Clock, Log } from '../../../base/index.ts';
import { type KindDef, staleObject } from '../../../machinery/index.ts';
import type { Entry, Store } from '../../../storage/index.ts';
import { catchUp, commit, refOf } from '../../registry/core.ts';
import { mutableCopy, objectOf } from '../../registry/objects.ts';
import type { AdmissionRequest } from '../admission.ts';
import { chargeOf, usedAfter } from './charges.ts';

const kind = ResourceQuota as unknown as KindDef;

interface Waiter {
  readonly request: AdmissionRequest;
  /** What was taken so far, by the key of the quota. */
  readonly taken: Map<string, QuotaAmounts>;
  readonly resolve: () => void;
  readonly reject: (why: unknown) => void;
}

/** What becomes of one quota in a round. */
interface Draft {
  readonly entry: Entry;
  used: QuotaAmounts;
  readonly charges: (readonly [Waiter, QuotaAmounts])[];
}

const maxRounds = 50;

export class QuotaLedger {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #log: Log;
  /** By namespace; an entry is there while somebody works on it. */
  readonly #waiting = new Map<string, Waiter[]>();

  constructor({ store, clock, log }: { readonly store: Store; readonly clock: Clock; readonly log: Log }) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** HOT: asked of every write. The list is the store's own: one look-up in a map. */
  quotasOf(namespace: string): readonly Entry[] {
    return this.#store.list(`${kind.storagePrefix}${namespace}/`);
  }

  /** Takes what the write needs, of every quota or of none. Rejects with 403 when there is no room. */
  charge(request: AdmissionRequest, namespace: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { request, taken: new Map(), resolve, reject };
      request.undo = () => this.#refund(waiter.taken);
      const queue = this.#waiting.get(namespace);
      if (queue !== undefined) queue.push(waiter);
      else {
        this.#waiting.set(namespace, [waiter]);
        void this.#work(namespace);
      }
    });
  }

  /** Never rejects. */
  async #work(namespace: string): Promise<void> {
    for (;;) {
      const batch = this.#waiting.get(namespace)!;
      if (batch.length === 0) break;
      this.#waiting.set(namespace, []);
      try {
        await this.#settle(namespace, batch);
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.#waiting.delete(namespace);
  }

  async #settle(namespace: string, batch: readonly Waiter[]): Promise<void> {
    let left = batch;
    for (let round = 0; left.length > 0; round++) {
      if (round === maxRounds) {
        for (const { reject } of left) reject(staleObject(refOf(kind), ''));
        return;
      }
      if (round > 0 && this.#store.shared) await catchUp({ store: this.#store });
      const drafts = this.#draft(namespace, left);
      const lost = await this.#commit(drafts);
      left = left.filter((waiter) => lost.has(waiter));
    }
  }

  /** Answers those that are refused and those that take nothing. */
  #draft(namespace: string, waiters: readonly Waiter[]): readonly Draft[] {
    const drafts = new Map<string, Draft>();
    const nowMs = this.#clock.nowMs();
    for (const waiter of waiters) {
      const { request, taken } = waiter;
      const next: [Draft, QuotaAmounts, QuotaAmounts][] = [];
      try {
        for (const entry of this.quotasOf(namespace)) {
          if (taken.has(entry.key)) continue;
          const quota = objectOf<ResourceQuota>(entry);
          const charge = chargeOf(request, quota, nowMs);
          if (charge.size === 0) continue;
          let draft = drafts.get(entry.key);
          if (draft === undefined)
            drafts.set(entry.key, (draft = { entry, used: amountsOf(quota.status?.used), charges: [] }));
          next.push([draft, charge, usedAfter(request, quota, { used: draft.used, charge })]);
        }
      } catch (error) {
        waiter.reject(error);
        continue;
      }
      // A dry run asks whether there is room, and takes nothing.
      if (next.length === 0 || request.context.dryRun) waiter.resolve();
      else
        for (const [draft, charge, used] of next) {
          draft.used = used;
          draft.charges.push([waiter, charge]);
        }
    }
    return [...drafts.values()].filter(({ charges }) => charges.length > 0);
  }

  /** Returns those who must try again because somebody else was first. The others are answered. */
  async #commit(drafts: readonly Draft[]): Promise<ReadonlySet<Waiter>> {
    const done = new Set<Waiter>();
    const lost = new Set<Waiter>();
    await Promise.all(
      drafts.map(async ({ entry, used, charges }) => {
        const written = await this.#write(entry, used);
        for (const [waiter, charge] of charges) {
          if (written) waiter.taken.set(entry.key, charge);
          (written ? done : lost).add(waiter);
        }
      }),
    );
    for (const waiter of done) if (!lost.has(waiter)) waiter.resolve();
    return lost;
  }

  async #write(entry: Entry, used: QuotaAmounts): Promise<boolean> {
    const quota = mutableCopy<ResourceQuota>(entry);
    quota.status = { ...quota.status, used: listOf(used) };
    const { ok } = await commit(
      { store: this.#store },
      { key: entry.key, object: quota, expect: entry.revision },
    );
    return ok;
  }

  /** Gives back what was taken. What cannot be given back now is found by the next recount. */
  async #refund(taken: ReadonlyMap<string, QuotaAmounts>): Promise<void> {
    try {
      for (const [key, charge] of taken)
        for (let round = 0; round < maxRounds; round++) {
          const entry = this.#store.get(key);
          if (entry === undefined) break;
          const used = amountsOf(objectOf<ResourceQuota>(entry).status?.used);
          if (await this.#write(entry, remainderOf(used, charge))) break;
          if (this.#store.shared) await catchUp({ store: this.#store });
        }
    } catch (error) {
      this.#log.warn('a charge could not be given back to its quota; the next recount will', { error });
    }
  }
}
