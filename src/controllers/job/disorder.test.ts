// Jobs whose events come late, twice and out of step, whose writes fail or lose their answers, over pods that succeed and fail at
// random: each pod is counted once, never too many run, and at the end nothing is written.
import { afterEach, describe, expect, test } from 'vitest';
import { isActive, isJobFinished, isTerminal, isTerminating, Job, Pod } from '../../api/index.ts';
import { type Random, seededRandom } from '../../base/index.ts';
import { type Draft, internalError } from '../../machinery/index.ts';
import { buildJobSpec, ControllerHarness, disorderly } from '../../testkit/index.ts';
import { jobController } from './controller.ts';
import { countOf, readIndexSet } from './index-set.ts';
import { completionIndex, isTracked } from './job-pod.ts';

let harness: ControllerHarness;
afterEach(() => harness.stop());

const at = { name: 'work', namespace: 'default' };
const theJob = () => harness.client(Job).get(at.name, at.namespace);
const create = (spec: Partial<Job['spec']>) =>
  harness.create(Job, { metadata: at, spec: buildJobSpec(spec) } as Draft<Job>);

/** What the test itself has seen of each pod, whatever the status says. */
class Ledger {
  readonly ended = new Map<string, { phase: string; index: string | undefined }>();
  most = 0;

  async look(): Promise<void> {
    const pods = await harness.list(Pod);
    this.most = Math.max(this.most, pods.filter(isActive).length);
    for (const { metadata, status } of pods)
      if (status?.phase === 'Succeeded' || status?.phase === 'Failed')
        this.ended.set(metadata.uid, { phase: status.phase, index: metadata.annotations?.[completionIndex] });
  }

  count(phase: string): number {
    return [...this.ended.values()].filter((pod) => pod.phase === phase).length;
  }
}

/** Nodes: what is deleted ends, what runs ends when `exitCode` says so. */
async function nodesTurn(exitCode: (pod: Pod) => number | undefined): Promise<void> {
  for (const pod of await harness.list(Pod)) {
    const at = { name: pod.metadata.name, namespace: pod.metadata.namespace };
    if (isTerminating(pod))
      await harness.client(Pod).delete(at.name, at.namespace, { gracePeriodSeconds: 0 });
    else if (!isTerminal(pod)) {
      const code = exitCode(pod);
      const phase = code === undefined ? 'Running' : code === 0 ? 'Succeeded' : 'Failed';
      await harness.client(Pod).patch({ ...at, subresource: 'status' }, 'merge', { status: { phase } });
    }
  }
}

async function run(turns: number, ledger: Ledger, exitCode: (pod: Pod) => number | undefined): Promise<void> {
  for (let i = 0; i < turns; i++) {
    await harness.advance(600);
    await ledger.look();
    if (isJobFinished(await theJob())) return;
    await nodesTurn(exitCode);
    await ledger.look();
  }
}

async function expectSilence(): Promise<void> {
  await harness.advance(20_000);
  const before = harness.transport.calls.length;
  await harness.advance(60_000);
  expect(
    harness.transport.calls.slice(before).map(({ verb, target }) => `${verb} ${target.kind.kind}`),
  ).toEqual([]);
}

/** Some writes are refused before they happen, some happen and their answer is lost. */
function breakWrites(random: Random): void {
  const { transport } = harness;
  const breaks = (verb: string): boolean => verb !== 'list' && verb !== 'watch' && random.next() < 0.15;
  transport.failWith = ({ verb }) =>
    controlled && breaks(verb) ? internalError(new Error('crash')) : undefined;
  for (const name of ['update', 'patch'] as const) {
    const call = transport[name].bind(transport) as (...args: unknown[]) => Promise<never>;
    transport[name] = (async (...args: unknown[]) => {
      const answer = await call(...args);
      if (controlled && breaks(name)) throw internalError(new Error('the answer was lost'));
      return answer;
    }) as never;
  }
}
/** The test's own calls go through. */
let controlled = false;
const disorder = (seed: number) =>
  new ControllerHarness({ seed, delivery: disorderly(seededRandom(seed), { maxMs: 800, twice: true }) });

async function uncontrolled<T>(act: () => Promise<T>): Promise<T> {
  controlled = false;
  try {
    return await act();
  } finally {
    controlled = true;
  }
}

const seeds = [1, 2, 3, 4, 5, 6];

