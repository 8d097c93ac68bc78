// A watch over HTTP: one JSON event a line, or protobuf frames. HOT: bench/watch.ts. A frame is encoded once per version of an
// object and shared by all watchers (derived.ts). A watcher that does not read is cut off instead of being buffered for without end.
import type { Clock, Timer } from '../../base/index.ts';
import type { HttpResponse } from '../../http/index.ts';
import {
  expired,
  internalError,
  type KindDef,
  type KubeObject,
  StatusError,
  watchFrame,
} from '../../machinery/index.ts';
import { objectOf } from '../registry/objects.ts';
import type { SeenEvent, WatchReceiver } from '../registry/watch.ts';
import { type EventType, jsonFrame, protobufFrame } from './derived.ts';
import { protobufType, type Wanted } from './media.ts';
import type { WatchSeries } from './metrics.ts';
import { messageOf, objectEnvelope, partialEnvelope } from './protobuf-answer.ts';
import { partial } from './respond.ts';
import { type IncludeObject, rowJson, tableJson } from './table.ts';

export interface WatchStreamOptions {
  readonly kind: KindDef;
  readonly wanted: Wanted;
  readonly include: IncludeObject;
  readonly bookmarks: boolean;
  /** 0 = none */
  readonly timeoutMs: number;
  readonly clock: Clock;
  /** The newest revision that has been delivered to every watcher: what a bookmark may promise. */
  readonly revision: () => number;
  readonly series: WatchSeries;
}

const bookmarkEveryMs = 60_000;

/** With this much waiting, what there was before the watch began is held back until the reader has caught up. */
const fullBytes = 256 * 1024;

/** How much may wait for a slow reader before it is cut off. */
const maxBufferedBytes = 16 * 1024 * 1024;

export class WatchStream implements WatchReceiver {
  readonly #response: HttpResponse;
  readonly #options: WatchStreamOptions;
  #timers: Timer[] = [];
  #bookmarkTimer: Timer | null = null;
  #ended = false;
  #columnsSent = false;
  #held = 0;
  #unsubscribe: (() => void) | null = null;

  constructor(response: HttpResponse, options: WatchStreamOptions) {
    this.#response = response;
    this.#options = options;
    response.on('close', () => this.end());
  }

