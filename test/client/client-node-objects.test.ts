// @kubernetes/client-node against the built program: objects of any kind, patches of every type, server-side apply, eviction,
// reviews, and a watch that goes on where another stopped.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ProgramServer, startProgram } from './program-server.ts';

type K8s = typeof import('@kubernetes/client-node');
type KubeObject = import('@kubernetes/client-node').KubernetesObject & Record<string, unknown>;
let k8s: K8s;
let server: ProgramServer;
let config: InstanceType<K8s['KubeConfig']>;
const namespace = 'default';

beforeAll(async () => {
  [server, k8s] = await Promise.all([
    startProgram({ tokens: 'good-token,carol,7,"devs,ops"\n' }),
    import('@kubernetes/client-node'),
  ]);
  config = new k8s.KubeConfig();
  config.loadFromFile(server.kubeconfig);
});
afterAll(() => server?.stop());

const configMap = (name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
});

describe('objects of any kind', () => {
  test('are created, read, listed, replaced, deleted', async () => {
    const objects = k8s.KubernetesObjectApi.makeApiClient(config);
    const made = (await objects.create(configMap('any', { a: 'b' }))) as KubeObject;
    expect(made.metadata?.uid).toBeDefined();
    const list = await objects.list(
      'v1',
      'ConfigMap',
      namespace,
      undefined,
      undefined,
      undefined,
      'metadata.name=any',
    );
    expect(list.items.map((item) => item.metadata?.name)).toEqual(['any']);
    expect(await objects.replace({ ...made, data: { a: 'c' } } as KubeObject)).toMatchObject({
      data: { a: 'c' },
    });
    await expect(objects.replace({ ...made, data: { a: 'd' } } as KubeObject)).rejects.toMatchObject({
      code: 409,
    });
    expect(await objects.delete(configMap('any', {}))).toMatchObject({ status: 'Success' });
    await expect(objects.read(configMap('any', {}) as never)).rejects.toMatchObject({ code: 404 });
  });

  test('are patched in every way', async () => {
    const objects = k8s.KubernetesObjectApi.makeApiClient(config);
    await objects.create(configMap('patched', { a: 'b' }));
    const merged = await objects.patch(
      configMap('patched', { c: 'd' }),
      undefined,
      undefined,
      'tests',
      undefined,
      k8s.PatchStrategy.MergePatch,
    );
    expect(merged).toMatchObject({ data: { a: 'b', c: 'd' } });
    const strategic = await objects.patch(
      { ...configMap('patched', {}), data: { a: null } } as never,
      undefined,
      undefined,
      undefined,
      undefined,
      k8s.PatchStrategy.StrategicMergePatch,
    );
    expect((strategic as KubeObject)['data']).toEqual({ c: 'd' });
    const core = config.makeApiClient(k8s.CoreV1Api);
    const json = await core.patchNamespacedConfigMap(
      { name: 'patched', namespace, body: [{ op: 'move', from: '/data/c', path: '/data/e' }] },
      k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.JsonPatch),
    );
    expect(json.data).toEqual({ e: 'd' });
    const tried = await objects.patch(
      configMap('patched', { e: 'z' }),
      undefined,
      'All',
      undefined,
      undefined,
      k8s.PatchStrategy.MergePatch,
    );
    expect(tried).toMatchObject({ data: { e: 'z' } });
    expect((await core.readNamespacedConfigMap({ name: 'patched', namespace })).data).toEqual({ e: 'd' });
  });

  test('are applied by the server: conflict, force, giving up', async () => {
    const objects = k8s.KubernetesObjectApi.makeApiClient(config);
    const apply = (manager: string, data: Record<string, string>, force = false) =>
      objects.patch(
        configMap('applied', data),
        undefined,
        undefined,
        manager,
        force,
        k8s.PatchStrategy.ServerSideApply,
      ) as Promise<KubeObject>;
    expect(await apply('one', { a: '1' })).toMatchObject({ data: { a: '1' } });
    await expect(apply('two', { a: '2' })).rejects.toMatchObject({
      code: 409,
      body: expect.stringContaining('Apply failed with 1 conflict: conflict with \\"one\\": .data.a'),
    });
    expect(await apply('two', { a: '2', b: '2' }, true)).toMatchObject({ data: { a: '2', b: '2' } });
    expect((await apply('two', { a: '2' }))['data']).toEqual({ a: '2' });
    const { metadata } = (await objects.read(configMap('applied', {}) as never)) as KubeObject;
    expect(metadata?.managedFields?.map(({ manager, operation }) => [manager, operation])).toEqual([
      ['two', 'Apply'],
    ]);
  });
});

