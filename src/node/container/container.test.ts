// What containers are made of: expansion, environment, services, resources, DNS, security. Tables.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ConfigMap, coreV1, Pod, Secret, Service } from '../../api/index.ts';
import { parseResolvConf, podDns } from './dns.ts';
import { fieldValue, formatMap, resourceValue } from './downward.ts';
import { buildEnvironment, type ObjectLookup } from './environment.ts';
import { expand } from './expansion.ts';
import { hostsFile } from './hosts-file.ts';
import { containerResources, cpuShares, oomScoreAdj } from './resources.ts';
import { buildSandboxConfig } from './sandbox-config.ts';
import { containerSecurity } from './security.ts';
import { serviceVariables, visibleServices } from './service-env.ts';

const pod = (spec: Partial<coreV1.PodSpec> = {}, meta: object = {}): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'ns', uid: 'u', labels: { a: '1', b: 'x"y' }, ...meta },
    spec: { containers: [{ name: 'c' }], nodeName: 'n1', ...spec },
  }) as unknown as Pod;
const downward = (p: Pod = pod()) => ({
  pod: p,
  podIps: ['10.1.0.2'],
  nodeIps: ['10.0.0.1'],
  allocatable: { cpu: '4', memory: '1Gi' },
});

describe('expand', () => {
  const values = new Map([
    ['A', '1'],
    ['B', '$(A)'],
  ]);
  test.each([
    ['$(A)', '1'],
    ['x$(A)y$(A)', 'x1y1'],
    ['$(B)', '$(A)'],
    ['$(NONE)', '$(NONE)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$$$$(A)', '$$(A)'],
    ['$A', '$A'],
    ['$(A', '$(A'],
    ['$', '$'],
    ['a$', 'a$'],
    ['$()', '$()'],
  ])('%s', (text, want) => expect(expand(text, values)).toBe(want));
  test('text without a dollar is itself', () => {
    fc.assert(
      fc.property(
        fc.string().filter((s) => !s.includes('$')),
        (s) => expand(s, values) === s,
      ),
    );
  });
});

describe('environment', () => {
  const objects: ObjectLookup = {
    configMap: (name) =>
      name === 'cm' ? ({ data: { k: 'v', 'bad=key': 'x' } } as unknown as ConfigMap) : undefined,
    secret: (name) =>
      name === 's' ? ({ data: { p: Buffer.from('pw').toString('base64') } } as unknown as Secret) : undefined,
  };
  const env = (container: Partial<coreV1.Container>) =>
    buildEnvironment({
      container: { name: 'c', ...container },
      namespace: 'ns',
      services: new Map([['SVC', '1']]),
      objects,
      downward: downward(),
    });

  test('comes in order, later ones win and see earlier ones', () => {
    const { values, skipped } = env({
      envFrom: [
        { prefix: 'P_', configMapRef: { name: 'cm' } },
        { secretRef: { name: 's' } },
        { configMapRef: { name: 'no', optional: true } },
      ],
      env: [
        { name: 'p', value: 'own' },
        { name: 'ALL', value: '$(SVC)-$(P_k)-$(p)' },
        { name: 'NONE', valueFrom: { secretKeyRef: { name: 's', key: 'zz', optional: true } } },
        { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
        { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['a']" } } },
      ],
    });
    expect(Object.fromEntries(values)).toEqual({
      SVC: '1',
      P_k: 'v',
      p: 'own',
      ALL: '1-v-own',
      IP: '10.1.0.2',
      LABEL: '1',
    });
    expect(skipped).toEqual([{ kind: 'configmap', name: 'ns/cm', keys: ['bad=key'] }]);
  });

  test.each([
    [{ envFrom: [{ configMapRef: { name: 'no' } }] }, 'configmap "no" not found'],
    [{ envFrom: [{ secretRef: { name: 'no' } }] }, 'secret "no" not found'],
    [
      { env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'cm', key: 'zz' } } }] },
      "couldn't find key zz in ConfigMap ns/cm",
    ],
    [
      { env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 's', key: 'zz' } } }] },
      "couldn't find key zz in Secret ns/s",
    ],
  ])('says what is missing: %j', (container, message) =>
    expect(() => env(container as never)).toThrow(message),
  );
});

describe('downward API', () => {
  const limited = pod({
    containers: [{ name: 'c', resources: { limits: { cpu: '1500m' }, requests: { memory: '100Mi' } } }],
  });
  test('fields', () => {
    expect(formatMap({ b: 'x"y', a: '1' })).toBe('a="1"\nb="x\\"y"');
    expect(fieldValue(downward(), 'metadata.labels')).toBe('a="1"\nb="x\\"y"');
    expect(fieldValue(downward(), 'spec.nodeName')).toBe('n1');
    expect(() => fieldValue(downward(), 'spec.secret')).toThrow('unsupported fieldPath');
  });
  test.each([
    [{ resource: 'limits.cpu' }, '2'],
    [{ resource: 'limits.cpu', divisor: '1m' }, '1500'],
    [{ resource: 'requests.memory', divisor: '1Mi' }, '100'],
    [{ resource: 'limits.memory' }, String(1 << 30)],
    [{ resource: 'requests.cpu' }, '0'],
  ])('%j', (selector, want) => expect(resourceValue(downward(limited), selector, 'c')).toBe(want));
});

