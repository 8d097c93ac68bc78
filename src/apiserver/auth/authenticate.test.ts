// Over a real TLS server: what a certificate says is known from the handshake alone.
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { FakeClock, silentLog, systemClock } from '../../base/index.ts';
import {
  createCa,
  createHttpsClient,
  issueCertificate,
  type KeyPairPem,
  startHttpsServer,
} from '../../http/index.ts';
import type { UserInfo } from './attributes.ts';
import { type AuthenticatorOptions, createAuthenticator, tokenChain, tokenTable } from './authenticate.ts';

const clock = new FakeClock(systemClock.nowMs());
let ca: KeyPairPem;
let serving: KeyPairPem;
let max: KeyPairPem;
let stranger: KeyPairPem;
let nameless: KeyPairPem;
beforeAll(async () => {
  const nowMs = clock.nowMs();
  ca = await createCa({ commonName: 'ca', days: 10, nowMs });
  const other = await createCa({ commonName: 'other', days: 10, nowMs });
  serving = await issueCertificate(
    ca,
    { commonName: 's', ips: ['127.0.0.1'], usage: 'server', days: 9 },
    nowMs,
  );
  const person = { commonName: 'max', organizations: ['ops'], usage: 'client', days: 2 } as const;
  max = await issueCertificate(ca, person, nowMs);
  stranger = await issueCertificate(other, person, nowMs);
  nameless = await issueCertificate(ca, { ...person, commonName: '' }, nowMs);
});
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function whoIs(
  pair: KeyPairPem | undefined,
  authorization?: string,
  given: Partial<AuthenticatorOptions> = {},
) {
  const token = tokenChain([tokenTable(new Map([['secret', { name: 'zoe', uid: '1', groups: ['dev'] }]]))]);
  const authenticate = createAuthenticator({ token, anonymous: 'refuse', clock, ...given });
  const seen: (UserInfo | undefined)[] = [];
  const server = await startHttpsServer({
    host: '127.0.0.1',
    port: 0,
    ...serving,
    clientCa: ca.cert,
    onRequest(request, response) {
      seen.push(authenticate(request));
      response.end();
    },
    clock: systemClock,
    log: silentLog,
  });
  const client = createHttpsClient({
    server: `https://127.0.0.1:${server.port}`,
    ca: ca.cert,
    ...pair,
    userAgent: 'test',
    timeoutMs: 60_000,
    clock: systemClock,
  });
  cleanups.push(
    () => server.close(0),
    () => client.close(),
  );
  const headers = authorization === undefined ? {} : { authorization };
  for (let i = 0; i < 2; i++) await client.request({ method: 'GET', path: '/', headers });
  expect(seen[1]).toBe(seen[0]);
  return seen[0];
}

const zoe = { name: 'zoe', uid: '1', groups: ['dev', 'system:authenticated'] };
const maxUser = { name: 'max', uid: '', groups: ['ops', 'system:authenticated'] };

describe('the sender of a request', () => {
  test('is the subject of its certificate', async () => expect(await whoIs(max)).toEqual(maxUser));
  test('is the owner of its token', async () => {
    expect(await whoIs(undefined, 'Bearer secret')).toEqual(zoe);
    expect(await whoIs(undefined, 'bearer  secret')).toEqual(zoe);
  });
  test('is the subject first', async () => expect(await whoIs(max, 'Bearer secret')).toEqual(maxUser));
  test('is the owner of the token when the certificate is worth nothing', async () => {
    expect(await whoIs(stranger, 'Bearer secret')).toEqual(zoe);
    expect(await whoIs(nameless, 'Bearer secret')).toEqual(zoe);
  });
  test('is nobody without a credential', async () => expect(await whoIs(undefined)).toBeUndefined());
  test('is anonymous without a credential, where that is allowed', async () => {
    expect(await whoIs(undefined, undefined, { anonymous: 'allow' })).toEqual({
      name: 'system:anonymous',
      uid: '',
      groups: ['system:unauthenticated'],
    });
  });
  test('is nobody with a wrong one, even where anonymous is allowed', async () => {
    const anonymous = { anonymous: 'allow' } as const;
    expect(await whoIs(undefined, 'Bearer guess', anonymous)).toBeUndefined();
    expect(await whoIs(stranger, undefined, anonymous)).toBeUndefined();
  });
  test('is nobody once the certificate has expired, though the connection lives', async () => {
    const later = new FakeClock(clock.nowMs() + 3 * 86_400_000);
    expect(await whoIs(max, undefined, { clock: later })).toBeUndefined();
  });
});
