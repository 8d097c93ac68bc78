// Property: after any history of roles and bindings, what is kept allows exactly what an evaluator allows that reads all objects anew,
// written from the words of the documentation.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClusterRole, ClusterRoleBinding, Role, RoleBinding, type rbacV1 } from '../../../api/index.ts';
import { FakeClock, MetricRegistry, silentLog } from '../../../base/index.ts';
import type { KindDef, KubeObject } from '../../../machinery/index.ts';
import { createMemoryBackend, createStore, type Store } from '../../../storage/index.ts';
import { keyFor, objectOf } from '../../registry/objects.ts';
import type { RequestAttributes, UserInfo } from '../attributes.ts';
import { Grants } from './grants.ts';

type PolicyRule = rbacV1.PolicyRule;
type Subject = rbacV1.Subject;

/** Writes objects as they are: rules of kinds are not what is tested. */
class Objects {
  readonly store: Store;

  private constructor(store: Store) {
    this.store = store;
  }

  static async create(): Promise<Objects> {
    const clock = new FakeClock(0);
    const log = silentLog;
    return new Objects(
      await createStore(await createMemoryBackend({ clock, log }), {
        clock,
        log,
        metrics: new MetricRegistry(),
      }),
    );
  }

  async put(kind: unknown, name: string, object: object, namespace?: string): Promise<void> {
    const def = kind as KindDef;
    const key = keyFor(def, namespace, name);
    const metadata = { name, ...(namespace !== undefined && { namespace }) };
    const whole = { kind: def.kind, apiVersion: def.apiVersion, metadata, ...object };
    const expect = this.store.get(key)?.revision ?? 0;
    await this.store.commit({ key, value: Buffer.from(JSON.stringify(whole)), expect });
  }

  async remove(kind: unknown, name: string, namespace?: string): Promise<void> {
    const key = keyFor(kind as KindDef, namespace, name);
    const entry = this.store.get(key);
    if (entry !== undefined) await this.store.commit({ key, value: undefined, expect: entry.revision });
  }

  list<T extends KubeObject>(kind: KindDef<T>): readonly T[] {
    return this.store.list(kind.storagePrefix).map((entry) => objectOf<T>(entry));
  }
}

const blank = { group: '', version: 'v1', subresource: '', namespace: '', name: '', path: '', resource: '' };
const user = (name: string, ...groups: string[]): UserInfo => ({ name, uid: '', groups });
const zoe = user('zoe', 'dev', 'system:authenticated');
const ref = (kind: string, name: string) => ({ apiGroup: 'rbac.authorization.k8s.io', kind, name });

