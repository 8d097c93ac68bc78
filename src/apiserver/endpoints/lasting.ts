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
  #draining = false;
  #cut: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Call it when the watch has begun; in a server that stops it ends with what it has said so far. */
  addWatch(watch: { end(): void }, response: Closing): void {
    if (this.#draining) {
      watch.end();
      return;
    }
    this.#watches.add(watch);
    response.once('close', () => this.#watches.delete(watch));
  }

  addStream(stream: Closing & { destroy(): void }): void {
    this.#streams.add(stream);
    stream.once('close', () => {
      this.#streams.delete(stream);
      if (this.#streams.size === 0) this.#cut?.cancel();
    });
  }

  drain(streamGraceMs: number): void {
    if (this.#draining) return;
    this.#draining = true;
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
    if (this.#streams.size === 0) return;
    this.#cut = this.#clock.after(streamGraceMs, () => {
      for (const stream of this.#streams) stream.destroy();
    });
  }
}
