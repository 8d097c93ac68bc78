// What admission does with the account of a new pod, and with a new node.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
const accounts = '/api/v1/namespaces/default/serviceaccounts';
const pods = '/api/v1/namespaces/default/pods';
beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

const pod = (name: string, spec: object = {}, annotations = {}) => ({
  metadata: { name, annotations },
  spec: { containers: [{ name: 'c', image: 'i' }], ...spec },
});
const make = (...parts: Parameters<typeof pod>) => f.ask('POST', pods, { body: pod(...parts) });

describe('ServiceAccount', () => {
  it('refuses a pod whose account is not there, before it looks at the rest', async () => {
    const told = await make('a', { serviceAccountName: 'robot', containers: [] });
    expect([told.code, told.json.message]).toEqual([
      403,
      'pods "a" is forbidden: error looking up service account default/robot: serviceaccount "robot" not found',
    ]);
    await f.ask('POST', accounts, { body: { metadata: { name: 'robot' } } });
    expect((await make('a', { serviceAccountName: 'robot' })).code).toBe(201);
  });

  it('lets a pod in whose default account is about to be made', async () => {
    const told = await make('a');
    expect([told.code, told.json.spec.serviceAccountName]).toEqual([201, 'default']);
  });

  it('lends the pull secrets of the account to a pod that has none of its own', async () => {
    const imagePullSecrets = [{ name: 'registry' }];
    await f.ask('POST', accounts, { body: { metadata: { name: 'default' }, imagePullSecrets } });
    expect((await make('a')).json.spec.imagePullSecrets).toEqual(imagePullSecrets);
    const own = [{ name: 'mine' }];
    expect((await make('b', { imagePullSecrets: own })).json.spec.imagePullSecrets).toEqual(own);
  });

  it.each([
    ['service accounts', { serviceAccountName: 'robot' }],
    ['secrets', { volumes: [{ name: 'v', secret: { secretName: 's' } }] }],
    ['secrets', { containers: [{ name: 'c', image: 'i', envFrom: [{ secretRef: { name: 's' } }] }] }],
  ])('refuses a mirror pod that may not reference %s', async (what, spec) => {
    const told = await make('a', { nodeName: 'n', ...spec }, { 'kubernetes.io/config.mirror': 'x' });
    expect([told.code, told.json.message]).toEqual([
      403,
      `pods "a" is forbidden: a mirror pod may not reference ${what}`,
    ]);
  });
});

describe('TaintNodesByCondition', () => {
  const taint = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' };
  const own = { key: 'a', effect: 'NoExecute' };
  it.each([
    ['a node', undefined, [taint]],
    ['a node with taints', [own], [own, taint]],
    ['a node that has it', [taint, own], [taint, own]],
  ])('keeps pods off %s until it was seen to be ready', async (_, taints, expected) => {
    const body = { metadata: { name: 'n' }, spec: { taints } };
    expect((await f.ask('POST', '/api/v1/nodes', { body })).json.spec.taints).toEqual(expected);
    const cleared = await f.ask('PATCH', '/api/v1/nodes/n', {
      type: 'application/merge-patch+json',
      body: { spec: { taints: null } },
    });
    expect(cleared.json.spec.taints).toBeUndefined();
  });
});
