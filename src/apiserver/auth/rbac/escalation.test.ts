// Nobody gives what he does not have, in Kubernetes' words; and who may what by role, through a whole API server.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding, type rbacV1 } from '../../../api/index.ts';
import { FakeClock, MetricRegistry, silentLog } from '../../../base/index.ts';
import { createMemoryBackend, createStore } from '../../../storage/index.ts';
import { ApiFixture, type Told } from '../../../testkit/index.ts';
import { createAuthorizer, everyoneAuthorizer, mastersAuthorizer } from '../authorize.ts';
import { Grants } from './grants.ts';
import { createRbacAuthorizer } from './rbac-authorizer.ts';

let f: ApiFixture;
const group = 'rbac.authorization.k8s.io';
const base = `/apis/${group}/v1`;
const bob = 'bob@team';
const rule = (verbs: string[], resources: string[], more: object = {}): rbacV1.PolicyRule => ({
  verbs,
  apiGroups: [''],
  resources,
  ...more,
});
const roleRef = (kind: string, name: string) => ({ apiGroup: group, kind, name });
const toBob: rbacV1.Subject[] = [{ apiGroup: group, kind: 'User', name: 'bob' }];
const toAnn: rbacV1.Subject[] = [{ apiGroup: group, kind: 'User', name: 'ann' }];

/** bob writes roles and bindings in `default`, reads pods there, and nothing else. */
beforeAll(async () => {
  const clock = new FakeClock(Date.parse('2026-01-02T03:04:05Z'));
  const parts = { clock, log: silentLog, metrics: new MetricRegistry() };
  const store = await createStore(await createMemoryBackend(parts), parts);
  const authorize = createAuthorizer([
    mastersAuthorizer,
    createRbacAuthorizer(new Grants(store)),
    everyoneAuthorizer,
  ]);
  f = await ApiFixture.create({ clock, store, server: { authorize } });
  const { client } = f.api;
  const kinds = ['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'];
  await client(ClusterRole).create({
    metadata: { name: 'rbac-writer' },
    rules: [rule(['*'], kinds, { apiGroups: [group] })].map((one) => ({
      ...one,
      verbs: ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'],
    })),
  });
  await client(ClusterRoleBinding).create({
    metadata: { name: 'rbac-writer' },
    roleRef: roleRef('ClusterRole', 'rbac-writer'),
    subjects: toBob,
  });
  await client(Role).create({
    metadata: { name: 'pod-reader', namespace: 'default' },
    rules: [rule(['get', 'list'], ['pods'])],
  });
  await client(RoleBinding).create({
    metadata: { name: 'pod-reader', namespace: 'default' },
    roleRef: roleRef('Role', 'pod-reader'),
    subjects: toBob,
  });
});
afterAll(() => f.close());

const post = (plural: string, body: object, user = bob, namespace = 'default'): Promise<Told> =>
  f.ask(
    'POST',
    plural.startsWith('cluster') ? `${base}/${plural}` : `${base}/namespaces/${namespace}/${plural}`,
    {
      user,
      body,
    },
  );

const held =
  'user "bob" (groups=["team" "system:authenticated"]) is attempting to grant RBAC permissions not currently held:';

