// Tokens of service accounts, asked for and used.
import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeClock, seededRandom } from '../../base/index.ts';
import { ApiFixture } from '../../testkit/index.ts';
import { ServiceAccountTokens } from '../auth/index.ts';

const here = 'https://kubernetes.default.svc';
const time = Date.parse('2026-01-02T03:04:05Z');
const accounts = '/api/v1/namespaces/default/serviceaccounts';
const pods = '/api/v1/namespaces/default/pods';

let f: ApiFixture;
let tokens: ServiceAccountTokens;
beforeEach(async () => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  tokens = new ServiceAccountTokens({
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    issuer: here,
    audiences: [here],
    exists: { account: () => true, pod: () => true, secret: () => true, node: () => true },
    clock: new FakeClock(time),
    random: seededRandom(1),
  });
  f = await ApiFixture.create({ server: { tokens, token: tokens.userOf } });
  await f.ask('POST', accounts, { body: { metadata: { name: 'robot' } } });
});
afterEach(() => f.close());

const ask = (spec: object = {}, user?: string) =>
  f.ask('POST', `${accounts}/robot/token`, { body: { spec }, ...(user !== undefined && { user }) });
const pod = async (name: string, spec: object = {}) =>
  (
    await f.ask('POST', pods, {
      body: { metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }], ...spec } },
    })
  ).json;
const claims = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());

it('a token is for the API server and an hour, unless asked otherwise', async () => {
  const { code, json } = await ask();
  expect(code).toBe(201);
  expect(json).toMatchObject({
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: { name: 'robot', namespace: 'default' },
    spec: { audiences: [here], expirationSeconds: 3600 },
    status: { expirationTimestamp: '2026-01-02T04:04:05Z' },
  });
  const review = await f.ask('POST', '/apis/authentication.k8s.io/v1/tokenreviews', {
    body: { spec: { token: json.status.token } },
  });
  expect(review.json.status).toMatchObject({
    authenticated: true,
    user: {
      username: 'system:serviceaccount:default:robot',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default'],
    },
  });
  const other = await ask({ audiences: ['vault'], expirationSeconds: 600 });
  expect(claims(other.json.status.token)).toMatchObject({ aud: ['vault'], exp: time / 1000 + 600 });
});

it('a dry run signs nothing', async () => {
  const { json } = await f.ask('POST', `${accounts}/robot/token?dryRun=All`, { body: { spec: {} } });
  expect(json.status).toEqual({ token: '', expirationTimestamp: '2026-01-02T04:04:05Z' });
});

it.each([
  [{ expirationSeconds: 599 }, 422, 'may not specify a duration less than 10 minutes'],
  [{ expirationSeconds: 2 ** 32 + 1 }, 422, 'may not specify a duration larger than 2^32 seconds'],
  [{ boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'none' } }, 404, 'pods "none" not found'],
  [
    { boundObjectRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'x' } },
    400,
    'cannot bind token to object of type apps/v1, Kind=Deployment',
  ],
])('refuses %j', async (spec, code, message) => {
  const told = await ask(spec);
  expect([told.code, told.json.message]).toEqual([code, expect.stringContaining(message)]);
});

it('an account that is not there has no tokens', async () => {
  const { code, json } = await f.ask('POST', `${accounts}/ghost/token`, { body: { spec: {} } });
  expect([code, json.message]).toEqual([404, 'serviceaccounts "ghost" not found']);
});

describe('bound to a pod', () => {
  const bind = (name: string, uid?: string) => ({
    boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name, uid },
  });

  it('names it and its node', async () => {
    await f.ask('POST', '/api/v1/nodes', { body: { metadata: { name: 'n1' } } });
    const { metadata } = await pod('web', { serviceAccountName: 'robot', nodeName: 'n1' });
    const { json } = await ask(bind('web', metadata.uid));
    expect(claims(json.status.token)['kubernetes.io']).toMatchObject({
      pod: { name: 'web', uid: metadata.uid },
      node: { name: 'n1' },
    });
  });

  it('must be a pod of the account, and the very one', async () => {
    await pod('other');
    expect((await ask(bind('other'))).json.message).toBe(
      'cannot bind token for serviceaccount "robot" to pod running with different serviceaccount name.',
    );
    await pod('web', { serviceAccountName: 'robot' });
    const told = await ask(bind('web', 'u9'));
    expect([told.code, told.json.reason]).toEqual([409, 'Conflict']);
    expect(told.json.message).toContain('the UID in the bound object reference (u9) does not match');
  });

  it('lives a year where nobody chose a time, and says when it was meant to end', async () => {
    const { metadata } = await pod('web', { serviceAccountName: 'robot' });
    const { json } = await ask({ ...bind('web', metadata.uid), expirationSeconds: 3607 });
    expect(json.status.expirationTimestamp).toBe('2026-01-02T04:04:12Z');
    const { exp, iat, 'kubernetes.io': bound } = claims(json.status.token);
    expect([exp - iat, bound.warnafter - iat]).toEqual([365 * 86_400, 3607]);
  });

  it('is all that a node may ask for, of its own pods', async () => {
    const node = 'system:node:n1@system:nodes,system:masters';
    const { metadata } = await pod('web', { serviceAccountName: 'robot', nodeName: 'n1' });
    const { metadata: away } = await pod('away', { serviceAccountName: 'robot', nodeName: 'n2' });
    expect((await ask(bind('web', metadata.uid), node)).code).toBe(201);
    for (const [spec, why] of [
      [{}, 'node requested token not bound to a pod'],
      [bind('web'), 'node requested token with a pod binding without a uid'],
      [bind('away', away.uid), 'node requested token bound to a pod scheduled on a different node'],
    ] as const) {
      const told = await ask(spec, node);
      expect([told.code, told.json.message]).toEqual([403, expect.stringContaining(why)]);
    }
  });
});

it('the issuer tells of itself and its key', async () => {
  const told = await f.ask('GET', '/.well-known/openid-configuration');
  expect(told.json).toMatchObject({ issuer: here, jwks_uri: 'https://192.0.2.1:6443/openid/v1/jwks' });
  expect((await f.ask('GET', '/openid/v1/jwks')).json).toEqual(tokens.keySet());
});
