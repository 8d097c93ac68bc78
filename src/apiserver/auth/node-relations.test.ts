// The relations that are kept are, after any history of pods, those that a look at the pods that are left would find.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { ApiFixture } from '../../testkit/index.ts';
import { NodeRelations } from './node-relations.ts';
import { referencesOfPod } from './pod-references.ts';

const spec = {
  containers: [
    {
      name: 'c',
      image: 'i',
      env: [
        { name: 'A', valueFrom: { secretKeyRef: { name: 's-env', key: 'k' } } },
        { name: 'B', valueFrom: { configMapKeyRef: { name: 'c-env', key: 'k' } } },
      ],
      envFrom: [{ secretRef: { name: 's-from' } }, { configMapRef: { name: 'c-from' } }],
    },
  ],
  initContainers: [{ name: 'i', image: 'i', envFrom: [{ secretRef: { name: 's-init' } }] }],
  imagePullSecrets: [{ name: 's-pull' }],
  volumes: [
    { name: 'a', secret: { secretName: 's-volume' } },
    { name: 'b', configMap: { name: 'c-volume' } },
    { name: 'd', persistentVolumeClaim: { claimName: 'p-claim' } },
    { name: 'e', ephemeral: { volumeClaimTemplate: { spec: {} } } },
    {
      name: 'f',
      projected: { sources: [{ secret: { name: 's-projected' } }, { configMap: { name: 'c-projected' } }] },
    },
    { name: 'g', iscsi: { targetPortal: 'x', iqn: 'y', lun: 0, secretRef: { name: 's-iscsi' } } },
    { name: 'h', azureFile: { shareName: 'x', secretName: 's-azure' } },
    { name: 'j', csi: { driver: 'd', nodePublishSecretRef: { name: 's-csi' } } },
    { name: 'k', emptyDir: {} },
  ],
  serviceAccountName: 'sa',
  resourceClaims: [
    { name: 'x', resourceClaimName: 'd-named' },
    { name: 'y', resourceClaimTemplateName: 't' },
    { name: 'z', resourceClaimTemplateName: 't' },
  ],
};

test('what a pod refers to', () => {
  const status = { resourceClaimStatuses: [{ name: 'y', resourceClaimName: 'd-made' }] };
  const pod = { metadata: { name: 'p', namespace: 'd' }, spec, status } as unknown as Pod;
  expect([...referencesOfPod(pod)].sort()).toEqual([
    'configmaps/d/c-env',
    'configmaps/d/c-from',
    'configmaps/d/c-projected',
    'configmaps/d/c-volume',
    'persistentvolumeclaims/d/p-claim',
    'persistentvolumeclaims/d/p-e',
    'resourceclaims/d/d-made',
    'resourceclaims/d/d-named',
    'secrets/d/s-azure',
    'secrets/d/s-csi',
    'secrets/d/s-env',
    'secrets/d/s-from',
    'secrets/d/s-init',
    'secrets/d/s-iscsi',
    'secrets/d/s-projected',
    'secrets/d/s-pull',
    'secrets/d/s-volume',
    'serviceaccounts/d/sa',
  ]);
});

const podOf = (name: string, secret: string): Draft<Pod> =>
  ({
    metadata: { name, namespace: 'default' },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: 'c', image: 'i', envFrom: [{ secretRef: { name: secret } }] }],
    },
  }) as Draft<Pod>;

const step = fc.record({
  pod: fc.constantFrom('a', 'b', 'c'),
  secret: fc.constantFrom('x', 'y'),
  node: fc.constantFrom('n1', 'n2'),
  act: fc.constantFrom('create', 'bind', 'delete'),
});

test('relations follow any history', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.nat(12), async (steps, asked) => {
      const f = await ApiFixture.create();
      const { client } = f.api;
      const relations = new NodeRelations(f.store);
      const ask = () =>
        ['n1', 'n2'].flatMap((node) =>
          ['x', 'y']
            .filter((name) => relations.isRelated(node, 'secrets', { namespace: 'default', name }))
            .map((name) => `${node} ${name}`),
        );
      for (const [i, { act, pod, secret, node }] of steps.entries()) {
        // The first question comes at any time.
        if (i === asked) ask();
        try {
          if (act === 'create') await client(Pod).create(podOf(pod, secret));
          else if (act === 'delete') await client(Pod).delete(pod, 'default', { gracePeriodSeconds: 0 });
          else
            await client(Pod).createSub(
              { name: pod, namespace: 'default', subresource: 'binding' },
              {
                apiVersion: 'v1',
                kind: 'Binding',
                metadata: { name: pod },
                target: { kind: 'Node', name: node },
              },
            );
        } catch {
          // It is there, is not there, or is bound: all the same here.
        }
      }
      const wanted = new Set<string>();
      for (const {
        spec: { nodeName, containers },
      } of (await client(Pod).list({ namespace: 'default' })).items)
        if (nodeName) wanted.add(`${nodeName} ${containers[0]!.envFrom![0]!.secretRef!.name}`);
      expect(ask().sort()).toEqual([...wanted].sort());
      await f.close();
    }),
    { numRuns: 15 },
  );
});

test('by way of a claim: its volume, and the secret that the volume names', async () => {
  const f = await ApiFixture.create();
  const { client } = f.api;
  await client(PersistentVolume).create({
    metadata: { name: 'v' },
    spec: {
      capacity: { storage: '1Gi' },
      accessModes: ['ReadWriteOnce'],
      claimRef: { namespace: 'default', name: 'claim' },
      csi: { driver: 'd', volumeHandle: 'h', nodeStageSecretRef: { name: 'key', namespace: 'other' } },
    },
  } as Draft<PersistentVolume>);
  await client(PersistentVolumeClaim).create({
    metadata: { name: 'claim', namespace: 'default' },
    spec: {
      accessModes: ['ReadWriteOnce'],
      volumeName: 'v',
      storageClassName: '',
      resources: { requests: { storage: '1Gi' } },
    },
  } as Draft<PersistentVolumeClaim>);
  await client(Pod).create({
    metadata: { name: 'p', namespace: 'default' },
    spec: {
      nodeName: 'n1',
      containers: [{ name: 'c', image: 'i' }],
      volumes: [{ name: 'd', persistentVolumeClaim: { claimName: 'claim' } }],
    },
  } as Draft<Pod>);
  const relations = new NodeRelations(f.store);
  const key = { namespace: 'other', name: 'key' };
  expect(relations.isRelated('n1', 'persistentvolumeclaims', { namespace: 'default', name: 'claim' })).toBe(
    true,
  );
  expect(relations.isRelated('n1', 'secrets', key)).toBe(true);
  expect(relations.isRelated('n2', 'secrets', key)).toBe(false);
  expect(relations.isRelated('n1', 'secrets', { namespace: 'default', name: 'key' })).toBe(false);
  await f.close();
});