test('a pod is bound and evicted', async () => {
  const core = config.makeApiClient(k8s.CoreV1Api);
  const containers = [{ name: 'c', image: 'i' }];
  await core.createNamespacedPod({ namespace, body: { metadata: { name: 'p' }, spec: { containers } } });
  const target = { kind: 'Node', name: 'n1' };
  // Its answer is a Status, which this client takes for a Binding.
  await core.createNamespacedPodBinding({ name: 'p', namespace, body: { metadata: { name: 'p' }, target } });
  expect((await core.readNamespacedPod({ name: 'p', namespace })).spec?.nodeName).toBe('n1');
  const body = { metadata: { name: 'p', namespace }, deleteOptions: { gracePeriodSeconds: 0 } };
  await core.createNamespacedPodEviction({ name: 'p', namespace, body });
  await expect(core.readNamespacedPod({ name: 'p', namespace })).rejects.toMatchObject({ code: 404 });
});

test('scale and status are parts of their own', async () => {
  const apps = config.makeApiClient(k8s.AppsV1Api);
  const labels = { app: 's' };
  const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } };
  const name = 's';
  await apps.createNamespacedStatefulSet({
    namespace,
    body: { metadata: { name }, spec: { serviceName: 's', selector: { matchLabels: labels }, template } },
  });
  const scale = await apps.readNamespacedStatefulSetScale({ name, namespace });
  expect(scale).toMatchObject({ spec: { replicas: 1 }, status: { selector: 'app=s' } });
  await apps.replaceNamespacedStatefulSetScale({
    name,
    namespace,
    body: { ...scale, spec: { replicas: 3 } },
  });
  const now = await apps.readNamespacedStatefulSet({ name, namespace });
  const told = await apps.replaceNamespacedStatefulSetStatus({
    name,
    namespace,
    body: { ...now, spec: { ...now.spec!, replicas: 9 }, status: { replicas: 2, readyReplicas: 1 } },
  });
  expect([told.spec?.replicas, told.status?.readyReplicas]).toEqual([3, 1]);
});

test('reviews of tokens, access and oneself', async () => {
  const authentication = config.makeApiClient(k8s.AuthenticationV1Api);
  const review = (token: string) => authentication.createTokenReview({ body: { spec: { token } } });
  expect((await review('good-token')).status).toMatchObject({
    authenticated: true,
    user: { username: 'carol', uid: '7', groups: expect.arrayContaining(['devs', 'ops']) },
  });
  expect((await review('bad')).status?.authenticated ?? false).toBe(false);
  const authorization = config.makeApiClient(k8s.AuthorizationV1Api);
  const attributes = { verb: 'get', resource: 'pods', namespace };
  const mine = await authorization.createSelfSubjectAccessReview({
    body: { spec: { resourceAttributes: attributes } },
  });
  expect(mine.status?.allowed).toBe(true);
  const hers = await authorization.createSubjectAccessReview({
    body: { spec: { user: 'carol', resourceAttributes: attributes } },
  });
  expect(hers.status?.allowed).toBe(false);
  const self = await authentication.createSelfSubjectReview({ body: {} });
  expect(self.status?.userInfo?.groups).toContain('system:masters');
});

describe('watches', () => {
  const events = (
    path: string,
    query: Record<string, string | number | boolean | undefined>,
    enough: (seen: string[]) => boolean,
  ) =>
    new Promise<{ seen: string[]; version: string }>((resolve, reject) => {
      const seen: string[] = [];
      let version = '';
      let request: AbortController | undefined;
      new k8s.Watch(config)
        .watch(
          path,
          query,
          (type, object: KubeObject) => {
            seen.push(`${type} ${object.metadata?.name ?? ''}`.trim());
            version = object.metadata?.resourceVersion ?? '';
            if (enough(seen)) request?.abort();
          },
          () => resolve({ seen, version }),
        )
        .then((made) => {
          request = made;
          if (enough(seen)) made.abort();
        }, reject);
    });

  test('go on where another stopped, and miss nothing', async () => {
    const core = config.makeApiClient(k8s.CoreV1Api);
    const path = `/api/v1/namespaces/${namespace}/secrets`;
    const { metadata } = await core.listNamespacedSecret({ namespace });
    const make = (name: string) => core.createNamespacedSecret({ namespace, body: { metadata: { name } } });
    await make('one');
    const first = await events(
      path,
      { resourceVersion: metadata?.resourceVersion },
      (seen) => seen.length === 1,
    );
    expect(first.seen).toEqual(['ADDED one']);
    await make('two');
    await core.deleteNamespacedSecret({ namespace, name: 'one' });
    const second = await events(path, { resourceVersion: first.version }, (seen) => seen.length === 2);
    expect(second.seen).toEqual(['ADDED two', 'DELETED one']);
  });

  test('end by themselves after the time asked for, with a bookmark before when asked', async () => {
    const path = `/api/v1/namespaces/${namespace}/secrets`;
    const ended = await events(
      path,
      {
        timeoutSeconds: 1,
        allowWatchBookmarks: true,
        sendInitialEvents: true,
        resourceVersionMatch: 'NotOlderThan',
      },
      () => false,
    );
    expect(ended.seen.slice(0, 2)).toEqual(['ADDED two', 'BOOKMARK']);
  });
});