describe('services', () => {
  const service = (name: string, namespace: string, ip: string, ports: object[]) =>
    ({ metadata: { name, namespace }, spec: { clusterIP: ip, ports } }) as unknown as Service;
  const all = [
    service('my-db', 'ns', '10.96.0.5', [
      { name: 'sql', port: 5432 },
      { port: 53, protocol: 'UDP' },
    ]),
    service('headless', 'ns', 'None', [{ port: 1 }]),
    service('other', 'elsewhere', '10.96.0.6', [{ port: 1 }]),
    service('kubernetes', 'default', '10.96.0.1', [{ name: 'https', port: 443 }]),
  ];
  test('who is seen', () => {
    expect(visibleServices(all, 'ns', 'all').map((s) => s.metadata.name)).toEqual(['kubernetes', 'my-db']);
    expect(visibleServices(all, 'ns', 'apiServerOnly').map((s) => s.metadata.name)).toEqual(['kubernetes']);
  });
  test('variables', () => {
    expect(Object.fromEntries(serviceVariables([all[0]!]))).toEqual({
      MY_DB_SERVICE_HOST: '10.96.0.5',
      MY_DB_SERVICE_PORT: '5432',
      MY_DB_SERVICE_PORT_SQL: '5432',
      MY_DB_PORT: 'tcp://10.96.0.5:5432',
      MY_DB_PORT_5432_TCP: 'tcp://10.96.0.5:5432',
      MY_DB_PORT_5432_TCP_PROTO: 'tcp',
      MY_DB_PORT_5432_TCP_PORT: '5432',
      MY_DB_PORT_5432_TCP_ADDR: '10.96.0.5',
      MY_DB_PORT_53_UDP: 'udp://10.96.0.5:53',
      MY_DB_PORT_53_UDP_PROTO: 'udp',
      MY_DB_PORT_53_UDP_PORT: '53',
      MY_DB_PORT_53_UDP_ADDR: '10.96.0.5',
    });
  });
});

describe('resources', () => {
  test.each([
    [0, 2],
    [1, 2],
    [100, 102],
    [1000, 1024],
    [1e9, 262_144],
  ])('%i milli = %i shares', (milli, shares) => expect(cpuShares(milli)).toBe(shares));
  test('limits stand in for requests', () => {
    const container = { name: 'c', resources: { limits: { cpu: '500m', memory: '64Mi' } } };
    expect(containerResources(pod({ containers: [container] }), container, 1 << 30)).toMatchObject({
      cpuShares: 512,
      cpuPeriod: 100_000,
      cpuQuota: 50_000,
      memoryLimitBytes: 64 << 20,
    });
  });
  test('who dies first', () => {
    const of = (resources: object) => {
      const container = { name: 'c', resources };
      return oomScoreAdj(pod({ containers: [container] }), container, 1000 << 20);
    };
    expect(of({})).toBe(1000);
    expect(of({ requests: { memory: '500Mi' } })).toBe(500);
    expect(of({ requests: { memory: '1Mi' } })).toBe(999);
    expect(of({ requests: { cpu: '1', memory: '1Mi' }, limits: { cpu: '1', memory: '1Mi' } })).toBe(-997);
  });
});