describe('a role', () => {
  test('of rights that its author has is made', async () => {
    const { code } = await post('roles', { metadata: { name: 'fine' }, rules: [rule(['list'], ['pods'])] });
    expect(code).toBe(201);
  });

  test('of more is refused, with what is lacking', async () => {
    const rules = [rule(['get', 'list', 'delete'], ['pods', 'secrets'])];
    const { code, json } = await post('roles', { metadata: { name: 'more' }, rules });
    expect(code).toBe(403);
    expect(json.message).toBe(
      `roles.${group} "more" is forbidden: ${held}\n{APIGroups:[""], Resources:["pods"], Verbs:["delete"]}\n{APIGroups:[""], Resources:["secrets"], Verbs:["get" "list" "delete"]}`,
    );
  });

  test('rights of one namespace are none in another, nor everywhere', async () => {
    const body = { metadata: { name: 'fine' }, rules: [rule(['list'], ['pods'])] };
    expect((await post('roles', body, bob, 'other')).code).toBe(403);
    expect((await post('clusterroles', body)).code).toBe(403);
  });

  test('is refused before its mistakes are', async () => {
    const rules = [{ verbs: ['*'], apiGroups: [''], resources: ['pods'], nonResourceURLs: ['/'] }];
    expect((await post('roles', { metadata: { name: 'odd' }, rules })).code).toBe(403);
  });

  test('is not made more by an update, a patch or an apply', async () => {
    const at = `${base}/namespaces/default/roles/grown`;
    await post('roles', { metadata: { name: 'grown' }, rules: [rule(['list'], ['pods'])] });
    const rules = [rule(['*'], ['*'])];
    const body = { kind: 'Role', apiVersion: `${group}/v1`, metadata: { name: 'grown' }, rules };
    expect((await f.ask('PUT', at, { user: bob, body })).code).toBe(403);
    for (const type of ['application/merge-patch+json', 'application/apply-patch+yaml'])
      expect(
        (
          await f.ask('PATCH', `${at}?fieldManager=m${type.includes('apply') ? '&force=true' : ''}`, {
            user: bob,
            body,
            type,
          })
        ).json.message,
      ).toContain(held);
    // The way of a create by name is watched as well.
    const fresh = { ...body, metadata: { name: 'fresh' } };
    expect((await f.ask('PUT', at.replace('grown', 'fresh'), { user: bob, body: fresh })).code).toBe(403);
  });

  test('that has more already may lose what only upkeep needs', async () => {
    const { client } = f.api;
    await client(Role).create({
      metadata: { name: 'strong', namespace: 'default', finalizers: ['x.io/y'] },
      rules: [rule(['*'], ['*'])],
    });
    const at = `${base}/namespaces/default/roles/strong`;
    const patch = (body: object) =>
      f.ask('PATCH', at, { user: bob, body, type: 'application/merge-patch+json' });
    expect((await patch({ metadata: { labels: { a: 'b' } } })).code).toBe(403);
    expect((await patch({ metadata: { finalizers: null } })).code).toBe(200);
  });

  test('may be made by who may escalate it', async () => {
    const { client } = f.api;
    await client(ClusterRole).create({
      metadata: { name: 'escalator' },
      rules: [
        rule(['escalate'], ['roles'], { apiGroups: [group], resourceNames: ['named'] }),
        rule(['create', 'update'], ['roles'], { apiGroups: [group] }),
      ],
    });
    await client(ClusterRoleBinding).create({
      metadata: { name: 'escalator' },
      roleRef: roleRef('ClusterRole', 'escalator'),
      subjects: toAnn,
    });
    const body = { metadata: { name: 'named' }, rules: [rule(['*'], ['*'])] };
    const ann = 'ann@';
    // A POST names nothing, as in Kubernetes; an update does.
    expect((await post('roles', body, ann)).code).toBe(403);
    const at = `${base}/namespaces/default/roles/named`;
    expect((await f.ask('PUT', at, { user: ann, body })).code).toBe(201);
  });

  test('that gathers is for who has everything', async () => {
    const aggregationRule = { clusterRoleSelectors: [{ matchLabels: { a: 'b' } }] };
    const { code, json } = await post('clusterroles', { metadata: { name: 'g' }, aggregationRule });
    expect(code).toBe(403);
    expect(json.message).toBe(
      `clusterroles.${group} "g" is forbidden: must have cluster-admin privileges to use the aggregationRule`,
    );
  });

  test('is for administrators to make as they like', async () => {
    expect(
      (
        await post(
          'roles',
          { metadata: { name: 'admins' }, rules: [rule(['*'], ['*'])] },
          'admin@system:masters',
        )
      ).code,
    ).toBe(201);
  });
});

