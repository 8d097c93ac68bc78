// Runs controllers: wires changes to queues and queues to reconciles. Each controller is on its own: one that fails to start, or
// whose informers never sync, does not hold up the others. Stopping the scope waits for the reconciles that run.
import {
  type Clock,
  type Log,
  type MetricRegistry,
  Pause,
  type Random,
  type Scope,
} from '../../base/index.ts';
import {
  type Client,
  type EventRecorder,
  type Informer,
  type Informers,
  type Selection,
  WorkQueue,
} from '../../client/index.ts';
import { isConflict, type KindDef, type KubeObject, keyOf, StatusError } from '../../machinery/index.ts';
import { type Controller, type ControllerContext, type Reconcile, TerminalError } from './controller.ts';
import { WriteGate } from './write-gate.ts';

export interface ControllersOptions {
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Stopping it stops the controllers. */
  readonly scope: Scope;
  readonly events: EventRecorder;
  /** undefined = queues are not counted. */
  readonly metrics?: MetricRegistry | undefined;
  /** How long a key waits for its own writes before it goes on without. Default 30 s. */
  readonly ownWritesTimeoutMs?: number | undefined;
}

/** Plain numbers, read by whoever shows metrics. Counters only grow; `depth`, `delayed`, `active`, `gated` are of now. */
export interface ControllerStats {
  readonly name: string;
  state: 'starting' | 'running' | 'failed';
  /** keys ready for work */
  depth: number;
  /** keys that wait for their time */
  delayed: number;
  /** reconciles running */
  active: number;
  /** keys that wait for their own writes */
  gated: number;
  reconciles: number;
  failures: number;
  retries: number;
  terminal: number;
  /** times a key went on without having seen its own writes */
  gateTimeouts: number;
  durationMsTotal: number;
  durationMsMax: number;
}

export interface RunningControllers {
  /** One per controller, in the order given. */
  stats(): readonly ControllerStats[];
  /** Resolves when every controller has started or failed to. */
  readonly started: Promise<void>;
}

const ownWritesTimeoutMs = 30_000;

/** Returns at once; see `started`. */
export function startControllers(
  all: readonly Controller[],
  options: ControllersOptions,
): RunningControllers {
  const { scope } = options;
  const running: RunningController[] = [];
  const starting: Promise<void>[] = [];
  // One for all: they share the event loop.
  const pause = new Pause(options.clock);
  for (const controller of all) {
    const runner = new RunningController(controller, options, pause);
    running.push(runner);
    starting.push(
      new Promise((resolve) => {
        if (scope.stopped) resolve();
        scope.run(`controller ${controller.name}`, (signal) => runner.run(signal, resolve).finally(resolve));
      }),
    );
  }
  return {
    stats: () => running.map((runner) => runner.stats()),
    started: Promise.all(starting).then(() => {}),
  };
}

class RunningController {
  readonly #controller: Controller;
  readonly #options: ControllersOptions;
  readonly #log: Log;
  readonly #queue: WorkQueue;
  readonly #gate: WriteGate;
  readonly #client: Client;
  readonly #pause: Pause;
  readonly #stats: ControllerStats;
  /** Keys that wait for their own writes; each ends its own entry. */
  readonly #gated = new Set<Promise<void>>();
  /** Asked for during build: the first reconcile waits for them. */
  readonly #informers = new Set<Informer>();

