// A Deployment with its ReplicaSets and pods as plain values, for property tests: the plans are applied write by write, in an order and
// with interruptions that the test chooses. Only tests import this.
import { type Deployment, isActive, isReady, type Pod, type ReplicaSet } from '../../api/index.ts';
import { compileLabelSelector, formatTime } from '../../machinery/index.ts';
import { podFromTemplate } from '../pod-facts.ts';
import { planReplicaSet } from '../replicaset/plan.ts';
import { planStatus } from '../replicaset/status.ts';
import { planDeployment } from './plan.ts';
import { revisionAnnotation } from './rollout.ts';

export class Simulation {
  deployment: Deployment;
  sets: readonly ReplicaSet[];
  pods: readonly Pod[] = [];
  nowMs: number;
  #made = 0;

  constructor(deployment: Deployment, sets: readonly ReplicaSet[], nowMs: number) {
    this.deployment = deployment;
    this.sets = sets;
    this.nowMs = nowMs;
  }

  get active(): readonly Pod[] {
    return this.pods.filter(isActive);
  }

  get available(): number {
    return this.active.filter(isReady).length;
  }

  podsOf = (set: ReplicaSet): readonly Pod[] =>
    this.pods.filter((pod) => pod.metadata.ownerReferences?.[0]?.uid === set.metadata.uid);

  /** One run of the deployment controller that ends after `writes` writes. Returns whether there was anything to do. */
  runDeployment(writes: number): boolean {
    const { deployment, sets, podsOf, nowMs } = this;
    const matches = compileLabelSelector(deployment.spec.selector);
    const plan = planDeployment({ deployment, sets, matches, podsOf, nowMs });
    let left = writes;
    let planned = 0;
    const write = (change: () => void) => {
      planned++;
      if (left-- > 0) change();
    };
    const { create } = plan;
    if (create !== undefined)
      write(() => {
        const name = create.metadata.name!;
        const made = {
          ...create,
          apiVersion: 'apps/v1',
          kind: 'ReplicaSet',
          metadata: {
            ...create.metadata,
            name,
            uid: `uid-${name}`,
            generation: 1,
            resourceVersion: '1',
            creationTimestamp: formatTime(nowMs),
          },
          status: { replicas: 0 },
        } as ReplicaSet;
        if (this.sets.some((set) => set.metadata.name === name)) throw new Error(`${name} is there already`);
        this.sets = [...this.sets, made];
      });
    for (const { set, next } of plan.change)
      write(() => {
        const generation = (set.metadata.generation ?? 0) + 1;
        const changed = { ...next, metadata: { ...next.metadata, generation } };
        this.sets = this.sets.map((known) => (known === set ? changed : known));
      });
    for (const set of plan.remove) write(() => (this.sets = this.sets.filter((known) => known !== set)));
    const { revision, status } = plan;
    if (revision !== undefined)
      write(() => {
        const annotations = { ...this.deployment.metadata.annotations, [revisionAnnotation]: revision };
        this.deployment = { ...this.deployment, metadata: { ...this.deployment.metadata, annotations } };
      });
    if (JSON.stringify(status) !== JSON.stringify(deployment.status))
      write(() => (this.deployment = { ...this.deployment, status }));
    return planned > 0;
  }

  /** One run of the ReplicaSet controller. Returns whether there was anything to do. */
  runSet(index: number): boolean {
    const set = this.sets[index % Math.max(1, this.sets.length)];
    if (set === undefined) return false;
    const { nowMs } = this;
    const pods = this.podsOf(set);
    const matches = compileLabelSelector(set.spec.selector);
    const plan = planReplicaSet({ set, pods, matches, related: () => this.pods, nowMs });
    const removed = new Set(plan.remove);
    const status = planStatus(set, plan, { nowMs, failure: undefined });
    const idle =
      plan.create === 0 && removed.size === 0 && JSON.stringify(status) === JSON.stringify(set.status);
    // As the API server does it: a pod that no node runs goes at once.
    this.pods = this.pods.filter((pod) => !removed.has(pod) || pod.spec.nodeName !== undefined);
    this.pods = this.pods.map((pod) =>
      removed.has(pod)
        ? { ...pod, metadata: { ...pod.metadata, deletionTimestamp: formatTime(nowMs) } }
        : pod,
    );
    for (let i = 0; i < plan.create; i++) this.pods = [...this.pods, this.#newPod(set)];
    this.sets = this.sets.map((known) => (known === set ? { ...set, status } : known));
    return !idle;
  }

  #newPod(set: ReplicaSet): Pod {
    const { metadata, spec } = podFromTemplate(set, set.spec.template!);
    const name = `pod${this.#made++}`;
    const creationTimestamp = formatTime(this.nowMs);
    return {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, name, uid: `uid-${name}`, resourceVersion: '1', creationTimestamp },
      spec,
      status: { phase: 'Pending' },
    };
  }

  /** A pod gets a node and is ready there, or one on its way out ends. Returns whether there was one. */
  runPod(turn: number): boolean {
    const moving = this.pods.filter((pod) => !isActive(pod) || !isReady(pod));
    const pod = moving[turn % Math.max(1, moving.length)];
    if (pod === undefined) return false;
    const lastTransitionTime = formatTime(this.nowMs);
    const ready: Pod = {
      ...pod,
      spec: { ...pod.spec, nodeName: `n${turn % 3}` },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime }] },
    };
    this.pods = isActive(pod)
      ? this.pods.map((known) => (known === pod ? ready : known))
      : this.pods.filter((known) => known !== pod);
    return true;
  }

  /** Until nothing moves. Throws when that does not happen. */
  toRest(): void {
    for (let round = 0; round < 2000; round++) {
      let moved = this.runDeployment(99);
      for (let i = 0; i < this.sets.length; i++) moved = this.runSet(i) || moved;
      moved = this.runPod(round) || moved;
      if (!moved) return;
    }
    throw new Error('does not come to rest');
  }
}
