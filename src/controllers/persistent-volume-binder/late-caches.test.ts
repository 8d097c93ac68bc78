// The volume controller when its caches are behind: nothing is taken from others, given away, or declared lost on their word.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { PersistentVolume, PersistentVolumeClaim } from '../../api/index.ts';
import type { Draft, KindDef, KubeObject } from '../../machinery/index.ts';
import {
  buildClaim,
  buildVolume,
  type ClaimParts,
  ControllerHarness,
  type VolumeParts,
} from '../../testkit/index.ts';
import { persistentVolumeController } from './controller.ts';

let harness: ControllerHarness;
beforeEach(async () => {
  harness = new ControllerHarness();
  await harness.start(persistentVolumeController({ provisioners: [] }));
});
afterEach(() => harness.stop());

function draft<T extends KubeObject>({ metadata, ...rest }: T): Draft<T> {
  const { uid: _, resourceVersion: __, creationTimestamp: ___, ...kept } = metadata;
  return { ...rest, metadata: kept } as unknown as Draft<T>;
}
const addVolume = (parts: VolumeParts = {}) =>
  harness.create(PersistentVolume, draft(buildVolume('v', parts)));
const addClaim = (name: string, parts: ClaimParts = {}) =>
  harness.create(PersistentVolumeClaim, draft(buildClaim(name, { storageClass: '', ...parts })));
const volume = () => harness.client(PersistentVolume).get('v');
const claim = (name: string) => harness.client(PersistentVolumeClaim).get(name, 'default');
/** What happens to that kind from now on is heard after ten seconds. */
const delay = (late: KindDef<PersistentVolume> | KindDef<PersistentVolumeClaim>) => {
  harness.transport.delivery = { lateMs: (kind) => (kind.kind === late.kind ? 10_000 : 0), twice: false };
};

it('a volume that somebody else has just given away is not taken from him', async () => {
  await addVolume();
  const other = await addClaim('other', { spec: { volumeName: 'elsewhere' } });
  await harness.rest();
  delay(PersistentVolume);
  const { name, namespace, uid } = other.metadata;
  const claimRef = { kind: 'PersistentVolumeClaim', apiVersion: 'v1', namespace, name, uid };
  await harness.client(PersistentVolume).patch({ name: 'v' }, 'merge', { spec: { claimRef } });
  await addClaim('c');
  await harness.advance(5000);
  expect((await volume()).spec.claimRef?.name).toBe('other');
  expect((await claim('c')).spec.volumeName).toBeUndefined();
});

it('a volume is not given to a claim that has gone', async () => {
  await addClaim('c');
  await harness.rest();
  delay(PersistentVolumeClaim);
  await harness.client(PersistentVolumeClaim).delete('c', 'default');
  await addVolume();
  await harness.advance(60_000);
  expect((await volume()).spec.claimRef).toBeUndefined();
  expect((await volume()).status?.phase).toBe('Available');
});

it('a volume is not released because its claim is not known yet', async () => {
  delay(PersistentVolumeClaim);
  const made = await addClaim('c');
  await addVolume({ claim: made });
  await harness.advance(5000);
  expect((await volume()).status?.phase).not.toBe('Released');
  await harness.advance(30_000);
  expect([(await volume()).status?.phase, (await claim('c')).status?.phase]).toEqual(['Bound', 'Bound']);
});

it('a claim is not lost because its volume is not known yet', async () => {
  delay(PersistentVolume);
  await addVolume({ claim: await addClaim('c', { volume: 'v' }) });
  await harness.client(PersistentVolumeClaim).patch({ name: 'c', namespace: 'default' }, 'merge', {
    metadata: { annotations: { 'pv.kubernetes.io/bind-completed': 'yes' } },
  });
  await harness.advance(5000);
  expect((await claim('c')).status?.phase).not.toBe('Lost');
  await harness.advance(30_000);
  expect(harness.events.filter(({ reason }) => reason === 'ClaimLost')).toEqual([]);
});
