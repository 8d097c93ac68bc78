// Runs the probes of every running container on this node. A probe belongs to one instance of a container and ends with it.
// Results are looked up by container id; the worker of the pod is woken when one changes.
import type { coreV1, Pod } from '../../api/index.ts';
import type { Clock, Log, Scope, Timer } from '../../base/index.ts';
import type { ContainerRuntime } from '../../os/index.ts';
import type { ProbeMetrics } from '../metrics/probe-metrics.ts';
import { tryProbe } from './probe.ts';
import type { ProbeOutcome } from './probe-outcome.ts';
import {
  countOutcome,
  initialCount,
  nextTryMs,
  type ProbeCount,
  type ProbeKind,
  type Verdict,
} from './probe-plan.ts';

export interface ProbeManagerOptions {
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
  readonly userAgent: string;
  readonly metrics: Pick<ProbeMetrics, 'probed'>;
  readonly event: (pod: Pod, container: string, type: 'Warning', reason: string, message: string) => void;
  readonly onChange: (podUid: string) => void;
}

export interface ProbedContainer {
  readonly pod: Pod;
  readonly container: coreV1.Container;
  readonly containerId: string;
  readonly podIp: string;
  readonly startedAtMs: number;
}

const fields = { startup: 'startupProbe', liveness: 'livenessProbe', readiness: 'readinessProbe' } as const;
const kinds: readonly ProbeKind[] = ['startup', 'liveness', 'readiness'];
/** How often the kubelet tries a probe that it cannot make before it waits for the next period. */
const maxTries = 3;
const capital = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' } as const;

class Running {
  count: ProbeCount;
  timer: Timer | undefined;
  busy = false;
  /** A try that is under way is the last one, and changes nothing. */
  ended = false;
  readonly kind: ProbeKind;
  readonly probe: coreV1.Probe;
  constructor(kind: ProbeKind, probe: coreV1.Probe) {
    this.kind = kind;
    this.probe = probe;
    this.count = initialCount(kind);
  }
}

function end(running: Running | undefined): void {
  if (running === undefined) return;
  running.ended = true;
  running.timer?.cancel();
}

interface Entry {
  target: ProbedContainer;
  readonly probes: ReadonlyMap<ProbeKind, Running>;
  /** Stopped probes answer no more; what they found stays until the entry is removed. */
  readonly abort: AbortController;
}

export class ProbeManager {
  readonly #options: ProbeManagerOptions;
  readonly #entries = new Map<string, Entry>();

  constructor(options: ProbeManagerOptions) {
    this.#options = options;
  }

  /** Starts probing an instance. Idempotent; later calls bring a new pod object. */
  add(target: ProbedContainer): void {
    const known = this.#entries.get(target.containerId);
    if (known !== undefined) {
      known.target = target;
      return;
    }
    const probes = new Map<ProbeKind, Running>();
    for (const kind of kinds) {
      const probe = target.container[fields[kind]];
      if (probe !== undefined) probes.set(kind, new Running(kind, probe));
    }
    if (probes.size === 0) return;
    const entry: Entry = { target, probes, abort: new AbortController() };
    this.#entries.set(target.containerId, entry);
    for (const running of probes.values()) this.#schedule(entry, running, this.#firstDelay(running, target));
  }