function ruleAllows(rule: PolicyRule, a: RequestAttributes): boolean {
  const { verbs, apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  if (!verbs.some((verb) => verb === '*' || verb === a.verb)) return false;
  if (a.resource === '')
    return nonResourceURLs.some(
      (url) => url === '*' || url === a.path || (url.endsWith('*') && a.path.startsWith(url.slice(0, -1))),
    );
  const full = a.subresource === '' ? a.resource : `${a.resource}/${a.subresource}`;
  return (
    apiGroups.some((group) => group === '*' || group === a.group) &&
    resources.some(
      (resource) =>
        resource === '*' || resource === full || (a.subresource !== '' && resource === `*/${a.subresource}`),
    ) &&
    (resourceNames.length === 0 || resourceNames.includes(a.name))
  );
}

function isSubject(
  subject: Subject,
  { user: { name, groups } }: RequestAttributes,
  namespace: string,
): boolean {
  if (subject.kind === 'User') return subject.name === name;
  if (subject.kind === 'Group') return groups.includes(subject.name);
  const of = subject.namespace || namespace;
  return of !== '' && name === `system:serviceaccount:${of}:${subject.name}`;
}

/** Every binding and every rule, one after another. */
function slowlyAllows(objects: Objects, a: RequestAttributes): boolean {
  const rulesOf = (list: readonly (Role | ClusterRole)[], name: string, namespace?: string) =>
    list.find(({ metadata }) => metadata.name === name && metadata.namespace === namespace)?.rules ?? [];
  const bound = (subjects: readonly Subject[] | undefined, namespace: string) =>
    subjects?.some((subject) => isSubject(subject, a, namespace)) ?? false;
  const everywhere = objects
    .list(ClusterRoleBinding)
    .filter(({ subjects }) => bound(subjects, ''))
    .flatMap(({ roleRef }) => rulesOf(objects.list(ClusterRole), roleRef.name));
  const here = objects
    .list(RoleBinding)
    .filter(({ metadata }) => a.namespace !== '' && metadata.namespace === a.namespace)
    .filter(({ subjects }) => bound(subjects, a.namespace))
    .flatMap(({ roleRef: { kind, name } }) =>
      kind === 'Role'
        ? rulesOf(objects.list(Role), name, a.namespace)
        : rulesOf(objects.list(ClusterRole), name),
    );
  return [...everywhere, ...here].some((rule) => ruleAllows(rule, a));
}

const some = (words: string[], most = 2) =>
  fc.uniqueArray(fc.constantFrom(...words), { minLength: 1, maxLength: most });
const rule: fc.Arbitrary<PolicyRule> = fc.oneof(
  fc.record(
    {
      verbs: some(['get', 'list', '*']),
      apiGroups: some(['', 'apps', '*']),
      resources: some(['pods', 'pods/log', '*/scale', 'deployments', 'deployments/scale', '*']),
      resourceNames: fc.uniqueArray(fc.constantFrom('a', 'b'), { maxLength: 2 }),
    },
    { requiredKeys: ['verbs', 'apiGroups', 'resources'] },
  ),
  fc.record({
    verbs: some(['get', '*']),
    nonResourceURLs: some(['/metrics', '/api/*', '/api*', '*', '/logs/']),
  }),
);
const subject: fc.Arbitrary<Subject> = fc.oneof(
  fc.record({ kind: fc.constant('User'), name: fc.constantFrom('zoe', 'system:serviceaccount:n1:robot') }),
  fc.record({ kind: fc.constant('Group'), name: fc.constantFrom('dev', 'system:serviceaccounts:n1') }),
  fc.record(
    {
      kind: fc.constant('ServiceAccount'),
      name: fc.constant('robot'),
      namespace: fc.constantFrom('n1', 'n2', ''),
    },
    { requiredKeys: ['kind', 'name'] },
  ),
);
// Few names and many writes, so that bindings find roles.
const name = fc.constantFrom('x', 'x', 'y');
const namespace = fc.constantFrom('n1', 'n2');
const step = fc.oneof(
  fc.record({ put: fc.constant('role'), name, namespace, rules: fc.array(rule, { maxLength: 3 }) }),
  fc.record({ put: fc.constant('clusterRole'), name, rules: fc.array(rule, { maxLength: 3 }) }),
  fc.record({
    put: fc.constant('roleBinding'),
    name,
    namespace,
    to: fc.tuple(fc.constantFrom('Role', 'ClusterRole'), name),
    subjects: fc.array(subject, { maxLength: 3 }),
  }),
  fc.record({
    put: fc.constant('clusterRoleBinding'),
    name,
    to: name,
    subjects: fc.array(subject, { maxLength: 3 }),
  }),
  fc.record({ remove: fc.constantFrom(Role, RoleBinding) as fc.Arbitrary<unknown>, name, namespace }),
  fc.record({ remove: fc.constantFrom(ClusterRole, ClusterRoleBinding) as fc.Arbitrary<unknown>, name }),
);

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

async function take(objects: Objects, what: Step): Promise<void> {
  if ('remove' in what)
    return objects.remove(what.remove, what.name, 'namespace' in what ? what.namespace : undefined);
  if ('rules' in what) {
    const { rules } = what;
    return 'namespace' in what
      ? objects.put(Role, what.name, { rules }, what.namespace)
      : objects.put(ClusterRole, what.name, { rules });
  }
  const { subjects } = what;
  return 'namespace' in what
    ? objects.put(RoleBinding, what.name, { roleRef: ref(...what.to), subjects }, what.namespace)
    : objects.put(ClusterRoleBinding, what.name, { roleRef: ref('ClusterRole', what.to), subjects });
}

const users = [
  user('zoe'),
  user('yan', 'dev'),
  user('system:serviceaccount:n1:robot', 'system:serviceaccounts', 'system:serviceaccounts:n1'),
  user('system:serviceaccount:n2:robot', 'system:serviceaccounts', 'system:serviceaccounts:n2'),
];
const questions: readonly Omit<RequestAttributes, 'user'>[] = [
  ...['', 'n1', 'n2', 'n3'].flatMap((ns) =>
    ['get', 'list'].flatMap((verb) =>
      [
        { group: '', resource: 'pods' },
        { group: '', resource: 'pods', subresource: 'log', name: 'a' },
        { group: 'apps', resource: 'deployments', subresource: 'scale', name: 'a' },
        { group: 'apps', resource: 'deployments', name: 'b' },
        { group: 'batch', resource: 'jobs', name: 'c' },
      ].map((part) => ({ ...blank, ...part, verb, namespace: ns })),
    ),
  ),
  ...['/metrics', '/api', '/api/v1', '/apis', '/logs/', '/logs/a'].map((path) => ({
    ...blank,
    verb: 'get',
    path,
  })),
];

test('after any history it allows what a look at every object allows', async () => {
  let allowed = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 15, maxLength: 40 }), fc.nat(40), async (steps, first) => {
      const objects = await Objects.create();
      const grants = new Grants(objects.store);
      const said = () =>
        users.flatMap((who) =>
          questions.map((question) => grants.find({ ...question, user: who })?.decision === 'allow'),
        );
      for (const [i, what] of steps.entries()) {
        // The first question comes at any time; from then on all changes are followed.
        if (i === first) said();
        await take(objects, what);
      }
      const wanted = users.flatMap((who) =>
        questions.map((question) => slowlyAllows(objects, { ...question, user: who })),
      );
      expect(said()).toEqual(wanted);
      allowed += wanted.filter((yes) => yes).length;
      await objects.store.close();
    }),
    { numRuns: 150 },
  );
  // Worlds in which nothing is ever allowed would prove nothing.
  expect(allowed).toBeGreaterThan(200);
});

