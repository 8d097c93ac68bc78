// A job with its pods as plain values, for tests: plans are applied write by write, with interruptions that the test chooses. Only tests
// import this.
import { isActive, Job, type Pod } from '../../api/index.ts';
import { Causes, formatTime, semanticEqual } from '../../machinery/index.ts';
import { buildJob, buildPod, epochMs, type PodParts } from '../../testkit/index.ts';
import { completionIndex, trackingFinalizer } from './job-pod.ts';
import { type JobStatus, planJob, statusAfter } from './plan.ts';

export interface JobPodParts extends PodParts {
  readonly index?: number;
  readonly untracked?: boolean;
  readonly annotations?: Record<string, string>;
  readonly exitCode?: number;
}

/** A pod of the job `work`; it ended an hour after the epoch, when it has ended. */
export function buildJobPod(name: string, parts: JobPodParts = {}): Pod {
  const { index, untracked, annotations, exitCode, ...rest } = parts;
  const built = buildPod(name, {
    owner: buildJob('work'),
    labels: { 'batch.kubernetes.io/controller-uid': 'uid-work' },
    ...rest,
    meta: {
      ...(untracked !== true && { finalizers: [trackingFinalizer] }),
      annotations: { ...annotations, ...(index !== undefined && { [completionIndex]: String(index) }) },
      ...rest.meta,
    },
  });
  const ended = built.status?.phase === 'Succeeded' || built.status?.phase === 'Failed';
  if (!ended) return built;
  const terminated = {
    exitCode: exitCode ?? (built.status?.phase === 'Failed' ? 1 : 0),
    finishedAt: formatTime(epochMs + 3_600_000),
  };
  return {
    ...built,
    status: {
      ...built.status,
      containerStatuses: [
        { name: 'c', image: 'i', imageID: '', ready: false, restartCount: 0, state: { terminated } },
      ],
    },
  };
}

export class World {
  job: Job;
  pods: Pod[] = [];
  nowMs = epochMs + 3_600_000;
  readonly succeeded = new Set<string>();
  readonly failed = new Set<string>();
  #made = 0;

  constructor(job: Job) {
    this.job = job;
  }

  get finished(): boolean {
    return this.job.status?.conditions?.some(({ type }) => type === 'Complete' || type === 'Failed') ?? false;
  }

  /** The writes of one plan in the controller's order, until one too many. */
  run(writes: number): void {
    if (this.finished) return;
    let left = writes;
    const write = (act: () => void): void => {
      if (left-- > 0) act();
    };
    const next = this.#plan();
    for (const pod of next.giveUp) write(() => this.#untrack(pod, false));
    for (const order of next.create) write(() => this.#create(order));
    for (const pod of next.giveUp) write(() => this.#delete(pod));
    write(() =>
      this.#writeStatus(statusAfter(next.status, { created: next.create.length, removed: next.giveUp })),
    );
    for (const pod of next.end) write(() => this.#delete(pod));
    for (const pod of next.count) write(() => this.#untrack(pod, true));
  }

  /** Runs while nothing else happens: whether there comes a run that has nothing to write. */
  comesToRest(): boolean {
    for (let runs = 0; runs < 20; runs++) {
      if (this.finished) return true;
      const before = this.job.status;
      const { create, giveUp, end, count, status } = this.#plan();
      if (create.length + giveUp.length + end.length + count.length === 0 && semanticEqual(status, before))
        return true;
      this.run(Number.POSITIVE_INFINITY);
    }
    return false;
  }

  #plan() {
    return planJob({ job: this.job, pods: this.pods, backoff: undefined, nowMs: this.nowMs });
  }

  /** A pod ends: well, badly, or because it was deleted. */
  end(n: number): void {
    const running = this.pods.filter((pod) => pod.status?.phase === 'Running');
    const chosen = running[n % Math.max(1, running.length)];
    if (chosen !== undefined) this.#replace(chosen, { phase: n % 3 === 0 ? 'Failed' : 'Succeeded' });
  }

  endAll(): void {
    for (const one of this.pods)
      if (one.status?.phase === 'Running')
        this.#replace(one, { phase: one.metadata.deletionTimestamp === undefined ? 'Succeeded' : 'Failed' });
    this.pods = this.pods.filter(
      ({ metadata }) => metadata.deletionTimestamp === undefined || metadata.finalizers?.length,
    );
  }

  #create({ index }: { index?: number }): void {
    const name = `p${this.#made++}`;
    this.pods.push(buildJobPod(name, { node: 'n', ...(index !== undefined && { index }) }));
    const { parallelism = 1 } = this.job.spec;
    const active = this.pods.filter(isActive).length;
    if (active > parallelism) throw new Error(`${active} pods run, ${parallelism} may`);
  }

  #delete(gone: Pod): void {
    this.#replace(gone, { deletionTimestamp: formatTime(this.nowMs) });
  }

  #replace(
    { metadata: { uid } }: Pod,
    { phase, deletionTimestamp }: { phase?: string; deletionTimestamp?: string },
  ): void {
    this.pods = this.pods.map((known) =>
      known.metadata.uid !== uid
        ? known
        : {
            ...known,
            metadata: { ...known.metadata, ...(deletionTimestamp !== undefined && { deletionTimestamp }) },
            status: { ...known.status, ...(phase !== undefined && { phase }) },
          },
    );
  }

  /** The ledger: what loses its finalizer for good was noted one way or the other. */
  #untrack({ metadata: { uid, annotations } }: Pod, counted: boolean): void {
    const { succeeded = [], failed = [] } = this.job.status?.uncountedTerminatedPods ?? {};
    if (counted) {
      if (succeeded.includes(uid)) this.succeeded.add(uid);
      else if (failed.includes(uid)) this.failed.add(uid);
      else if (this.job.spec.completionMode === 'Indexed') {
        const known = this.pods.find((one) => one.metadata.uid === uid);
        if (known?.status?.phase === 'Succeeded') this.succeeded.add(annotations?.[completionIndex] ?? '');
      }
    }
    this.pods = this.pods.map((known) => {
      if (known.metadata.uid !== uid) return known;
      const { finalizers: _, ...metadata } = known.metadata;
      return { ...known, metadata };
    });
  }

  #writeStatus(status: JobStatus): void {
    const next = { ...this.job, status };
    const causes = new Causes();
    Job.validateStatus?.(next, this.job, causes);
    if (causes.list.length > 0) throw new Error(causes.list.map(({ message }) => message).join('; '));
    this.job = next;
  }
}
