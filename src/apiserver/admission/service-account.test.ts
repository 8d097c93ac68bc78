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

  describe('the token', () => {
    const path = '/var/run/secrets/kubernetes.io/serviceaccount';
    const spec = async (spec: object = {}) => (await make('t', spec)).json.spec;

    it('is mounted into every container', async () => {
      const { volumes, containers, initContainers } = await spec({
        initContainers: [{ name: 'i', image: 'i' }],
        volumes: [{ name: 'own', emptyDir: {} }],
      });
      const { name } = volumes[1];
      expect(name).toMatch(/^kube-api-access-[a-z0-9]{5}$/);
      expect(volumes[1]).toEqual({
        name,
        projected: {
          defaultMode: 420,
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
            { configMap: { items: [{ key: 'ca.crt', path: 'ca.crt' }], name: 'kube-root-ca.crt' } },
            {
              downwardAPI: {
                items: [
                  { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' }, path: 'namespace' },
                ],
              },
            },
          ],
        },
      });
      for (const container of [...containers, ...initContainers])
        expect(container.volumeMounts).toEqual([{ mountPath: path, name, readOnly: true }]);
    });

    it('is left out where something else is mounted there', async () => {
      const { volumes, containers } = await spec({
        volumes: [{ name: 'own', emptyDir: {} }],
        containers: [{ name: 'c', image: 'i', volumeMounts: [{ name: 'own', mountPath: path }] }],
      });
      expect([volumes.length, containers[0].volumeMounts.length]).toEqual([1, 1]);
    });

    it.each([
      ['the pod says no', false, undefined, false],
      ['the account says no', undefined, false, false],
      ['the pod knows better', true, false, true],
      ['both say yes', true, true, true],
    ])('%s', async (_, ofPod, ofAccount, mounted) => {
      const metadata = { name: 'robot' };
      await f.ask('POST', accounts, { body: { metadata, automountServiceAccountToken: ofAccount } });
      const { volumes = [] } = await spec({
        serviceAccountName: 'robot',
        automountServiceAccountToken: ofPod,
      });
      expect(volumes.length).toBe(mounted ? 1 : 0);
    });
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
