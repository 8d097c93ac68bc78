// HOT (bench/storage.ts). A thin client of etcd's v3 API: the few calls the backend makes, over one channel an endpoint. A call goes
// out only on a connection that stands, so what fails before that is known not to have happened; gRPC's own retries are off.
import { create, fromBinary, type MessageInitShape, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import * as grpc from '@grpc/grpc-js';
import type { Clock } from '../../base/index.ts';
import * as pb from './generated/etcd_pb.js';

export interface EtcdClientOptions {
  /** `http://host:port` or `https://host:port`, at least one. */
  readonly endpoints: readonly string[];
  /** For https endpoints, in PEM. Without `ca` the system's certificate authorities are trusted. */
  readonly tls: { readonly ca?: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  /** For deadlines. gRPC's own timers are the machine's, so no other clock makes sense with a real socket. */
  readonly clock: Clock;
}

export type EtcdErrorCode =
  /** Nobody reachable, no leader, or no answer in time: a write may or may not have happened. */
  | 'unavailable'
  /** As unavailable, but the request was never sent. */
  | 'unreachable'
  | 'compacted'
  | 'futureRevision'
  | 'leaseNotFound'
  | 'tooLarge'
  | 'noSpace'
  | 'failed';

export class EtcdError extends Error {
  readonly code: EtcdErrorCode;
  constructor(code: EtcdErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'EtcdError';
    this.code = code;
  }
}

// etcd tells its errors apart by these words only: several share one gRPC code. Its own client reads them as well.
const known: Readonly<Record<string, EtcdErrorCode>> = {
  'etcdserver: mvcc: required revision has been compacted': 'compacted',
  'etcdserver: mvcc: required revision is a future revision': 'futureRevision',
  'etcdserver: requested lease not found': 'leaseNotFound',
  'etcdserver: request is too large': 'tooLarge',
  'etcdserver: mvcc: database space exceeded': 'noSpace',
  'etcdserver: too many requests': 'unavailable',
};

const passing = new Set([
  grpc.status.UNAVAILABLE,
  grpc.status.DEADLINE_EXCEEDED,
  grpc.status.CANCELLED,
  grpc.status.UNKNOWN,
  grpc.status.INTERNAL,
]);

function etcdError(error: grpc.ServiceError): EtcdError {
  const message = error.details === '' ? error.message : error.details;
  const code = known[message] ?? (passing.has(error.code) ? 'unavailable' : 'failed');
  return new EtcdError(code, message, error);
}

/** etcd's limit for a request is 1.5 MiB unless set otherwise; gRPC refuses what is far above it with an answer of its own. */
const surelyTooLargeBytes = 1536 * 1024;

const callTimeoutMs = 10_000;
/** How long to wait for a connection before the next endpoint is tried. */
const connectTimeoutMs = 1_000;
/** How long a new watch may take to be confirmed. */
const watchTimeoutMs = 5_000;

// biome-ignore lint/suspicious/noExplicitAny: the library's own bound for "some message"
type AnyMessage = GenMessage<any>;

const identity = (bytes: Buffer): Buffer => bytes;
const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const decoding = { readUnknownFields: false } as const;

class Endpoint {
  readonly url: string;
  readonly client: grpc.Client;

  constructor(url: string, tls: EtcdClientOptions['tls']) {
    this.url = url;
    const { protocol, host } = new URL(url);
    const credentials =
      protocol === 'https:'
        ? grpc.credentials.createSsl(tls.ca ?? null, tls.key ?? null, tls.cert ?? null)
        : grpc.credentials.createInsecure();
    this.client = new grpc.Client(host, credentials, {
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
      // A page of records, or all that one commit changed; what etcd stored it may also send.
      'grpc.max_receive_message_length': -1,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.min_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
      // A watch on a machine that lost its power would wait for ever. etcd refuses to be asked more often than every 5 s.
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
    });
  }

  get connected(): boolean {
    return this.client.getChannel().getConnectivityState(true) === grpc.connectivityState.READY;
  }

  connect(deadlineMs: number): Promise<boolean> {
    return new Promise((resolve) =>
      this.client.waitForReady(deadlineMs, (error) => resolve(error === undefined || error === null)),
    );
  }
}

export class EtcdClient {
  readonly #endpoints: readonly Endpoint[];
  readonly #clock: Clock;
  readonly #metadata = new grpc.Metadata();
  #preferred = 0;
  #closed = false;

  constructor({ endpoints, tls, clock }: EtcdClientOptions) {
    this.#clock = clock;
    this.#endpoints = endpoints.map((url) => new Endpoint(url, tls));
    // Without a leader the answer is an error at once instead of silence.
    this.#metadata.set('hasleader', 'true');
  }

  /** Linearizable. */
  range(request: MessageInitShape<typeof pb.RangeRequestSchema>): Promise<pb.RangeResponse> {
    return this.#read('/etcdserverpb.KV/Range', pb.RangeRequestSchema, pb.RangeResponseSchema, request);
  }

  /** Sent at most once: `unavailable` leaves open whether it happened. */
  txn(request: MessageInitShape<typeof pb.TxnRequestSchema>): Promise<pb.TxnResponse> {
    return this.#write('/etcdserverpb.KV/Txn', pb.TxnRequestSchema, pb.TxnResponseSchema, request);
  }

  put(request: MessageInitShape<typeof pb.PutRequestSchema>): Promise<pb.PutResponse> {
    return this.#write('/etcdserverpb.KV/Put', pb.PutRequestSchema, pb.PutResponseSchema, request);
  }

  async compact(revision: number): Promise<void> {
    const request = { revision: BigInt(revision) };
    await this.#read(
      '/etcdserverpb.KV/Compact',
      pb.CompactionRequestSchema,
      pb.CompactionResponseSchema,
      request,
    );
  }

  async leaseGrant(ttlSeconds: number): Promise<bigint> {
    const answer = await this.#write(
      '/etcdserverpb.Lease/LeaseGrant',
      pb.LeaseGrantRequestSchema,
      pb.LeaseGrantResponseSchema,
      { TTL: BigInt(ttlSeconds) },
    );
    return answer.ID;
  }

  /** One watch on a stream of its own. Resolves when the signal aborts, rejects when the stream ends in any other way. */
  async watch(
    request: MessageInitShape<typeof pb.WatchCreateRequestSchema>,
    onResponse: (response: pb.WatchResponse) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const endpoint = await this.#ready();
    if (signal.aborted) return;
    const stream = endpoint.client.makeBidiStreamRequest(
      '/etcdserverpb.Watch/Watch',
      identity,
      identity,
      this.#metadata,
      {},
    );
    const unconfirmed = this.#clock.after(watchTimeoutMs, () => stream.cancel());
    const abort = () => stream.cancel();
    signal.addEventListener('abort', abort, { once: true });
    try {
      await new Promise<void>((resolve, reject) => {
        const fail = (error: Error) => {
          // What still comes after an error must not be handed over: the caller follows again from what it has.
          stream.removeAllListeners('data');
          stream.on('error', () => {});
          if (signal.aborted) resolve();
          else reject(error);
        };
        stream.on('error', (error: grpc.ServiceError) => fail(etcdError(error)));
        stream.on('end', () => fail(new EtcdError('unavailable', 'etcd ended the watch')));
        stream.on('data', (bytes: Buffer) => {
          if (signal.aborted) return;
          const response = fromBinary(pb.WatchResponseSchema, bytes, decoding);
          if (response.created) unconfirmed.cancel();
          try {
            onResponse(response);
          } catch (error) {
            fail(error as Error);
            stream.cancel();
          }
        });
        const message = create(pb.WatchRequestSchema, {
          requestUnion: { case: 'createRequest', value: create(pb.WatchCreateRequestSchema, request) },
        });
        stream.write(asBuffer(toBinary(pb.WatchRequestSchema, message)));
      });
    } catch (error) {
      if (error instanceof EtcdError && error.code === 'unavailable') this.#leave(endpoint);
      throw error;
    } finally {
      unconfirmed.cancel();
      signal.removeEventListener('abort', abort);
    }
  }

  close(): void {
    this.#closed = true;
    for (const endpoint of this.#endpoints) endpoint.client.close();
  }

  /** Tries each endpoint once. */
  async #read<I extends AnyMessage, O extends AnyMessage>(
    method: string,
    input: I,
    output: O,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#write(method, input, output, request);
      } catch (error) {
        const passes = error instanceof EtcdError && error.code === 'unavailable';
        if (!passes || attempt >= this.#endpoints.length) throw error;
      }
    }
  }

  async #write<I extends AnyMessage, O extends AnyMessage>(
    method: string,
    input: I,
    output: O,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    const bytes = asBuffer(toBinary(input, create(input, request)));
    const preferred = this.#endpoints[this.#preferred]!;
    const endpoint = !this.#closed && preferred.connected ? preferred : await this.#ready();
    return new Promise((resolve, reject) => {
      endpoint.client.makeUnaryRequest(
        method,
        identity,
        identity,
        bytes,
        this.#metadata,
        { deadline: this.#clock.nowMs() + callTimeoutMs },
        (error, answer) => {
          if (error === null) {
            resolve(fromBinary(output, answer!, decoding));
            return;
          }
          let failure = etcdError(error);
          if (error.code === grpc.status.RESOURCE_EXHAUSTED && bytes.length > surelyTooLargeBytes)
            failure = new EtcdError('tooLarge', 'etcdserver: request is too large', error);
          if (failure.code === 'unavailable') this.#leave(endpoint);
          reject(failure);
        },
      );
    });
  }

  /** An endpoint that is connected: the preferred one, else the next that connects in time. */
  async #ready(): Promise<Endpoint> {
    const count = this.#endpoints.length;
    const first = this.#preferred;
    for (let i = 0; i < count && !this.#closed; i++) {
      const at = (first + i) % count;
      const endpoint = this.#endpoints[at]!;
      if (endpoint.connected || (await endpoint.connect(this.#clock.nowMs() + connectTimeoutMs))) {
        this.#preferred = at;
        return endpoint;
      }
    }
    if (this.#closed) throw new EtcdError('unreachable', 'the store is closed');
    const urls = this.#endpoints.map(({ url }) => url).join(', ');
    throw new EtcdError('unreachable', `etcd cannot be reached at ${urls}`);
  }

  /** The next call goes elsewhere. */
  #leave(endpoint: Endpoint): void {
    if (this.#endpoints[this.#preferred] === endpoint)
      this.#preferred = (this.#preferred + 1) % this.#endpoints.length;
  }
}
