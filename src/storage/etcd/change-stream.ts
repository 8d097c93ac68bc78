// HOT (bench/storage.ts). etcd's watch responses as changes, whole commits at a time. etcd may cut one response into fragments, and
// only the last of them ends a commit. The revision in a response's header is not used: on a watch that is catching up it runs
// ahead of events that are still to come.
import { type Change, Compacted } from '../backend.ts';
import { EtcdError } from './client.ts';
import { type Event, Event_EventType, type WatchResponse } from './generated/etcd_pb.js';

export type OnChanges = (changes: readonly Change[], revision: number) => void;

export class ChangeStream {
  readonly #keyOf: (key: Uint8Array) => string | undefined;
  readonly #onChanges: OnChanges;
  #revision: number;
  #held: Event[] = [];

  /** `keyOf` says which record an etcd key is, undefined for one that is none but moves the revision. */
  constructor(revision: number, keyOf: (key: Uint8Array) => string | undefined, onChanges: OnChanges) {
    this.#revision = revision;
    this.#keyOf = keyOf;
    this.#onChanges = onChanges;
  }

  /** Throws Compacted or EtcdError when etcd has ended the watch. */
  take(response: WatchResponse): void {
    if (response.canceled) {
      if (response.compactRevision > 0n) throw new Compacted(Number(response.compactRevision));
      throw new EtcdError('unavailable', `etcd ended the watch: ${response.cancelReason}`);
    }
    if (response.fragment) {
      this.#held.push(...response.events);
      return;
    }
    let { events } = response;
    if (this.#held.length > 0) {
      events = [...this.#held, ...events];
      this.#held = [];
    }
    if (events.length > 0) this.#deliver(events);
  }

  #deliver(events: readonly Event[]): void {
    const after = this.#revision;
    const changes: Change[] = [];
    for (const { type, kv } of events) {
      if (kv === undefined) continue;
      const revision = Number(kv.modRevision);
      // Seen before: etcd may repeat itself after it has changed its leader.
      if (revision <= after) continue;
      this.#revision = revision;
      const key = this.#keyOf(kv.key);
      if (key === undefined) continue;
      const { buffer, byteOffset, byteLength } = kv.value;
      const value = type === Event_EventType.DELETE ? undefined : Buffer.from(buffer, byteOffset, byteLength);
      changes.push({ key, value, revision });
    }
    if (this.#revision > after) this.#onChanges(changes, this.#revision);
  }
}
