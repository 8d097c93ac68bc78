// The objects that the tests of volumes begin with, as a user would write them.
import { join } from 'node:path';
import { busyboxImage, staysPut } from './tour-machine.ts';

export const claim = (name: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '100Mi' } }, ...spec },
});
export const volume = (name: string, spec: object) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name },
  spec: {
    capacity: { storage: '100Mi' },
    accessModes: ['ReadWriteOnce'],
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: 'by-hand',
    ...spec,
  },
});
const storageClass = (name: string, provisioner: string, volumeBindingMode: string) => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name },
  provisioner,
  volumeBindingMode,
});
export const only = (host: string) => ({
  required: {
    nodeSelectorTerms: [
      { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [host] }] },
    ],
  },
});
/** Ends when it is told to. */
const stay = 'trap exit TERM; sleep 3600 & wait';

interface PodParts {
  readonly volumes: Record<string, object>;
  readonly mounts?: readonly object[];
  readonly spec?: object;
  readonly container?: object;
}
export const pod = (name: string, { volumes, mounts, spec, container }: PodParts) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: name }, annotations: { note: 'two\nlines' } },
  spec: {
    terminationGracePeriodSeconds: 1,
    tolerations: JSON.parse(staysPut),
    containers: [
      {
        name: 'c',
        image: busyboxImage,
        command: ['sh', '-c', stay],
        volumeMounts: mounts ?? Object.keys(volumes).map((of) => ({ name: of, mountPath: `/${of}` })),
        ...container,
      },
    ],
    volumes: Object.entries(volumes).map(([of, source]) => ({ name: of, ...source })),
    ...spec,
  },
});
export const claimed = (claimName: string, more: object = {}) => ({
  persistentVolumeClaim: { claimName, ...more },
});
export const config = (value: string) => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name: 'conf' },
  data: { a: value, b: value },
});

export const set = {
  apiVersion: 'apps/v1',
  kind: 'StatefulSet',
  metadata: { name: 'db' },
  spec: {
    serviceName: 'db',
    replicas: 2,
    podManagementPolicy: 'Parallel',
    selector: { matchLabels: { app: 'db' } },
    template: {
      metadata: { labels: { app: 'db' } },
      spec: {
        terminationGracePeriodSeconds: 1,
        tolerations: JSON.parse(staysPut),
        topologySpreadConstraints: [
          {
            maxSkew: 1,
            topologyKey: 'kubernetes.io/hostname',
            whenUnsatisfiable: 'DoNotSchedule',
            labelSelector: { matchLabels: { app: 'db' } },
          },
        ],
        containers: [
          {
            name: 'c',
            image: busyboxImage,
            command: ['sh', '-c', `echo start >>/data/log; ${stay}`],
            volumeMounts: [{ name: 'data', mountPath: '/data' }],
          },
        ],
      },
    },
    volumeClaimTemplates: [{ ...claim('data'), metadata: { name: 'data' } }],
  },
};

export const everyKind = pod('kinds', {
  volumes: {
    scratch: {},
    memory: { emptyDir: { medium: 'Memory', sizeLimit: '8Mi' } },
    conf: { configMap: { name: 'conf', items: [{ key: 'a', path: 'deep/a' }], defaultMode: 0o400 } },
    late: { configMap: { name: 'late', optional: true } },
    data: claimed('kinds'),
    own: { ephemeral: { volumeClaimTemplate: { spec: claim('own').spec } } },
    all: {
      projected: {
        defaultMode: 0o444,
        sources: [
          { configMap: { name: 'conf', items: [{ key: 'b', path: 'conf' }] } },
          { secret: { name: 'secret', items: [{ key: 'password', path: 'secret', mode: 0o400 }] } },
          { serviceAccountToken: { path: 'token', audience: 'somebody' } },
          { secret: { name: 'nobody', optional: true } },
          {
            downwardAPI: {
              items: [
                { path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } },
                { path: 'note', fieldRef: { fieldPath: "metadata.annotations['note']" } },
                {
                  path: 'cpu',
                  resourceFieldRef: { containerName: 'c', resource: 'requests.cpu', divisor: '1m' },
                },
                {
                  path: 'memory',
                  resourceFieldRef: { containerName: 'c', resource: 'limits.memory', divisor: '1Mi' },
                },
              ],
            },
          },
        ],
      },
    },
  },
  mounts: [
    ...['scratch', 'memory', 'conf', 'late', 'data', 'own', 'all'].map((name) => ({
      name,
      mountPath: `/${name}`,
    })),
    { name: 'conf', mountPath: '/file', subPath: 'deep/a' },
    { name: 'data', mountPath: '/reading', readOnly: true },
    { name: 'data', mountPath: '/mine', subPathExpr: 'of/$(POD)' },
  ],
  spec: { securityContext: { fsGroup: 2000, fsGroupChangePolicy: 'OnRootMismatch' } },
  container: {
    securityContext: { runAsUser: 1000, runAsGroup: 3000 },
    env: [{ name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }],
    resources: { requests: { cpu: '50m', memory: '16Mi' }, limits: { memory: '64Mi' } },
  },
});

