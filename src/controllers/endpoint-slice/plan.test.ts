import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EndpointSlice, Node, Pod, Service } from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { buildNode, buildPod, epochMs, type PodParts } from '../../testkit/index.ts';
import { endpointsPerSlice, planSlices, type ServicePlan, type SlicePlan } from './plan.ts';

const buildService = (spec: Partial<Service['spec']> = {}, labels: Record<string, string> = {}): Service => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: {
    name: 'web',
    namespace: 'default',
    uid: 'uid-web',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    labels,
  },
  spec: {
    clusterIP: '10.96.0.7',
    selector: { app: 'web' },
    ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }],
    ...spec,
  } as Service['spec'],
});
const nodes = new Map<string, Node>([
  ['n1', buildNode('n1', { zone: 'a' })],
  ['n2', buildNode('n2')],
]);
const serving = (name: string, parts: PodParts = {}) =>
  buildPod(name, { node: 'n1', ready: true, ip: '10.0.0.1', ...parts });
const plan = (service: Service, pods: readonly Pod[], slices: readonly EndpointSlice[] = []): ServicePlan =>
  planSlices({ service, pods, nodeOf: (name) => nodes.get(name), slices });

let made = 0;
function apply(slices: readonly EndpointSlice[], { create, update, remove }: SlicePlan): EndpointSlice[] {
  const born = (draft: Draft<EndpointSlice>): EndpointSlice => {
    const name = `web-${made++}`;
    const creationTimestamp = '2026-01-01T00:00:00Z';
    const metadata = { ...draft.metadata, name, uid: `uid-${name}`, resourceVersion: '1', creationTimestamp };
    return { ...draft, apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata };
  };
  const changed = new Map(update.map((slice) => [slice.metadata.uid, slice]));
  return [
    ...slices
      .filter((slice) => !remove.includes(slice))
      .map((slice) => changed.get(slice.metadata.uid) ?? slice),
    ...create.map(born),
  ];
}

