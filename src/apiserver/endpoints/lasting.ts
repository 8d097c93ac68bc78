// Requests without an end of their own. When the server stops, watches end at once, so that their clients go on with another server;
// logs and terminals get a moment to end by themselves.
import type { Clock, Timer } from '../../base/index.ts';

/** An answer or a connection; `close` comes once. */
interface Closing {
  once(event: 'close', listener: () => void): unknown;
}

export class Lasting {
  readonly #clock: Clock;
  readonly #watches = new Set<{ end(): void }>();
  readonly #streams = new Set<{ destroy(): void }>();
  /** When streams are cut, by the monotonic clock; undefined = the server does not stop. */
  #cutAtMs: number | undefined;
  #cut: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Call it when the watch has begun; in a server that stops it ends with what it has said so far. */
  addWatch(watch: { end(): void }, response: Closing): void {
    if (this.#cutAtMs !== undefined) {
      watch.end();
      return;
    }
    this.#watches.add(watch);
    response.once('close', () => this.#watches.delete(watch));
  }

  addStream(stream: Closing & { destroy(): void }): void {
    this.#streams.add(stream);
    this.#arm();
    stream.once('close', () => {
      this.#streams.delete(stream);
      if (this.#streams.size === 0) this.#disarm();
    });
  }

  drain(streamGraceMs: number): void {
    if (this.#cutAtMs !== undefined) return;
    this.#cutAtMs = this.#clock.monotonicMs() + streamGraceMs;
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
    this.#arm();
  }

  /** No timer waits for streams that there are not: it would keep the process. */
  #arm(): void {
    if (this.#cutAtMs === undefined || this.#cut !== undefined || this.#streams.size === 0) return;
    this.#cut = this.#clock.after(Math.max(0, this.#cutAtMs - this.#clock.monotonicMs()), () => {
      for (const stream of this.#streams) stream.destroy();
    });
  }

  #disarm(): void {
    this.#cut?.cancel();
    this.#cut = undefined;
  }
}
