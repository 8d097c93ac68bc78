// What admission does for claims, volumes and classes: default classes, finalizers, and which claims may grow.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FakeClock } from '../../base/index.ts';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
const classes = '/apis/storage.k8s.io/v1/storageclasses';
const claims = '/api/v1/namespaces/default/persistentvolumeclaims';
beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

async function makeClass(name: string, more: { default?: boolean; allowVolumeExpansion?: boolean } = {}) {
  const { default: isDefault, ...rest } = more;
  const annotations = isDefault === true ? { 'storageclass.kubernetes.io/is-default-class': 'true' } : {};
  const body = { metadata: { name, annotations }, provisioner: 'example.com/p', ...rest };
  expect((await f.ask('POST', classes, { body })).code).toBe(201);
}
const claim = (name: string, more: object = {}, annotations = {}) => ({
  metadata: { name, annotations },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...more },
});
async function makeClaim(...parts: Parameters<typeof claim>) {
  const { code, json } = await f.ask('POST', claims, { body: claim(...parts) });
  expect(code).toBe(201);
  return json;
}

describe('DefaultStorageClass', () => {
  it('gives the default class to claims that say nothing, and leaves the others', async () => {
    expect((await makeClaim('before')).spec.storageClassName).toBeUndefined();
    await makeClass('plain');
    await makeClass('usual', { default: true });
    expect((await makeClaim('silent')).spec.storageClassName).toBe('usual');
    expect((await makeClaim('none', { storageClassName: '' })).spec.storageClassName).toBe('');
    expect((await makeClaim('own', { storageClassName: 'plain' })).spec.storageClassName).toBe('plain');
    const old = { 'volume.beta.kubernetes.io/storage-class': 'plain' };
    expect((await makeClaim('old', {}, old)).spec.storageClassName).toBeUndefined();
  });

  it('takes the newest of several defaults, and of those the first by name', async () => {
    await makeClass('a-old', { default: true });
    await (f.clock as FakeClock).advance(2000);
    await makeClass('z-new', { default: true });
    await makeClass('m-new', { default: true });
    expect((await makeClaim('c')).spec.storageClassName).toBe('m-new');
  });
});

describe('StorageObjectInUseProtection', () => {
  it('adds a finalizer, once, so that deletion waits', async () => {
    expect((await makeClaim('c')).metadata.finalizers).toEqual(['kubernetes.io/pvc-protection']);
    const pv = {
      metadata: { name: 'v', finalizers: ['kubernetes.io/pv-protection', 'example.com/mine'] },
      spec: { accessModes: ['ReadWriteOnce'], capacity: { storage: '1Gi' }, hostPath: { path: '/tmp' } },
    };
    const made = await f.ask('POST', '/api/v1/persistentvolumes', { body: pv });
    expect(made.json.metadata.finalizers).toEqual(pv.metadata.finalizers);
    await f.ask('DELETE', `${claims}/c`);
    expect((await f.ask('GET', `${claims}/c`)).json.metadata.deletionTimestamp).toBeDefined();
  });
});

describe('PersistentVolumeClaimResize', () => {
  const resize = async (name: string, storage: string) => {
    const body = { spec: { resources: { requests: { storage } } } };
    const type = 'application/merge-patch+json';
    const { code, json } = await f.ask('PATCH', `${claims}/${name}`, { body, type });
    return code === 200 ? code : [code, json.message];
  };
  const bind = async (name: string) => {
    const body = { status: { phase: 'Bound', capacity: { storage: '1Gi' } } };
    const type = 'application/merge-patch+json';
    expect((await f.ask('PATCH', `${claims}/${name}/status`, { body, type })).code).toBe(200);
  };

  it('lets a bound claim grow when its class says so', async () => {
    await makeClass('grows', { allowVolumeExpansion: true });
    await makeClass('stays');
    for (const [name, storageClassName] of [
      ['grows', 'grows'],
      ['stays', 'stays'],
      ['none', ''],
      ['gone', 'gone'],
    ] as const) {
      await makeClaim(name, { storageClassName });
      await bind(name);
    }
    const refused = (name: string) => [
      403,
      `persistentvolumeclaims "${name}" is forbidden: only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize`,
    ];
    expect(await resize('grows', '2Gi')).toBe(200);
    for (const name of ['stays', 'none', 'gone']) expect(await resize(name, '2Gi')).toEqual(refused(name));
    expect(await resize('stays', '1Gi')).toBe(200);
    const [code, message] = (await resize('grows', '512Mi')) as [number, string];
    expect(code).toBe(422);
    expect(message).toContain('field can not be less than status.capacity');
  });

  it('refuses what is not bound', async () => {
    await makeClass('grows', { allowVolumeExpansion: true });
    await makeClaim('c', { storageClassName: 'grows' });
    const [code, message] = (await resize('c', '2Gi')) as [number, string];
    expect(code).toBe(422);
    expect(message).toContain('spec is immutable after creation');
  });
});
