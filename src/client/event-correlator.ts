// What becomes of an event: a new Event, a count on one that exists, or nothing. The three steps of client-go, with its numbers:
// many similar events (same object, reason, type) within ten minutes become one "(combined from similar events)"; an event that
// is the same to the letter raises a count; and a source that says too much about one object is cut off. Pure but for its memory.
import type { coreV1 } from '../api/index.ts';

export type CoreEvent = coreV1.Event;

/** A source may say this much about an object at once … */
const spamBurst = 25;
/** … and one more each five minutes. */
const spamRefillMs = 300_000;
const similarWindowMs = 600_000;
/** With the tenth different message, similar events are combined. */
const similarMax = 10;
const rememberMax = 4096;

export interface Seen {
  readonly name: string;
  readonly count: number;
  readonly firstTimestamp: string | undefined;
}

export type Decision =
  | { readonly what: 'drop' }
  | { readonly what: 'create'; readonly event: CoreEvent; readonly key: string }
  | {
      readonly what: 'patch';
      /** As it is to be created if the one to patch is gone. */
      readonly event: CoreEvent;
      readonly key: string;
      readonly patch: {
        readonly count: number;
        readonly lastTimestamp: string | undefined;
        readonly message: string | undefined;
      };
    };

export class EventCorrelator {
  readonly #similar = new Recent<{ messages: Set<string>; lastMs: number }>();
  readonly #seen = new Recent<Seen>();
  readonly #spam = new Recent<{ tokens: number; atMs: number }>();

  decide(event: CoreEvent, nowMs: number): Decision {
    const { event: combined, key } = this.#combine(event, nowMs);
    const seen = this.#seen.get(key);
    // As in client-go: what would only raise a count is held to the same limit.
    if (!this.#allow(combined, nowMs)) return { what: 'drop' };
    if (seen === undefined) return { what: 'create', event: combined, key };
    const counted: CoreEvent = {
      ...combined,
      metadata: { ...combined.metadata, name: seen.name },
      firstTimestamp: seen.firstTimestamp,
      count: seen.count + 1,
    };
    const { count, lastTimestamp, message } = counted;
    this.#seen.set(key, { ...seen, count: count! });
    return { what: 'patch', event: counted, key, patch: { count: count!, lastTimestamp, message } };
  }

  /** The server has it: the next one that is the same raises its count. */
  written(key: string, event: CoreEvent): void {
    this.#seen.set(key, {
      name: event.metadata.name,
      count: event.count ?? 1,
      firstTimestamp: event.firstTimestamp,
    });
  }

  #combine(event: CoreEvent, nowMs: number): { event: CoreEvent; key: string } {
    const { involvedObject: o, source } = event;
    const about = [source?.component, source?.host, o.kind, o.namespace, o.name, o.uid, o.apiVersion];
    const similarKey = JSON.stringify([...about, event.type, event.reason, event.reportingComponent]);
    const fullKey = JSON.stringify([
      ...about,
      o.fieldPath,
      event.type,
      event.reason,
      event.reportingComponent,
      event.message,
    ]);
    let record = this.#similar.get(similarKey);
    if (record === undefined || nowMs - record.lastMs > similarWindowMs)
      record = { messages: new Set(), lastMs: nowMs };
    record.messages.add(event.message ?? '');
    record.lastMs = nowMs;
    this.#similar.set(similarKey, record);
    if (record.messages.size < similarMax) return { event, key: fullKey };
    // One must go, or the set would grow with each new message.
    record.messages.delete(record.messages.values().next().value!);
    return {
      event: { ...event, message: `(combined from similar events): ${event.message ?? ''}` },
      key: similarKey,
    };
  }

  #allow(event: CoreEvent, nowMs: number): boolean {
    const { involvedObject: o, source } = event;
    const key = JSON.stringify([
      source?.component,
      source?.host,
      o.kind,
      o.namespace,
      o.name,
      o.uid,
      o.apiVersion,
    ]);
    const bucket = this.#spam.get(key) ?? { tokens: spamBurst, atMs: nowMs };
    bucket.tokens = Math.min(spamBurst, bucket.tokens + (nowMs - bucket.atMs) / spamRefillMs);
    bucket.atMs = nowMs;
    this.#spam.set(key, bucket);
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
  }
}

/** A map that forgets what was used longest ago. */
class Recent<V> {
  readonly #entries = new Map<string, V>();

  get(key: string): V | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > rememberMax) this.#entries.delete(this.#entries.keys().next().value!);
  }
}