describe('names and DNS', () => {
  const node = {
    clusterDns: ['10.96.0.10'],
    clusterDomain: 'cluster.local',
    node: parseResolvConf('# x\nnameserver 9.9.9.9\nsearch corp.example.\noptions rotate\n'),
  };
  test.each([
    [
      'ClusterFirst',
      {},
      {
        servers: ['10.96.0.10'],
        searches: ['ns.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp.example'],
        options: ['ndots:5'],
      },
    ],
    ['Default', {}, { servers: ['9.9.9.9'], searches: ['corp.example'], options: ['rotate'] }],
    [
      'ClusterFirst',
      { hostNetwork: true },
      { servers: ['9.9.9.9'], searches: ['corp.example'], options: ['rotate'] },
    ],
    [
      'None',
      { dnsConfig: { nameservers: ['1.2.3.4'], searches: ['s'], options: [{ name: 'ndots', value: '2' }] } },
      { servers: ['1.2.3.4'], searches: ['s'], options: ['ndots:2'] },
    ],
  ])('%s %j', (dnsPolicy, spec, want) => expect(podDns(pod({ dnsPolicy, ...spec }), node)).toEqual(want));
  test('hosts file', () => {
    const text = hostsFile(
      pod({ subdomain: 'sub', hostAliases: [{ ip: '1.1.1.1', hostnames: ['x', 'y'] }] }),
      {
        podIps: ['10.1.0.2'],
        clusterDomain: 'cluster.local',
        nodeHostsFile: '',
      },
    );
    expect(text).toContain('10.1.0.2\tp.sub.ns.svc.cluster.local\tp\n');
    expect(text).toContain('1.1.1.1\tx\ty\n');
  });
  test('a sandbox', () => {
    const config = buildSandboxConfig({
      pod: pod({
        containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 8080 }, { containerPort: 81 }] }],
        shareProcessNamespace: true,
      }),
      attempt: 1,
      dns: node,
      logDir: '/logs',
      cgroupParent: '/jotasu/n1',
      nodeName: 'n1',
    });
    expect(config).toMatchObject({
      hostname: 'p',
      logDirectory: '/logs/pods/ns_p_u',
      cgroupParent: '/jotasu/n1/besteffort/podu',
      portMappings: [{ protocol: 'TCP', containerPort: 80, hostPort: 8080 }],
      namespaces: { network: 'pod', pid: 'pod', ipc: 'pod' },
    });
  });
});

describe('the host name of a sandbox', () => {
  const nameOf = (spec: object) =>
    buildSandboxConfig({
      pod: pod(spec),
      attempt: 0,
      dns: { clusterDns: [], clusterDomain: 'cluster.local', node: parseResolvConf('') },
      logDir: '/logs',
      cgroupParent: '/jotasu/n1',
      nodeName: 'n1',
    }).hostname;
  const whole = { setHostnameAsFQDN: true };
  test.each<[object, string]>([
    [{ hostname: 'h', subdomain: 's' }, 'h'],
    [{ ...whole, hostname: 'h', subdomain: 's' }, 'h.s.ns.svc.cluster.local'],
    [{ ...whole, hostname: 'h' }, 'h'],
    [{ ...whole, hostname: 'h', subdomain: 's', hostNetwork: true }, ''],
    [{ ...whole, hostname: 'h'.repeat(41), subdomain: 's' }, `${'h'.repeat(41)}.s.ns.svc.cluster.local`],
  ])('%j', (spec, expected) => expect(nameOf(spec)).toBe(expected));
  test('one longer than the kernel takes is refused before the runtime stumbles over it', () => {
    const hostname = 'h'.repeat(42);
    expect(() => nameOf({ ...whole, hostname, subdomain: 's' })).toThrow(
      `failed to construct FQDN from pod hostname and cluster domain, FQDN ${hostname}.s.ns.svc.cluster.local is too long (64 characters is the max, 65 characters requested)`,
    );
  });
});

describe('security', () => {
  const root = { uid: undefined, username: '' };
  test('the container counts before the pod', () => {
    const spec = { securityContext: { runAsUser: 1, runAsGroup: 2, fsGroup: 3, supplementalGroups: [4] } };
    expect(
      containerSecurity(pod(spec), { name: 'c', securityContext: { runAsUser: 9 } }, root),
    ).toMatchObject({
      runAsUser: 9,
      runAsGroup: 2,
      supplementalGroups: [4, 3],
    });
  });
  test.each<[object, object, object]>([
    [{ runAsUser: 7 }, { uid: 8, username: 'app' }, { runAsUser: 7 }],
    [{ runAsUser: 0 }, { uid: 8, username: '' }, { runAsUser: 0 }],
    [{}, { uid: 8, username: '' }, { runAsUser: 8 }],
    [{}, { uid: undefined, username: 'app' }, { runAsUsername: 'app' }],
    [{}, root, { runAsUser: 0 }],
    [{ runAsGroup: 5 }, root, { runAsUser: 0, runAsGroup: 5 }],
  ])('%j over an image of %j', (securityContext, image, expected) => {
    const { runAsUser, runAsUsername, runAsGroup } = containerSecurity(
      pod({ securityContext }),
      { name: 'c' },
      image as typeof root,
    );
    expect({ runAsUser, runAsUsername, runAsGroup }).toEqual(expected);
  });
  test.each([
    [{ runAsNonRoot: true }, root, 'container has runAsNonRoot and image will run as root'],
    [{ runAsNonRoot: true, runAsUser: 0 }, root, "container's runAsUser breaks non-root policy"],
    [{ runAsNonRoot: true }, { uid: undefined, username: 'app' }, 'image has non-numeric user (app)'],
  ])('%j is refused', (securityContext, image, message) =>
    expect(() => containerSecurity(pod(), { name: 'c', securityContext }, image)).toThrow(message),
  );
});