describe.each(seeds)('in disorder %d', (seed) => {
  test('a job runs to its end, no more at once than allowed', async () => {
    harness = disorder(seed);
    const random = seededRandom(seed + 100);
    const ledger = new Ledger();
    await create({ completions: 9, parallelism: 4, backoffLimit: 100 });
    await harness.start(jobController);
    await run(2000, ledger, () => (random.next() < 0.5 ? undefined : random.next() < 0.8 ? 0 : 1));
    const { status } = await theJob();
    expect(status?.conditions?.map(({ type }) => type)).toEqual(['SuccessCriteriaMet', 'Complete']);
    expect({ succeeded: status?.succeeded, failed: status?.failed ?? 0 }).toEqual({
      succeeded: ledger.count('Succeeded'),
      failed: ledger.count('Failed'),
    });
    expect(status?.succeeded).toBe(9);
    expect(ledger.most).toBeLessThanOrEqual(4);
    expect((await harness.list(Pod)).some(isTracked)).toBe(false);
    expect(harness.stats().every(({ gateTimeouts }) => gateTimeouts === 0)).toBe(true);
    await expectSilence();
  });

  test('each index succeeds once, and each failure counts', async () => {
    harness = disorder(seed);
    const random = seededRandom(seed + 200);
    const ledger = new Ledger();
    await create({
      completionMode: 'Indexed',
      completions: 8,
      parallelism: 3,
      backoffLimit: 2 ** 31 - 1,
      backoffLimitPerIndex: 1,
    });
    await harness.start(jobController);
    await run(2000, ledger, (pod) =>
      random.next() < 0.5 ? undefined : pod.metadata.annotations?.[completionIndex] === '2' ? 1 : 0,
    );
    const { status } = await theJob();
    expect(status?.conditions?.map(({ type, reason }) => [type, reason])).toEqual([
      ['FailureTarget', 'FailedIndexes'],
      ['Failed', 'FailedIndexes'],
    ]);
    expect(status).toMatchObject({
      completedIndexes: '0,1,3-7',
      failedIndexes: '2',
      succeeded: 7,
      failed: 2,
    });
    expect(ledger.count('Failed')).toBe(2);
    expect(ledger.most).toBeLessThanOrEqual(3);
    const counts = (await harness.list(Pod))
      .filter(({ metadata }) => metadata.annotations?.[completionIndex] === '2')
      .map(({ metadata }) => metadata.annotations?.['batch.kubernetes.io/job-index-failure-count']);
    expect(counts.sort()).toEqual(['0', '1']);
    await expectSilence();
  });

  test('suspended, resumed and resized at random, with pods replaced only when they have ended', async () => {
    harness = disorder(seed);
    const random = seededRandom(seed + 400);
    const ledger = new Ledger();
    await create({ completions: 10, parallelism: 3, backoffLimit: 1000, podReplacementPolicy: 'Failed' });
    await harness.start(jobController);
    let mostOnNodes = 0;
    for (let i = 0; i < 60; i++) {
      await run(1, ledger, () => (random.next() < 0.7 ? undefined : 0));
      const onNodes = (await harness.list(Pod)).filter((pod) => !isTerminal(pod));
      mostOnNodes = Math.max(mostOnNodes, onNodes.length);
      if (isJobFinished(await theJob())) break;
      const spec = { suspend: random.next() < 0.4, parallelism: 1 + Math.floor(random.next() * 4) };
      if (random.next() < 0.3) await harness.client(Job).patch(at, 'merge', { spec });
    }
    await harness.client(Job).patch(at, 'merge', { spec: { suspend: false } });
    await run(500, ledger, () => 0);
    const { status } = await theJob();
    expect(status?.conditions?.at(-1)?.type).toBe('Complete');
    // One that the job gave up just when it succeeded is not counted.
    expect(status?.succeeded).toBeGreaterThanOrEqual(10);
    expect(status?.succeeded).toBeLessThanOrEqual(ledger.count('Succeeded'));
    expect(status?.failed).toBeUndefined();
    expect(mostOnNodes).toBeLessThanOrEqual(4);
    expect((await harness.list(Pod)).some(isTracked)).toBe(false);
    await expectSilence();
  });

  test.each<[string, Partial<Job['spec']>]>([
    ['without indexes', { completions: 7, parallelism: 3 }],
    ['with indexes', { completions: 7, parallelism: 3, completionMode: 'Indexed' }],
  ])('%s, whatever fails between two writes, each pod is counted once', async (_, spec) => {
    harness = new ControllerHarness({ seed });
    const random = seededRandom(seed + 300);
    const ledger = new Ledger();
    await create({ ...spec, backoffLimit: 1000 });
    breakWrites(random);
    controlled = true;
    try {
      await harness.start(jobController);
      for (let i = 0; i < 3000; i++) {
        await harness.advance(600);
        const done = await uncontrolled(async () => {
          await ledger.look();
          await nodesTurn(() => (random.next() < 0.5 ? undefined : random.next() < 0.7 ? 0 : 1));
          await ledger.look();
          return isJobFinished(await theJob());
        });
        if (done) break;
      }
    } finally {
      controlled = false;
    }
    await harness.advance(60_000);
    expect(harness.stats()[0]!.failures).toBeGreaterThan(0);
    const { status } = await theJob();
    expect(status?.conditions?.at(-1)?.type).toBe('Complete');
    expect(status?.failed ?? 0).toBe(ledger.count('Failed'));
    expect(status?.succeeded).toBe(ledger.count('Succeeded'));
    expect(status?.succeeded).toBe(7);
    if (spec.completionMode === 'Indexed') expect(countOf(readIndexSet(status?.completedIndexes, 7))).toBe(7);
    expect(ledger.most).toBeLessThanOrEqual(3);
    expect((await harness.list(Pod)).some(isTracked)).toBe(false);
    await expectSilence();
  });
});
