import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { expect, test } from 'vitest';
import { FakeClock, seededRandom } from '../../base/index.ts';
import { type Named, ServiceAccountTokens } from './service-account-tokens.ts';

const pems = () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
};
const keys = pems();
const here = 'https://kubernetes.default.svc.cluster.local';

function fixture(options: { keys?: typeof keys; issuer?: string } = {}) {
  const clock = new FakeClock(Date.parse('2026-01-02T00:00:00Z'));
  const gone = new Set<string>();
  const is = (_: string, { uid }: Named) => !gone.has(uid);
  const tokens = new ServiceAccountTokens({
    ...(options.keys ?? keys),
    issuer: options.issuer ?? here,
    audiences: [here],
    exists: { account: is, pod: is, secret: is, node: ({ uid }) => !gone.has(uid) },
    clock,
    random: seededRandom(1),
  });
  return { clock, gone, tokens };
}

const grant = {
  namespace: 'default',
  account: { name: 'robot', uid: 'a1' },
  audiences: [here],
  seconds: 3600,
};
const pod = { name: 'web', uid: 'p1' };
const node = { name: 'n1', uid: 'n1' };

const partOf = (token: string, index: number) =>
  JSON.parse(Buffer.from(token.split('.')[index]!, 'base64url').toString('utf8'));

test('a token says whose it is, and what it is bound to, as Kubernetes writes it', () => {
  const { tokens } = fixture();
  const { token, expiresMs } = tokens.issue({ ...grant, pod, node, warnAfterSeconds: 60 });
  const iat = Date.parse('2026-01-02T00:00:00Z') / 1000;
  expect(partOf(token, 1)).toEqual({
    aud: [here],
    exp: iat + 3600,
    iat,
    iss: here,
    jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
    nbf: iat,
    sub: 'system:serviceaccount:default:robot',
    'kubernetes.io': {
      namespace: 'default',
      node,
      pod,
      serviceaccount: { name: 'robot', uid: 'a1' },
      warnafter: iat + 60,
    },
  });
  expect(expiresMs).toBe((iat + 3600) * 1000);
  expect(tokens.userOf(token)).toEqual({
    name: 'system:serviceaccount:default:robot',
    uid: 'a1',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:default'],
    extra: {
      'authentication.kubernetes.io/credential-id': [`JTI=${partOf(token, 1).jti}`],
      'authentication.kubernetes.io/node-name': ['n1'],
      'authentication.kubernetes.io/node-uid': ['n1'],
      'authentication.kubernetes.io/pod-name': ['web'],
      'authentication.kubernetes.io/pod-uid': ['p1'],
    },
  });
  expect(tokens.userOf(token)).toBe(tokens.userOf(token));
});

test('anybody can check a token with the published key', () => {
  const { tokens } = fixture();
  const { token } = tokens.issue(grant);
  const { keys: published } = tokens.keySet() as { keys: [{ kid: string }] };
  const [head, body, signature] = token.split('.') as [string, string, string];
  const key = createPublicKey({ key: published[0] as object, format: 'jwk' } as never);
  const signed = Buffer.from(`${head}.${body}`);
  expect(
    verify('sha256', signed, { key, dsaEncoding: 'ieee-p1363' }, Buffer.from(signature, 'base64url')),
  ).toBe(true);
  expect(partOf(token, 0)).toEqual({ alg: 'ES256', kid: published[0].kid, typ: 'JWT' });
  expect(tokens.discovery('10.0.0.1:6443')).toMatchObject({
    issuer: here,
    jwks_uri: 'https://10.0.0.1:6443/openid/v1/jwks',
  });
});

test('it ends with its time', async () => {
  const { tokens, clock } = fixture();
  const { token } = tokens.issue(grant);
  await clock.advance(3_599_000);
  expect(tokens.userOf(token)).toBeDefined();
  await clock.advance(1000);
  expect(tokens.userOf(token)).toBeUndefined();
});

test.each([
  ['its account', grant, 'a1'],
  ['its pod', { ...grant, pod }, 'p1'],
  ['its secret', { ...grant, secret: { name: 's', uid: 's1' } }, 's1'],
  ['its node', { ...grant, node }, 'n1'],
])('it ends with %s', (_, granted, uid) => {
  const { tokens, gone } = fixture();
  const { token } = tokens.issue(granted);
  expect(tokens.userOf(token)).toBeDefined();
  gone.add(uid);
  expect(tokens.userOf(token)).toBeUndefined();
});

test('a token of a pod does not end with the node', () => {
  const { tokens, gone } = fixture();
  const { token } = tokens.issue({ ...grant, pod, node });
  gone.add('n1');
  expect(tokens.userOf(token)).toBeDefined();
});

test('what is not ours, not for us or not whole is nobody', () => {
  const { tokens } = fixture();
  const good = tokens.issue(grant).token;
  const [head, body, signature] = good.split('.') as [string, string, string];
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  const other = Buffer.from(JSON.stringify({ ...partOf(good, 1), sub: 'system:admin' })).toString(
    'base64url',
  );
  for (const bad of [
    '',
    'abc',
    `${head}.${body}`,
    `${head}.${body}.`,
    `${none}.${body}.`,
    `${head}.${other}.${signature}`,
    `${good}.x`,
    fixture({ keys: pems() }).tokens.issue(grant).token,
    fixture({ issuer: 'https://elsewhere' }).tokens.issue(grant).token,
    tokens.issue({ ...grant, audiences: ['vault'] }).token,
  ])
    expect(tokens.userOf(bad), bad).toBeUndefined();
  expect(tokens.userOf(good)).toBeDefined();
});
