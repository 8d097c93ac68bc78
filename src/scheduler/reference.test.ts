// On random clusters, the nodes that will do and what they score must be what the reference says, and the best must be taken.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { coreV1, Namespace, Node, Pod } from '../api/index.ts';
import { seededRandom } from '../base/index.ts';
import { buildNode, buildPod, buildSet, PluginFixture } from '../testkit/index.ts';
import { Cycle } from './cycle.ts';
import { podInfo } from './pod-info.ts';
import { defaultProfile } from './profile.ts';
import { hostname, Reference, zone } from './reference.ts';

const app = fc.constantFrom('a', 'b');
const key = fc.constantFrom(zone, hostname);
const rarely = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { freq: 2, nil: undefined });
const namespace = fc.constantFrom('default', 'other');
const nodes = fc.array(
  fc.record({
    cpu: fc.constantFrom('0', '1', '4'),
    memory: fc.constantFrom('0', '1000000000', '4000000000'),
    pods: fc.constantFrom('1', '5'),
    taints: fc.array(
      fc.record({
        key: fc.constantFrom('k', 'l'),
        effect: fc.constantFrom('NoSchedule', 'PreferNoSchedule', 'NoExecute'),
      }),
      { maxLength: 1 },
    ),
    unschedulable: fc.constantFrom(false, false, false, true),
    disk: fc.constantFrom('ssd', 'hdd'),
    zone: fc.constantFrom('z1', 'z2', undefined),
  }),
  { minLength: 1, maxLength: 7 },
);
const constraint = fc.record({
  maxSkew: fc.constantFrom(1, 2),
  topologyKey: key,
  whenUnsatisfiable: fc.constantFrom('DoNotSchedule', 'ScheduleAnyway'),
  app,
  minDomains: rarely(fc.constantFrom(2, 3)),
  nodeAffinityPolicy: rarely(fc.constantFrom('Honor', 'Ignore')),
  nodeTaintsPolicy: rarely(fc.constantFrom('Honor', 'Ignore')),
});
const term = fc
  .record({
    app,
    topologyKey: key,
    namespaces: rarely(fc.constant(['other'])),
    namespaceSelector: rarely(fc.constantFrom({}, { matchLabels: { team: 'blue' } })),
  })
  .map((given) => ({
    labelSelector: { matchLabels: { app: given.app } },
    topologyKey: given.topologyKey,
    ...(given.namespaces !== undefined && { namespaces: given.namespaces }),
    ...(given.namespaceSelector !== undefined && { namespaceSelector: given.namespaceSelector }),
  }));
const side = fc.record({
  requiredDuringSchedulingIgnoredDuringExecution: fc.array(term, { maxLength: 2 }),
  preferredDuringSchedulingIgnoredDuringExecution: fc.array(
    fc.record({ weight: fc.integer({ min: 1, max: 9 }), podAffinityTerm: term }),
    { maxLength: 2 },
  ),
});
const pods = fc.array(
  fc.record({
    namespace,
    app,
    cpu: fc.constantFrom('0', '100m', '1'),
    memory: fc.constantFrom('0', '500000000'),
    bears: fc.subarray(['k', 'l']),
    disk: rarely(fc.constantFrom('ssd', 'hdd')),
    port: rarely(fc.constant(80)),
    owner: rarely(fc.constantFrom('a', 'b')),
    constraints: fc.array(constraint, { maxLength: 2 }),
    podAffinity: rarely(side),
    podAntiAffinity: rarely(side),
    /** It is on its way out once it runs. */
    ends: fc.constantFrom(false, false, true),
  }),
  { minLength: 1, maxLength: 14 },
);
type Of<A> = A extends fc.Arbitrary<infer T> ? T : never;

const buildNodes = (given: Of<typeof nodes>): readonly Node[] =>
  given.map((one, i) =>
    buildNode(`n${i}`, {
      taints: one.taints,
      unschedulable: one.unschedulable,
      labels: { disk: one.disk },
      ...(one.zone !== undefined && { zone: one.zone }),
      allocatable: { cpu: one.cpu, memory: one.memory, pods: one.pods },
    }),
  );
const buildPods = (given: Of<typeof pods>): readonly Pod[] =>
  given.map((one, i) =>
    buildPod(`p${i}`, {
      meta: { namespace: one.namespace },
      labels: { app: one.app },
      owner: one.owner === undefined ? undefined : buildSet(one.owner, 1),
      spec: {
        containers: [
          {
            name: 'c',
            image: 'i',
            resources: { requests: { cpu: one.cpu, memory: one.memory } },
            ...(one.port !== undefined && { ports: [{ containerPort: 1, hostPort: one.port }] }),
          },
        ],
        tolerations: one.bears.map((taint) => ({ key: taint, operator: 'Exists' })),
        ...(one.disk !== undefined && { nodeSelector: { disk: one.disk } }),
        topologySpreadConstraints: one.constraints.map(
          ({ app: wanted, ...rest }) =>
            ({
              ...Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)),
              labelSelector: { matchLabels: { app: wanted } },
            }) as unknown as coreV1.TopologySpreadConstraint,
        ),
        affinity: {
          ...(one.podAffinity !== undefined && { podAffinity: one.podAffinity }),
          ...(one.podAntiAffinity !== undefined && { podAntiAffinity: one.podAntiAffinity }),
        } as unknown as coreV1.Affinity,
      },
    }),
  );

const namespaces = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default', labels: { team: 'blue' } } },
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'other', labels: {} } },
] as unknown as readonly Namespace[];
const sets = [buildSet('a', 1), buildSet('b', 1)];

test('the nodes that will do and their scores are those of the reference, and the best of them is taken', () => {
  fc.assert(
    fc.property(nodes, pods, fc.nat(1000), (givenNodes, givenPods, seed) => {
      const fixture = new PluginFixture([...sets, ...namespaces]);
      const { cluster } = fixture;
      const cycle = new Cycle(defaultProfile.build(fixture.context), { random: seededRandom(seed) });
      const all = buildNodes(givenNodes);
      for (const node of all) cluster.setNode(node);
      const running: Pod[] = [];
      for (const [i, pod] of buildPods(givenPods).entries()) {
        const info = podInfo(pod);
        const expected = new Reference(pod, { nodes: all, running, sets, namespaces }).judge();
        expect(Object.fromEntries(cycle.judge(info, cluster))).toEqual(expected);
        const { node } = cycle.decide(info, cluster);
        if (node === undefined) {
          expect(expected).toEqual({});
          continue;
        }
        expect(expected[node.name]).toBe(Math.max(...Object.values(expected)));
        const bound: Pod = {
          ...pod,
          metadata: {
            ...pod.metadata,
            ...(givenPods[i]!.ends && { deletionTimestamp: '2026-01-01T00:00:00Z' }),
          },
          spec: { ...pod.spec, nodeName: node.name },
        };
        cluster.place(podInfo(bound), node.name);
        running.push(bound);
      }
    }),
    { numRuns: 200 },
  );
});
