// Whose a token is: who is asked first of those that know tokens, and that a token dies with what it is bound to.
import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, expect, test } from 'vitest';
import { Node, Pod, Secret, ServiceAccount } from '../api/index.ts';
import { parseTokenFile } from '../apiserver/index.ts';
import { FakeClock, silentLog as log, seededRandom } from '../base/index.ts';
import { type KindDef, storageKey } from '../machinery/index.ts';
import { createMemoryBackend, createStore, type Store } from '../storage/index.ts';
import { type Authentication, createAuthentication } from './authentication.ts';

const issuer = 'https://kubernetes.default.svc.cluster.local';
const { publicKey, privateKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
});
const joinToken = 'abcdef.0123456789abcdef';
const users = parseTokenFile('tokens', `secret,ann,1\n${joinToken},ben,2\n`);
const namespace = 'default';
const account = { name: 'robot', uid: 'a1' };
const pod = { name: 'web', uid: 'p1' };
const secret = { name: 'token', uid: 's1' };
const node = { name: 'n1', uid: 'n1' };

const clock = new FakeClock(Date.parse('2026-01-02T00:00:00Z'));
let store: Store;
let authentication: Authentication;
beforeEach(async () => {
  store = await createStore(await createMemoryBackend({ clock, log }), { clock, log });
  authentication = authenticationWith(undefined);
  await put(ServiceAccount, { ...account, namespace });
});

const authenticationWith = (given: typeof users | undefined): Authentication =>
  createAuthentication({
    store,
    users: given,
    serviceAccount: { publicKey, privateKey },
    clusterDomain: 'cluster.local',
    clock,
    random: seededRandom(1),
  });

type Metadata = { readonly name: string; readonly uid: string; readonly namespace?: string };
async function put(of: unknown, metadata: Metadata, rest: object = {}): Promise<void> {
  const kind = of as KindDef;
  const key = storageKey(kind, metadata);
  const value = Buffer.from(
    JSON.stringify({ apiVersion: kind.apiVersion, kind: kind.kind, metadata, ...rest }),
  );
  await store.commit({ key, value, expect: store.get(key)?.revision ?? 0 });
}

const base64 = (text: string) => Buffer.from(text).toString('base64');
const putJoinToken = () =>
  put(
    Secret,
    { name: 'bootstrap-token-abcdef', namespace: 'kube-system', uid: 'b1' },
    {
      type: 'bootstrap.kubernetes.io/token',
      data: {
        'token-id': base64('abcdef'),
        'token-secret': base64('0123456789abcdef'),
        'usage-bootstrap-authentication': base64('true'),
      },
    },
  );

test('tokens are for this cluster, by the name of its domain', () => {
  expect(authentication.audiences).toEqual([issuer]);
  expect(authentication.tokens.audiences).toEqual([issuer]);
});

test('nobody knows it', () => {
  expect(authentication.token('secret')).toBeUndefined();
});

test('the token of a machine that joins', async () => {
  expect(authentication.token(joinToken)).toBeUndefined();
  await putJoinToken();
  expect(authentication.token(joinToken)?.name).toBe('system:bootstrap:abcdef');
});

test('what the token file says goes first', async () => {
  await putJoinToken();
  const { token } = authenticationWith(users);
  expect([token('secret')?.name, token(joinToken)?.name]).toEqual(['ann', 'ben']);
});

const issue = (bound: object) =>
  authentication.tokens.issue({ namespace, account, audiences: [issuer], seconds: 600, ...bound }).token;
const robot = 'system:serviceaccount:default:robot';

test.each<[string, object, unknown, Metadata]>([
  ['a pod', { pod }, Pod, { ...pod, namespace }],
  ['a secret', { secret }, Secret, { ...secret, namespace }],
  ['a node', { node }, Node, node],
])('a token that is bound to %s', async (_, bound, kind, metadata) => {
  const token = issue(bound);
  const nameOf = () => authentication.token(token)?.name;
  expect(nameOf()).toBeUndefined();
  await put(kind, metadata);
  expect(nameOf()).toBe(robot);
  await put(kind, { ...metadata, uid: 'another' });
  expect(nameOf()).toBeUndefined();
});

test('a token of an account that was made anew', async () => {
  const token = issue({});
  expect(authentication.token(token)?.name).toBe(robot);
  await put(ServiceAccount, { ...account, namespace, uid: 'another' });
  expect(authentication.token(token)).toBeUndefined();
});
