// The scheduler alone, without API server: decisions a second on clusters of several sizes, and what a pod that fits nowhere costs.
//
//   node --import tsx bench/scheduler.ts
//
// Figures of a build machine stand in src/scheduler/README.md.
import type { Node, Pod } from '../src/api/index.ts';
import { seededRandom } from '../src/base/index.ts';
import { Cycle, defaultProfile, podInfo } from '../src/scheduler/index.ts';
import { PluginFixture } from '../src/testkit/index.ts';

const time = '2026-01-01T00:00:00Z';
const meta = (name: string) => ({ name, uid: name, resourceVersion: '1', creationTimestamp: time });

const nodeAt = (i: number): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { ...meta(`n${i}`), labels: { 'topology.kubernetes.io/zone': `z${i % 5}` } },
  spec: {},
  status: { allocatable: { cpu: '32', memory: '256Gi', pods: '110' } },
});
const podAt = (i: number, cpu: string): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      ...meta(`p${i}`),
      namespace: 'default',
      ownerReferences: [
        { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'a', uid: `a${i % 50}`, controller: true },
      ],
    },
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu, memory: '200Mi' } } }] },
  }) as Pod;

function measure(nodes: number, pods: number, cpu: string): string {
  const fixture = new PluginFixture();
  const cache = fixture.cluster;
  for (let i = 0; i < nodes; i++) cache.setNode(nodeAt(i));
  const cycle = new Cycle(defaultProfile.build(fixture.context), { random: seededRandom(1) });
  const drafts = Array.from({ length: pods }, (_, i) => podAt(i, cpu));
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

measure(1000, 5000, '100m');
for (const nodes of [10, 100, 1000, 5000])
  process.stdout.write(`${nodes} nodes, 5000 pods`.padEnd(40) + measure(nodes, 5000, '100m') + '\n');
process.stdout.write('5000 nodes, 500 pods that fit nowhere'.padEnd(40) + measure(5000, 500, '64') + '\n');
