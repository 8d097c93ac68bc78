// The roles that a server makes at its start, by way of a whole API server.
import { expect, test } from 'vitest';
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding } from '../../api/index.ts';
import type { KindDef, KubeObject } from '../../machinery/index.ts';
import { ApiFixture } from '../../testkit/index.ts';
import { createAuthorizer, everyoneAuthorizer, mastersAuthorizer } from '../auth/authorize.ts';
import { Grants } from '../auth/rbac/grants.ts';
import { createRbacAuthorizer } from '../auth/rbac/rbac-authorizer.ts';

const names = (list: { items: readonly { metadata: { name: string } }[] }) =>
  list.items.map(({ metadata }) => metadata.name);

test('every cluster has them from its first second, and a restart changes none', async () => {
  const f = await ApiFixture.create();
  const { client } = f.api;
  const roles = await client(ClusterRole).list();
  expect(names(roles)).toEqual(
    expect.arrayContaining(['cluster-admin', 'admin', 'edit', 'view', 'system:basic-user']),
  );
  for (const { metadata } of roles.items) {
    expect(metadata.labels).toMatchObject({ 'kubernetes.io/bootstrapping': 'rbac-defaults' });
    expect(metadata.annotations).toEqual({ 'rbac.authorization.kubernetes.io/autoupdate': 'true' });
  }
  // Each binding refers to a role that is there.
  const { items } = await client(ClusterRoleBinding).list();
  for (const { roleRef } of items) expect(names(roles)).toContain(roleRef.name);
  const local = await client(Role).list();
  for (const { roleRef } of (await client(RoleBinding).list()).items)
    expect(names(local)).toContain(roleRef.name);
  const { revision } = f.store;
  await f.api.bootstrap();
  const again = await client(ClusterRole).list();
  expect(again.items).toEqual(roles.items);
  const written = f.store.changesAfter('/rbac.authorization.k8s.io/', revision, 10);
  expect(written).toEqual([]);
  await f.close();
});

test('they are stored as if a client had made them', async () => {
  const f = await ApiFixture.create();
  const { client } = f.api;
  for (const kind of [ClusterRole, ClusterRoleBinding, Role, RoleBinding] as KindDef<KubeObject>[])
    for (const object of (await client(kind).list()).items) {
      const { name, namespace, annotations, labels } = object.metadata;
      await client(kind).delete(name, namespace);
      const draft = structuredClone({ ...object, metadata: { name, namespace, annotations, labels } });
      const made = await client(kind).create(draft);
      const { uid, resourceVersion } = object.metadata;
      expect({ ...made, metadata: { ...made.metadata, uid, resourceVersion } }).toEqual(object);
    }
  await f.close();
});

test('view, edit and admin have their rules before anybody gathers them', async () => {
  const f = await ApiFixture.create();
  const verbs = async (name: string, resource: string) =>
    [
      ...new Set(
        ((await f.api.client(ClusterRole).get(name)).rules ?? [])
          .filter(({ resources, apiGroups }) => resources?.includes(resource) && apiGroups?.includes(''))
          .flatMap((rule) => rule.verbs),
      ),
    ].sort();
  const read = ['get', 'list', 'watch'];
  expect(await verbs('view', 'pods')).toEqual(read);
  expect(await verbs('view', 'secrets')).toEqual([]);
  expect(await verbs('edit', 'secrets')).toEqual(
    [...read, 'create', 'update', 'patch', 'delete', 'deletecollection'].sort(),
  );
  expect(await verbs('admin', 'pods')).toEqual(expect.arrayContaining([...read, 'create']));
  await f.close();
});

test('a start puts back what is missing, except where a user said no', async () => {
  const f = await ApiFixture.create();
  const { client } = f.api;
  await client(ClusterRole).delete('view');
  const binding = await client(ClusterRoleBinding).get('system:monitoring');
  await client(ClusterRoleBinding).update({ ...binding, subjects: [] });
  const dns = await client(ClusterRole).get('system:kube-dns');
  const annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'false' };
  await client(ClusterRole).update({ ...dns, rules: [], metadata: { ...dns.metadata, annotations } });
  await f.api.bootstrap();
  expect((await client(ClusterRole).get('view')).rules?.length).toBeGreaterThan(5);
  expect((await client(ClusterRoleBinding).get('system:monitoring')).subjects).toHaveLength(1);
  expect((await client(ClusterRole).get('system:kube-dns')).rules ?? []).toEqual([]);
  await f.close();
});

test('two servers that start at once make them once', async () => {
  const f = await ApiFixture.create();
  for (const { metadata } of (await f.api.client(ClusterRole).list()).items)
    await f.api.client(ClusterRole).delete(metadata.name);
  await Promise.all([f.api.bootstrap(), f.api.bootstrap()]);
  expect(names(await f.api.client(ClusterRole).list())).toContain('cluster-admin');
  await f.close();
});

test('what they allow', async () => {
  const f = await ApiFixture.create();
  const grants = new Grants(f.store);
  const authorize = createAuthorizer([mastersAuthorizer, createRbacAuthorizer(grants), everyoneAuthorizer]);
  const about = {
    group: '',
    version: 'v1',
    resource: '',
    subresource: '',
    namespace: '',
    name: '',
    path: '',
  };
  const zoe = { name: 'zoe', uid: '', groups: ['system:authenticated'] };
  expect(authorize.decide({ ...about, user: zoe, verb: 'get', path: '/apis/apps/v1' }).reason).toBe(
    'RBAC: allowed by ClusterRoleBinding "system:discovery" of ClusterRole "system:discovery" to Group "system:authenticated"',
  );
  const monitor = { ...zoe, groups: ['system:monitoring'] };
  expect(authorize.decide({ ...about, user: monitor, verb: 'get', path: '/metrics' }).decision).toBe('allow');
  expect(authorize.decide({ ...about, user: zoe, verb: 'get', path: '/metrics' }).decision).toBe('noOpinion');
  // A node has no rights by role: what it may is narrower than system:node.
  const node = { name: 'system:node:n1', uid: '', groups: ['system:nodes', 'system:authenticated'] };
  expect(authorize.decide({ ...about, user: node, verb: 'list', resource: 'secrets' }).decision).toBe(
    'noOpinion',
  );
  // Nobody is told the same twice.
  const rules = authorize.rulesFor(zoe, 'default');
  const paths = rules.paths.flatMap(({ nonResourceURLs = [] }) => nonResourceURLs);
  expect(paths).toHaveLength(new Set(paths).size);
  await f.close();
});
