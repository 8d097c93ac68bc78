// The machine is being shut down: the node takes no more pods, and those it has end in order, within the time there is. What hears of
// the shutdown (a signal, logind) is elsewhere; reasons, messages and events are the kubelet's.
import { isTerminal, type Pod } from '../../api/index.ts';
import { type Clock, type Log, sleep } from '../../base/index.ts';
import type { EventType } from '../../client/index.ts';
import type { Rejection } from '../plan/admission.ts';
import type { PodEnd } from '../worker/pod-worker.ts';
import { planShutdown, type ShutdownGrace, shutdownGraceSeconds } from './shutdown-plan.ts';

export interface NodeShutdownOptions {
  /** None = pods are left as they are. */
  readonly graces: readonly ShutdownGrace[];
  readonly clock: Clock;
  readonly log: Log;
  /** Those of the node. */
  pods(): readonly Pod[];
  /** Whether it has not ended yet. */
  isRunning(pod: Pod): boolean;
  /** Ends the pod for good. Returns at once. */
  end(pod: Pod, how: PodEnd): void;
  /** Resolves when the API knows how they have ended, or cannot be told. */
  told(pods: readonly Pod[]): Promise<unknown>;
  /** About the node. */
  event(type: EventType, reason: string, message: string): void;
  /** `problem` is no longer what it was. */
  changed(): void;
}

const lookMs = 100;
/** How long the last ends may take, and then the API to hear of them. */
const tellMs = 2_000;
const eventReason = 'NodeShutdown';
const podReason = 'Terminated';
const podMessage = 'Pod was terminated in response to imminent node shutdown.';

export class NodeShutdown {
  readonly #options: NodeShutdownOptions;
  #current: { readonly over: Promise<void>; readonly calledOff: AbortController } | undefined;

  constructor(options: NodeShutdownOptions) {
    this.#options = options;
  }

  /** Why the node is not ready; undefined = no shutdown goes on. */
  get problem(): string | undefined {
    return this.#current === undefined ? undefined : 'node is shutting down';
  }

  /** Why the node takes no pod. */
  get rejection(): Rejection | undefined {
    if (this.#current === undefined) return undefined;
    return { reason: eventReason, message: 'Pod was rejected as the node is shutting down.' };
  }

  /** Resolves when every pod has ended or the time is over. One at a time: who comes second waits for the first. */
  begin(): Promise<void> {
    if (this.#current === undefined) {
      const calledOff = new AbortController();
      const over = this.#run(calledOff.signal);
      this.#current = { over, calledOff };
      this.#tell('Shutdown manager detected shutdown event');
    }
    return this.#current.over;
  }

  /** The machine stays after all. What has ended stays so. */
  callOff(): void {
    if (this.#current === undefined) return;
    this.#current.calledOff.abort();
    this.#current = undefined;
    this.#tell('Shutdown manager detected shutdown cancellation');
  }

  #tell(message: string): void {
    this.#options.event('Normal', eventReason, message);
    this.#options.changed();
  }

  async #run(calledOff: AbortSignal): Promise<void> {
    const { graces, clock, log, pods, end, told } = this.#options;
    if (graces.length === 0) return;
    const active = pods().filter((pod) => !isTerminal(pod));
    for (const group of planShutdown(active, graces)) {
      if (calledOff.aborted) return;
      log.info('ending pods before the machine', { pods: group.pods.length, seconds: group.seconds });
      for (const pod of group.pods) {
        const graceSeconds = shutdownGraceSeconds(pod, group.seconds);
        end(pod, { reason: podReason, message: podMessage, graceSeconds });
      }
      await this.#waitFor(group.pods, group.seconds * 1000, calledOff);
    }
    // Whoever used up its time is killed just now.
    await this.#waitFor(active, tellMs, calledOff);
    await Promise.race([told(active), sleep(clock, tellMs, calledOff).catch(() => {})]);
  }

  async #waitFor(pods: readonly Pod[], ms: number, calledOff: AbortSignal): Promise<void> {
    const { clock, isRunning } = this.#options;
    const untilMs = clock.monotonicMs() + ms;
    while (pods.some(isRunning) && clock.monotonicMs() < untilMs && !calledOff.aborted)
      await sleep(clock, lookMs, calledOff).catch(() => {});
  }
}
