import { describe, expect, test } from 'vitest';
import { readManifest } from './manifest.ts';

const context = { file: '/etc/manifests/web.yaml', nodeName: 'node-1', nowMs: Date.UTC(2026, 0, 1) };
const manifest = (spec: object = {}, metadata: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', ...metadata },
  spec: { containers: [{ name: 'main', image: 'busybox:1.36' }], ...spec },
});

describe('a manifest', () => {
  test('becomes a pod of this node', () => {
    const pod = readManifest(manifest({ priorityClassName: 'system-node-critical' }), context);
    expect(pod.metadata).toMatchObject({
      name: 'web-node-1',
      namespace: 'default',
      annotations: {
        'kubernetes.io/config.source': 'file',
        'kubernetes.io/config.seen': '2026-01-01T00:00:00Z',
        'kubernetes.io/config.hash': pod.metadata.uid,
      },
    });
    expect(pod.metadata.uid).toMatch(/^[0-9a-f]{32}$/);
    expect(pod.spec).toMatchObject({
      nodeName: 'node-1',
      priority: 2_000_001_000,
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      tolerations: [{ operator: 'Exists', effect: 'NoExecute' }],
      containers: [{ name: 'main', imagePullPolicy: 'IfNotPresent' }],
    });
  });

  test('is the same pod as long as it says the same in the same place', () => {
    const uid = (body: object, file = context.file) => readManifest(body, { ...context, file }).metadata.uid;
    expect(uid(manifest())).toBe(uid(manifest()));
    expect(uid(manifest({ hostNetwork: true }))).not.toBe(uid(manifest()));
    expect(uid(manifest(), '/etc/manifests/other.yaml')).not.toBe(uid(manifest()));
  });

  test('may name its namespace', () =>
    expect(readManifest(manifest({}, { namespace: 'kube-system' }), context).metadata.namespace).toBe(
      'kube-system',
    ));

  test.each([
    ['nothing', null, 'it holds no object'],
    [
      'another kind',
      { apiVersion: 'apps/v1', kind: 'Deployment' },
      'it holds apps/v1 Deployment, not a v1 Pod',
    ],
    ['no name', manifest({}, { name: undefined, namespace: 'A B' }), /metadata\.namespace/],
    ['no containers', manifest({ containers: [] }), 'spec.containers: Required value'],
    ['a wrong field', manifest({ restartPolicy: 'Sometimes' }), /^spec\.restartPolicy: Unsupported value/],
    ['a secret', manifest({ imagePullSecrets: [{ name: 's' }] }), 'static pods may not reference secrets'],
    [
      'a config map',
      manifest({ volumes: [{ name: 'v', configMap: { name: 'c' } }] }),
      'static pods may not reference configmaps',
    ],
    [
      'a service account',
      manifest({ serviceAccountName: 'x' }),
      'static pods may not reference service accounts',
    ],
    [
      'a claim',
      manifest({ volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] }),
      'static pods may not reference persistentvolumeclaims',
    ],
  ])('with %s is refused', (_, body, why) => expect(() => readManifest(body, context)).toThrow(why));
});
