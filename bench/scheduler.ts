// The scheduler alone, without API server: decisions a second on clusters of several sizes, for pods that ask for nothing special and
// for pods with spread constraints or affinity, and what a pod that fits nowhere costs.
//
//   node --import tsx bench/scheduler.ts
//
// Figures of a build machine stand in src/scheduler/README.md.
import type { coreV1, Node, Pod } from '../src/api/index.ts';
import { seededRandom } from '../src/base/index.ts';
import { Cycle, defaultProfile, podInfo } from '../src/scheduler/index.ts';
import { buildSet, PluginFixture } from '../src/testkit/index.ts';

const time = '2026-01-01T00:00:00Z';
const meta = (name: string) => ({ name, uid: name, resourceVersion: '1', creationTimestamp: time });

const nodeAt = (i: number): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: {
    ...meta(`n${i}`),
    labels: { 'kubernetes.io/hostname': `n${i}`, 'topology.kubernetes.io/zone': `z${i % 5}` },
  },
  spec: {},
  status: { allocatable: { cpu: '32', memory: '256Gi', pods: '110' } },
});

/** A pod of one of 50 sets. */
const podAt = (i: number, cpu: string, spec: (labels: Record<string, string>) => object): Pod => {
  const labels = { app: `a${i % 50}` };
  const { app } = labels;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...meta(`p${i}`),
      namespace: 'default',
      labels,
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: app, uid: app, controller: true }],
    },
    spec: {
      containers: [{ name: 'c', image: 'i', resources: { requests: { cpu, memory: '200Mi' } } }],
      ...spec(labels),
    },
  } as Pod;
};

interface Load {
  readonly nodes: number;
  readonly pods: number;
  readonly cpu?: string;
  /** The ReplicaSets are there, so the pods are spread by default. */
  readonly owned?: boolean;
  readonly spec?: (labels: Record<string, string>) => object;
}

function measure({ nodes, pods, cpu = '100m', owned = false, spec = () => ({}) }: Load): string {
  const sets = Array.from({ length: 50 }, (_, i) => buildSet(`a${i}`, 100));
  const fixture = new PluginFixture(owned ? sets : []);
  const cache = fixture.cluster;
  const cycle = new Cycle(defaultProfile.build(fixture.context), { random: seededRandom(1) });
  for (let i = 0; i < nodes; i++) cache.setNode(nodeAt(i));
  const drafts = Array.from({ length: pods }, (_, i) => podAt(i, cpu, spec));
  const started = performance.now();
  let placed = 0;
  for (const pod of drafts) {
    const info = podInfo(pod);
    const { node } = cycle.decide(info, cache);
    if (node === undefined) continue;
    cache.place(info, node.name);
    placed++;
  }
  const seconds = (performance.now() - started) / 1000;
  return `${Math.round(pods / seconds)}/s, ${placed} placed`;
}

const term = (matchLabels: Record<string, string>, topologyKey: string): coreV1.PodAffinityTerm => ({
  labelSelector: { matchLabels },
  topologyKey,
});
const spread = (labels: Record<string, string>, whenUnsatisfiable: string) => ({
  topologySpreadConstraints: ['kubernetes.io/hostname', 'topology.kubernetes.io/zone'].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable,
    labelSelector: { matchLabels: labels },
  })),
});
const loads: readonly [string, Load][] = [
  ...[10, 100, 1000, 5000].map((nodes): [string, Load] => [`${nodes} nodes`, { nodes, pods: 5000 }]),
  ...[1000, 5000].flatMap((nodes): [string, Load][] => [
    [`${nodes} nodes, spread by default`, { nodes, pods: 5000, owned: true }],
    [`${nodes} nodes, must spread`, { nodes, pods: 5000, spec: (l) => spread(l, 'DoNotSchedule') }],
    [`${nodes} nodes, rather spread`, { nodes, pods: 5000, spec: (l) => spread(l, 'ScheduleAnyway') }],
    [
      `${nodes} nodes, must not share a node`,
      {
        nodes,
        pods: 5000,
        spec: (l) => ({
          affinity: {
            podAntiAffinity: {
              requiredDuringSchedulingIgnoredDuringExecution: [term(l, 'kubernetes.io/hostname')],
            },
          },
        }),
      },
    ],
    [
      `${nodes} nodes, rather share a zone`,
      {
        nodes,
        pods: 5000,
        spec: (l) => ({
          affinity: {
            podAffinity: {
              preferredDuringSchedulingIgnoredDuringExecution: [
                { weight: 10, podAffinityTerm: term(l, 'topology.kubernetes.io/zone') },
              ],
            },
          },
        }),
      },
    ],
  ]),
  ['5000 nodes, 500 pods that fit nowhere', { nodes: 5000, pods: 500, cpu: '64' }],
];

measure({ nodes: 1000, pods: 5000 });
for (const [name, load] of loads) process.stdout.write(name.padEnd(40) + measure(load) + '\n');
