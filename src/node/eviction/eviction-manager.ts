// Keeps the node from running out of memory, disk and processes: looks at what is left, says so in the node's conditions, frees what can
// be freed without pods, and then ends one pod at a time. Also ends pods that have written more than their limits allow. What is short,
// who goes first and what is said is decided in the files beside this one; here it is looked at and done.
import { isTerminal, type Pod } from '../../api/index.ts';
import { type Clock, type Log, sleep } from '../../base/index.ts';
import type { EventType } from '../../client/index.ts';
import type { NodeSnapshot } from '../stats/stats-collector.ts';
import { evictionMessage } from './eviction-message.ts';
import { exceededStorage, hasStorageLimits } from './local-storage.ts';
import { type UseOf, usesOf } from './pod-usage.ts';
import { chooseThreshold, nextPressure, noPressure, type PressureState, thresholdsMet } from './pressure.ts';
import { type DiskLayout, isCritical, rankPods } from './ranking.ts';
import {
  type EvictionSignal,
  factsOf,
  type Observations,
  type PressureCondition,
  type Threshold,
} from './signals.ts';
import type { Turns } from './turns.ts';

export interface EvictionPolicy {
  readonly thresholds: readonly Threshold[];
  /** How long a condition stays after it was last true. */
  readonly transitionMs: number;
  /** The most grace a pod gets that goes for a soft threshold. */
  readonly maxGraceSeconds: number;
}

export interface Eviction {
  readonly signal: EvictionSignal;
  readonly message: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly graceSeconds: number;
}

export interface EvictionOptions {
  readonly policy: EvictionPolicy;
  readonly clock: Clock;
  readonly log: Log;
  readonly turns: Turns;
  /** How much there is of everything, and on how many disks. Cheap. */
  observe(): Promise<{ readonly observations: Observations; readonly disks: DiskLayout }>;
  /** What the pods use now. Not cheap. */
  snapshot(maxAgeMs: number): Promise<NodeSnapshot>;
  /** Those of the node. */
  pods(): readonly Pod[];
  /** Whether anything of it still runs. */
  isRunning(pod: Pod): boolean;
  /** Removes dead containers and unused images. */
  reclaim(): Promise<void>;
  /** Ends the pod for good. Returns at once. */
  evict(pod: Pod, eviction: Eviction): void;
  /** About the node. */
  event(type: EventType, reason: string, message: string): void;
  /** `conditions` is no longer what it was. */
  changed(): void;
}

/** How often is looked. */
export const lookMs = 10_000;
/** How often somebody who waits for its turn asks again. */
const askMs = 1_000;
const cleanupMs = 30_000;
/** Of a pod that goes because something ran out. */
const hardGraceSeconds = 1;
const freshMs = 2_000;

export class EvictionManager {
  readonly #options: EvictionOptions;
  #state: PressureState = noPressure;

  constructor(options: EvictionOptions) {
    this.#options = options;
  }

  get conditions(): readonly PressureCondition[] {
    return this.#state.conditions;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log, turns } = this.#options;
    while (!signal.aborted) {
      let waitMs = lookMs;
      try {
        waitMs = await this.look(signal);
      } catch (error) {
        if (signal.aborted) break;
        log.warn('cannot tell what the node has left', { error });
      }
      if (waitMs > 0) await sleep(clock, waitMs, signal).catch(() => {});
    }
    turns.withdraw();
  }