  /** Ends the probes of instances of a pod that no longer run. */
  retain(podUid: string, containerIds: ReadonlySet<string>): void {
    for (const [id, entry] of this.#entries)
      if (entry.target.pod.metadata.uid === podUid && !containerIds.has(id)) this.#remove(id, entry);
  }

  /** A pod that ends is not killed for failing its probes, but readiness goes on. */
  stopLivenessAndStartup(podUid: string): void {
    for (const entry of this.#entries.values())
      if (entry.target.pod.metadata.uid === podUid)
        for (const kind of ['startup', 'liveness'] as const) end(entry.probes.get(kind));
  }

  stop(): void {
    for (const [id, entry] of this.#entries) this.#remove(id, entry);
  }

  /** undefined = no such probe */
  verdict(containerId: string, kind: ProbeKind): Verdict | undefined {
    return this.#entries.get(containerId)?.probes.get(kind)?.count.verdict;
  }

  isStarted(container: coreV1.Container, id: string): boolean {
    return container.startupProbe === undefined || this.verdict(id, 'startup') === 'success';
  }

  isReady(container: coreV1.Container, id: string): boolean {
    return container.readinessProbe === undefined || this.verdict(id, 'readiness') === 'success';
  }

  #firstDelay(running: Running, target: ProbedContainer): number {
    return nextTryMs(running.probe, { startedAtMs: target.startedAtMs, nowMs: this.#options.clock.nowMs() });
  }

  #remove(id: string, entry: Entry): void {
    entry.abort.abort();
    for (const running of entry.probes.values()) end(running);
    this.#entries.delete(id);
  }

  #schedule(entry: Entry, running: Running, delayMs: number): void {
    if (running.ended) return;
    running.timer?.cancel();
    running.timer = this.#options.clock.after(delayMs, () => {
      this.#options.scope.run('probe', (signal) => this.#try(entry, running, signal));
    });
  }

  async #try(entry: Entry, running: Running, signal: AbortSignal): Promise<void> {
    const periodMs = (running.probe.periodSeconds ?? 10) * 1000;
    // Until the container has started, only the startup probe runs; afterwards it is done.
    const startup = entry.probes.get('startup');
    const started = startup === undefined || startup.count.verdict === 'success';
    if (running.kind === 'startup' && started) return;
    if (running.kind !== 'startup' && !started) return;
    if (running.busy || running.ended) return;
    running.busy = true;
    const abort = AbortSignal.any([signal, entry.abort.signal]);
    const once = (): Promise<ProbeOutcome> =>
      tryProbe(running.probe, entry.target, {
        runtime: this.#options.runtime,
        timeoutMs: (running.probe.timeoutSeconds ?? 1) * 1000,
        userAgent: this.#options.userAgent,
        clock: this.#options.clock,
        signal: abort,
      });
    const { clock } = this.#options;
    const startedMs = clock.monotonicMs();
    let outcome: ProbeOutcome;
    try {
      outcome = await once();
      for (let tries = 1; outcome.errored === true && tries < maxTries && !abort.aborted; tries++)
        outcome = await once();
    } catch (error) {
      // What was cut short failed for that alone.
      if (abort.aborted) return;
      throw error;
    } finally {
      running.busy = false;
    }
    if (abort.aborted || running.ended) return;
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    if (outcome.errored !== true)
      this.#options.metrics.probed(entry.target, running.kind, { ok: outcome.ok, seconds });
    this.#record(entry, running, outcome);
    const finished =
      (running.kind === 'startup' && running.count.verdict === 'success') ||
      // The container is about to be killed.
      (running.kind !== 'readiness' && running.count.verdict === 'failure');
    if (!finished) this.#schedule(entry, running, periodMs);
  }

  #record(entry: Entry, running: Running, outcome: ProbeOutcome): void {
    const { pod, container } = entry.target;
    const before = running.count.verdict;
    if (outcome.errored === true) {
      const says = `probe errored and resulted in unknown state: ${outcome.message}`;
      this.#options.event(pod, container.name, 'Warning', 'Unhealthy', `${capital[running.kind]} ${says}`);
      return;
    }
    running.count = countOutcome(running.count, running.probe, outcome.ok);
    const { ok, message } = outcome;
    if (!ok || message !== '') {
      const [reason, what] = ok ? ['ProbeWarning', 'warning'] : ['Unhealthy', 'failed'];
      const says = `${capital[running.kind]} probe ${what}: ${message}`;
      this.#options.event(pod, container.name, 'Warning', reason, says);
    }
    if (running.count.verdict === before) return;
    this.#options.log.debug('probe result changed', {
      pod: `${pod.metadata.namespace}/${pod.metadata.name}`,
      container: container.name,
      probe: running.kind,
      result: running.count.verdict,
    });
    if (running.kind === 'startup' && running.count.verdict === 'success')
      for (const other of entry.probes.values())
        if (other.kind !== 'startup') this.#schedule(entry, other, this.#firstDelay(other, entry.target));
    this.#options.onChange(pod.metadata.uid);
  }
}
