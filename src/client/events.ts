// Records Events: what a component did or met, about an object, for people (kubectl describe). Fire and forget: the caller is
// never held up and never fails; a bounded queue in front of one writer, and what does not fit is dropped and counted.

import { type coreV1, Event } from '../api/index.ts';
import { Backoff, type Clock, type Log, type Random, RingQueue, type Scope, sleep } from '../base/index.ts';
import { formatTime, isNotFound, type KubeObject, StatusError } from '../machinery/index.ts';
import type { Client } from './client.ts';
import { type CoreEvent, EventCorrelator } from './event-correlator.ts';

export type ObjectReference = coreV1.ObjectReference;

export type EventType = 'Normal' | 'Warning';

/** `object` may be a reference with a fieldPath (`spec.containers{app}`) instead of the object. Never throws. */
export type RecordEvent = (
  object: KubeObject | ObjectReference,
  type: EventType,
  reason: string,
  message: string,
  annotations?: Readonly<Record<string, string>>,
) => void;

export interface EventRecorder {
  /** Events of one component, e.g. `replicaset-controller`; `host` is the node it runs on, if that matters. */
  from(component: string, host?: string): RecordEvent;
  /** Events that were given up: no room in the queue, or refused by the server. */
  readonly dropped: number;
}

export interface EventRecorderOptions {
  /** The writer runs in it and ends with it; what is queued then is lost. */
  readonly scope: Scope;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Default 1000. */
  readonly maxQueued?: number | undefined;
}

/** How often an event is tried while no server answers. */
const attempts = 12;

export function createEventRecorder(client: Client, options: EventRecorderOptions): EventRecorder {
  return new QueuedRecorder(client, options);
}

/** For tests and tools that want no events. */
export const noEvents: EventRecorder = { from: () => () => {}, dropped: 0 };

class QueuedRecorder implements EventRecorder {
  readonly #client: Client;
  readonly #options: EventRecorderOptions;
  readonly #queue = new RingQueue<CoreEvent>();
  readonly #correlator = new EventCorrelator();
  #lastNanos = 0n;
  #writing = false;
  #dropped = 0;

  constructor(client: Client, options: EventRecorderOptions) {
    this.#client = client;
    this.#options = options;
  }

  get dropped(): number {
    return this.#dropped;
  }

  from(component: string, host = ''): RecordEvent {
    return (object, type, reason, message, annotations) => {
      const { maxQueued = 1000, scope } = this.#options;
      if (scope.stopped) return;
      if (this.#queue.size >= maxQueued) {
        this.#dropped++;
        return;
      }
      this.#queue.push(this.#make({ component, host }, object, { type, reason, message, annotations }));
      if (this.#writing) return;
      this.#writing = true;
      scope.run('event recorder', (signal) => this.#drain(signal));
    };
  }

  async #drain(signal: AbortSignal): Promise<void> {
    try {
      // Not in the caller's turn.
      await Promise.resolve();
      for (let event = this.#queue.shift(); event !== undefined; event = this.#queue.shift()) {
        signal.throwIfAborted();
        await this.#write(event, signal);
      }
    } finally {
      this.#writing = false;
    }
  }

  #make(
    source: { component: string; host: string },
    object: KubeObject | ObjectReference,
    said: {
      type: EventType;
      reason: string;
      message: string;
      annotations: Readonly<Record<string, string>> | undefined;
    },
  ): CoreEvent {
    const { clock, random } = this.#options;
    const about = 'metadata' in object ? referenceTo(object) : object;
    const nowMs = clock.nowMs();
    const now = formatTime(nowMs);
    // A name as client-go makes it: the object's, then nanoseconds in hex. Below milliseconds it is chance, but names keep the order of
    // what happened: kubectl shows the events of one second in the order of their names.
    const drawn = BigInt(Math.floor(nowMs)) * 1_000_000n + BigInt(Math.floor(random.next() * 1_000_000));
    this.#lastNanos = drawn > this.#lastNanos ? drawn : this.#lastNanos + 1n;
    const nanos = this.#lastNanos;
    return {
      apiVersion: Event.apiVersion,
      kind: Event.kind,
      metadata: {
        name: `${about.name}.${nanos.toString(16)}`,
        namespace: about.namespace || 'default',
        ...(said.annotations !== undefined && { annotations: { ...said.annotations } }),
      } as CoreEvent['metadata'],
      involvedObject: about,
      reason: said.reason,
      message: said.message,
      type: said.type,
      source: source.host === '' ? { component: source.component } : { ...source },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
      reportingComponent: source.component,
      reportingInstance: source.host,
    };
  }

  async #write(event: CoreEvent, signal: AbortSignal): Promise<void> {
    const { clock, log, random } = this.#options;
    const decision = this.#correlator.decide(event, clock.nowMs());
    if (decision.what === 'drop') {
      this.#dropped++;
      return;
    }
    const backoff = new Backoff({ initialMs: 500, maxMs: 10_000, jitter: 0.5, random });
    for (let attempt = 1; attempt <= attempts; attempt++) {
      try {
        this.#correlator.written(decision.key, await this.#send(decision));
        return;
      } catch (error) {
        if (signal.aborted) throw error;
        // The server has decided (namespace going away, refused): asking again changes nothing.
        if (error instanceof StatusError && error.code < 500 && error.reason !== 'TooManyRequests') {
          log.debug('event refused', { reason: event.reason, about: event.involvedObject.name, error });
          break;
        }
        log.debug('event not written, trying again', { reason: event.reason, attempt, error });
        if (attempt < attempts) await sleep(clock, backoff.nextMs(), signal);
      }
    }
    this.#dropped++;
  }

  async #send(
    decision: Exclude<ReturnType<EventCorrelator['decide']>, { what: 'drop' }>,
  ): Promise<CoreEvent> {
    const events = this.#client(Event);
    const { event } = decision;
    if (decision.what === 'patch') {
      const { name, namespace } = event.metadata;
      try {
        return await events.patch({ name, namespace }, 'strategic', decision.patch);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        // It has expired: begin again, with the count it had.
      }
    }
    return await events.create(structuredClone(event));
  }
}

/** The reference to an object that Events and others carry. */
export function referenceTo(object: KubeObject): ObjectReference {
  const { namespace, name, uid, resourceVersion } = object.metadata;
  return {
    kind: object.kind,
    ...(namespace !== undefined && { namespace }),
    name,
    uid,
    apiVersion: object.apiVersion,
    resourceVersion,
  };
}
