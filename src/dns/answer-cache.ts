// Answers of other servers, for as long as they may be kept. The choice: bounded in bytes, the least recently used goes first; a Map
// remembers the order in which it was written.
import type { Clock } from '../base/index.ts';
import type { ResourceRecord } from './message.ts';
import type { Answer } from './message-writer.ts';

interface Entry {
  readonly answer: Answer;
  readonly storedMs: number;
  readonly expiresMs: number;
  readonly bytes: number;
}

/** What an entry costs beside its records. */
const entryBytes = 400;
const recordBytes = 200;

export class AnswerCache {
  readonly #clock: Clock;
  readonly #maxBytes: number;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor({ clock, maxBytes }: { clock: Clock; maxBytes: number }) {
    this.#clock = clock;
    this.#maxBytes = maxBytes;
  }

  get size(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** With the times it has left; undefined when there is none or it is too old. */
  get(key: string): Answer | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= entry.expiresMs) {
      this.#remove(key, entry);
      return undefined;
    }
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    const age = Math.floor((nowMs - entry.storedMs) / 1000);
    return age === 0 ? entry.answer : aged(entry.answer, age);
  }

  /** What is larger than the whole is not kept. */
  put(key: string, answer: Answer, keepMs: number): void {
    const old = this.#entries.get(key);
    if (old !== undefined) this.#remove(key, old);
    const records = [...answer.answers, ...answer.authorities, ...answer.additionals];
    const bytes = records.reduce(
      (sum, { name, data }) => sum + recordBytes + name.length + data.length,
      entryBytes + key.length,
    );
    if (keepMs <= 0 || bytes > this.#maxBytes) return;
    const storedMs = this.#clock.monotonicMs();
    this.#entries.set(key, { answer, storedMs, expiresMs: storedMs + keepMs, bytes });
    this.#bytes += bytes;
    for (const [oldest, entry] of this.#entries) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#remove(oldest, entry);
    }
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  #remove(key: string, entry: Entry): void {
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}

const aged = (answer: Answer, seconds: number): Answer => {
  const older = (records: readonly ResourceRecord[]) =>
    records.map((record) => ({ ...record, ttl: Math.max(0, record.ttl - seconds) }));
  return {
    ...answer,
    answers: older(answer.answers),
    authorities: older(answer.authorities),
    additionals: older(answer.additionals),
  };
};
