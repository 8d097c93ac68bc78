// HOT (bench/storage.ts). The backend for more than one server. etcd decides every compare and orders all changes; this process keeps
// nothing but leases in use and how far its watch has come. docs/design/0005-etcd.md says how exact reads work.
//
//   <prefix>/records<key>      a record
//   <prefix>/meta/progress     written only to move the watch past revisions of others (progress.ts)
//   <prefix>/meta/compaction   whose turn it is to compact (compactor.ts)
//   <prefix>/notes/NAME        a note, such as what servers share before they load
import { type Clock, type Log, Scope, sleep } from '../../base/index.ts';
import {
  type Backend,
  BackendUnavailable,
  type Change,
  Compacted,
  checkWrite,
  isSameNote,
  type NoteChange,
  type NotedBackend,
  type Notes,
  RecordTooLarge,
  type StoredRecord,
  type Write,
  type WriteResult,
} from '../backend.ts';
import { ChangeStream } from './change-stream.ts';
import { EtcdClient, EtcdError } from './client.ts';
import { runCompactor } from './compactor.ts';
import { Compare_CompareTarget, type KeyValue, type TxnResponse } from './generated/etcd_pb.js';
import { LeaseBuckets } from './lease-buckets.ts';
import { Progress } from './progress.ts';
import { SharedRead } from './shared-read.ts';

export interface EtcdBackendOptions {
  /** `http://host:port` or `https://host:port`, at least one. */
  readonly endpoints: readonly string[];
  /** Under which everything is kept, e.g. `/jotasu`. */
  readonly prefix: string;
  /** PEM, for https. Without `ca` the system's certificate authorities are trusted. */
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  /** How often history is forgotten; 0 = never, somebody else does it. */
  readonly compactionIntervalMs: number;
  /** How long to wait for etcd at the start. */
  readonly startTimeoutMs: number;
  /** The machine's: etcd's leases and gRPC's deadlines run on no other. */
  readonly clock: Clock;
  readonly log: Log;
}

/** Records a page. A page is read whole, so it must fit into memory with values of the greatest size. */
const pageRecords = 500;
const loadAttempts = 3;
const startRetryMs = 200;

/** Connects, and waits until etcd answers. Rejects with BackendUnavailable when it does not in time. */
export async function openEtcdBackend(options: EtcdBackendOptions): Promise<NotedBackend> {
  const backend = new EtcdBackend(options);
  const { clock, startTimeoutMs } = options;
  const deadlineMs = clock.monotonicMs() + startTimeoutMs;
  for (;;) {
    try {
      await backend.currentRevision();
      backend.startCompacting();
      return backend;
    } catch (error) {
      if (clock.monotonicMs() >= deadlineMs) {
        await backend.close();
        throw error;
      }
      await sleep(clock, startRetryMs);
    }
  }
}

class EtcdBackend implements Backend, Notes {
  readonly shared = true;
  readonly #client: EtcdClient;
  readonly #scope: Scope;
  readonly #options: EtcdBackendOptions;
  readonly #leases: LeaseBuckets;
  readonly #progress: Progress;
  readonly #current: SharedRead<number>;
  readonly #writes = new Set<Promise<unknown>>();
  /** Where record keys begin within etcd's. */
  readonly #records: Buffer;
  readonly #recordsEnd: Buffer;
  readonly #progressKey: Buffer;
  readonly #compactionKey: Buffer;
  #closing: Promise<void> | null = null;

