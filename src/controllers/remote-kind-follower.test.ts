// Kinds of other API servers among the owners and the owned.
import fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { APIService, ConfigMap, kinds } from '../api/index.ts';
import { Scope, silentLog } from '../base/index.ts';
import type { Draft, KindDef } from '../machinery/index.ts';
import { ControllerHarness } from '../testkit/index.ts';
import { startGarbageCollector } from './garbage-collector/collector.ts';
import { planFollowed } from './remote-kind-follower.ts';
import { findRemoteKinds } from './remote-kinds.ts';

const verbs = ['create', 'delete', 'get', 'list', 'patch', 'watch'];
const things = [{ name: 'things', namespaced: true, kind: 'Thing', verbs }];
const at = 'here.example.com/v1';
const used = ['ConfigMap', 'APIService', 'CustomResourceDefinition'];

let harness: ControllerHarness;
let scope: Scope;
afterEach(async () => {
  await scope.stop();
  await harness.stop();
});

async function start(): Promise<void> {
  harness = new ControllerHarness();
  scope = new Scope(silentLog);
  await startGarbageCollector({
    client: harness.client,
    informers: harness.informers,
    kinds: kinds.filter(({ kind }) => used.includes(kind)),
    scope,
    clock: harness.clock,
    log: silentLog,
    events: { dropped: 0, from: () => () => {} },
  });
}

const register = (spec: object = { service: { name: 's', namespace: 'n' } }) =>
  harness.create(APIService, {
    metadata: { name: 'v1.here.example.com' },
    spec: { group: 'here.example.com', version: 'v1', ...spec },
  } as Draft<APIService>);

const thingKind = async (): Promise<KindDef> => (await findRemoteKinds(harness.client)).kinds[0]!;

const owned = (name: string, owner: { apiVersion: string; kind: string; name: string; uid: string }) => ({
  metadata: { name, ownerReferences: [owner] },
});

test('what others keep goes with its owner, and what they own goes with it', async () => {
  await start();
  harness.transport.remoteResources.set(at, things);
  await register();
  const kind = await thingKind();
  const owner = await harness.create(ConfigMap, { metadata: { name: 'owner' } });
  const ref = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner.metadata.uid };
  const thing = await harness.create(kind, owned('thing', ref));
  const thingRef = { apiVersion: at, kind: 'Thing', name: 'thing', uid: thing.metadata.uid };
  await harness.create(ConfigMap, owned('below', thingRef));
  await harness.advance(1000);
  expect([(await harness.list(kind)).length, (await harness.list(ConfigMap)).length]).toEqual([1, 2]);
  await harness.client(ConfigMap).delete('owner', 'default');
  await harness.advance(1000);
  expect([(await harness.list(kind)).length, (await harness.list(ConfigMap)).length]).toEqual([0, 0]);
});

test('what is owned by somebody who cannot be asked is left alone', async () => {
  await start();
  harness.transport.remoteResources.set(at, new Error('away'));
  await register();
  await harness.create(ConfigMap, owned('below', { apiVersion: at, kind: 'Thing', name: 'x', uid: 'x' }));
  await harness.advance(65_000);
  expect((await harness.list(ConfigMap)).length).toBe(1);
  // He is back, and has no such thing.
  harness.transport.remoteResources.set(at, things);
  await harness.advance(31_000);
  expect((await harness.list(ConfigMap)).length).toBe(0);
});

test('without servers of others nobody asks for anything', async () => {
  await start();
  await register({});
  await harness.advance(1000);
  const { calls } = harness.transport;
  calls.length = 0;
  await harness.advance(120_000);
  expect(calls).toEqual([]);
});

const kindOf = (version: string, plural: string, more: readonly string[] = verbs) =>
  ({ group: 'g', version, apiVersion: `g/${version}`, plural, verbs: more }) as unknown as KindDef;
const known = ['v1', 'v2'].flatMap((version) => ['a', 'b'].map((plural) => kindOf(version, plural)));

test('each resource is followed once, and goes only when its server says so', () => {
  const subset = fc.subarray(known);
  fc.assert(
    fc.property(subset, subset, fc.subarray(['g/v1', 'g/v2']), (first, second, undiscovered) => {
      const before = planFollowed(new Map(), { kinds: first, undiscovered: [] });
      const found = second.filter(({ apiVersion }) => !undiscovered.includes(apiVersion));
      const after = planFollowed(before, { kinds: found, undiscovered });
      for (const [id, kind] of before)
        if (found.includes(kind) || undiscovered.includes(kind.apiVersion)) expect(after.get(id)).toBe(kind);
      for (const kind of after.values())
        expect(found.includes(kind) || undiscovered.includes(kind.apiVersion)).toBe(true);
      for (const { plural } of found) expect(after.has(`${plural}.g`)).toBe(true);
    }),
  );
  const readOnly = kindOf('v1', 'c', ['list', 'watch']);
  expect(planFollowed(new Map(), { kinds: [readOnly], undiscovered: [] }).size).toBe(0);
});
