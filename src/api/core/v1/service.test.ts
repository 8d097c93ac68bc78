import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Causes } from '../../../machinery/index.ts';
import { complaints, created, updated } from '../../../testkit/index.ts';
import { Service } from './service.ts';
import { setClusterIps, settleFamilies, wantedClusterIps, wantedNodePorts } from './service-allocation.ts';

const ports = [{ port: 80 }];
/** As an allocator leaves it. */
function make(spec: object, ip = '10.96.0.5') {
  const service = created(Service, { spec: { ports, ...spec } });
  const causes = new Causes();
  settleFamilies({ service, old: undefined, families: ['IPv4'] }, causes);
  if (causes.empty)
    setClusterIps(
      service,
      wantedClusterIps(service).map((wanted) => wanted.ip || ip),
    );
  return service;
}
const settled = (spec: object, families: ['IPv4', 'IPv6'] | ['IPv4'] = ['IPv4']) => {
  const service = created(Service, { spec: { ports, ...spec } });
  const causes = new Causes();
  settleFamilies({ service, old: undefined, families }, causes);
  return {
    said: causes.list.map((c) => `${c.field}: ${c.message}`),
    policy: service.spec.ipFamilyPolicy,
    families: service.spec.ipFamilies,
    wanted: wantedClusterIps(service),
  };
};

describe('defaults', () => {
  it('of a plain service', () => {
    expect(
      created(Service, { spec: { ports: [{ port: 80 }, { port: 53, protocol: 'UDP', targetPort: 'dns' }] } })
        .spec,
    ).toEqual({
      type: 'ClusterIP',
      sessionAffinity: 'None',
      internalTrafficPolicy: 'Cluster',
      ports: [
        { port: 80, protocol: 'TCP', targetPort: 80 },
        { port: 53, protocol: 'UDP', targetPort: 'dns' },
      ],
    });
  });
  it('of a load balancer', () => {
    expect(
      created(Service, { spec: { type: 'LoadBalancer', ports, sessionAffinity: 'ClientIP' } }).spec,
    ).toMatchObject({
      allocateLoadBalancerNodePorts: true,
      externalTrafficPolicy: 'Cluster',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
    });
  });
  it('of an address that is routed to a node', () => {
    expect(created(Service, { spec: { ports, externalIPs: ['1.2.3.4'] } }).spec.externalTrafficPolicy).toBe(
      'Cluster',
    );
  });
  it('of a name outside', () => {
    expect(created(Service, { spec: { type: 'ExternalName', externalName: 'example.com' } }).spec).toEqual({
      type: 'ExternalName',
      externalName: 'example.com',
      sessionAffinity: 'None',
    });
  });
});

describe('rules', () => {
  it.each([
    [{}, []],
    [{ ports: [] }, ['spec.ports: Required value']],
    [{ clusterIP: 'None', ports: [] }, []],
    [
      { ports: [{ port: 80 }, { port: 0, name: 'x' }] },
      [
        'spec.ports[0].name: Required value',
        'spec.ports[1].port: Invalid value: 0: must be between 1 and 65535, inclusive',
        'spec.ports[1].targetPort: Invalid value: 0: must be between 1 and 65535, inclusive',
      ],
    ],
    [
      {
        ports: [
          { name: 'a', port: 80 },
          { name: 'a', port: 80 },
        ],
      },
      [
        'spec.ports[1].name: Duplicate value: "a"',
        'spec.ports[1]: Duplicate value: {"protocol":"TCP","port":80}',
      ],
    ],
    [
      { ports: [{ port: 80, nodePort: 30000 }] },
      ["spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'"],
    ],
    [
      { type: 'NodePort', clusterIP: 'None' },
      ['spec.clusterIPs[0]: Invalid value: "None": may not be set to \'None\' for NodePort services'],
    ],
    [{ type: 'ExternalName' }, ['spec.externalName: Required value']],
    [
      { type: 'Magic', internalTrafficPolicy: 'Cluster' },
      [
        'spec.type: Unsupported value: "Magic": supported values: "ClusterIP", "ExternalName", "LoadBalancer", "NodePort"',
      ],
    ],
    [
      { externalIPs: ['127.0.0.1'], externalTrafficPolicy: 'Local' },
      [
        'spec.externalIPs[0]: Invalid value: "127.0.0.1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
      ],
    ],
    [
      { externalTrafficPolicy: 'Local' },
      [
        'spec.externalTrafficPolicy: Invalid value: "Local": may only be set for externally-accessible services',
      ],
    ],
    [{ type: 'LoadBalancer', externalTrafficPolicy: 'Local' }, ['spec.healthCheckNodePort: Required value']],
  ])('%j', (spec, wanted) => expect(complaints(Service, make(spec))).toEqual(wanted));

  it('names start with a letter', () => {
    const service = make({});
    service.metadata.name = '1a';
    expect(complaints(Service, service)[0]).toMatch(/^metadata.name: Invalid value: "1a": a DNS-1035 label/);
  });
});