describe('a verdict', () => {
  const told = async (kind: 'RoleBinding' | 'ClusterRoleBinding', given: Subject, asking = zoe) => {
    const objects = await Objects.create();
    await objects.put(ClusterRole, 'reader', {
      rules: [{ verbs: ['list'], apiGroups: [''], resources: ['pods'] }],
    });
    const binding = {
      roleRef: ref('ClusterRole', 'reader'),
      subjects: [{ kind: 'User', name: 'other' }, given],
    };
    if (kind === 'RoleBinding') await objects.put(RoleBinding, 'b', binding, 'n1');
    else await objects.put(ClusterRoleBinding, 'b', binding);
    const grants = new Grants(objects.store);
    const found = grants.find({ ...blank, verb: 'list', resource: 'pods', namespace: 'n1', user: asking });
    await objects.store.close();
    return found?.reason;
  };
  const robot = user('system:serviceaccount:n1:robot');
  const cases: [string, 'RoleBinding' | 'ClusterRoleBinding', Subject, UserInfo, string][] = [
    [
      'a group',
      'ClusterRoleBinding',
      { kind: 'Group', name: 'dev' },
      zoe,
      'RBAC: allowed by ClusterRoleBinding "b" of ClusterRole "reader" to Group "dev"',
    ],
    [
      'a user',
      'RoleBinding',
      { kind: 'User', name: 'zoe' },
      zoe,
      'RBAC: allowed by RoleBinding "b/n1" of ClusterRole "reader" to User "zoe"',
    ],
    [
      'a service account of the namespace',
      'RoleBinding',
      { kind: 'ServiceAccount', name: 'robot' },
      robot,
      'RBAC: allowed by RoleBinding "b/n1" of ClusterRole "reader" to ServiceAccount "robot/n1"',
    ],
  ];
  test.each(cases)('names %s', async (_, kind, given, asking, text) =>
    expect(await told(kind, given, asking)).toBe(text),
  );
});

test('the rules of a user are those of each binding once; roles that are not there are named', async () => {
  const objects = await Objects.create();
  const pods = { verbs: ['list'], apiGroups: [''], resources: ['pods'] };
  const paths = { verbs: ['get'], nonResourceURLs: ['/metrics'] };
  await objects.put(ClusterRole, 'reader', { rules: [pods, paths] });
  const subjects = [
    { kind: 'User', name: 'zoe' },
    { kind: 'Group', name: 'dev' },
  ];
  await objects.put(ClusterRoleBinding, 'a', { roleRef: ref('ClusterRole', 'reader'), subjects });
  await objects.put(RoleBinding, 'b', { roleRef: ref('Role', 'gone'), subjects }, 'n1');
  const grants = new Grants(objects.store);
  expect(grants.rulesOf(zoe, 'n1')).toEqual([pods, paths]);
  expect(grants.missingOf(zoe, '')).toEqual([]);
  expect(grants.missingOf(zoe, 'n1')).toEqual(['role.rbac.authorization.k8s.io "gone" not found']);
  await objects.put(Role, 'gone', { rules: [pods] }, 'n1');
  expect(grants.missingOf(zoe, 'n1')).toEqual([]);
  expect(grants.rulesOf(zoe, 'n1')).toEqual([pods, paths, pods]);
  await objects.store.close();
});
