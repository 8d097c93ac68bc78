import * as grpc from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../base/index.ts';
import { decodeStatus, encodeRequest, tryGrpc } from './grpc-probe.ts';

const servers: grpc.Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.forceShutdown();
});

/** A health service; undefined = a server that knows no such service. */
async function listen(answer?: (service: string) => Buffer | Partial<grpc.StatusObject>): Promise<string> {
  const server = new grpc.Server();
  servers.push(server);
  if (answer !== undefined)
    server.addService(
      {
        Check: {
          path: '/grpc.health.v1.Health/Check',
          requestStream: false,
          responseStream: false,
          requestSerialize: (bytes: Buffer) => bytes,
          requestDeserialize: (bytes: Buffer) => bytes,
          responseSerialize: (bytes: Buffer) => bytes,
          responseDeserialize: (bytes: Buffer) => bytes,
        },
      },
      {
        Check: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
          const said = answer(call.request.subarray(2).toString('utf8'));
          if (Buffer.isBuffer(said)) done(null, said);
          else done(said);
        },
      },
    );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  return `127.0.0.1:${port}`;
}

const limits = { timeoutMs: 60_000, clock: systemClock, signal: new AbortController().signal };
const probe = (address: string, service = '') => tryGrpc({ address, service, userAgent: 'test' }, limits);
const status = (value: number) => Buffer.from([0x08, value]);

describe('a probe over gRPC', () => {
  test('succeeds while the server says SERVING', async () => {
    expect(await probe(await listen(() => status(1)))).toEqual({ ok: true, message: '' });
  });

  test('asks for the service that it names', async () => {
    const address = await listen((service) => status(service === 'liveness' ? 1 : 2));
    expect((await probe(address, 'liveness')).ok).toBe(true);
    expect(await probe(address, 'readiness')).toEqual({
      ok: false,
      message: 'service unhealthy (responded with "NOT_SERVING")',
    });
  });

  test('says that the health protocol is missing', async () => {
    const { ok, message } = await probe(await listen());
    expect(ok).toBe(false);
    expect(message).toMatch(/^error: this server does not implement the grpc health protocol/);
  });

  test('tells an error of the server in the words of Go', async () => {
    const address = await listen(() => ({ code: grpc.status.NOT_FOUND, details: 'unknown service' }));
    expect((await probe(address)).message).toBe(
      'error: health rpc probe failed: rpc error: code = NotFound desc = unknown service',
    );
  });

  test('gives up in time when nobody listens', async () => {
    const address = await listen(() => status(1));
    servers.splice(0)[0]!.forceShutdown();
    const outcome = await tryGrpc({ address, service: '', userAgent: 'test' }, { ...limits, timeoutMs: 200 });
    expect(outcome).toEqual({
      ok: false,
      message: `timeout: failed to connect service "${address}" within 0.2s: context deadline exceeded`,
    });
  });
});

describe('health messages', () => {
  test('a name of any length keeps its length in front', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), (name) => {
        const bytes = encodeRequest(name);
        const text = Buffer.from(name, 'utf8');
        if (text.length === 0) return bytes.length === 0;
        return bytes.subarray(bytes.length - text.length).equals(text) && bytes[0] === 0x0a;
      }),
    );
  });

  test.each([
    ['nothing', Buffer.alloc(0), 0],
    ['a status', Buffer.from([0x08, 2]), 2],
    ['unknown fields around it', Buffer.from([0x12, 1, 65, 0x08, 1, 0x1d, 0, 0, 0, 0]), 1],
  ])('reads %s', (_, bytes, value) => expect(decodeStatus(bytes)).toBe(value));

  test('refuses what ends too early', () => expect(() => decodeStatus(Buffer.from([0x08]))).toThrow());
});