describe('updates', () => {
  const old = make({ type: 'NodePort', ports: [{ name: 'http', port: 80, nodePort: 30080 }] });

  it('keep what was allocated', () => {
    const next = updated(Service, old, { spec: { type: 'NodePort', ports: [{ name: 'http', port: 81 }] } });
    expect(next.spec).toMatchObject({
      clusterIP: '10.96.0.5',
      clusterIPs: ['10.96.0.5'],
      ports: [{ port: 81, nodePort: 30080 }],
    });
  });
  it('drop what the new type has no use for', () => {
    const next = updated(Service, old, { spec: { ...old.spec, type: 'ClusterIP' } });
    expect(next.spec.ports).toEqual([{ name: 'http', port: 80, protocol: 'TCP', targetPort: 80 }]);
    expect(next.spec.externalTrafficPolicy).toBeUndefined();
    expect(complaints(Service, next, old)).toEqual([]);
    const away = updated(Service, old, { spec: { ...old.spec, type: 'ExternalName', externalName: 'a.b' } });
    expect(away.spec.clusterIP).toBeUndefined();
    expect(complaints(Service, away, old)).toEqual([]);
  });
  it('never change the address', () => {
    const next = updated(Service, old, {
      spec: { ...old.spec, clusterIP: '10.96.0.6', clusterIPs: ['10.96.0.6'] },
    });
    expect(complaints(Service, next, old)).toEqual([
      'spec.clusterIPs[0]: Invalid value: ["10.96.0.6"]: may not change once set',
    ]);
  });
  it('let old clients speak of clusterIP alone', () => {
    const next = updated(Service, old, { spec: { ...old.spec, clusterIP: '10.96.0.6' } });
    expect(next.spec.clusterIPs).toEqual(['10.96.0.6']);
  });
});

describe('families', () => {
  it('follow the cluster', () => {
    expect(settled({})).toEqual({
      said: [],
      policy: 'SingleStack',
      families: ['IPv4'],
      wanted: [{ family: 'IPv4', ip: '' }],
    });
    expect(settled({ ipFamilyPolicy: 'PreferDualStack' }, ['IPv4', 'IPv6']).families).toEqual([
      'IPv4',
      'IPv6',
    ]);
    expect(settled({ ipFamilyPolicy: 'PreferDualStack' }).families).toEqual(['IPv4']);
    expect(settled({ clusterIP: '10.0.0.1' }).wanted).toEqual([{ family: 'IPv4', ip: '10.0.0.1' }]);
  });
  it('of a headless service without selector are both', () => {
    expect(settled({ clusterIP: 'None' })).toMatchObject({
      policy: 'RequireDualStack',
      families: ['IPv4', 'IPv6'],
      wanted: [],
    });
    expect(settled({ clusterIP: 'None', selector: { a: 'b' } })).toMatchObject({
      policy: 'SingleStack',
      families: ['IPv4'],
    });
  });
  it('that the cluster lacks are refused', () => {
    expect(settled({ ipFamilyPolicy: 'RequireDualStack' }).said).toEqual([
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    ]);
    expect(settled({ ipFamilies: ['IPv6'] }).said).toEqual([
      'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
    ]);
    expect(settled({ clusterIP: '::1' }).said).toEqual([
      'spec.clusterIPs[0]: Invalid value: ["::1"]: IPv6 is not configured on this cluster',
    ]);
  });
});

describe('node ports', () => {
  const wanted = (spec: object) => wantedNodePorts(created(Service, { spec }));
  it('are shared by the protocols of one number', () => {
    expect(
      wanted({ type: 'NodePort', ports: [{ port: 53 }, { port: 53, protocol: 'UDP' }, { port: 80 }] }),
    ).toEqual([
      { ports: [0, 1], nodePort: 0 },
      { ports: [2], nodePort: 0 },
    ]);
    expect(
      wanted({ type: 'NodePort', ports: [{ port: 53 }, { port: 53, protocol: 'UDP', nodePort: 30053 }] }),
    ).toEqual([{ ports: [1, 0], nodePort: 30053 }]);
  });
  it('are not wanted where they may not be', () => {
    expect(wanted({ ports })).toEqual([]);
    expect(wanted({ type: 'LoadBalancer', allocateLoadBalancerNodePorts: false, ports })).toEqual([]);
  });
  it('cover every port once', () => {
    const port = fc.record({
      port: fc.integer({ min: 1, max: 4 }),
      protocol: fc.constantFrom('TCP', 'UDP', 'SCTP'),
    });
    fc.assert(
      fc.property(fc.array(port, { maxLength: 6 }), (list) => {
        const groups = wanted({ type: 'NodePort', ports: list });
        expect(groups.flatMap((g) => g.ports).sort()).toEqual(list.map((_, i) => i));
        for (const group of groups)
          expect(new Set(group.ports.map((i) => list[i]!.protocol)).size).toBe(group.ports.length);
      }),
    );
  });
});

it('shows itself', () => {
  const service = make({
    type: 'LoadBalancer',
    ports: [{ port: 80, nodePort: 30080 }],
    selector: { app: 'web' },
  });
  const cells = () => Service.columns.map((c) => c.cell(service, { nowMs: 0 }));
  service.metadata.creationTimestamp = '1970-01-01T00:00:00Z';
  expect(cells()).toEqual(['a', 'LoadBalancer', '10.96.0.5', '<pending>', '80:30080/TCP', '0s', 'app=web']);
  service.status = { loadBalancer: { ingress: [{ ip: '1.2.3.4' }, { hostname: 'lb' }] } };
  expect(cells()[3]).toBe('1.2.3.4,lb');
});