  constructor(controller: Controller, options: ControllersOptions, pause: Pause) {
    this.#controller = controller;
    this.#options = options;
    this.#pause = pause;
    this.#log = options.log.with({ controller: controller.name });
    const { metrics } = options;
    this.#queue = new WorkQueue({
      clock: options.clock,
      retryMaxMs: controller.retryMaxMs,
      metrics: metrics === undefined ? undefined : { registry: metrics, name: controller.name },
    });
    this.#gate = new WriteGate(options.clock, options.ownWritesTimeoutMs ?? ownWritesTimeoutMs);
    this.#client = this.#gate.noting(options.client);
    this.#stats = {
      name: controller.name,
      state: 'starting',
      depth: 0,
      delayed: 0,
      active: 0,
      gated: 0,
      reconciles: 0,
      failures: 0,
      retries: 0,
      terminal: 0,
      gateTimeouts: 0,
      durationMsTotal: 0,
      durationMsMax: 0,
    };
  }

  stats(): ControllerStats {
    return {
      ...this.#stats,
      depth: this.#queue.size,
      delayed: this.#queue.delayed,
      gated: this.#gated.size,
    };
  }

  async run(signal: AbortSignal, onStarted: () => void): Promise<void> {
    const unsubscribes: (() => void)[] = [];
    const onAbort = () => this.#queue.shutDown();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const reconcile = this.#controller.build(this.#context());
      const main = this.#informer(this.#controller.reconciles);
      const watched = this.#controller.watches.map((watch) => ({
        watch,
        informer: this.#informer(watch.kind, watch.selection),
      }));
      await Promise.all([...this.#informers].map((informer) => informer.synced));
      signal.throwIfAborted();
      unsubscribes.push(main.onChange(this.#mainHandlers()));
      for (const { watch, informer } of watched)
        unsubscribes.push(informer.onChange(this.#watchHandlers(watch)));
      this.#stats.state = 'running';
      onStarted();
      const workers = Array.from({ length: this.#controller.concurrency }, () =>
        this.#work(reconcile, signal),
      );
      await Promise.all(workers);
      while (this.#gated.size > 0) await Promise.all(this.#gated);
    } catch (error) {
      if (signal.aborted) return;
      this.#stats.state = 'failed';
      throw error;
    } finally {
      signal.removeEventListener('abort', onAbort);
      for (const unsubscribe of unsubscribes) unsubscribe();
      this.#queue.shutDown();
    }
  }

  #context(): ControllerContext {
    const record = this.#options.events.from(this.#controller.component);
    const informer = <T extends KubeObject>(kind: KindDef<T>, selection?: Selection) =>
      this.#informer(kind as unknown as KindDef, selection) as unknown as Informer<T>;
    return {
      clock: this.#options.clock,
      random: this.#options.random,
      log: this.#log,
      client: this.#client,
      informer,
      lister: informer,
      event: record,
      enqueue: (key) => this.#queue.add(key),
      enqueueAfter: (key, delayMs) => this.#queue.addAfter(key, delayMs),
      enqueueAt: (key, dueMs) => this.#queue.addAt(key, dueMs),
    };
  }

  #informer(kind: KindDef, selection: Selection = {}): Informer {
    const informer = this.#options.informers(kind, selection);
    this.#informers.add(informer);
    this.#gate.watchFor(informer);
    return informer;
  }

  #mainHandlers() {
    const { when } = this.#controller;
    const add = (object: KubeObject) => this.#queue.add(keyOf(object));
    return {
      added: add,
      updated: (old: KubeObject, object: KubeObject) => {
        if (when === null || when(old, object)) add(object);
      },
      deleted: add,
    };
  }

  #watchHandlers(watch: Controller['watches'][number]) {
    const lister = ((kind: KindDef, selection?: Selection) =>
      this.#options.informers(kind, selection)) as ControllerContext['lister'];
    const add = (object: KubeObject) => {
      for (const key of watch.keysFor(object, this.#controller.reconciles, lister)) this.#queue.add(key);
    };
    return {
      added: add,
      updated: (old: KubeObject, object: KubeObject) => {
        if (watch.when !== null && !watch.when(old, object)) return;
        add(old);
        add(object);
      },
      deleted: add,
    };
  }

  async #work(reconcile: Reconcile, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const key = this.#queue.take() ?? (await this.#queue.next());
      if (key === undefined) return;
      // A key that comes with the stop is not started.
      if (signal.aborted) return;
      await this.#once(reconcile, key, signal);
      if (this.#pause.due) await this.#pause.now();
    }
  }

  async #once(reconcile: Reconcile, key: string, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const stats = this.#stats;
    const run = this.#gate.begin();
    const startedMs = clock.monotonicMs();
    stats.active++;
    stats.reconciles++;
    try {
      const result = await reconcile(key, signal);
      this.#queue.forget(key);
      if (result) this.#queue.addAfter(key, Math.max(1, result.requeueAfterMs));
    } catch (error) {
      if (!signal.aborted) this.#onFailure(key, error);
    } finally {
      stats.active--;
      const durationMs = clock.monotonicMs() - startedMs;
      stats.durationMsTotal += durationMs;
      if (durationMs > stats.durationMsMax) stats.durationMsMax = durationMs;
      this.#gate.end(run);
    }
    if (run.settled) {
      this.#queue.done(key);
      return;
    }
    // The key stays taken, so that it cannot run again, while this worker goes on with others.
    const gated = this.#gate
      .settle(run, signal)
      .then((inTime) => {
        if (inTime) return;
        stats.gateTimeouts++;
        this.#log.warn('own writes did not show in time, going on without', { key });
      })
      .catch((error: unknown) => {
        if (!signal.aborted) this.#log.error('waiting for own writes failed', { key, error });
      })
      .finally(() => {
        this.#gated.delete(gated);
        this.#queue.done(key);
      });
    this.#gated.add(gated);
  }

  #onFailure(key: string, error: unknown): void {
    const stats = this.#stats;
    stats.failures++;
    if (error instanceof TerminalError) {
      stats.terminal++;
      this.#queue.forget(key);
      this.#log.warn('reconcile failed for good, waiting for a change', { key, error });
      return;
    }
    stats.retries++;
    const askedMs = error instanceof StatusError ? (error.details?.retryAfterSeconds ?? 0) * 1000 : 0;
    const delayMs = this.#queue.addRateLimited(key, askedMs);
    // Losing a race to another writer is daily business.
    if (isConflict(error)) this.#log.debug('reconcile met a conflict, trying again', { key, delayMs });
    else this.#log.warn('reconcile failed, trying again', { key, delayMs, error });
  }
}
