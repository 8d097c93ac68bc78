import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type DaemonSet, isReady, isTerminal, isTerminating, type Node, type Pod } from '../../api/index.ts';
import { formatTime, semanticEqual } from '../../machinery/index.ts';
import { buildNode, buildPod, buildTemplate, epochMs } from '../../testkit/index.ts';
import { type DaemonSetPlan, planDaemonSet } from './plan.ts';
import { hashLabel, nodeOf, podDraft } from './pod.ts';
import { limits } from './rollout.ts';
import type { DaemonSetView } from './state.ts';

const nowMs = epochMs + 3_600_000;
const labels = { app: 'log' };

const build = (spec: Partial<DaemonSet['spec']> = {}): DaemonSet =>
  ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'log', namespace: 'default', uid: 'uid-log', generation: 1, resourceVersion: '1' },
    spec: { selector: { matchLabels: labels }, template: buildTemplate(labels), ...spec },
  }) as DaemonSet;

/** A DaemonSet with its nodes and pods as plain values. */
class Simulation {
  set: DaemonSet;
  readonly nodes: Node[];
  pods: readonly Pod[];
  hash = 'h1';
  nowMs = nowMs;
  #made = 0;

  constructor(set: DaemonSet, nodes: Node[], pods: readonly Pod[] = []) {
    this.set = set;
    this.nodes = nodes;
    this.pods = pods;
  }

  get plan(): DaemonSetPlan {
    const { set, nodes, pods, hash } = this;
    const view: DaemonSetView = {
      set,
      nodes,
      pods,
      hashes: [hash],
      collisionCount: 0,
      failedForMs: () => 0,
      nowMs: this.nowMs,
    };
    return planDaemonSet(view);
  }

  /** One run of the controller that ends after `writes` writes. Returns whether there was anything to do. */
  run(writes: number): boolean {
    const { set, plan } = this;
    let left = writes;
    let planned = 0;
    const write = (change: () => void): void => {
      planned++;
      if (left-- > 0) change();
    };
    for (const nodeName of plan.create)
      write(() => {
        const name = `p${this.#made++}`;
        const creationTimestamp = formatTime(this.nowMs);
        const { metadata, spec } = podDraft(set, nodeName, this.hash);
        const meta = { ...metadata, name, uid: `uid-${name}`, resourceVersion: '1', creationTimestamp };
        this.pods = [
          ...this.pods,
          { apiVersion: 'v1', kind: 'Pod', metadata: meta, spec, status: { phase: 'Pending' } },
        ];
      });
    for (const pod of plan.remove)
      write(() => {
        this.pods =
          !pod.spec.nodeName || isTerminal(pod)
            ? this.pods.filter((one) => one !== pod)
            : this.pods.map((one) =>
                one === pod
                  ? { ...pod, metadata: { ...pod.metadata, deletionTimestamp: formatTime(this.nowMs) } }
                  : one,
              );
      });
    if (!semanticEqual(plan.status, set.status)) write(() => (this.set = { ...set, status: plan.status }));
    return planned > 0;
  }

  /** A pod is bound and ready, or one on its way out ends. Returns whether there was one. */
  runNode(turn: number): boolean {
    const moving = this.pods.filter((pod) => isTerminating(pod) || (!isTerminal(pod) && !isReady(pod)));
    const pod = moving[turn % Math.max(1, moving.length)];
    if (pod === undefined) return false;
    const lastTransitionTime = formatTime(this.nowMs);
    const ready: Pod = {
      ...pod,
      spec: { ...pod.spec, nodeName: nodeOf(pod)! },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime }] },
    };
    this.pods = isTerminating(pod)
      ? this.pods.filter((known) => known !== pod)
      : this.pods.map((known) => (known === pod ? ready : known));
    return true;
  }

  toRest(): void {
    for (let round = 0; round < 1000; round++) {
      const ran = this.run(99);
      if (!this.runNode(round) && !ran) return;
    }
    throw new Error('does not come to rest');
  }

  /** Names of the nodes whose pods serve. */
  get served(): ReadonlySet<string> {
    const serving = this.pods.filter((pod) => isReady(pod) && !isTerminating(pod) && !isTerminal(pod));
    return new Set(serving.map((pod) => pod.spec.nodeName!));
  }
}

const nodesNamed = (count: number) => Array.from({ length: count }, (_, i) => buildNode(`n${i}`));
const strategy = fc.oneof(
  fc.record({
    type: fc.constant('RollingUpdate'),
    rollingUpdate: fc.oneof(
      fc.record({ maxUnavailable: fc.constantFrom(1, 2, 5, '30%', '100%'), maxSurge: fc.constant(0) }),
      fc.record({ maxUnavailable: fc.constant(0), maxSurge: fc.constantFrom(1, 3, '30%', '100%') }),
    ),
  }),
  fc.constant({ type: 'OnDelete' }),
);
const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(12)), { maxLength: 100 });

