// Which schema a request belongs to: Kubernetes' rules in a table, and against a plain reading of them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FlowSchema } from '../../api/index.ts';
import type { RequestAttributes, UserInfo } from '../auth/attributes.ts';
import { flowSchemas } from '../bootstrap-flow-control.ts';
import { bySchemaOrder, Classifier } from './classifier.ts';

const user = (name: string, ...groups: string[]): UserInfo => ({ name, uid: '', groups });
const authenticated = 'system:authenticated';
const anyone = user('jane', authenticated);
const node = user('system:node:a', 'system:nodes', authenticated);
const account = (namespace: string, name: string) =>
  user(
    `system:serviceaccount:${namespace}:${name}`,
    'system:serviceaccounts',
    `system:serviceaccounts:${namespace}`,
    authenticated,
  );

function asks(by: UserInfo, verb: string, what: string, namespace = ''): RequestAttributes {
  const isPath = what.startsWith('/');
  const [resource = '', subresource = ''] = what.split('/');
  const [name = '', ...group] = resource.split('.');
  return {
    user: by,
    verb,
    group: isPath ? '' : group.join('.'),
    version: 'v1',
    resource: isPath ? '' : name,
    subresource: isPath ? '' : subresource,
    namespace,
    name: '',
    path: isPath ? what : '/',
  };
}

const named = (schemas: readonly FlowSchema[]) =>
  new Classifier(
    schemas.map((schema) => ({ schema, flow: schema.metadata.name })),
    'none',
  );

describe('the schemas of every cluster', () => {
  const classifier = named(flowSchemas as unknown as FlowSchema[]);
  const lease = 'leases.coordination.k8s.io';
  it.each([
    [user('root', 'system:masters', authenticated), 'delete', 'nodes', '', 'exempt'],
    [user('root', 'system:masters'), 'post', '/anything', '', 'exempt'],
    [user('system:anonymous', 'system:unauthenticated'), 'get', '/readyz', '', 'probes'],
    [anyone, 'get', '/healthz/ping', '', 'probes'],
    [anyone, 'get', '/healthzoo', '', 'global-default'],
    [anyone, 'post', '/healthz', '', 'global-default'],
    [node, 'update', 'nodes/status', '', 'system-node-high'],
    [node, 'get', 'nodes/proxy', '', 'system-nodes'],
    [node, 'update', lease, 'kube-node-lease', 'system-node-high'],
    [node, 'list', 'pods', '', 'system-nodes'],
    [account('kube-system', 'x'), 'update', lease, 'kube-system', 'system-leader-election'],
    [account('default', 'x'), 'update', lease, 'default', 'service-accounts'],
    [account('kube-system', 'endpoint-controller'), 'update', 'endpoints', 'a', 'endpoint-controller'],
    [account('kube-system', 'x'), 'list', 'pods', '', 'kube-system-service-accounts'],
    [account('default', 'x'), 'list', 'pods', 'default', 'service-accounts'],
    [user('system:kube-scheduler', authenticated), 'watch', 'pods', '', 'kube-scheduler'],
    [anyone, 'list', 'pods', 'default', 'global-default'],
    [user('nobody'), 'list', 'pods', 'default', 'none'],
  ] as const)('%o %s %s in "%s": %s', (by, verb, what, namespace, expected) => {
    expect(classifier.find(asks(by, verb, what, namespace))).toBe(expected);
  });
});

const schema = (name: string, matchingPrecedence: number, rules: FlowSchema['spec']['rules']): FlowSchema =>
  ({
    apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
    kind: 'FlowSchema',
    metadata: { name },
    spec: { priorityLevelConfiguration: { name: 'x' }, matchingPrecedence, rules },
  }) as FlowSchema;

it('goes by precedence, then by name', () => {
  const everybody = [
    {
      subjects: [{ kind: 'Group', group: { name: '*' } }],
      nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
    },
  ];
  const [b, a, c] = [schema('b', 5, everybody), schema('a', 5, everybody), schema('c', 4, everybody)];
  expect(named([b, a]).find(asks(anyone, 'get', '/x'))).toBe('a');
  expect(named([b, a, c]).find(asks(anyone, 'get', '/x'))).toBe('c');
  expect([b, a, c].sort(bySchemaOrder).map(({ metadata }) => metadata.name)).toEqual(['c', 'a', 'b']);
});

