// Runs controllers against the fake API server on a fake clock: a test puts objects in, lets time pass, and looks at what is there.
// Delivery can be made late, doubled and out of step between kinds; a controller must come to the same end.
import { FakeClock, type Log, type Random, Scope, seededRandom, settle, silentLog } from '../base/index.ts';
import {
  type Client,
  createClient,
  createInformers,
  type EventRecorder,
  type EventType,
  type Informers,
} from '../client/index.ts';
import {
  type Controller,
  type ControllerStats,
  type RunningControllers,
  startControllers,
} from '../controllers/index.ts';
import type { Draft, KindDef, KubeObject } from '../machinery/index.ts';
import { type Delivery, FakeTransport } from './fake-transport.ts';

export interface HarnessOptions {
  readonly seed?: number;
  readonly delivery?: Delivery;
  readonly log?: Log;
}

export interface RecordedEvent {
  readonly component: string;
  /** namespace/name, or name */
  readonly about: string;
  readonly type: EventType;
  readonly reason: string;
  readonly message: string;
}

/** Each event takes its own time of up to `maxMs`, so that kinds overtake each other; with `twice`, each comes two times. */
export const disorderly = (
  random: Random,
  options: { readonly maxMs: number; readonly twice: boolean },
): Delivery => ({ lateMs: () => Math.floor(random.next() * options.maxMs), twice: options.twice });

export class ControllerHarness {
  readonly clock = new FakeClock();
  readonly random: Random;
  readonly transport: FakeTransport;
  /** The test's own client: the controllers' gates know nothing of its writes. */
  readonly client: Client;
  readonly informers: Informers;
  /** What controllers said, oldest first. */
  readonly events: RecordedEvent[] = [];
  readonly #log: Log;
  readonly #scope: Scope;
  #running: RunningControllers | null = null;

  constructor(options: HarnessOptions = {}) {
    this.random = seededRandom(options.seed ?? 1);
    this.#log = options.log ?? silentLog;
    this.#scope = new Scope(this.#log);
    this.transport = new FakeTransport({ clock: this.clock, random: this.random });
    if (options.delivery !== undefined) this.transport.delivery = options.delivery;
    this.client = createClient(this.transport);
    this.informers = createInformers(this.client, { scope: this.#scope, log: this.#log, clock: this.clock });
  }

  /** Starts controllers; objects created before are what they find. Returns when they have come to rest. */
  async start(...controllers: readonly Controller[]): Promise<void> {
    this.#running = startControllers(controllers, {
      client: this.client,
      informers: this.informers,
      clock: this.clock,
      random: this.random,
      log: this.#log,
      scope: this.#scope,
      events: this.#recorder(),
    });
    await this.rest();
  }

  async create<T extends KubeObject>(kind: KindDef<T>, object: Draft<T>): Promise<T> {
    const draft =
      kind.scope === 'Namespaced' && object.metadata.namespace === undefined
        ? { ...object, metadata: { ...object.metadata, namespace: 'default' } }
        : object;
    return this.client(kind).create(draft);
  }

  async list<T extends KubeObject>(kind: KindDef<T>): Promise<readonly T[]> {
    return (await this.client(kind).list()).items;
  }

  /** Lets everything run that can run now, without time passing. */
  async rest(): Promise<void> {
    for (let before = -1; before !== this.#progress(); ) {
      before = this.#progress();
      await settle();
    }
  }

  async advance(ms: number): Promise<void> {
    await this.clock.advance(ms);
    await this.rest();
  }

  stats(): readonly ControllerStats[] {
    return this.#running?.stats() ?? [];
  }

  /** Stops everything. Throws when a timer is left behind. */
  async stop(): Promise<void> {
    await this.#scope.stop();
    await this.transport.close();
    // Events under way are the fake's, not the controllers'.
    this.transport.dropUndelivered();
    if (this.clock.waiting > 0) throw new Error(`${this.clock.waiting} timers were left behind`);
  }

  #progress(): number {
    let done = this.transport.calls.length + this.transport.revision;
    for (const stats of this.stats()) done += stats.reconciles;
    return done;
  }

  #recorder(): EventRecorder {
    return {
      dropped: 0,
      from: (component) => (object, type, reason, message) => {
        const { namespace, name } = 'metadata' in object ? object.metadata : object;
        const about = namespace ? `${namespace}/${name}` : (name ?? '');
        this.events.push({ component, about, type, reason, message });
      },
    };
  }
}
