import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { ConfigMap, Secret } from '../../api/index.ts';
import { seededRandom } from '../../base/index.ts';
import { controllerRef, notFound, staleObject, tooManyRequests } from '../../machinery/index.ts';
import { ControllerHarness, disorderly, type HarnessOptions } from '../../testkit/index.ts';
import {
  type ControllerInput,
  defineController,
  maps,
  owns,
  type Reconcile,
  TerminalError,
} from './controller.ts';

let harness: ControllerHarness;
const begin = (options?: HarnessOptions) => (harness = new ControllerHarness(options));
afterEach(() => harness?.stop());

/** Keeps as many secrets as the config map's `wanted` says: a ReplicaSet in small. */
const planter = defineController({
  name: 'planter',
  reconciles: ConfigMap,
  watches: [owns(Secret)],
  concurrency: 3,
  build({ lister, informer, client, event }) {
    const beds = lister(ConfigMap);
    const plants = informer(Secret);
    plants.addIndex('byOwner', ownerOf);
    return async (key, signal) => {
      const bed = beds.get(key);
      if (bed === undefined) return;
      const wanted = Number(bed.data?.['wanted'] ?? 0);
      const have = plants.byIndex('byOwner', bed.metadata.uid);
      for (let i = have.length; i < wanted; i++) {
        signal.throwIfAborted();
        await client(Secret).create({
          metadata: {
            generateName: `${bed.metadata.name}-`,
            namespace: bed.metadata.namespace,
            ownerReferences: [controllerRef(bed)],
          },
        });
      }
      for (const plant of have.slice(wanted)) {
        const { name, namespace, uid } = plant.metadata;
        await client(Secret).delete(name, namespace, { preconditions: { uid } });
      }
      if (have.length !== wanted) event(bed, 'Normal', 'Planted', `${have.length} to ${wanted}`);
    };
  },
});

const ownerOf = (secret: Secret) => secret.metadata.ownerReferences?.map((o) => o.uid) ?? [];

const bed = (name: string, wanted: number) => ({
  metadata: { name, namespace: 'default' },
  data: { wanted: String(wanted) },
});

/** A controller of config maps that notes its keys and does what it is told. */
function scripted(reconcile: Reconcile, more: Partial<ControllerInput<ConfigMap>> = {}) {
  return defineController({ name: 'scripted', reconciles: ConfigMap, build: () => reconcile, ...more });
}