const starOr = (words: readonly string[]) =>
  fc.oneof(
    fc.constant<string[]>(['*']),
    fc.uniqueArray(fc.constantFrom(...words), { minLength: 1, maxLength: words.length }),
  );
const subjects = fc.array(
  fc.oneof(
    fc.constantFrom('*', 'u1', 'u2').map((name) => ({ kind: 'User', user: { name } })),
    fc.constantFrom('*', 'g1', 'g2').map((name) => ({ kind: 'Group', group: { name } })),
    fc
      .tuple(fc.constantFrom('n1', 'n2'), fc.constantFrom('*', 'a'))
      .map(([namespace, name]) => ({ kind: 'ServiceAccount', serviceAccount: { namespace, name } })),
  ),
  { minLength: 1, maxLength: 3 },
);
const rule = fc.record({
  subjects,
  resourceRules: fc.array(
    fc.record({
      verbs: starOr(['get', 'list']),
      apiGroups: starOr(['', 'apps']),
      resources: starOr(['pods', 'pods/log', 'nodes']),
      namespaces: fc.oneof(fc.constant<string[]>([]), starOr(['n1', 'n2'])),
      clusterScope: fc.boolean(),
    }),
    { maxLength: 2 },
  ),
  nonResourceRules: fc.array(
    fc.record({ verbs: starOr(['get', 'post']), nonResourceURLs: starOr(['/a', '/a/*', '/b/c', '/']) }),
    { maxLength: 2 },
  ),
});
const request = fc
  .record({
    by: fc.constantFrom(
      user('u1', 'g1'),
      user('u1', 'g2'),
      user('u1'),
      user('u2', 'g2', 'g1'),
      user('u3'),
      user('system:serviceaccount:n1:a', 'g2'),
      user('system:serviceaccount:n2:b'),
    ),
    verb: fc.constantFrom('get', 'list', 'post'),
    what: fc.constantFrom('pods', 'pods/log', 'nodes', '/a', '/a/b', '/ab', '/b', '/b/c'),
    group: fc.constantFrom('', 'apps'),
    namespace: fc.constantFrom('', 'n1', 'n2'),
  })
  .map(({ by, verb, what, group, namespace }) => ({ ...asks(by, verb, what, namespace), group }));

/** The rules as their documentation says them, word by word. */
function reads(spec: FlowSchema['spec'], a: RequestAttributes): boolean {
  const has = (list: readonly string[] | undefined, word: string) =>
    list?.includes('*') || list?.includes(word) === true;
  const ofAccount = a.user.name.split(':');
  return (spec.rules ?? []).some(({ subjects, resourceRules, nonResourceRules }) => {
    const about = subjects.some(({ kind, user, group, serviceAccount: of }) => {
      if (kind === 'User') return has([user!.name], a.user.name);
      if (kind === 'Group') return group!.name === '*' || a.user.groups.includes(group!.name);
      return ofAccount[2] === of!.namespace && has([of!.name], ofAccount[3] ?? '');
    });
    if (!about) return false;
    if (a.resource === '')
      return (nonResourceRules ?? []).some(
        ({ verbs, nonResourceURLs }) =>
          has(verbs, a.verb) &&
          nonResourceURLs.some((url) => {
            if (url === '*' || url === a.path) return true;
            return a.path.startsWith(`${url.replace(/\/?\*?$/, '')}/`);
          }),
      );
    const full = a.subresource === '' ? a.resource : `${a.resource}/${a.subresource}`;
    return (resourceRules ?? []).some(
      (one) =>
        has(one.verbs, a.verb) &&
        has(one.apiGroups, a.group) &&
        has(one.resources, full) &&
        (a.namespace === '' ? one.clusterScope === true : has(one.namespaces, a.namespace)),
    );
  });
}

it('finds what a plain reading of the rules finds', () => {
  const schemas = fc
    .array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.array(rule, { maxLength: 2 })), { maxLength: 4 })
    .map((all) => all.map(([precedence, rules], i) => schema(`s${i}`, precedence, rules)));
  fc.assert(
    fc.property(schemas, fc.array(request, { minLength: 1, maxLength: 8 }), (all, requests) => {
      const classifier = named(all);
      const ordered = [...all].sort(bySchemaOrder);
      for (const a of requests) {
        const expected = ordered.find(({ spec }) => reads(spec, a))?.metadata.name ?? 'none';
        expect(classifier.find(a)).toBe(expected);
      }
    }),
    { numRuns: 300 },
  );
});
