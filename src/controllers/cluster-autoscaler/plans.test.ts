// Growing and shrinking over random clusters: bounds hold, every pod that is promised a node has one, and what goes leaves nobody out.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Node, type Pod, podRequests } from '../../api/index.ts';
import { buildNode, buildPod, buildSet } from '../../testkit/index.ts';
import { keepsNode, safeToEvictAnnotation } from './drain.ts';
import { planGrowth } from './growth.ts';
import type { NodeGroup } from './provider.ts';
import { findUnneeded } from './shrinkage.ts';
import type { Trial } from './trial.ts';

const capacityOf = (node: Node) => Number(node.status!.allocatable!['cpu']) * 1000;

/** Nothing but cpu. */
class CpuTrial implements Trial {
  readonly free = new Map<string, number>();
  readonly #at = new Map<string, { node: string; cpu: number }>();

  addNode(node: Node): void {
    this.free.set(node.metadata.name, capacityOf(node));
  }
  removeNode(name: string): void {
    this.free.delete(name);
    for (const [uid, { node }] of this.#at) if (node === name) this.#at.delete(uid);
  }
  put({ metadata: { uid }, ...pod }: Pod, node: string): void {
    const cpu = podRequests(pod as Pod)['cpu'] ?? 0;
    this.free.set(node, this.free.get(node)! - cpu);
    this.#at.set(uid, { node, cpu });
  }
  takeAway({ metadata: { uid } }: Pod): void {
    const at = this.#at.get(uid);
    if (at !== undefined) this.free.set(at.node, this.free.get(at.node)! + at.cpu);
    this.#at.delete(uid);
  }
  place(pod: Pod, names: readonly string[] = [...this.free.keys()]) {
    const cpu = podRequests(pod)['cpu'] ?? 0;
    const node = names.find((name) => this.free.get(name)! >= cpu);
    if (node === undefined) return { refusals: names.map(() => 'Insufficient cpu') };
    this.put(pod, node);
    return { node };
  }
}

const owner = buildSet('set', 1);
const podOf = (name: string, cpuMilli: number, node?: string) =>
  buildPod(name, { owner, requests: { cpu: `${cpuMilli}m` }, ...(node !== undefined && { node }) });
const sizes = fc.array(fc.integer({ min: 100, max: 5000 }), { maxLength: 15 });

describe('growth', () => {
  const groupsOf = fc.array(
    fc.record({ cpu: fc.integer({ min: 1, max: 4 }), target: fc.nat(4), room: fc.nat(5) }),
    { maxLength: 3 },
  );

  it('keeps to every maximum, and each pod is helped, told why not, or fits already', () => {
    fc.assert(
      fc.property(sizes, groupsOf, fc.nat(2), (requests, specs, coming) => {
        const groups: NodeGroup[] = specs.map(({ cpu, target, room }, i) => ({
          name: `g${i}`,
          min: 0,
          max: target + room,
          target,
          template: buildNode('t', { allocatable: { cpu: String(cpu) } }),
        }));
        const pending = requests.map((cpu, i) => podOf(`p${i}`, cpu));
        const trial = new CpuTrial();
        const upcoming = new Map(groups.map(({ name, target }) => [name, Math.min(coming, target)]));
        const plan = planGrowth({ pending, groups, upcoming, backedOff: new Set(), trial });
        for (const { group, count, pods } of plan.growths) {
          expect(count).toBeGreaterThan(0);
          expect(group.target + count).toBeLessThanOrEqual(group.max);
          // No node too many: each is for at least one pod.
          expect(count).toBeLessThanOrEqual(pods.length);
        }
        expect(new Set(plan.growths.map(({ group }) => group.name)).size).toBe(plan.growths.length);
        expect([...trial.free.values()].every((free) => free >= 0)).toBe(true);
        const told = [...plan.growths.flatMap(({ pods }) => pods), ...plan.helpless.map(({ pod }) => pod)];
        expect(new Set(told).size).toBe(told.length);
        // Who is told that nothing helps fits on nothing that could still be had.
        for (const { pod } of plan.helpless)
          for (const group of groups) {
            const grown = plan.growths.find((growth) => growth.group === group)?.count ?? 0;
            if (group.target + grown < group.max)
              expect((podRequests(pod)['cpu'] ?? 0) > capacityOf(group.template) || grown > 0).toBe(true);
          }
      }),
      { numRuns: 300 },
    );
  });

  it('says why', () => {
    const group = { name: 'g', min: 0, max: 1, target: 1, template: buildNode('t') };
    const small = { ...group, name: 's', max: 5, template: buildNode('t', { allocatable: { cpu: '1' } }) };
    const plan = planGrowth({
      pending: [podOf('p', 3000)],
      groups: [group, small],
      upcoming: new Map(),
      backedOff: new Set(),
      trial: new CpuTrial(),
    });
    expect(plan.helpless[0]?.reasons).toBe('1 Insufficient cpu, 1 max node group size reached');
  });
});

describe('shrinkage', () => {
  it('takes together only what leaves room for every pod that moves', () => {
    fc.assert(
      fc.property(fc.array(sizes, { minLength: 1, maxLength: 6 }), (spec) => {
        const nodes = spec.map((_, i) => buildNode(`n${i}`));
        const trial = new CpuTrial();
        for (const node of nodes) trial.addNode(node);
        const pods = spec.flatMap((requests, n) =>
          requests.flatMap((cpu, i) => {
            if (trial.free.get(`n${n}`)! < cpu) return [];
            const pod = podOf(`p${n}-${i}`, cpu, `n${n}`);
            trial.put(pod, `n${n}`);
            return [pod];
          }),
        );
        const podsOf = (node: string) => pods.filter((pod) => pod.spec.nodeName === node);
        const unneeded = findUnneeded({
          nodes,
          podsOf,
          groupOf: () => 'g',
          budgets: [],
          threshold: 0.5,
          trial,
        });
        const gone = new Set(unneeded.map(({ node }) => node.metadata.name));
        expect([...trial.free.keys()].some((name) => gone.has(name))).toBe(false);
        const left = nodes.filter(({ metadata }) => !gone.has(metadata.name));
        const used = pods.reduce((sum, pod) => sum + (podRequests(pod)['cpu'] ?? 0), 0);
        const free = [...trial.free.values()];
        expect(free.every((one) => one >= 0)).toBe(true);
        // Nothing got lost on the way.
        expect(free.reduce((sum, one) => sum + one, 0)).toBe(
          left.reduce((sum, node) => sum + capacityOf(node), 0) - used,
        );
      }),
      { numRuns: 300 },
    );
  });

  const plain = podOf('p', 100, 'n');
  const annotated = (value: string) => ({
    ...plain,
    metadata: { ...plain.metadata, annotations: { [safeToEvictAnnotation]: value } },
  });
  it.each<[string, Pod, string | undefined]>([
    ['a pod that is made again', plain, undefined],
    ['one that is not', buildPod('p', { node: 'n' }), 'it is not replicated'],
    ['one that may not move', annotated('false'), 'it is not safe to evict'],
    [
      'one of the system',
      { ...plain, metadata: { ...plain.metadata, namespace: 'kube-system' } },
      'it is a system pod',
    ],
    [
      'one with files on the node',
      { ...plain, spec: { ...plain.spec, volumes: [{ name: 'v', emptyDir: {} }] } },
      'it has local storage',
    ],
    [
      'the same, said to be safe',
      { ...annotated('true'), spec: { ...plain.spec, volumes: [{ name: 'v', emptyDir: {} }] } },
      undefined,
    ],
  ])('%s', (_, pod, why) => expect(keepsNode(pod, [])).toBe(why));
});
