// A StatefulSet with its revisions, pods and claims as plain values, for property tests: plans are applied write by write, in an order
// and with interruptions that the test chooses, and what must never be done is looked for at each write. Only tests import this.
import {
  type ControllerRevision,
  isReady,
  isTerminal,
  isTerminating,
  type PersistentVolumeClaim,
  type Pod,
  type StatefulSet,
} from '../../api/index.ts';
import { type Draft, formatTime, type KubeObject, semanticEqual } from '../../machinery/index.ts';
import { expendable, planHistory, revisionDraft } from '../controller-revision/history.ts';
import { ordinalOf, rangeOf, revisionOf } from './identity.ts';
import { planStatefulSet, type StatefulStep } from './plan.ts';

export const isServing = (pod: Pod | undefined): boolean =>
  pod !== undefined && !isTerminating(pod) && pod.status?.phase === 'Running' && isReady(pod);

export class Simulation {
  set: StatefulSet;
  revisions: readonly ControllerRevision[] = [];
  pods: readonly Pod[];
  claims: readonly PersistentVolumeClaim[] = [];
  nowMs: number;
  #made = 0;

  constructor(set: StatefulSet, pods: readonly Pod[], nowMs: number) {
    this.set = set;
    this.pods = pods;
    this.nowMs = nowMs;
  }

  change(spec: Partial<StatefulSet['spec']>): void {
    const { metadata } = this.set;
    this.set = {
      ...this.set,
      metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 },
      spec: { ...this.set.spec, ...spec },
    };
  }

  podAt = (ordinal: number): Pod | undefined =>
    this.pods.find((pod) => ordinalOf(this.set, pod.metadata.name) === ordinal);

  /** How many places have no pod that serves. */
  get unavailable(): number {
    const { start, end } = rangeOf(this.set);
    let count = 0;
    for (let ordinal = start; ordinal < end; ordinal++) if (!isServing(this.podAt(ordinal))) count++;
    return count;
  }

  /** One run of the controller that ends after `writes` writes. Returns whether there was anything to do. */
  run(writes: number): boolean {
    const { set } = this;
    let left = writes;
    let planned = 0;
    const write = (change: () => void): void => {
      planned++;
      if (left-- > 0) change();
    };
    const history = planHistory(set, this.revisions);
    if (history.do !== 'keep') {
      write(() => {
        const others = this.revisions.filter((one) => history.do !== 'renumber' || one !== history.revision);
        const next =
          history.do === 'renumber'
            ? { ...history.revision, revision: history.number }
            : this.#stored(revisionDraft(set, history.number, { hashLabel: 'hash', collisionCount: 0 }));
        this.revisions = [...others, next];
      });
      return true;
    }
    const update = history.revision;
    const named = set.status?.currentRevision;
    const current = this.revisions.find(({ metadata }) => metadata.name === named) ?? update;
    const plan = planStatefulSet({
      set,
      pods: this.pods,
      claimNamed: (name) => this.claims.find(({ metadata }) => metadata.name === name),
      current,
      update,
      collisionCount: 0,
      nowMs: this.nowMs,
    });
    for (const step of plan.steps) for (const change of this.#writesOf(step)) write(change);
    if (!semanticEqual(plan.status, set.status)) write(() => (this.set = { ...set, status: plan.status }));
    const live = new Set([current.metadata.name, update.metadata.name, ...this.pods.map(revisionOf)]);
    const isLive = ({ metadata }: ControllerRevision) => live.has(metadata.name);
    const excess =
      this.revisions.filter((one) => !isLive(one)).length - (set.spec.revisionHistoryLimit ?? 10);
    for (const old of expendable(this.revisions, excess, isLive))
      write(() => (this.revisions = this.revisions.filter((one) => one !== old)));
    return planned > 0;
  }

  #writesOf(step: StatefulStep): (() => void)[] {
    if (step.do === 'delete') return [() => this.#delete(step.pod)];
    const { create, update } = step.claims;
    const out = create.map((draft) => () => {
      if (this.claims.some(({ metadata }) => metadata.name === draft.metadata.name))
        throw new Error(`${draft.metadata.name} is there already`);
      this.claims = [...this.claims, this.#stored(draft)];
    });
    for (const next of update)
      out.push(
        () => (this.claims = this.claims.map((one) => (one.metadata.uid === next.metadata.uid ? next : one))),
      );
    if (step.do === 'create') out.push(() => this.#create(step.pod));
    if (step.do === 'repair')
      out.push(() => (this.pods = this.pods.map((pod) => (pod === step.pod ? step.next : pod))));
    return out;
  }

  get #isOrdered(): boolean {
    return this.set.spec.podManagementPolicy !== 'Parallel';
  }

  #create(draft: Draft<Pod>): void {
    const ordinal = ordinalOf(this.set, draft.metadata.name!)!;
    const { start, end } = rangeOf(this.set);
    if (this.podAt(ordinal) !== undefined) throw new Error(`pod ${ordinal} is there already`);
    if (ordinal < start || ordinal >= end) throw new Error(`pod ${ordinal} is not wanted`);
    if (this.#isOrdered)
      for (let before = start; before < ordinal; before++)
        if (!isServing(this.podAt(before)))
          throw new Error(`pod ${ordinal} was made before ${before} served`);
    this.pods = [...this.pods, { ...this.#stored(draft), status: { phase: 'Pending' } }];
  }

  #delete(pod: Pod): void {
    const ordinal = ordinalOf(this.set, pod.metadata.name)!;
    const { start, end } = rangeOf(this.set);
    if (this.#isOrdered && (ordinal < start || ordinal >= end)) {
      const above = this.pods.filter((one) => ordinalOf(this.set, one.metadata.name)! > ordinal);
      if (above.some((one) => ordinalOf(this.set, one.metadata.name)! >= end))
        throw new Error(`pod ${ordinal} was deleted before those above it`);
    }
    // As the API server does it: a pod that no node runs goes at once.
    this.pods =
      pod.spec.nodeName === undefined || isTerminal(pod)
        ? this.pods.filter((one) => one !== pod)
        : this.pods.map((one) =>
            one === pod
              ? { ...pod, metadata: { ...pod.metadata, deletionTimestamp: formatTime(this.nowMs) } }
              : one,
          );
  }

  #stored<T extends KubeObject>(draft: Draft<T>): T {
    const uid = `uid-${this.#made++}`;
    const creationTimestamp = formatTime(this.nowMs);
    return {
      ...draft,
      metadata: { ...draft.metadata, uid, resourceVersion: '1', creationTimestamp },
    } as unknown as T;
  }

  /** A pod gets a node and is ready there, or one on its way out ends. Returns whether there was one. */
  runNode(turn: number): boolean {
    const moving = this.pods.filter((pod) => isTerminating(pod) || (!isTerminal(pod) && !isServing(pod)));
    const pod = moving[turn % Math.max(1, moving.length)];
    if (pod === undefined) return false;
    const lastTransitionTime = formatTime(this.nowMs);
    const ready: Pod = {
      ...pod,
      spec: { ...pod.spec, nodeName: 'n' },
      status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True', lastTransitionTime }] },
    };
    this.pods = isTerminating(pod)
      ? this.pods.filter((known) => known !== pod)
      : this.pods.map((known) => (known === pod ? ready : known));
    return true;
  }

  /** Until nothing moves. Throws when that does not happen. */
  toRest(): void {
    for (let round = 0; round < 1000; round++) {
      const ran = this.run(99);
      if (!this.runNode(round) && !ran) return;
    }
    throw new Error('does not come to rest');
  }
}