  constructor(options: EtcdBackendOptions) {
    const { clock, log, prefix } = options;
    this.#options = options;
    this.#scope = new Scope(log);
    this.#client = new EtcdClient(options);
    this.#records = Buffer.from(`${prefix}/records`);
    this.#recordsEnd = afterPrefix(this.#records);
    this.#progressKey = Buffer.from(`${prefix}/meta/progress`);
    this.#compactionKey = Buffer.from(`${prefix}/meta/compaction`);
    this.#leases = new LeaseBuckets({ grant: (ttlSeconds) => this.#client.leaseGrant(ttlSeconds), clock });
    this.#progress = new Progress({
      clock,
      nudge: async () => revisionOf(await this.#client.put({ key: this.#progressKey })),
    });
    // A read of any key tells etcd's revision; this one has no value.
    this.#current = new SharedRead(async () =>
      revisionOf(await this.#client.range({ key: this.#progressKey, countOnly: true })),
    );
  }

  startCompacting(): void {
    const { compactionIntervalMs: intervalMs, clock, log } = this.#options;
    if (intervalMs === 0) return;
    const compact = (revision: number) => this.compact(revision);
    const mark = { raise: (round: number) => this.#raiseMark(round) };
    this.#scope.run('compaction', (signal) =>
      runCompactor({ mark, compact, intervalMs, clock, log }, signal),
    );
  }

  async load(onRecord: (record: StoredRecord) => void): Promise<{ revision: number }> {
    this.#checkOpen();
    for (let attempt = 1; ; attempt++) {
      try {
        const { kvs, revision } = await this.#readAll();
        for (const kv of kvs) onRecord(this.#record(kv));
        return { revision };
      } catch (error) {
        // So many records, or so slow, that the first page's revision was compacted meanwhile.
        const late = error instanceof EtcdError && error.code === 'compacted';
        if (!late || attempt === loadAttempts) throw unavailable(error);
      }
    }
  }

  async follow(
    revision: number,
    onChanges: (changes: readonly Change[], revision: number) => void,
    signal: AbortSignal,
  ): Promise<void> {
    this.#checkOpen();
    if (signal.aborted) return;
    await this.#checkHistory(revision);
    const stream = new ChangeStream(
      revision,
      (key) => this.#keyOf(key),
      (changes, reached) => {
        onChanges(changes, reached);
        this.#progress.delivered(reached);
      },
    );
    const request = {
      key: Buffer.from(`${this.#options.prefix}/`),
      rangeEnd: afterPrefix(Buffer.from(`${this.#options.prefix}/`)),
      startRevision: BigInt(revision + 1),
      fragment: true,
    };
    this.#progress.start(revision);
    try {
      const either = AbortSignal.any([signal, this.#scope.signal]);
      await this.#client.watch(request, (response) => stream.take(response), either);
      if (!signal.aborted) this.#checkOpen();
    } catch (error) {
      throw unavailable(error);
    } finally {
      this.#progress.stop();
    }
  }

  async write(write: Write): Promise<WriteResult> {
    this.#checkOpen();
    checkWrite(write);
    const running = this.#write(write);
    this.#writes.add(running);
    try {
      return await running;
    } catch (error) {
      if (error instanceof EtcdError && error.code === 'tooLarge')
        throw new RecordTooLarge(`the record is larger than etcd takes: ${error.message}`, { cause: error });
      throw unavailable(error);
    } finally {
      this.#writes.delete(running);
    }
  }

  async currentRevision(): Promise<number> {
    this.#checkOpen();
    try {
      const revision = await this.#current.read();
      this.#progress.want(revision);
      return revision;
    } catch (error) {
      throw unavailable(error);
    }
  }

  async compact(revision: number): Promise<void> {
    this.#checkOpen();
    try {
      await this.#client.compact(revision);
    } catch (error) {
      if (!(error instanceof EtcdError) || error.code !== 'compacted') throw unavailable(error);
    }
  }

  async readNote(name: string): Promise<Buffer | undefined> {
    return (await this.#note(name)).value;
  }

  async replaceNote(name: string, { from, to }: NoteChange): Promise<boolean> {
    const { key, value, revision } = await this.#note(name);
    if (!isSameNote(value, from)) return false;
    if (to === undefined && value === undefined) return true;
    const change = to === undefined ? { requestDeleteRange: { key } } : { requestPut: { key, value: to } };
    try {
      return (await this.#commit(key, revision, change)).ok;
    } catch (error) {
      throw unavailable(error);
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#scope.stop();
    this.#progress.stop();
    // Each ends within its deadline.
    await Promise.allSettled([...this.#writes]);
    this.#client.close();
  }

  #checkOpen(): void {
    if (this.#closing !== null) throw new BackendUnavailable('the store is closed', { retryable: false });
  }

  async #write({ key, value, expect, ttlSeconds }: Write): Promise<WriteResult> {
    const etcdKey = Buffer.concat([this.#records, Buffer.from(key)]);
    if (value === undefined) return this.#commit(etcdKey, expect, { requestDeleteRange: { key: etcdKey } });
    if (ttlSeconds <= 0) return this.#commit(etcdKey, expect, { requestPut: { key: etcdKey, value } });
    for (let attempt = 1; ; attempt++) {
      const lease = await this.#leases.leaseFor(ttlSeconds);
      try {
        return await this.#commit(etcdKey, expect, { requestPut: { key: etcdKey, value, lease } });
      } catch (error) {
        // Refused as a whole: nothing was written.
        if (!(error instanceof EtcdError) || error.code !== 'leaseNotFound' || attempt > 1) throw error;
        await this.#leases.forget(ttlSeconds, lease);
      }
    }
  }

  async #commit(key: Buffer, expect: number, change: RecordChange): Promise<WriteResult> {
    const answer = await this.#client.txn({
      compare: [
        {
          key,
          target: Compare_CompareTarget.MOD,
          targetUnion: { case: 'modRevision', value: BigInt(expect) },
        },
      ],
      success: [
        {
          request:
            'requestPut' in change
              ? { case: 'requestPut', value: change.requestPut }
              : { case: 'requestDeleteRange', value: change.requestDeleteRange },
        },
      ],
      failure: [{ request: { case: 'requestRange', value: { key } } }],
    });
    if (answer.succeeded) return { ok: true, revision: revisionOf(answer) };
    const kv = readInTxn(answer);
    return { ok: false, current: kv === undefined ? undefined : this.#record(kv) };
  }

  async #note(name: string): Promise<{ key: Buffer; value: Buffer | undefined; revision: number }> {
    this.#checkOpen();
    const key = Buffer.from(`${this.#options.prefix}/notes/${name}`);
    try {
      const [kv] = (await this.#client.range({ key })).kvs;
      return { key, value: kv && Buffer.from(kv.value), revision: Number(kv?.modRevision ?? 0) };
    } catch (error) {
      throw unavailable(error);
    }
  }

  async #readAll(): Promise<{ kvs: readonly KeyValue[]; revision: number }> {
    const kvs: KeyValue[] = [];
    let from = this.#records;
    let revision = 0n;
    for (;;) {
      const page = await this.#client.range({
        key: from,
        rangeEnd: this.#recordsEnd,
        limit: BigInt(pageRecords),
        revision,
      });
      revision ||= page.header?.revision ?? 0n;
      for (const kv of page.kvs) kvs.push(kv);
      const last = page.kvs.at(-1);
      if (!page.more || last === undefined) return { kvs, revision: Number(revision) };
      from = Buffer.concat([last.key, Buffer.alloc(1)]);
    }
  }

  /**
   * Throws Compacted unless etcd still has every change after `revision`. A watch alone would not do: from the very revision of
   * a compaction etcd starts one although deletions of that revision are gone. And it would wait for ever for a revision that
   * etcd, restored from a backup, no longer has.
   */
  async #checkHistory(revision: number): Promise<void> {
    if (revision === 0) return;
    try {
      await this.#client.range({
        key: this.#progressKey,
        countOnly: true,
        revision: BigInt(revision),
      });
    } catch (error) {
      const gone =
        error instanceof EtcdError && (error.code === 'compacted' || error.code === 'futureRevision');
      throw gone ? new Compacted(revision + 1) : unavailable(error);
    }
  }

  async #raiseMark(round: number) {
    const key = this.#compactionKey;
    const answer = await this.#client.txn({
      compare: [
        {
          key,
          target: Compare_CompareTarget.VERSION,
          targetUnion: { case: 'version', value: BigInt(round) },
        },
      ],
      success: [{ request: { case: 'requestPut', value: { key } } }],
      failure: [{ request: { case: 'requestRange', value: { key } } }],
    });
    const at = answer.succeeded ? round + 1 : Number(readInTxn(answer)?.version ?? 0);
    return { raised: answer.succeeded, round: at, revision: revisionOf(answer) };
  }

  #record(kv: KeyValue): StoredRecord {
    const { buffer, byteOffset, byteLength } = kv.value;
    return {
      key: this.#keyOf(kv.key) ?? '',
      value: Buffer.from(buffer, byteOffset, byteLength),
      revision: Number(kv.modRevision),
    };
  }

  #keyOf(key: Uint8Array): string | undefined {
    const bytes = Buffer.from(key.buffer, key.byteOffset, key.byteLength);
    const from = this.#records.length;
    if (this.#records.compare(bytes, 0, Math.min(from, bytes.length)) !== 0) return undefined;
    return bytes.toString('utf8', from);
  }
}

type RecordChange =
  | { readonly requestPut: { readonly key: Buffer; readonly value: Buffer; readonly lease?: bigint } }
  | { readonly requestDeleteRange: { readonly key: Buffer } };

const revisionOf = (answer: { readonly header?: { readonly revision: bigint } | undefined }): number =>
  Number(answer.header?.revision ?? 0n);

function readInTxn(answer: TxnResponse): KeyValue | undefined {
  const { response } = answer.responses[0] ?? {};
  return response?.case === 'responseRange' ? response.value.kvs[0] : undefined;
}

/** The first key after all that begin with these bytes, which end in no 0xff here. */
function afterPrefix(prefix: Buffer): Buffer {
  const end = Buffer.from(prefix);
  end[end.length - 1]! += 1;
  return end;
}

/** What the client throws, as what a Backend may throw. */
function unavailable(error: unknown): unknown {
  if (!(error instanceof EtcdError)) return error;
  const full = error.code === 'noSpace';
  return new BackendUnavailable(error.message, { retryable: !full, full, cause: error });
}