  /** Sends the headers; called once the watch is known to be possible. */
  begin(unsubscribe: () => void): void {
    this.#unsubscribe = unsubscribe;
    if (this.#ended) {
      unsubscribe();
      return;
    }
    this.#openOnce();
    const { clock, timeoutMs } = this.#options;
    if (timeoutMs > 0) this.#timers.push(clock.after(timeoutMs, () => this.end()));
    if (this.#options.bookmarks) this.#scheduleBookmark();
  }

  onEvents(events: readonly SeenEvent[]): void {
    if (this.#ended) return;
    this.#openOnce();
    this.#options.series.events.add(events.length);
    if (events.length === 1) this.#write(this.#counted(events[0]!));
    else this.#write(Buffer.concat(events.map((event) => this.#counted(event))));
  }

  onInitialEnd(revision: number): void {
    this.#openOnce();
    if (this.#options.bookmarks)
      this.#write(this.#bookmark(revision, { 'k8s.io/initial-events-end': 'true' }));
  }

  ready(): boolean | Promise<boolean> {
    const response = this.#response;
    if (this.#ended || response.writableLength < fullBytes) return !this.#ended;
    return new Promise((resolve) => {
      const goOn = () => {
        response.off('drain', goOn);
        response.off('close', goOn);
        resolve(!this.#ended);
      };
      response.on('drain', goOn);
      response.on('close', goOn);
    });
  }

  onLost(): void {
    this.fail(expired('The resourceVersion for the provided watch is too old.'));
  }

  onFailed(error: unknown): void {
    this.fail(error instanceof StatusError ? error : internalError(error));
  }

  onHeld(pieces: number): void {
    this.#held = pieces;
  }

  /** Ends the watch with an ERROR event. */
  fail(error: StatusError): void {
    if (this.#ended) return;
    this.#openOnce();
    this.#write(this.#encoded('ERROR', error.toStatus() as unknown as KubeObject));
    this.end();
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#unsubscribe?.();
    for (const timer of this.#timers) timer.cancel();
    this.#bookmarkTimer?.cancel();
    this.#timers = [];
    this.#response.end();
  }

  #openOnce(): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(200, {
      'content-type':
        this.#options.wanted.encoding === 'protobuf' ? `${protobufType};stream=watch` : 'application/json',
      'cache-control': 'no-cache, private',
    });
    this.#response.flushHeaders();
  }

  #write(bytes: Buffer): void {
    if (this.#ended) return;
    this.#response.write(bytes);
    if (this.#response.writableLength > maxBufferedBytes) {
      this.#ended = true;
      this.#unsubscribe?.();
      for (const timer of this.#timers) timer.cancel();
      this.#bookmarkTimer?.cancel();
      this.#options.series.cutOff.increment();
      this.#response.destroy();
    }
  }

  #counted(event: SeenEvent): Buffer {
    const frame = this.#frame(event);
    this.#options.series.sizes.observe(frame.length);
    return frame;
  }

  #frame({ type, entry }: SeenEvent): Buffer {
    const { kind, wanted, include, clock } = this.#options;
    const protobuf = wanted.encoding === 'protobuf';
    if (wanted.form === 'object' && kind.conversion === null)
      return protobuf
        ? protobufFrame(type, entry, { kind, message: messageOf(kind)! })
        : jsonFrame(type, entry);
    const object = kind.conversion === null ? objectOf(entry) : kind.conversion.fromStored(objectOf(entry));
    if (wanted.form === 'object') return this.#encoded(type, object);
    if (wanted.form === 'metadata') return this.#encoded(type, partial(object, wanted.version));
    const body = tableJson(kind, rowJson(kind, object, { include, nowMs: clock.nowMs() }), {
      version: wanted.version,
      listMeta: JSON.stringify({ resourceVersion: object.metadata.resourceVersion }),
      withColumns: !this.#columnsSent,
    }).trimEnd();
    this.#columnsSent = true;
    return Buffer.from(`{"type":"${type}","object":${body}}\n`);
  }

  #bookmark(revision: number, annotations?: Record<string, string>): Buffer {
    const { kind, wanted } = this.#options;
    const metadata = { resourceVersion: String(revision), ...(annotations !== undefined && { annotations }) };
    let object: unknown = { kind: kind.kind, apiVersion: kind.apiVersion, metadata };
    if (wanted.form === 'metadata')
      object = { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${wanted.version}`, metadata };
    if (wanted.form === 'table') {
      // The revision of a bookmark is read from the row's object.
      object = {
        kind: 'Table',
        apiVersion: `meta.k8s.io/${wanted.version}`,
        metadata: { resourceVersion: String(revision) },
        columnDefinitions: null,
        rows: [
          {
            cells: null,
            object: { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${wanted.version}`, metadata },
          },
        ],
      };
    }
    return this.#encoded('BOOKMARK', object as KubeObject);
  }

  /** A frame of an object that is no stored version. */
  #encoded(type: EventType | 'BOOKMARK' | 'ERROR', object: KubeObject): Buffer {
    if (this.#options.wanted.encoding !== 'protobuf')
      return Buffer.from(`{"type":"${type}","object":${JSON.stringify(object)}}\n`);
    const envelope =
      object.kind === 'PartialObjectMetadata'
        ? partialEnvelope(object, this.#options.wanted.version)
        : objectEnvelope(object)!;
    return watchFrame(type, envelope);
  }

  #scheduleBookmark(): void {
    this.#bookmarkTimer = this.#options.clock.after(bookmarkEveryMs, () => {
      if (this.#ended) return;
      if (this.#held === 0) this.#write(this.#bookmark(this.#options.revision()));
      this.#scheduleBookmark();
    });
  }
}
