// Runs of the plan that end after any of their writes.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isActive, Job, type Pod } from '../../api/index.ts';
import { Causes, formatTime, semanticEqual } from '../../machinery/index.ts';
import { buildJob, buildJobPod, epochMs } from '../../testkit/index.ts';
import { completionIndex } from './job-pod.ts';
import { type JobStatus, planJob, statusAfter } from './plan.ts';

/** A world in which every write of a plan happens, in which only some do, or none; and pods that end as they like. */
test('over random states: no write that the server would refuse, never too many pods, each counted once, then silence', () => {
  const step = fc.record({
    crashAfter: fc.nat(14),
    ends: fc.array(fc.nat(60), { maxLength: 4 }),
    passMs: fc.constantFrom(0, 5000, 30_000),
    rests: fc.boolean(),
  });
  const spec = fc.record({
    parallelism: fc.integer({ min: 1, max: 4 }),
    completions: fc.integer({ min: 0, max: 6 }),
    completionMode: fc.constantFrom('Indexed', 'NonIndexed'),
    backoffLimit: fc.constantFrom(0, 1, 4, 100),
    podReplacementPolicy: fc.constantFrom('Failed', 'TerminatingOrFailed'),
    limitPerIndex: fc.boolean(),
  });
  fc.assert(
    fc.property(spec, fc.array(step, { maxLength: 40 }), ({ limitPerIndex, ...rest }, steps) => {
      const perIndex = limitPerIndex && rest.completionMode === 'Indexed';
      const world = new World(buildJob('work', { ...rest, ...(perIndex && { backoffLimitPerIndex: 1 }) }));
      for (const { crashAfter, ends, passMs, rests } of steps) {
        world.nowMs += passMs;
        world.run(crashAfter);
        for (const n of ends) world.end(n);
        if (rests) expect(world.comesToRest()).toBe(true);
      }
      for (let i = 0; i < 600 && !world.finished; i++) {
        world.nowMs += 60_000;
        world.run(1000);
        world.endAll();
      }
      expect(world.finished).toBe(true);
      expect(world.job.status?.succeeded ?? 0).toBe(world.succeeded.size);
      expect(world.job.status?.failed ?? 0).toBe(world.failed.size);
      expect(world.pods.filter(({ metadata }) => metadata.finalizers?.length)).toEqual([]);
    }),
    {
      numRuns: 300,
      // A pod that was counted as failed while it was being deleted, and then succeeded.
      examples: [
        [
          {
            parallelism: 2,
            completions: 2,
            completionMode: 'Indexed',
            backoffLimit: 0,
            podReplacementPolicy: 'Failed',
            limitPerIndex: false,
          },
          [
            { crashAfter: 2, ends: [0], passMs: 0, rests: false },
            { crashAfter: 2, ends: [], passMs: 0, rests: false },
            { crashAfter: 1, ends: [1], passMs: 0, rests: false },
          ],
        ],
      ],
    },
  );
});

class World {
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
