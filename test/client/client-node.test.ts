// @kubernetes/client-node against the API server: objects made, read, changed and deleted; an informer that follows changes,
// and finds its way back after the history it needs is gone.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ServedApi, serveApi } from './served-api.ts';

type K8s = typeof import('@kubernetes/client-node');
let k8s: K8s;
let api: ServedApi;
let config: InstanceType<K8s['KubeConfig']>;

beforeAll(async () => {
  [api, k8s] = await Promise.all([serveApi(), import('@kubernetes/client-node')]);
  config = new k8s.KubeConfig();
  config.loadFromFile(api.kubeconfig);
});
afterAll(() => api?.stop());

const until = async (done: () => boolean) => {
  for (let i = 0; i < 2400 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 25));
  expect(done()).toBe(true);
};

test('creates, reads, changes and deletes', async () => {
  const core = config.makeApiClient(k8s.CoreV1Api);
  const namespace = 'default';
  const made = await core.createNamespacedConfigMap({
    namespace,
    body: { metadata: { name: 'a' }, data: { k: 'v' } },
  });
  expect(made.metadata?.creationTimestamp).toBeInstanceOf(Date);
  const list = await core.listNamespacedConfigMap({ namespace, fieldSelector: 'metadata.name=a' });
  expect(list.items.map((item) => item.data)).toEqual([{ k: 'v' }]);
  const replaced = await core.replaceNamespacedConfigMap({
    namespace,
    name: 'a',
    body: { ...made, data: { k: 'w' } },
  });
  expect(replaced.data).toEqual({ k: 'w' });
  await expect(
    core.replaceNamespacedConfigMap({ namespace, name: 'a', body: { ...made, data: { k: 'x' } } }),
  ).rejects.toMatchObject({ code: 409 });
  const patched = await core.patchNamespacedConfigMap(
    { namespace, name: 'a', body: { data: { l: 'm' } } },
    k8s.setHeaderOptions('Content-Type', k8s.PatchStrategy.MergePatch),
  );
  expect(patched.data).toEqual({ k: 'w', l: 'm' });
  const gone = await core.deleteNamespacedConfigMap({ namespace, name: 'a' });
  expect(gone.status).toBe('Success');
  await expect(core.readNamespacedConfigMap({ namespace, name: 'a' })).rejects.toMatchObject({ code: 404 });
});

test('objects of any kind', async () => {
  const objects = k8s.KubernetesObjectApi.makeApiClient(config);
  const spec = {
    selector: { matchLabels: { app: 'o' } },
    template: { metadata: { labels: { app: 'o' } }, spec: { containers: [{ name: 'c', image: 'i' }] } },
  };
  const metadata = { name: 'o', namespace: 'default' };
  await objects.create({ apiVersion: 'apps/v1', kind: 'Deployment', metadata, spec } as never);
  const read = await objects.read({ apiVersion: 'apps/v1', kind: 'Deployment', metadata });
  expect(read).toMatchObject({ spec: { replicas: 1 } });
  await objects.delete({ apiVersion: 'apps/v1', kind: 'Deployment', metadata });
});

test('an informer follows, and lists again when its history is gone', async () => {
  const core = config.makeApiClient(k8s.CoreV1Api);
  const namespace = 'default';
  const make = (name: string) => core.createNamespacedSecret({ namespace, body: { metadata: { name } } });
  await make('s1');
  let lists = 0;
  // Each of its watches is short, so that it has to come back with the last version it knows.
  const informer = k8s.makeInformer(
    config,
    `/api/v1/namespaces/${namespace}/secrets?timeoutSeconds=1`,
    () => {
      lists++;
      return core.listNamespacedSecret({ namespace });
    },
  );
  const seen: string[] = [];
  const errors: unknown[] = [];
  informer.on('add', (object) => seen.push(`add ${object.metadata?.name}`));
  informer.on('delete', (object) => seen.push(`delete ${object.metadata?.name}`));
  informer.on('error', (error) => errors.push(error));
  await informer.start();
  await make('s2');
  await until(() => seen.includes('add s2'));
  await core.deleteNamespacedSecret({ namespace, name: 's1' });
  await until(() => seen.includes('delete s1'));
  const listsBefore = lists;
  await core.createNamespacedConfigMap({ namespace, body: { metadata: { name: 'elsewhere' } } });
  await api.store.compact(api.store.revision);
  await until(() => lists > listsBefore);
  await make('s3');
  await until(() => seen.includes('add s3'));
  expect(errors).toEqual([]);
  await informer.stop();
});

test('a watch from a version long gone says so in an event', async () => {
  await api.store.compact(api.store.revision);
  const events: { type: string; code: number | undefined }[] = [];
  const watch = new k8s.Watch(config);
  await new Promise<void>((resolve, reject) => {
    watch
      .watch(
        '/api/v1/namespaces/default/secrets',
        { resourceVersion: '1' },
        (type, object: { code?: number }) => events.push({ type, code: object.code }),
        () => resolve(),
      )
      .catch(reject);
  });
  expect(events).toEqual([{ type: 'ERROR', code: 410 }]);
});
