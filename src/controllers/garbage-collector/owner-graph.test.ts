// Who is found by whom, over kinds that come and go.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ConfigMap, Namespace, Secret } from '../../api/index.ts';
import type { Informer } from '../../client/index.ts';
import type { KindDef, KubeObject, OwnerReference } from '../../machinery/index.ts';
import { ControllerHarness } from '../../testkit/index.ts';
import { keyFor, type Member, OwnerGraph } from './owner-graph.ts';

let harness: ControllerHarness;
let graph: OwnerGraph;
const informerOf = (kind: unknown) => harness.informers(kind as KindDef) as Informer;

beforeEach(async () => {
  harness = new ControllerHarness();
  graph = new OwnerGraph();
  for (const kind of [Namespace, ConfigMap, Secret]) graph.add(informerOf(kind));
  await harness.rest();
});
afterEach(() => harness.stop());

const ownedBy = ({ apiVersion, kind, metadata: { name, uid } }: KubeObject): OwnerReference =>
  ({ apiVersion, kind, name, uid }) as OwnerReference;

async function make(of: unknown, name: string, ...owners: readonly KubeObject[]): Promise<KubeObject> {
  const metadata = { name, ownerReferences: owners.map(ownedBy) };
  const made = await harness.create(of as KindDef, { metadata });
  await harness.rest();
  return made;
}
const namesOf = (members: readonly Member[]) => members.map(({ object }) => object.metadata.name).sort();

test('dependents are of any kind', async () => {
  const owner = await make(ConfigMap, 'owner');
  const other = await make(ConfigMap, 'other');
  await make(Secret, 'a', owner);
  await make(ConfigMap, 'b', owner, other);
  await make(Secret, 'c');
  expect(namesOf(graph.dependentsOf(owner.metadata.uid))).toEqual(['a', 'b']);
  expect(namesOf(graph.dependentsOf(other.metadata.uid))).toEqual(['b']);
  expect(graph.dependentsOf('nobody')).toEqual([]);
});

test('an owner is found by its name, where its kind lives', async () => {
  const map = await make(ConfigMap, 'owner');
  const space = await make(Namespace, 'home');
  expect(graph.find(ownedBy(map), 'default')?.object.metadata.uid).toBe(map.metadata.uid);
  expect(graph.find(ownedBy(map), 'elsewhere')).toBeUndefined();
  expect(graph.find(ownedBy(space), 'default')?.object.metadata.uid).toBe(space.metadata.uid);
  expect(graph.find({ ...ownedBy(map), uid: 'another' }, 'default')?.object.metadata.uid).toBe(
    map.metadata.uid,
  );
});

test.each([
  ['whatever its version', 'v7', true],
  ['only in its group', 'example.com/v1', false],
])('the kind of an owner is found %s', async (_, apiVersion, isFound) => {
  const owner = ownedBy(await make(ConfigMap, 'owner'));
  expect(graph.informerOf({ ...owner, apiVersion }) !== undefined).toBe(isFound);
});

test('dependents of a kind, whether the owner is there or not', async () => {
  const map = await make(ConfigMap, 'map');
  const secret = await make(Secret, 'secret');
  await make(Secret, 'a', { ...map, metadata: { ...map.metadata, uid: 'gone' } });
  await make(ConfigMap, 'b', map, secret);
  expect(namesOf(graph.dependentsOfKind(ConfigMap as unknown as KindDef))).toEqual(['a', 'b']);
  expect(namesOf(graph.dependentsOfKind(Secret as unknown as KindDef))).toEqual(['b']);
});

test('a key leads back to what it was made for, as long as that is there', async () => {
  const object = await make(Secret, 'one');
  const key = keyFor({ kind: Secret as unknown as KindDef, object });
  expect(graph.at(key)?.object.metadata.uid).toBe(object.metadata.uid);
  await harness.client(Secret).delete('one', 'default');
  await harness.rest();
  expect(graph.at(key)).toBeUndefined();
  expect(graph.at('Thing.example.com|default/one')).toBeUndefined();
});

test('a kind that is served in another way is asked there; the end of the old way does not end the new one', async () => {
  const map = await make(ConfigMap, 'owner');
  const old = informerOf(ConfigMap);
  const anew = harness.informers(ConfigMap, { namespace: 'default' }) as unknown as Informer;
  graph.add(anew);
  expect(graph.informerOf(ownedBy(map))).toBe(anew);
  graph.remove(old);
  expect(graph.informerOf(ownedBy(map))).toBe(anew);
  graph.remove(anew);
  expect(graph.informerOf(ownedBy(map))).toBeUndefined();
  expect(graph.dependentsOf(map.metadata.uid)).toEqual([]);
});