test('a slice in full', () => {
  const service = buildService({}, { team: 'x' });
  const { create } = plan(service, [serving('a')]);
  expect(create).toEqual([
    {
      metadata: {
        generateName: 'web-',
        namespace: 'default',
        labels: {
          team: 'x',
          'kubernetes.io/service-name': 'web',
          'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io',
        },
        ownerReferences: [
          {
            apiVersion: 'v1',
            kind: 'Service',
            name: 'web',
            uid: 'uid-web',
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      addressType: 'IPv4',
      ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
      endpoints: [
        {
          addresses: ['10.0.0.1'],
          conditions: { ready: true, serving: true, terminating: false },
          nodeName: 'n1',
          zone: 'a',
          targetRef: { kind: 'Pod', namespace: 'default', name: 'a', uid: 'uid-a' },
        },
      ],
    },
  ]);
});

describe('endpoints', () => {
  const conditions = (service: Service, pod: Pod) =>
    plan(service, [pod]).create[0]?.endpoints?.[0]?.conditions;
  test.each<[string, PodParts, object | undefined]>([
    ['ready', {}, { ready: true, serving: true, terminating: false }],
    ['not ready', { ready: false }, { ready: false, serving: false, terminating: false }],
    [
      'on its way out and still serving',
      { deletedMs: epochMs },
      { ready: false, serving: true, terminating: true },
    ],
    ['finished', { phase: 'Succeeded' }, undefined],
    ['finished and deleted', { phase: 'Failed', deletedMs: epochMs }, undefined],
    ['without address', { ip: '' }, undefined],
    ['on a node that is gone', { node: 'gone' }, undefined],
  ])('of a pod that is %s', (_, parts, expected) => {
    expect(conditions(buildService(), serving('a', parts))).toEqual(expected);
  });

  test('addresses may be published before they are ready', () => {
    const service = buildService({ publishNotReadyAddresses: true });
    expect(conditions(service, serving('a', { ready: false, node: 'gone' }))).toMatchObject({
      ready: true,
      serving: false,
    });
  });

  test('a host name counts under the service’s own subdomain', () => {
    const named = (subdomain: string) => serving('a', { spec: { hostname: 'h', subdomain } });
    const hostname = (pod: Pod) => plan(buildService(), [pod]).create[0]?.endpoints?.[0]?.hostname;
    expect(hostname(named('web'))).toBe('h');
    expect(hostname(named('other'))).toBeUndefined();
  });
});

describe('ports', () => {
  const port = (containerPort: number, protocol = 'TCP') => ({ name: 'web', containerPort, protocol });
  const withPorts = (name: string, ...ports: object[]) =>
    serving(name, { spec: { containers: [{ name: 'c', image: 'i', ports }] as Pod['spec']['containers'] } });
  const named = buildService({ ports: [{ port: 80, targetPort: 'web' }] } as Partial<Service['spec']>);
  const portsOf = (service: Service, pods: readonly Pod[]) => plan(service, pods).create.map((s) => s.ports);

  test('by name, for each pod its own', () => {
    expect(
      portsOf(named, [withPorts('a', port(1)), withPorts('b', port(2)), withPorts('c', port(1))]),
    ).toEqual([[{ name: '', protocol: 'TCP', port: 1 }], [{ name: '', protocol: 'TCP', port: 2 }]]);
  });

  test('of the right protocol, also in a sidecar', () => {
    expect(portsOf(named, [withPorts('a', port(1, 'UDP'), port(2))])).toEqual([
      [{ name: '', protocol: 'TCP', port: 2 }],
    ]);
    const sidecar = serving('a', {
      spec: { initContainers: [{ name: 's', image: 'i', restartPolicy: 'Always', ports: [port(3)] }] },
    });
    expect(portsOf(named, [sidecar])).toEqual([[{ name: '', protocol: 'TCP', port: 3 }]]);
  });

  test('a pod that lacks the port is there without it, a headless service may have none', () => {
    expect(portsOf(named, [withPorts('a')])).toEqual([[]]);
    const headless = buildService({ clusterIP: 'None', ports: [] });
    const [slice] = plan(headless, [serving('a')]).create;
    expect(slice?.ports).toEqual([]);
    expect(slice?.endpoints).toHaveLength(1);
    expect(slice?.metadata.labels?.['service.kubernetes.io/headless']).toBe('');
  });
});

describe('families', () => {
  const pod = serving('a');
  const both = {
    ...pod,
    status: { ...pod.status, podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] },
  } as Pod;
  const dual = buildService({ ipFamilies: ['IPv6', 'IPv4'] });

  test('a slice for each, also when there is nothing in it', () => {
    const shown = (pods: readonly Pod[]) =>
      plan(dual, pods).create.map((s) => [s.addressType, s.endpoints?.[0]?.addresses[0]]);
    expect(shown([both])).toEqual([
      ['IPv6', 'fd00::1'],
      ['IPv4', '10.0.0.1'],
    ]);
    expect(shown([pod])).toEqual([
      ['IPv6', undefined],
      ['IPv4', '10.0.0.1'],
    ]);
  });

  test('those of a family that the service no longer has go, and nothing else', () => {
    const slices = apply([], plan(dual, [both]));
    const { create, update, remove } = plan(buildService({ ipFamilies: ['IPv4'] }), [both], slices);
    expect([create, update, remove.map((s) => s.addressType)]).toEqual([[], [], ['IPv6']]);
  });
});

describe('hints', () => {
  const hintsOf = (trafficDistribution: string | undefined, one: Pod) =>
    plan(buildService(trafficDistribution === undefined ? {} : { trafficDistribution }), [one]).create[0]
      ?.endpoints?.[0]?.hints;
  const zone = { forZones: [{ name: 'a' }] };
  test.each([
    [undefined, serving('a'), undefined],
    ['PreferClose', serving('a'), zone],
    ['PreferSameZone', serving('a'), zone],
    ['PreferSameNode', serving('a'), { ...zone, forNodes: [{ name: 'n1' }] }],
    ['PreferSameZone', serving('a', { ready: false }), undefined],
    ['PreferSameZone', serving('a', { node: 'n2' }), undefined],
    ['PreferSameNode', serving('a', { node: 'n2' }), { forNodes: [{ name: 'n2' }] }],
  ])('%s %#', (distribution, one, expected) => expect(hintsOf(distribution, one)).toEqual(expected));
});

test('what is written says what led to it; what rests is not written for that', () => {
  const view = { service: buildService(), pods: [serving('a')], nodeOf: (name: string) => nodes.get(name) };
  const key = 'endpoints.kubernetes.io/last-change-trigger-time';
  const first = planSlices({ ...view, slices: [], triggeredAt: 't1' });
  expect(first.create[0]?.metadata?.annotations).toEqual({ [key]: 't1' });
  const slices = apply([], first);
  expect(planSlices({ ...view, slices, triggeredAt: 't2' }).update).toEqual([]);
  const pods = [serving('a', { ready: false })];
  expect(planSlices({ ...view, pods, slices, triggeredAt: 't2' }).update[0]?.metadata.annotations).toEqual({
    [key]: 't2',
  });
});

describe('slices', () => {
  test('a service without pods has one empty slice, and keeps it', () => {
    const slices = apply([], plan(buildService(), []));
    expect(slices).toMatchObject([{ endpoints: [], ports: [] }]);
    expect(plan(buildService(), [], slices)).toEqual({ create: [], update: [], remove: [], zoneHints: [] });
  });

  test('the last pod’s end empties the slice, the first pod fills it', () => {
    const one = apply([], plan(buildService(), [serving('a')]));
    const none = apply(one, plan(buildService(), [], one));
    expect(none).toMatchObject([{ metadata: { uid: one[0]!.metadata.uid }, endpoints: [], ports: [] }]);
    expect(apply(none, plan(buildService(), [serving('b')], none))).toHaveLength(1);
  });

  test('labels follow the service; others go', () => {
    const slices = apply([], plan(buildService({}, { old: 'x' }), [serving('a')]));
    const { update } = plan(buildService({}, { new: 'y' }), [serving('a')], slices);
    expect(Object.keys(update[0]?.metadata.labels ?? {}).sort()).toEqual([
      'endpointslice.kubernetes.io/managed-by',
      'kubernetes.io/service-name',
      'new',
    ]);
  });

  const pod = fc.record({
    id: fc.nat(400),
    port: fc.constantFrom(1, 2),
    ready: fc.boolean(),
    ended: fc.boolean(),
  });
  const population = fc.uniqueArray(pod, { selector: ({ id }) => id, maxLength: 350 });
  const service = buildService({ ports: [{ port: 80, targetPort: 'web' }] } as Partial<Service['spec']>);
  const podOf = ({ id, port, ready, ended }: { id: number; port: number; ready: boolean; ended: boolean }) =>
    serving(`p${id}`, {
      ready,
      ip: `10.0.${id >> 8}.${id & 255}`,
      phase: ended ? 'Failed' : 'Running',
      spec: {
        containers: [
          { name: 'c', image: 'i', ports: [{ name: 'web', containerPort: port }] },
        ] as Pod['spec']['containers'],
      },
    });

  test('every pod is in exactly one slice of its ports, no slice is too large, and few change', () => {
    fc.assert(
      fc.property(fc.array(population, { minLength: 1, maxLength: 4 }), (generations) => {
        let slices: EndpointSlice[] = [];
        for (const parts of generations) {
          const pods = parts.map(podOf);
          const got = plan(service, pods, slices);
          const before = slices;
          slices = apply(slices, got);
          const expected = parts.filter(({ ended }) => !ended);
          const found = slices.flatMap((slice) =>
            (slice.endpoints ?? []).map((e) => ({
              name: e.targetRef?.name,
              port: slice.ports?.[0]?.port,
              ready: e.conditions?.ready,
            })),
          );
          const byName = (a: { name?: string | undefined }, b: { name?: string | undefined }) =>
            (a.name ?? '') < (b.name ?? '') ? -1 : 1;
          expect(found.sort(byName)).toEqual(
            expected.map(({ id, port, ready }) => ({ name: `p${id}`, port, ready })).sort(byName),
          );
          for (const { endpoints } of slices)
            expect(endpoints?.length).toBeLessThanOrEqual(endpointsPerSlice);
          if (expected.length === 0) expect(slices).toHaveLength(1);
          else expect(slices.every(({ endpoints }) => (endpoints?.length ?? 0) > 0)).toBe(true);
          // Nothing is written again.
          expect(plan(service, pods, slices)).toEqual({ create: [], update: [], remove: [], zoneHints: [] });
          // A slice whose pods all stay as they are changes at most once a group, to take the rest of the new ones.
          const now = new Map(
            slices.flatMap((s) => (s.endpoints ?? []).map((e) => [e.targetRef?.uid, JSON.stringify(e)])),
          );
          const undisturbed = before.filter(
            (s) =>
              (s.endpoints?.length ?? 0) > 0 &&
              s.endpoints?.every((e) => now.get(e.targetRef?.uid) === JSON.stringify(e)),
          );
          const touched = undisturbed.filter((s) =>
            got.update.some((u) => u.metadata.uid === s.metadata.uid),
          );
          expect(touched.length).toBeLessThanOrEqual(2);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('with topology-mode Auto', () => {
  const shares = new Map([
    ['a', 0.5],
    ['b', 0.5],
  ]);
  const annotated = buildService({ trafficDistribution: 'PreferSameNode' });
  const service = {
    ...annotated,
    metadata: { ...annotated.metadata, annotations: { 'service.kubernetes.io/topology-mode': 'Auto' } },
  };
  const pods = ['p', 'q', 'r'].map((name, i) => serving(name, { ip: `10.0.0.${i}`, ready: name !== 'r' }));
  const planned = (given: typeof shares | undefined, slices: readonly EndpointSlice[] = []) =>
    planSlices({ service, pods, nodeOf: (name) => nodes.get(name), slices, shares: given });
  const hintsOf = (slices: readonly { endpoints?: EndpointSlice['endpoints'] }[]) =>
    Object.fromEntries(
      slices.flatMap(({ endpoints = [] }) => endpoints.map((e) => [e.targetRef?.name, e.hints])),
    );

  test('ready endpoints are for zones by their CPUs, whatever trafficDistribution says; then nothing changes', () => {
    const first = planned(shares);
    expect(first.zoneHints).toEqual([{ family: 'IPv4', problem: undefined }]);
    const hints = hintsOf(first.create);
    expect(hints.r).toBeUndefined();
    expect([hints.p, hints.q].map((one) => one?.forZones?.[0]?.name).sort()).toEqual(['a', 'b']);
    const slices = apply([], first);
    expect(planned(shares, slices)).toMatchObject({ create: [], update: [], remove: [] });
  });

  test('when zones have no shares any more the hints go, and why is said', () => {
    const { update, zoneHints } = planned(undefined, apply([], planned(shares)));
    expect(hintsOf(update)).toEqual({ p: undefined, q: undefined, r: undefined });
    expect(zoneHints[0]?.problem).toMatch(/^Insufficient Node information/);
  });
});
