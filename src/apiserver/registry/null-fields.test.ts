// Some fields of Kubernetes' types are pointers that are written even when they point to nothing, and lists that are written even when
// nothing is in them: both are null for whoever reads.
import { describe, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

const claims = '/api/v1/namespaces/default/persistentvolumeclaims';
const claim = (dataSource: object, name = 'a') => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, dataSource },
});
const volume = {
  metadata: { name: 'a' },
  spec: {
    accessModes: ['ReadWriteOnce'],
    capacity: { storage: '1Gi' },
    azureFile: { secretName: 's', shareName: 't' },
  },
};
const roles = '/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles';

describe('a pointer that is always written', () => {
  it.each([
    ['left out', { kind: 'PersistentVolumeClaim', name: 'x' }, null],
    ['given as null', { apiGroup: null, kind: 'PersistentVolumeClaim', name: 'x' }, null],
    ['given as the empty text', { apiGroup: '', kind: 'PersistentVolumeClaim', name: 'x' }, ''],
  ])('%s', async (_, dataSource, apiGroup) => {
    const f = await ApiFixture.create();
    const made = await f.ask('POST', claims, { body: claim(dataSource) });
    const source = { apiGroup, kind: 'PersistentVolumeClaim', name: 'x' };
    expect(made.json.spec).toMatchObject({ dataSource: source, dataSourceRef: source });
    expect((await f.ask('GET', `${claims}/a`)).json.spec).toEqual(made.json.spec);
  });

  it('stays null through updates, patches and apply', async () => {
    const f = await ApiFixture.create();
    const body = claim({ kind: 'PersistentVolumeClaim', name: 'x' });
    const made = await f.ask('POST', claims, { body });
    const label = { metadata: { labels: { a: 'b' } } };
    const again = [
      ['PUT', '', body, 'application/json'],
      ['PATCH', '', label, 'application/merge-patch+json'],
      ['PATCH', '', label, 'application/strategic-merge-patch+json'],
      ['PATCH', '?fieldManager=m', body, 'application/apply-patch+yaml'],
    ] as const;
    for (const [method, query, sent, type] of again) {
      const answer = await f.ask(method, `${claims}/a${query}`, { body: sent, type });
      expect([answer.code, answer.json.spec]).toEqual([200, made.json.spec]);
    }
    const applied = await f.ask('GET', `${claims}/a`);
    const mine = applied.json.metadata.managedFields.find((m: { manager: string }) => m.manager === 'm');
    expect(mine.fieldsV1['f:spec']['f:dataSource']).toEqual({});
  });

  it('comes back from protobuf', async () => {
    const f = await ApiFixture.create();
    await f.ask('POST', claims, { body: claim({ kind: 'PersistentVolumeClaim', name: 'x' }) });
    const type = 'application/vnd.kubernetes.protobuf';
    const body = await f.bytes(`${claims}/a`, { accept: type });
    const put = await f.ask('PUT', `${claims}/a`, { body, type });
    expect([put.code, put.json.spec.dataSource.apiGroup]).toEqual([200, null]);
  });

  it('is in volumes too', async () => {
    const f = await ApiFixture.create();
    const made = await f.ask('POST', '/api/v1/persistentvolumes', { body: volume });
    expect(made.json.spec.azureFile).toEqual({ secretName: 's', secretNamespace: null, shareName: 't' });
  });
});

it.each([[{}], [{ rules: null }], [{ rules: [] }]])(
  'the rules of a role made of %j are null',
  async (body) => {
    const f = await ApiFixture.create();
    const made = await f.ask('POST', roles, { body: { metadata: { name: 'a' }, ...body } });
    expect([made.code, made.json.rules]).toEqual([201, null]);
  },
);
