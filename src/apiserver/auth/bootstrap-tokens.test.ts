import { expect, test } from 'vitest';
import type { Secret } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';
import { bootstrapTokens } from './bootstrap-tokens.ts';

const nowMs = Date.UTC(2026, 0, 1);
const token = 'abcdef.0123456789abcdef';
const user = { name: 'system:bootstrap:abcdef', uid: '', groups: ['system:bootstrappers'] };
const base64 = (text: string) => Buffer.from(text).toString('base64');
const good = {
  'token-id': 'abcdef',
  'token-secret': '0123456789abcdef',
  'usage-bootstrap-authentication': 'true',
};

function secret(data: Record<string, string> = {}, parts: Partial<Secret> = {}): Secret {
  const all = Object.entries({ ...good, ...data }).map(([key, text]) => [key, base64(text)]);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'bootstrap-token-abcdef', namespace: 'kube-system', uid: 'u', resourceVersion: '1' },
    type: 'bootstrap.kubernetes.io/token',
    data: Object.fromEntries(all),
    ...parts,
  } as Secret;
}
const userOf = (given: Secret | undefined, shown = token) =>
  bootstrapTokens({
    secret: (name) => (name === 'bootstrap-token-abcdef' ? given : undefined),
    clock: { nowMs: () => nowMs },
  })(shown);
const group = 'system:bootstrappers:kubeadm:default-node-token';

test.each<[string, Secret | undefined, unknown]>([
  ['a good one', secret(), user],
  ['one with time left', secret({ expiration: formatTime(nowMs + 1000) }), user],
  [
    'one with groups',
    secret({ 'auth-extra-groups': `${group},system:bootstrappers:a,${group}` }),
    { ...user, groups: ['system:bootstrappers', 'system:bootstrappers:a', group] },
  ],
  ['none', undefined, undefined],
  ['one whose time is over', secret({ expiration: formatTime(nowMs) }), undefined],
  ['one with a time that nobody can read', secret({ expiration: 'tomorrow' }), undefined],
  ['one for signing only', secret({ 'usage-bootstrap-authentication': 'false' }), undefined],
  ['a secret of another type', secret({}, { type: 'Opaque' }), undefined],
  ['a secret of another id', secret({ 'token-id': 'fedcba' }), undefined],
  ['another secret part', secret({ 'token-secret': '0123456789abcdeg' }), undefined],
  ['a secret part of another length', secret({ 'token-secret': '0' }), undefined],
  ['a group that is no such group', secret({ 'auth-extra-groups': 'system:masters' }), undefined],
  [
    'one on its way out',
    secret({}, { metadata: { ...secret().metadata, deletionTimestamp: formatTime(nowMs) } }),
    undefined,
  ],
])('%s', (_, given, wanted) => expect(userOf(given)).toEqual(wanted));

test('tokens of another form are not looked at', () => {
  for (const other of ['', 'abcdef', 'ABCDEF.0123456789abcdef', `${token}0`, ` ${token}`, 'a.b'])
    expect(userOf(secret(), other)).toBeUndefined();
});

test('one user is one object', () => {
  const given = secret();
  const find = bootstrapTokens({ secret: () => given, clock: { nowMs: () => nowMs } });
  expect(find(token)).toBe(find(token));
});
