// The collector among events that come late, twice and out of step: in the end exactly that is left which has an owner, or needs none.
import { afterEach, expect, test } from 'vitest';
import { ConfigMap, CustomResourceDefinition, kinds, Secret } from '../../api/index.ts';
import { Scope, seededRandom, silentLog } from '../../base/index.ts';
import type { KindDef, KubeObject } from '../../machinery/index.ts';
import { ControllerHarness, disorderly } from '../../testkit/index.ts';
import { startGarbageCollector } from './collector.ts';

let harness: ControllerHarness;
let scope: Scope;
afterEach(async () => {
  await scope.stop();
  await harness.stop();
});

interface Planned {
  readonly name: string;
  readonly kind: KindDef;
  readonly owners: readonly string[];
}

/** Kinds as the collector sees them; two are enough to be out of step. */
const two = [ConfigMap, Secret] as unknown as readonly KindDef[];

async function start(seed: number): Promise<void> {
  const delivery = disorderly(seededRandom(seed), { maxMs: 600, twice: true });
  harness = new ControllerHarness({ seed, delivery });
  scope = new Scope(silentLog);
  await startGarbageCollector({
    client: harness.client,
    informers: harness.informers,
    kinds: kinds.filter(
      (kind) => two.includes(kind) || kind === (CustomResourceDefinition as unknown as KindDef),
    ),
    scope,
    clock: harness.clock,
    log: silentLog,
    events: { dropped: 0, from: () => () => {} },
  });
}

const all = async (): Promise<string[]> => {
  const found: KubeObject[] = [];
  for (const kind of two) found.push(...(await harness.list(kind)));
  return found.map((object) => object.metadata.name).sort();
};

test.each(Array.from({ length: 12 }, (_, seed) => seed + 1))('a random forest, disorder %d', async (seed) => {
  const random = seededRandom(seed);
  const below = (count: number) => Math.floor(random.next() * count);
  await start(seed);
  const made = new Map<string, KubeObject>();
  const planned: Planned[] = [];
  for (let i = 0; i < 25; i++) {
    const kind = two[below(2)]!;
    const owners = [
      ...new Set(Array.from({ length: below(3) }, () => planned[below(planned.length)]?.name ?? '')),
    ];
    const known = owners.filter((name) => name !== '');
    const name = `o${String(i).padStart(2, '0')}`;
    planned.push({ name, kind, owners: known });
    const ownerReferences = known.map((owner) => {
      const { apiVersion, kind: k, metadata } = made.get(owner)!;
      return { apiVersion, kind: k, name: owner, uid: metadata.uid, blockOwnerDeletion: random.next() < 0.5 };
    });
    made.set(name, await harness.create(kind, { metadata: { name, ownerReferences } }));
    if (random.next() < 0.3) await harness.advance(below(400));
  }
  const doomed = new Set(planned.filter(() => random.next() < 0.25).map(({ name }) => name));
  for (const { name, kind } of planned.filter((one) => doomed.has(one.name))) {
    const propagationPolicy = random.next() < 0.5 ? 'Foreground' : 'Background';
    // It may have gone with its owner already.
    await harness
      .client(kind)
      .delete(name, 'default', { propagationPolicy })
      .catch(() => {});
    await harness.advance(below(300));
  }
  await harness.advance(60_000);
  const alive = new Set<string>();
  for (const { name, owners } of planned)
    if (!doomed.has(name) && (owners.length === 0 || owners.some((owner) => alive.has(owner))))
      alive.add(name);
  expect(await all()).toEqual([...alive].sort());
  for (const kind of two)
    for (const { metadata } of await harness.list(kind))
      for (const owner of metadata.ownerReferences ?? []) expect(alive).toContain(owner.name);
  const before = harness.transport.calls.length;
  await harness.advance(60_000);
  expect(harness.transport.calls.length).toBe(before);
});

test.each([
  ['another kind', { kind: 'Secret' }],
  ['another name', { name: 'somebody' }],
])(
  'a reference that bears the uid of a living owner but %s says nothing about that owner',
  async (_, wrong) => {
    await start(1);
    const { metadata } = await harness.create(two[0]!, { metadata: { name: 'owner' } });
    const right = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: metadata.uid };
    await harness.create(two[0]!, {
      metadata: { name: 'astray', ownerReferences: [{ ...right, ...wrong }] },
    });
    await harness.advance(5_000);
    await harness.create(two[0]!, { metadata: { name: 'owned', ownerReferences: [right] } });
    await harness.advance(5_000);
    expect(await all()).toEqual(['owned', 'owner']);
  },
);
