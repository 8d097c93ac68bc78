// gRPC to a daemon on a unix socket of this machine: calls with deadlines, streams, and failures as RuntimeError. Retries are off: the
// agent decides what may be repeated.
import { create, fromBinary, type MessageInitShape, type MessageShape, toBinary } from '@bufbuild/protobuf';
import type { GenMessage } from '@bufbuild/protobuf/codegenv2';
import * as grpc from '@grpc/grpc-js';
import type { Clock } from '../../base/index.ts';
import { RuntimeError, type RuntimeErrorCode } from './container-runtime.ts';

// biome-ignore lint/suspicious/noExplicitAny: the library's own bound for "some message"
type AnyMessage = GenMessage<any>;

const codes: Readonly<Partial<Record<grpc.status, RuntimeErrorCode>>> = {
  [grpc.status.NOT_FOUND]: 'notFound',
  [grpc.status.UNAVAILABLE]: 'unavailable',
  [grpc.status.DEADLINE_EXCEEDED]: 'deadlineExceeded',
};

function runtimeError(error: grpc.ServiceError): RuntimeError {
  const message = error.details === '' ? error.message : error.details;
  let code = codes[error.code] ?? 'failed';
  // containerd answers an exec that took too long, and what went away during a call, with UNKNOWN.
  if (code === 'failed' && /context deadline exceeded|timeout .* exceeded/.test(message))
    code = 'deadlineExceeded';
  if (code === 'failed' && error.code === grpc.status.UNKNOWN && /: not found$/.test(message))
    code = 'notFound';
  return new RuntimeError(code, message, error);
}

/** What @grpc/grpc-js sends and receives here: encoded messages. */
const identity = (bytes: Buffer): Buffer => bytes;
const bufferOf = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export interface CallOptions {
  /** 0 = without limit. Default: that of the method. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}

export class GrpcChannel {
  readonly #client: grpc.Client;
  readonly #clock: Clock;

  /** Connects with the first call. `clock` is for deadlines. */
  constructor(socketPath: string, clock: Clock) {
    this.#clock = clock;
    this.#client = new grpc.Client(`unix://${socketPath}`, grpc.credentials.createInsecure(), {
      'grpc.enable_retries': 0,
      'grpc.service_config_disable_resolution': 1,
      'grpc.max_receive_message_length': 64 << 20,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.min_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
      // The daemon is one hop away on this machine: it answers or it is dead.
      'grpc.keepalive_time_ms': -1,
    });
  }

  /** The call of a method: one message there, one back. It rejects with a RuntimeError. */
  unary<I extends AnyMessage, O extends AnyMessage>(
    method: string,
    [input, output]: readonly [I, O],
    timeoutMs: number,
  ): (request: MessageInitShape<I>, call?: CallOptions) => Promise<MessageShape<O>> {
    return (request, call = {}) =>
      new Promise((resolve, reject) => {
        const limit = call.timeoutMs ?? timeoutMs;
        const sent = this.#client.makeUnaryRequest(
          method,
          identity,
          identity,
          bufferOf(toBinary(input, create(input, request))),
          new grpc.Metadata(),
          limit === 0 ? {} : { deadline: this.#clock.nowMs() + limit },
          (error, answer) => {
            call.signal?.removeEventListener('abort', abort);
            if (error !== null) reject(runtimeError(error));
            else resolve(fromBinary(output, answer!));
          },
        );
        const abort = () => sent.cancel();
        call.signal?.addEventListener('abort', abort, { once: true });
        if (call.signal?.aborted) abort();
      });
  }

  /** One message there, many back. Resolves when the stream has ended, for whatever reason. */
  follow(
    method: string,
    request: Uint8Array,
    { signal, onMessage }: { readonly signal: AbortSignal; onMessage(bytes: Uint8Array): void },
  ): Promise<void> {
    return new Promise((resolve) => {
      const stream = this.#client.makeServerStreamRequest(method, identity, identity, bufferOf(request));
      const abort = () => stream.cancel();
      signal.addEventListener('abort', abort, { once: true });
      if (signal.aborted) abort();
      const end = () => {
        signal.removeEventListener('abort', abort);
        resolve();
      };
      stream.on('data', onMessage);
      stream.on('error', end);
      stream.on('end', end);
    });
  }

  close(): void {
    this.#client.close();
  }
}