function expectDone(simulation: Simulation, wanted: readonly string[]): void {
  simulation.toRest();
  const { set, pods, served } = simulation;
  expect([...served].sort()).toEqual([...wanted].sort());
  expect(pods).toHaveLength(wanted.length);
  expect(set.status).toMatchObject({
    desiredNumberScheduled: wanted.length,
    currentNumberScheduled: wanted.length,
    numberReady: wanted.length,
    numberMisscheduled: 0,
  });
  if (set.spec.updateStrategy?.type === 'OnDelete') return;
  expect(set.status?.updatedNumberScheduled ?? 0).toBe(wanted.length);
}

test('an update takes no more nodes out of service than it may, and surges no further', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), strategy, steps, (count, updateStrategy, all) => {
      const nodes = nodesNamed(count);
      const simulation = new Simulation(build({ updateStrategy } as object), nodes);
      simulation.toRest();
      const states = nodes.map((node) => ({
        name: node.metadata.name,
        shouldRun: true,
        mayStay: true,
        pods: [],
      }));
      const { maxSurge, maxUnavailable } = limits({ set: simulation.set, states });
      for (const [i, [isRun, turn]] of all.entries()) {
        if (i === 0) simulation.hash = 'h2';
        // In the middle of it another template comes.
        if (i === 60) simulation.hash = 'h3';
        simulation.nowMs += 1000;
        // A run that ends after few writes is a crash.
        if (isRun) simulation.run(turn);
        else simulation.runNode(turn);
        expect(simulation.served.size).toBeGreaterThanOrEqual(count - maxUnavailable);
        const present = simulation.pods.filter((pod) => !isTerminating(pod));
        expect(present.length).toBeLessThanOrEqual(count + maxSurge);
      }
      expectDone(
        simulation,
        nodes.map((node) => node.metadata.name),
      );
    }),
    { numRuns: 300 },
  );
});

const pod = fc.record({
  node: fc.nat(6),
  bound: fc.boolean(),
  phase: fc.constantFrom('Pending', 'Running', 'Failed', 'Succeeded'),
  ready: fc.boolean(),
  going: fc.boolean(),
  hash: fc.constantFrom('h0', 'h1'),
});
const taint = fc.constantFrom(
  undefined,
  undefined,
  { key: 'k', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/not-ready', effect: 'NoExecute' },
);

test('from any pods on any nodes it comes to rest with one pod on each node that fits', () => {
  fc.assert(
    fc.property(
      strategy,
      fc.array(taint, { maxLength: 5 }),
      fc.array(pod, { maxLength: 12 }),
      (updateStrategy, taints, found) => {
        const nodes = taints.map((one, i) => buildNode(`n${i}`, one === undefined ? {} : { taints: [one] }));
        const set = build({ updateStrategy } as object);
        const there = new Set(nodes.map((node) => node.metadata.name));
        const pods = found
          .map((p, i): Pod => {
            const name = `n${p.node}`;
            const { affinity } = podDraft(set, name, p.hash).spec;
            return buildPod(`old${i}`, {
              owner: set,
              labels: { ...labels, [hashLabel]: p.hash },
              phase: p.bound ? p.phase : 'Pending',
              ...(p.bound && { node: name }),
              ready: p.bound && p.phase === 'Running' && p.ready,
              ...(p.going && { deletedMs: nowMs }),
              spec: { affinity },
            });
          })
          // Those of a node that is gone are the pod collector's.
          .filter((p) => !p.spec.nodeName || there.has(p.spec.nodeName));
        const fit = nodes.filter((_, i) => taints[i]?.key !== 'k').map((node) => node.metadata.name);
        expectDone(new Simulation(set, nodes, pods), fit);
      },
    ),
    { numRuns: 400 },
  );
});

test('looks at each node a few times, however many there are', () => {
  let looks = 0;
  const nodes = nodesNamed(3000).map(
    (node) =>
      new Proxy(node, {
        get(target, key, self) {
          looks++;
          return Reflect.get(target, key, self);
        },
      }),
  );
  const set = build();
  const pods = nodes.map((node) =>
    buildPod(`p-${node.metadata.name}`, {
      owner: set,
      node: node.metadata.name,
      ready: true,
      labels: { [hashLabel]: 'h0' },
    }),
  );
  looks = 0;
  const { remove } = new Simulation(set, nodes, pods).plan;
  expect(remove).toHaveLength(1);
  expect(looks).toBeLessThan(10 * nodes.length);
});