describe('a binding', () => {
  const binding = (name: string, ref: object, subjects = toAnn) => ({
    metadata: { name },
    roleRef: ref,
    subjects,
  });

  test('to a role whose rights its author has is made, and works at once', async () => {
    const list = () => f.ask('GET', '/api/v1/namespaces/default/pods', { user: 'ann@' });
    expect((await list()).code).toBe(403);
    expect((await post('rolebindings', binding('ann', roleRef('Role', 'pod-reader')))).code).toBe(201);
    expect((await list()).code).toBe(200);
    await f.ask('DELETE', `${base}/namespaces/default/rolebindings/ann`, { user: bob });
    expect((await list()).code).toBe(403);
  });

  test('to more is refused', async () => {
    const { code, json } = await post(
      'rolebindings',
      binding('v', roleRef('ClusterRole', 'system:kube-dns')),
    );
    expect(code).toBe(403);
    expect(json.message).toBe(
      `rolebindings.${group} "v" is forbidden: ${held}\n{APIGroups:[""], Resources:["endpoints"], Verbs:["list" "watch"]}\n{APIGroups:[""], Resources:["services"], Verbs:["list" "watch"]}`,
    );
    expect(
      (await post('clusterrolebindings', binding('v', roleRef('ClusterRole', 'cluster-admin')))).code,
    ).toBe(403);
  });

  test('to a role that is not there is refused', async () => {
    const { code, json } = await post('rolebindings', binding('v', roleRef('Role', 'gone')));
    expect(code).toBe(404);
    expect(json.message).toBe(`roles.${group} "gone" not found`);
  });

  test('to a role that went is told to whom it would help', async () => {
    const ref = roleRef('ClusterRole', 'gone');
    await f.api
      .client(RoleBinding)
      .create({ metadata: { namespace: 'default', name: 'g' }, roleRef: ref, subjects: toAnn });
    const { json } = await f.ask('GET', '/api/v1/namespaces/default/secrets', { user: 'ann@' });
    expect(json.message).toBe(
      `secrets is forbidden: User "ann" cannot list resource "secrets" in API group "" in the namespace "default": RBAC: clusterrole.${group} "gone" not found`,
    );
    await f.api.client(RoleBinding).delete('g', 'default');
  });

  test('may be made by who may bind the role', async () => {
    const { client } = f.api;
    await client(Role).create({
      metadata: { name: 'binder', namespace: 'default' },
      rules: [rule(['bind'], ['clusterroles'], { apiGroups: [group], resourceNames: ['view'] })],
    });
    await client(RoleBinding).create({
      metadata: { name: 'binder', namespace: 'default' },
      roleRef: roleRef('Role', 'binder'),
      subjects: toBob,
    });
    expect((await post('rolebindings', binding('view', roleRef('ClusterRole', 'view')))).code).toBe(201);
    expect((await post('rolebindings', binding('edit', roleRef('ClusterRole', 'edit')))).code).toBe(403);
    expect(
      (await post('rolebindings', binding('view', roleRef('ClusterRole', 'view')), bob, 'other')).code,
    ).toBe(403);
  });

  test('never changes its role', async () => {
    const at = `${base}/namespaces/default/rolebindings/pod-reader`;
    const patch = { roleRef: roleRef('ClusterRole', 'view') };
    const { code, json } = await f.ask('PATCH', at, { body: patch, type: 'application/merge-patch+json' });
    expect(code).toBe(422);
    expect(json.message).toContain('cannot change roleRef');
  });
});

describe('more than a request itself is asked', () => {
  test('an apply that creates is a create', async () => {
    await f.api.client(Role).create({
      metadata: { name: 'patcher', namespace: 'default' },
      rules: [rule(['patch'], ['configmaps'])],
    });
    await f.api.client(RoleBinding).create({
      metadata: { name: 'patcher', namespace: 'default' },
      roleRef: roleRef('Role', 'patcher'),
      subjects: toBob,
    });
    const at = '/api/v1/namespaces/default/configmaps/c?fieldManager=m';
    const asking = {
      user: bob,
      type: 'application/apply-patch+yaml',
      body: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } },
    };
    const { code, json } = await f.ask('PATCH', at, asking);
    expect([code, json.message]).toEqual([
      403,
      'configmaps "c" is forbidden: User "bob" cannot create resource "configmaps" in API group "" in the namespace "default"',
    ]);
    await f.ask('PATCH', at, { ...asking, user: 'admin@system:masters' });
    expect((await f.ask('PATCH', at, asking)).code).toBe(200);
  });

  test('a name in a selector names only what is read', async () => {
    await f.api.client(Role).create({
      metadata: { name: 'one', namespace: 'default' },
      rules: [
        rule(['list', 'watch', 'create', 'deletecollection'], ['secrets'], { resourceNames: ['mine'] }),
      ],
    });
    await f.api.client(RoleBinding).create({
      metadata: { name: 'one', namespace: 'default' },
      roleRef: roleRef('Role', 'one'),
      subjects: toBob,
    });
    const at = '/api/v1/namespaces/default/secrets';
    const selected = `${at}?fieldSelector=metadata.name%3Dmine`;
    const code = async (method: string, url: string, body?: object) =>
      (await f.ask(method, url, { user: bob, body })).code;
    expect(await code('GET', selected)).toBe(200);
    expect(await code('GET', at)).toBe(403);
    expect(await code('POST', selected, { metadata: { name: 'theirs' } })).toBe(403);
    expect(await code('DELETE', selected)).toBe(403);
  });
});