  /** One look and what follows from it. Resolves to when the next is due. */
  async look(signal: AbortSignal): Promise<number> {
    const { policy, clock, log, turns } = this.#options;
    const { observations, disks } = await this.#options.observe();
    const before = this.#state;
    this.#state = nextPressure({
      before,
      thresholds: policy.thresholds,
      observations,
      nowMs: clock.monotonicMs(),
      transitionMs: policy.transitionMs,
    });
    if (before.conditions.join() !== this.#state.conditions.join()) {
      log.info('what the node is short of has changed', { conditions: this.#state.conditions.join(' ') });
      this.#options.changed();
    }
    const active = this.#options.pods().filter((pod) => !isTerminal(pod) && this.#options.isRunning(pod));
    const greedy = await this.#endGreedy(active, disks);
    if (greedy.length > 0) {
      await this.#waitFor(greedy, signal);
      return 0;
    }
    const threshold = chooseThreshold(this.#state.active);
    if (threshold === undefined) {
      turns.withdraw();
      return lookMs;
    }
    return this.#relieve({ threshold, observations, disks, active, signal });
  }

  /** Whoever wrote more than its limits allow goes, whatever the disk has left. */
  async #endGreedy(active: readonly Pod[], disks: DiskLayout): Promise<Pod[]> {
    const limited = active.filter(
      (pod) => hasStorageLimits(pod) && pod.metadata.deletionTimestamp === undefined,
    );
    if (limited.length === 0) return [];
    const use = usesOf(await this.#options.snapshot(lookMs));
    return limited.filter((pod) => {
      const found = use(pod.metadata.uid);
      const exceeded = found === undefined ? undefined : exceededStorage(pod, found, disks);
      return (
        exceeded !== undefined &&
        this.#evict(pod, { ...exceeded, annotations: {}, graceSeconds: hardGraceSeconds })
      );
    });
  }

  async #relieve(short: {
    readonly threshold: Threshold;
    readonly observations: Observations;
    readonly disks: DiskLayout;
    readonly active: readonly Pod[];
    readonly signal: AbortSignal;
  }): Promise<number> {
    const { turns, policy } = this.#options;
    const { threshold, disks, active } = short;
    const { resource, condition } = factsOf[threshold.signal];
    const use = usesOf(await this.#options.snapshot(freshMs));
    const [first] = this.#rank(active, { use, threshold, disks });
    if (turns.ask(first?.rank) === 'wait') return askMs;
    try {
      this.#options.event('Warning', 'EvictionThresholdMet', `Attempting to reclaim ${resource}`);
      let { observations } = short;
      if (condition === 'DiskPressure' && (disks === 'one disk' || threshold.signal.startsWith('imagefs.'))) {
        await this.#options.reclaim();
        ({ observations } = await this.#options.observe());
        if (thresholdsMet(policy.thresholds, observations, 'enforced').length === 0) return lookMs;
      }
      const seen = observations.get(threshold.signal);
      if (first === undefined || seen === undefined) return lookMs;
      const { pod } = first;
      const grace = pod.spec.terminationGracePeriodSeconds ?? policy.maxGraceSeconds;
      const { message, annotations } = evictionMessage(pod, use(pod.metadata.uid), { threshold, seen });
      this.#evict(pod, {
        signal: threshold.signal,
        message,
        annotations,
        graceSeconds: threshold.graceMs === 0 ? hardGraceSeconds : Math.min(policy.maxGraceSeconds, grace),
      });
      await this.#waitFor([pod], short.signal);
      return 0;
    } finally {
      turns.done();
    }
  }

  #rank(active: readonly Pod[], by: { use: UseOf; threshold: Threshold; disks: DiskLayout }) {
    const { use, threshold, disks } = by;
    const pods = active.filter((pod) => !isCritical(pod));
    return rankPods({ pods, use, signal: threshold.signal, disks });
  }

  #evict(pod: Pod, eviction: Eviction): boolean {
    if (isCritical(pod)) return false;
    const { namespace, name } = pod.metadata;
    this.#options.log.warn('evicting a pod', { pod: `${namespace}/${name}`, why: eviction.message });
    this.#options.evict(pod, eviction);
    return true;
  }

  /** What ended pods held is free only when they have ended. */
  async #waitFor(pods: readonly Pod[], signal: AbortSignal): Promise<void> {
    const { clock, log, isRunning } = this.#options;
    const until = clock.monotonicMs() + cleanupMs;
    while (pods.some(isRunning)) {
      if (clock.monotonicMs() >= until) {
        log.warn('evicted pods do not end', { pods: pods.map(({ metadata }) => metadata.name).join(' ') });
        return;
      }
      await sleep(clock, askMs, signal);
    }
  }
}
