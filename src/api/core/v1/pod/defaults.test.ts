import { describe, expect, it } from 'vitest';
import { decodeObject } from '../../../../machinery/index.ts';
import type { PodTemplateSpec } from '../../../generated/core-v1.ts';
import { shape } from '../../../shape.ts';
import { defaultPodTemplate } from './defaults.ts';
import { type Body, container, createdPod, decoded, podOf } from './fixture.ts';
import { imageTag } from './image.ts';

const specDefaults = {
  dnsPolicy: 'ClusterFirst',
  enableServiceLinks: true,
  restartPolicy: 'Always',
  schedulerName: 'default-scheduler',
  securityContext: {},
  terminationGracePeriodSeconds: 30,
};
const containerDefaults = {
  imagePullPolicy: 'IfNotPresent',
  name: 'web',
  image: 'nginx:1.27',
  resources: {},
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
};

describe('a pod read back', () => {
  it('has what kube-apiserver 1.35 fills in', () => {
    expect(createdPod()).toEqual({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'default' },
      spec: { ...specDefaults, containers: [containerDefaults] },
      status: { phase: 'Pending', qosClass: 'BestEffort' },
    });
  });

  /** name, the author's container, what is added to it */
  const containers: [string, Body, Body][] = [
    ['latest is always pulled', { image: 'nginx' }, { image: 'nginx', imagePullPolicy: 'Always' }],
    [
      'a written pull policy stays',
      { image: 'nginx', imagePullPolicy: 'Never' },
      { image: 'nginx', imagePullPolicy: 'Never' },
    ],
    [
      'ports are TCP',
      { ports: [{ containerPort: 80 }] },
      { ports: [{ containerPort: 80, protocol: 'TCP' }] },
    ],
    [
      'probes',
      { livenessProbe: { httpGet: { port: 80 } }, startupProbe: { grpc: { port: 9 }, failureThreshold: 30 } },
      {
        livenessProbe: {
          httpGet: { path: '/', port: 80, scheme: 'HTTP' },
          failureThreshold: 3,
          periodSeconds: 10,
          successThreshold: 1,
          timeoutSeconds: 1,
        },
        startupProbe: {
          grpc: { port: 9, service: '' },
          failureThreshold: 30,
          periodSeconds: 10,
          successThreshold: 1,
          timeoutSeconds: 1,
        },
      },
    ],
    [
      'hooks',
      { lifecycle: { preStop: { httpGet: { port: 'http', path: '/bye' } } } },
      { lifecycle: { preStop: { httpGet: { port: 'http', path: '/bye', scheme: 'HTTP' } } } },
    ],
    [
      'downward API variables',
      { env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] },
      { env: [{ name: 'A', valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.name' } } }] },
    ],
    [
      'requests from limits',
      { resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '100m' } } },
      { resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '100m', memory: '1Gi' } } },
    ],
    [
      'amounts in thousandths',
      { resources: { requests: { cpu: '100u', memory: '1.5' } } },
      { resources: { requests: { cpu: '1m', memory: '1500m' } } },
    ],
  ];
  it.each(containers)('container: %s', (_, body, added) => {
    expect(podOf({ containers: [container(body)] }).spec.containers).toEqual([
      { ...containerDefaults, ...added },
    ]);
    expect(podOf({ initContainers: [container(body)] }).spec.initContainers).toEqual([
      { ...containerDefaults, ...added },
    ]);
  });

  /** the author's volume, the stored one */
  const volumes: [Body, Body][] = [
    [{}, { emptyDir: {} }],
    [{ emptyDir: { medium: 'Memory' } }, { emptyDir: { medium: 'Memory' } }],
    [{ configMap: { name: 'c' } }, { configMap: { name: 'c', defaultMode: 420 } }],
    [{ secret: { secretName: 's', defaultMode: 256 } }, { secret: { secretName: 's', defaultMode: 256 } }],
    [{ hostPath: { path: '/x' } }, { hostPath: { path: '/x', type: '' } }],
    [{ image: { reference: 'a/b' } }, { image: { reference: 'a/b', pullPolicy: 'Always' } }],
    [
      { downwardAPI: { items: [{ path: 'l', fieldRef: { fieldPath: 'metadata.labels' } }] } },
      {
        downwardAPI: {
          defaultMode: 420,
          items: [{ path: 'l', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.labels' } }],
        },
      },
    ],
    [
      { projected: { sources: [{ serviceAccountToken: { path: 't' } }] } },
      {
        projected: {
          defaultMode: 420,
          sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 3600 } }],
        },
      },
    ],
    [
      { ephemeral: { volumeClaimTemplate: { spec: { accessModes: ['ReadWriteOnce'] } } } },
      {
        ephemeral: {
          volumeClaimTemplate: {
            metadata: {},
            spec: { accessModes: ['ReadWriteOnce'], resources: {}, volumeMode: 'Filesystem' },
          },
        },
      },
    ],
    [
      { iscsi: { targetPortal: 'a', iqn: 'b', lun: 0 } },
      { iscsi: { targetPortal: 'a', iqn: 'b', lun: 0, iscsiInterface: 'default' } },
    ],
    [
      { rbd: { monitors: ['m'], image: 'i' } },
      { rbd: { monitors: ['m'], image: 'i', pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' } },
    ],
    [
      { azureDisk: { diskName: 'n', diskURI: 'u' } },
      {
        azureDisk: {
          diskName: 'n',
          diskURI: 'u',
          cachingMode: 'ReadWrite',
          fsType: 'ext4',
          kind: 'Shared',
          readOnly: false,
        },
      },
    ],
    [
      { scaleIO: { gateway: 'g', system: 's', secretRef: { name: 'x' } } },
      {
        scaleIO: {
          gateway: 'g',
          system: 's',
          secretRef: { name: 'x' },
          storageMode: 'ThinProvisioned',
          fsType: 'xfs',
        },
      },
    ],
  ];
  it.each(volumes)('volume %j', (body, stored) => {
    expect(podOf({ volumes: [{ name: 'v', ...body }] }).spec.volumes).toEqual([{ name: 'v', ...stored }]);
  });

  it('has the divisor of a resource', () => {
    const env = [{ name: 'A', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } }];
    expect(
      podOf({ containers: [{ name: 'c', image: 'i', env }] }).spec.containers[0]?.env?.[0]?.valueFrom,
    ).toEqual({
      resourceFieldRef: { resource: 'limits.cpu', divisor: '0' },
    });
  });

  it('has host ports on the host network', () => {
    const ports = [{ containerPort: 80 }, { containerPort: 81, hostPort: 81 }];
    const { spec } = podOf({ hostNetwork: true, containers: [container({ ports })] });
    expect(spec.containers[0]?.ports?.map((port) => port.hostPort)).toEqual([80, 81]);
  });

  it('has both names of its service account', () => {
    expect(podOf({ serviceAccount: 'old' }).spec).toMatchObject({
      serviceAccount: 'old',
      serviceAccountName: 'old',
    });
    expect(podOf({ serviceAccount: 'old', serviceAccountName: 'new' }).spec).toMatchObject({
      serviceAccount: 'new',
      serviceAccountName: 'new',
    });
  });

  it('has both forms of its address', () => {
    const pod = (status: Body) =>
      decoded({ metadata: { name: 'p' }, spec: { containers: [] }, status }).status;
    expect(pod({ podIP: '10.0.0.1' })).toMatchObject({ podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] });
    expect(pod({ podIPs: [{ ip: 'fd::1' }] })).toMatchObject({ podIP: 'fd::1' });
    expect(pod({ podIP: '1.1.1.1', podIPs: [{ ip: '2.2.2.2' }] })).toMatchObject({
      podIPs: [{ ip: '1.1.1.1' }],
    });
  });

  it('has what its containers share, when some of it is given', () => {
    const spec = {
      resources: { limits: { cpu: '2', memory: '1Gi' } },
      containers: [
        container({ resources: { requests: { cpu: '500m' }, limits: { 'hugepages-2Mi': '4Mi' } } }),
        container({ name: 'b', resources: { requests: { cpu: '250m' } } }),
      ],
    };
    expect(podOf(spec).spec.resources).toEqual({
      limits: { cpu: '2', memory: '1Gi', 'hugepages-2Mi': '4Mi' },
      requests: { cpu: '750m', memory: '1Gi', 'hugepages-2Mi': '4Mi' },
    });
  });
});

