// A whole control plane in one process on a fake clock: the real API server over a memory store, the real controllers, collector and
// scheduler, and simulated nodes. For scenarios: what a user does, and what they see after so many seconds.
import { EventsEvent, kinds, Pod } from '../api/index.ts';
import type { ApiServerOptions } from '../apiserver/index.ts';
import { FakeClock, Scope, seededRandom, settle, silentLog } from '../base/index.ts';
import { type Client, createEventRecorder, createInformers } from '../client/index.ts';
import {
  allControllers,
  type ControllerSettings,
  startControllers,
  startGarbageCollector,
} from '../controllers/index.ts';
import type { KindDef, KubeObject } from '../machinery/index.ts';
import { type SchedulerConfiguration, startScheduler } from '../scheduler/index.ts';
import { ApiFixture } from './api-fixture.ts';
import { epochMs } from './builders.ts';
import { SimulatedNode, type SimulatedNodeOptions } from './simulated-node.ts';

export interface ControlPlaneOptions extends Partial<ControllerSettings> {
  /** undefined = kube-scheduler's defaults. */
  readonly scheduler?: SchedulerConfiguration | undefined;
  /** What else should differ from a usual API server. */
  readonly server?: Partial<ApiServerOptions>;
}

/** As `jotasu server` has them. */
const settings: ControllerSettings = {
  kinds,
  rootCa: 'a certificate',
  clusterCidr: '10.244.0.0/16',
  nodeCidrMaskSize: 24,
  nodeCidrMaskSizeIpv6: 64,
  nodeMonitorGracePeriodMs: 2000,
  nodeStartupGracePeriodMs: 60_000,
  nodeOutOfServiceAfterMs: 300,
  unhealthyZoneThreshold: 0.55,
  nodeEvictionRate: 100,
  secondaryNodeEvictionRate: 0.01,
  largeClusterSizeThreshold: 50,
  defaultUnreachableTolerationSeconds: 300,
  terminatedPodGcThreshold: 12_500,
};

/** Time moves in steps of this, and everything comes to rest in between. */
const stepMs = 50;

export class ControlPlane {
  readonly clock: FakeClock;
  readonly #options: ControlPlaneOptions;
  readonly #nodes: SimulatedNode[] = [];
  readonly #off = new Set<SimulatedNode>();
  #fixture: ApiFixture;
  #scope: Scope;

  private constructor(fixture: ApiFixture, clock: FakeClock, options: ControlPlaneOptions) {
    this.#fixture = fixture;
    this.clock = clock;
    this.#options = options;
    this.#scope = new Scope(silentLog);
  }

  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const clock = new FakeClock(epochMs);
    const plane = new ControlPlane(
      await ApiFixture.create({ clock, server: options.server ?? {} }),
      clock,
      options,
    );
    await plane.#run();
    await plane.rest();
    return plane;
  }

  /** What /metrics shows. Counts begin anew with a restart. */
  get metrics(): string {
    return this.#fixture.metrics.text();
  }

  get client(): Client {
    return this.#fixture.api.client;
  }

  async #run(): Promise<void> {
    const { clock, client } = this;
    const scope = new Scope(silentLog);
    this.#scope = scope;
    const random = seededRandom(this.#fixture.store.revision);
    const log = silentLog;
    const parts = { client, clock, random, scope, log, metrics: this.#fixture.metrics };
    const informers = createInformers(client, parts);
    const events = createEventRecorder(client, parts);
    startControllers(allControllers({ ...settings, ...this.#options }), { ...parts, informers, events });
    await startGarbageCollector({ ...parts, informers, events, kinds });
    await startScheduler({ ...parts, informers, events, configuration: this.#options.scheduler });
  }

  /** The server ends and starts again over the same data; nodes lose it for `awayMs` and find it again. */
  async restart(awayMs = 0): Promise<void> {
    const { clock } = this;
    for (const node of this.#nodes) await node.disconnect();
    await this.#scope.stop();
    const { store } = this.#fixture;
    await this.clock.advance(awayMs);
    // As every process begins with randomness of its own: uids must not come again.
    const random = seededRandom(store.revision);
    this.#fixture = await ApiFixture.create({ clock, random, store, server: this.#options.server ?? {} });
    await this.#run();
    for (const node of this.#nodes) if (!this.#off.has(node)) await node.connect(this.client);
    await this.rest();
  }

  async addNode(
    name: string,
    options: Omit<SimulatedNodeOptions, 'name' | 'clock' | 'log'> & { zone?: string } = {},
  ): Promise<SimulatedNode> {
    const { zone, ...rest } = options;
    const labels = { ...rest.labels, ...(zone !== undefined && { 'topology.kubernetes.io/zone': zone }) };
    const node = new SimulatedNode({ ...rest, name, labels, clock: this.clock, log: silentLog });
    this.#nodes.push(node);
    await node.connect(this.client);
    await this.rest();
    return node;
  }

  async kill(node: SimulatedNode): Promise<void> {
    this.#off.add(node);
    await node.kill();
  }

  async revive(node: SimulatedNode): Promise<void> {
    this.#off.delete(node);
    await node.connect(this.client);
    await this.rest();
  }

  /** Lets everything run that can run without time passing. */
  async rest(): Promise<void> {
    let quiet = 0;
    for (let before = -1; quiet < 2; before = this.#fixture.store.revision) {
      await settle(5);
      quiet = before === this.#fixture.store.revision ? quiet + 1 : 0;
    }
  }

  /** Moves time; `each` is called after every step. */
  async advance(ms: number, each?: () => void | Promise<void>): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      await this.clock.advance(Math.min(stepMs, left));
      await this.rest();
      await each?.();
    }
  }

  /** Moves time until `reached`. Returns how long it took; throws after `limitMs`. */
  async until(what: string, reached: () => Promise<boolean>, limitMs = 60_000): Promise<number> {
    for (let ms = 0; ms <= limitMs; ms += stepMs) {
      if (await reached()) return ms;
      await this.advance(stepMs);
    }
    throw new Error(`not within ${limitMs / 1000} s: ${what}`);
  }

  async list<T extends KubeObject>(kind: KindDef<T>, namespace = 'default'): Promise<readonly T[]> {
    return (await this.client(kind).list({ namespace })).items;
  }

  async pods(labels?: Readonly<Record<string, string>>): Promise<readonly Pod[]> {
    const all = await this.list(Pod);
    return all.filter((pod) =>
      Object.entries(labels ?? {}).every(([key, value]) => pod.metadata.labels?.[key] === value),
    );
  }

  async events(reason: string, namespace = 'default'): Promise<readonly string[]> {
    const all = await this.list(EventsEvent, namespace);
    return all.filter((event) => event.reason === reason).map((event) => event.note ?? '');
  }

  /** Ends everything. Throws when a timer is left behind. */
  async stop(): Promise<void> {
    for (const node of this.#nodes) await node.kill();
    await this.#scope.stop();
    await this.#fixture.close();
    if (this.clock.waiting > 0) throw new Error(`${this.clock.waiting} timers were left behind`);
  }
}
