// A probe over gRPC: asks the container's grpc.health.v1.Health/Check. The choice: the two messages have one field each, so they are
// written and read here instead of being generated; the library is loaded with the first such probe, since few nodes see one.
import type { Clock } from '../../base/index.ts';
import type { ProbeOutcome } from './probe-outcome.ts';

export interface GrpcTarget {
  /** `HOST:PORT`, an IPv6 host in brackets. */
  readonly address: string;
  /** Empty = the server as a whole. */
  readonly service: string;
  readonly userAgent: string;
}

export interface GrpcLimits {
  readonly timeoutMs: number;
  /** For deadlines. gRPC's own timers are the machine's, so no other clock makes sense with a real server. */
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** HealthCheckResponse.ServingStatus */
const servingStatuses = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const serving = 'SERVING';
const unimplemented = 12;
const deadlineExceeded = 4;

/** HealthCheckRequest: field 1, the service's name; left out when empty. */
export function encodeRequest(service: string): Buffer {
  if (service === '') return Buffer.alloc(0);
  const name = Buffer.from(service, 'utf8');
  return Buffer.concat([Buffer.from([0x0a, ...varint(name.length)]), name]);
}

function varint(value: number): number[] {
  const out: number[] = [];
  let left = value;
  for (; left > 0x7f; left >>>= 7) out.push((left & 0x7f) | 0x80);
  return [...out, left];
}

/** The status in a HealthCheckResponse: field 1, a number; what it does not say is 0. Throws on what is no message. */
export function decodeStatus(bytes: Buffer): number {
  let status = 0;
  let at = 0;
  const number = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 63) throw new Error('unexpected end of message');
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < bytes.length) {
    const tag = number();
    const wire = tag & 7;
    if (wire === 0) {
      const value = number();
      if (tag >>> 3 === 1) status = value;
    } else if (wire === 1) at += 8;
    else if (wire === 2) {
      const length = number();
      at += length;
    } else if (wire === 5) at += 4;
    else throw new Error(`unknown wire type ${wire}`);
  }
  return status;
}

/** Messages are the kubelet's. */
export async function tryGrpc(
  target: GrpcTarget,
  { timeoutMs, clock, signal }: GrpcLimits,
): Promise<ProbeOutcome> {
  const grpc = await import('@grpc/grpc-js');
  const channel = new grpc.Client(target.address, grpc.credentials.createInsecure(), {
    'grpc.primary_user_agent': target.userAgent,
    'grpc.enable_retries': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_http_proxy': 0,
    // Probes of one address would share a connection, and find it broken after the container has been replaced.
    'grpc.use_local_subchannel_pool': 1,
  });
  const failed = (message: string): ProbeOutcome => ({ ok: false, message });
  const seconds = `${timeoutMs / 1000}s`;
  const deadline = clock.nowMs() + timeoutMs;
  const stop = () => channel.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    const connected = await new Promise<Error | undefined>((resolve) =>
      channel.waitForReady(deadline, resolve as (error?: Error) => void),
    );
    if (connected !== undefined)
      return failed(
        `timeout: failed to connect service ${JSON.stringify(target.address)} within ${seconds}: context deadline exceeded`,
      );
    return await new Promise<ProbeOutcome>((resolve) => {
      channel.makeUnaryRequest(
        '/grpc.health.v1.Health/Check',
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => decodeStatus(bytes),
        encodeRequest(target.service),
        new grpc.Metadata(),
        { deadline },
        (error, status) => {
          if (error === null) {
            const name = servingStatuses[status ?? 0] ?? String(status);
            resolve(
              name === serving
                ? { ok: true, message: '' }
                : failed(`service unhealthy (responded with ${JSON.stringify(name)})`),
            );
          } else if (error.code === unimplemented)
            resolve(
              failed(
                `error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${error.details}`,
              ),
            );
          else if (error.code === deadlineExceeded)
            resolve(failed(`timeout: health rpc did not complete within ${seconds}`));
          else
            resolve(
              failed(
                `error: health rpc probe failed: rpc error: code = ${codeName(grpc.status, error.code)} desc = ${error.details}`,
              ),
            );
        },
      );
    });
  } finally {
    signal.removeEventListener('abort', stop);
    channel.close();
  }
}

/** NOT_FOUND as Go prints it: NotFound. */
function codeName(names: Readonly<Record<string, string | number>>, code: number): string {
  const name = Object.keys(names).find((key) => names[key] === code) ?? 'UNKNOWN';
  return name
    .toLowerCase()
    .split('_')
    .map((word) => word[0]!.toUpperCase() + word.slice(1))
    .join('');
}