describe('a template', () => {
  it('gets the defaults of a spec, not those of a pod', () => {
    const body = {
      spec: {
        hostNetwork: true,
        containers: [
          { name: 'a', image: 'a', ports: [{ containerPort: 80 }], resources: { limits: { cpu: '1' } } },
        ],
      },
    };
    const template = decodeObject(shape('core.v1.PodTemplateSpec'), body, []) as PodTemplateSpec;
    defaultPodTemplate(template);
    const { enableServiceLinks: _, ...rest } = specDefaults;
    expect(template.spec).toEqual({
      ...rest,
      hostNetwork: true,
      containers: [
        {
          ...containerDefaults,
          name: 'a',
          image: 'a',
          imagePullPolicy: 'Always',
          ports: [{ containerPort: 80, protocol: 'TCP' }],
          resources: { limits: { cpu: '1' } },
        },
      ],
    });
  });
});

describe('prepare', () => {
  it('marks a gated pod', () => {
    expect(createdPod({ schedulingGates: [{ name: 'example.com/wait' }] }).status).toEqual({
      phase: 'Pending',
      qosClass: 'BestEffort',
      conditions: [
        {
          type: 'PodScheduled',
          status: 'False',
          reason: 'SchedulingGated',
          message: 'Scheduling is blocked due to non-empty scheduling gates',
          lastProbeTime: null,
          lastTransitionTime: '2026-01-02T03:04:05Z',
        },
      ],
    });
  });

  it('keeps sources of a volume that the node will refuse by name', () => {
    const sources = [
      { clusterTrustBundle: { name: 'roots', path: 'roots.pem' } },
      { podCertificate: { signerName: 'a/b', keyType: 'ED25519', maxExpirationSeconds: 3600 } },
    ];
    const pod = createdPod({ volumes: [{ name: 'v', projected: { sources, defaultMode: 0o644 } }] });
    expect(pod.spec.volumes?.[0]?.projected?.sources).toEqual(sources);
  });

  it('completes selectors with the labels of the pod', () => {
    const term = {
      topologyKey: 'zone',
      labelSelector: { matchLabels: { app: 'a' } },
      matchLabelKeys: ['rev', 'absent'],
      mismatchLabelKeys: ['tenant'],
    };
    const spec = {
      affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [term] } },
    };
    const pod = createdPod(spec, { labels: { rev: '1', tenant: 't' } });
    const [stored] = pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    expect(stored?.labelSelector).toEqual({
      matchLabels: { app: 'a' },
      matchExpressions: [
        { key: 'rev', operator: 'In', values: ['1'] },
        { key: 'tenant', operator: 'NotIn', values: ['t'] },
      ],
    });
  });

  it('takes AppArmor profiles from annotations', () => {
    const key = 'container.apparmor.security.beta.kubernetes.io/web';
    const profile = (value: string) =>
      createdPod({}, { annotations: { [key]: value } }).spec.containers[0]?.securityContext?.appArmorProfile;
    expect(profile('localhost/x')).toEqual({ type: 'Localhost', localhostProfile: 'x' });
    expect(profile('runtime/default')).toEqual({ type: 'RuntimeDefault' });
    expect(profile('nonsense')).toBeUndefined();
  });
});

describe('imageTag', () => {
  const hex = 'a'.repeat(64);
  it.each([
    ['nginx', 'latest'],
    ['nginx:latest', 'latest'],
    ['nginx:1.2', '1.2'],
    ['localhost:5000/a/b', 'latest'],
    ['registry.example.com:5000/a:v1', 'v1'],
    [`nginx@sha256:${hex}`, ''],
    [`nginx:latest@sha256:${hex}`, 'latest'],
    ['ghcr.io/a/b_c.d--e', 'latest'],
    ['Nginx', undefined],
    ['nginx@sha256:abc', undefined],
    [hex, undefined],
    ['', undefined],
    [' nginx', undefined],
  ])('%s', (image, tag) => expect(imageTag(image)).toBe(tag));
});