/** Where tests put what volumes of the machine are made of, and the nodes that they are for. */
export interface Places {
  readonly shared: string;
  readonly node1: string;
  readonly node2: string;
}

export const byHand = ({ shared, node2 }: Places) => [
  storageClass('by-hand', 'kubernetes.io/no-provisioner', 'WaitForFirstConsumer'),
  volume('hand-local', {
    local: { path: join(shared, 'local') },
    nodeAffinity: only(node2),
    mountOptions: ['noexec'],
  }),
  claim('hand-local', { storageClassName: 'by-hand', volumeName: 'hand-local' }),
  volume('hand-path', { hostPath: { path: join(shared, 'path'), type: 'DirectoryOrCreate' } }),
  claim('hand-path', { storageClassName: 'by-hand', volumeName: 'hand-path' }),
  pod('hand', {
    volumes: {
      local: claimed('hand-local'),
      path: claimed('hand-path', { readOnly: true }),
      file: { hostPath: { path: join(shared, 'made/file'), type: 'FileOrCreate' } },
      null: { hostPath: { path: '/dev/null', type: 'CharDevice' } },
    },
    spec: { securityContext: { fsGroup: 2000 } },
  }),
];

/** What a container mounts shows in others of its node where they ask for it. */
export const propagation = (
  name: string,
  mountPropagation: string,
  { shared, node1, ...more }: Places & { container?: object },
) =>
  pod(name, {
    volumes: { host: { hostPath: { path: join(shared, 'mounts') } } },
    mounts: [{ name: 'host', mountPath: '/host', mountPropagation }],
    spec: { nodeName: node1 },
    ...(more.container !== undefined && { container: more.container }),
  });

export const refused = ({ shared, node1 }: Places) => [
  pod('of-nfs', { volumes: { v: { nfs: { server: '127.0.0.1', path: '/' } } } }),
  pod('of-csi', { volumes: { v: { csi: { driver: 'a.csi' } } } }),
  pod('of-file', { volumes: { v: { hostPath: { path: shared, type: 'File' } } } }),
  volume('block', { local: { path: shared }, volumeMode: 'Block', nodeAffinity: only(node1) }),
  claim('block', { storageClassName: 'by-hand', volumeMode: 'Block', volumeName: 'block' }),
  pod('of-block', {
    volumes: { v: claimed('block') },
    mounts: [],
    container: { volumeDevices: [{ name: 'v', devicePath: '/dev/x' }] },
  }),
  volume('nowhere', { local: { path: join(shared, 'nowhere') }, nodeAffinity: only(node1) }),
  claim('nowhere', { storageClassName: 'by-hand', volumeName: 'nowhere' }),
  pod('of-nowhere', { volumes: { v: claimed('nowhere') } }),
  storageClass('foreign', 'example.com/foreign', 'Immediate'),
  claim('foreign', { storageClassName: 'foreign' }),
  storageClass('now', 'jotasu.dev/local-path', 'Immediate'),
  claim('now', { storageClassName: 'now' }),
  claim('many', { accessModes: ['ReadWriteMany'] }),
  pod('of-many', { volumes: { v: claimed('many') } }),
];