describe('startControllers', () => {
  it('reconciles what is there and what comes', async () => {
    begin();
    await harness.create(ConfigMap, bed('a', 2));
    await harness.start(planter);
    await harness.create(ConfigMap, bed('b', 1));
    await harness.rest();
    expect((await harness.list(Secret)).map((s) => s.metadata.name.slice(0, 2)).sort()).toEqual([
      'a-',
      'a-',
      'b-',
    ]);
    expect(harness.events).toEqual([
      {
        component: 'planter-controller',
        about: 'default/a',
        type: 'Normal',
        reason: 'Planted',
        message: '0 to 2',
      },
      {
        component: 'planter-controller',
        about: 'default/b',
        type: 'Normal',
        reason: 'Planted',
        message: '0 to 1',
      },
    ]);
  });

  it('is woken by what it owns', async () => {
    begin();
    await harness.create(ConfigMap, bed('a', 2));
    await harness.start(planter);
    const [victim] = await harness.list(Secret);
    await harness.client(Secret).delete(victim!.metadata.name, 'default');
    await harness.rest();
    expect(await harness.list(Secret)).toHaveLength(2);
  });

  it('is woken by what it maps, for the old and the new state', async () => {
    begin();
    const keys: string[] = [];
    const byName = maps(Secret, (secret) => [`default/${secret.metadata.labels?.['for']}`]);
    await harness.start(scripted(async (key) => void keys.push(key), { watches: [byName] }));
    const made = await harness.create(Secret, { metadata: { name: 's', labels: { for: 'x' } } });
    await harness.rest();
    await harness.client(Secret).update({ ...made, metadata: { ...made.metadata, labels: { for: 'y' } } });
    await harness.rest();
    expect(keys).toEqual(['default/x', 'default/x', 'default/y']);
  });

  it('does not create twice when events are late, doubled and out of step', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          seed: fc.nat(),
          maxMs: fc.integer({ min: 0, max: 3000 }),
          twice: fc.boolean(),
          beds: fc.array(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 4 }),
          changes: fc.array(
            fc.record({ bed: fc.nat(3), wanted: fc.integer({ min: 0, max: 5 }), afterMs: fc.nat(2000) }),
            { maxLength: 4 },
          ),
        }),
        async ({ seed, maxMs, twice, beds, changes }) => {
          const world = new ControllerHarness({
            seed,
            delivery: disorderly(seededRandom(seed), { maxMs, twice }),
          });
          try {
            for (const [i, wanted] of beds.entries()) await world.create(ConfigMap, bed(`bed${i}`, wanted));
            await world.start(planter);
            let most = Math.max(...beds);
            const check = async () => {
              const count = new Map<string, number>();
              for (const secret of await world.list(Secret))
                for (const uid of ownerOf(secret)) count.set(uid, (count.get(uid) ?? 0) + 1);
              for (const n of count.values()) expect(n).toBeLessThanOrEqual(most);
            };
            for (const change of changes) {
              const name = `bed${change.bed % beds.length}`;
              beds[change.bed % beds.length] = change.wanted;
              most = Math.max(most, change.wanted);
              await world
                .client(ConfigMap)
                .patch({ name, namespace: 'default' }, 'merge', { data: { wanted: String(change.wanted) } });
              await world.advance(change.afterMs);
              await check();
            }
            await world.advance(20 * 3000);
            const left = await world.list(Secret);
            for (const [i, wanted] of beds.entries())
              expect(left.filter((s) => s.metadata.name.startsWith(`bed${i}-`))).toHaveLength(wanted);
            expect(world.stats()[0]!.gateTimeouts).toBe(0);
          } finally {
            await world.stop();
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  it('goes on after a while when its writes never show', async () => {
    begin({ delivery: { lateMs: (kind) => (kind.kind === 'Secret' ? 120_000 : 0), twice: false } });
    await harness.create(ConfigMap, bed('a', 1));
    await harness.start(planter);
    expect(harness.stats()[0]).toMatchObject({ reconciles: 1, gated: 1 });
    await harness.client(ConfigMap).patch({ name: 'a', namespace: 'default' }, 'merge', { data: { x: '1' } });
    await harness.advance(29_000);
    expect(harness.stats()[0]).toMatchObject({ reconciles: 1, gated: 1, gateTimeouts: 0 });
    await harness.advance(2_000);
    expect(harness.stats()[0]).toMatchObject({ reconciles: 2, gateTimeouts: 1 });
  });

  it('retries what throws, later each time, and forgets after success', async () => {
    begin();
    const at: number[] = [];
    const startMs = harness.clock.nowMs();
    await harness.create(ConfigMap, bed('a', 0));
    await harness.start(
      scripted(async () => {
        at.push(harness.clock.nowMs() - startMs);
        if (at.length <= 4) throw staleObject({ group: '', resource: 'configmaps' }, 'a');
      }),
    );
    await harness.advance(60_000);
    expect(at).toEqual([0, 5, 15, 35, 75]);
    expect(harness.stats()[0]).toMatchObject({ reconciles: 5, failures: 4, retries: 4, delayed: 0 });
  });

  it('waits as long as the server asks', async () => {
    begin();
    let runs = 0;
    await harness.create(ConfigMap, bed('a', 0));
    await harness.start(
      scripted(async () => {
        if (runs++ === 0) throw tooManyRequests('slow down', 7);
      }),
    );
    await harness.advance(6_900);
    expect(runs).toBe(1);
    await harness.advance(200);
    expect(runs).toBe(2);
  });

  it('waits for a change after a TerminalError', async () => {
    begin();
    let runs = 0;
    const made = await harness.create(ConfigMap, bed('a', 0));
    await harness.start(
      scripted(async () => {
        runs++;
        throw new TerminalError('never');
      }),
    );
    await harness.advance(3_600_000);
    expect(runs).toBe(1);
    await harness.client(ConfigMap).update({ ...made, data: { x: '1' } });
    await harness.rest();
    expect(runs).toBe(2);
  });

  it('runs again when asked to', async () => {
    begin();
    let runs = 0;
    await harness.create(ConfigMap, bed('a', 0));
    await harness.start(scripted(async () => (++runs < 3 ? { requeueAfterMs: 1000 } : undefined)));
    await harness.advance(999);
    expect(runs).toBe(1);
    await harness.advance(10_000);
    expect(runs).toBe(3);
  });

  it('never runs a key twice at once, and other keys meanwhile', async () => {
    begin();
    const release: (() => void)[] = [];
    const running: string[] = [];
    const most = { same: 0, all: 0 };
    await harness.create(ConfigMap, bed('a', 0));
    await harness.create(ConfigMap, bed('b', 0));
    await harness.start(
      scripted(
        async (key) => {
          running.push(key);
          most.same = Math.max(most.same, running.filter((k) => k === key).length);
          most.all = Math.max(most.all, running.length);
          await new Promise<void>((resolve) => release.push(resolve));
          running.splice(running.indexOf(key), 1);
        },
        { concurrency: 4 },
      ),
    );
    await harness.client(ConfigMap).patch({ name: 'a', namespace: 'default' }, 'merge', { data: { x: '1' } });
    await harness.rest();
    for (let go = release.shift(); go !== undefined; go = release.shift()) {
      go();
      await harness.rest();
    }
    expect([most, harness.stats()[0]!.reconciles]).toEqual([{ same: 1, all: 2 }, 3]);
  });

  it('one that cannot start does not hold up the others', async () => {
    begin();
    await harness.create(ConfigMap, bed('a', 1));
    const broken = scripted(async () => {}, {
      name: 'broken',
      build: () => {
        throw new Error('no');
      },
    });
    harness.transport.failWith = ({ target }) =>
      target.kind === Secret ? notFound({ group: '', resource: 'secrets' }, '') : undefined;
    let runs = 0;
    await harness.start(
      broken,
      planter,
      scripted(async () => void runs++),
    );
    expect(harness.stats().map((s) => s.state)).toEqual(['failed', 'starting', 'running']);
    expect(runs).toBe(1);
    harness.transport.failWith = null;
    await harness.advance(1000);
    expect(harness.stats().map((s) => s.state)).toEqual(['failed', 'running', 'running']);
    expect(await harness.list(Secret)).toHaveLength(1);
  });

  it('stopping aborts the reconcile that runs and waits for it', async () => {
    begin();
    let ended = false;
    await harness.create(ConfigMap, bed('a', 1));
    await harness.start(
      scripted(async (_key, signal) => {
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        await Promise.resolve();
        ended = true;
        signal.throwIfAborted();
      }),
    );
    expect(ended).toBe(false);
    await harness.stop();
    expect(ended).toBe(true);
    expect(harness.stats()[0]).toMatchObject({ active: 0, failures: 0 });
  });
});
