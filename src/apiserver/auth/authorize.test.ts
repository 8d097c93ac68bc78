import { describe, expect, test } from 'vitest';
import { StatusError } from '../../machinery/index.ts';
import type { RequestAttributes, UserInfo } from './attributes.ts';
import { createAuthorizer, everyoneAuthorizer, mastersAuthorizer } from './authorize.ts';
import { createBootstrapAuthorizer } from './bootstrap-authorizer.ts';
import { impersonate } from './impersonate.ts';
import { createNodeAuthorizer } from './node-authorizer.ts';

const authenticated = 'system:authenticated';
const user = (name: string, ...groups: string[]): UserInfo => ({ name, uid: '', groups });
const admin = user('admin', 'system:masters', authenticated);
const zoe = user('zoe', 'dev', authenticated);
const nobody = user('system:anonymous', 'system:unauthenticated');
const node1 = user('system:node:n1', 'system:nodes', authenticated);
const joining = user('system:bootstrap:abcdef', 'system:bootstrappers', authenticated);
const impostor = user('system:node:n1', authenticated);

const authorize = createAuthorizer([
  mastersAuthorizer,
  createNodeAuthorizer({
    nodeOfPod: (_, name) => ({ mine: 'n1', theirs: 'n2', waiting: '' })[name],
    nodeOfVolume: (name) => ({ mine: 'n1', theirs: 'n2' })[name],
    nodeOfAttachment: (name) => ({ mine: 'n1', theirs: 'n2' })[name],
    isRelated: (node, kind, { namespace, name }) =>
      `${node} ${kind} ${namespace} ${name}`.endsWith(' d used'),
  }),
  createBootstrapAuthorizer({
    requesterOf: (name) => ({ mine: 'system:bootstrap:abcdef', theirs: 'system:bootstrap:zzzzzz' })[name],
  }),
  everyoneAuthorizer,
]);

const nothing = {
  group: '',
  version: 'v1',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  path: '',
};
/** `list apps/deployments/scale ns name`, or `get /path` */
function ask(who: UserInfo, words: string): string {
  const [verb, what, namespace = '', name = ''] = words.split(' ') as [string, string, string?, string?];
  let attributes: RequestAttributes;
  if (what.startsWith('/')) attributes = { ...nothing, user: who, verb, path: what };
  else {
    const [group, resource, subresource = ''] = what.split('/') as [string, string, string?];
    attributes = {
      ...nothing,
      user: who,
      verb,
      group: group === 'core' ? '' : group,
      resource,
      subresource,
      namespace: namespace === '-' ? '' : namespace,
      name,
    };
  }
  return authorize(attributes)?.message ?? 'yes';
}

describe('the words of a refusal', () => {
  const cases: [string, string][] = [
    [
      'list core/pods default',
      'pods is forbidden: User "zoe" cannot list resource "pods" in API group "" in the namespace "default"',
    ],
    [
      'list core/nodes',
      'nodes is forbidden: User "zoe" cannot list resource "nodes" in API group "" at the cluster scope',
    ],
    [
      'delete apps/deployments d web',
      'deployments.apps "web" is forbidden: User "zoe" cannot delete resource "deployments" in API group "apps" in the namespace "d"',
    ],
    [
      'create core/pods/exec d web',
      'pods "web" is forbidden: User "zoe" cannot create resource "pods/exec" in API group "" in the namespace "d"',
    ],
    ['get /foo', 'forbidden: User "zoe" cannot get path "/foo"'],
    ['get /<b>&', 'forbidden: User "zoe" cannot get path "/&lt;b&gt;&amp;"'],
  ];
  test.each(cases)('%s', (words, message) => expect(ask(zoe, words)).toBe(message));

  test('and its details', () => {
    const details = (words: RequestAttributes) => authorize(words)?.toStatus();
    expect(
      details({ ...nothing, user: zoe, verb: 'get', group: 'apps', resource: 'deployments', name: 'w' }),
    ).toMatchObject({
      code: 403,
      reason: 'Forbidden',
      details: { name: 'w', group: 'apps', kind: 'deployments' },
    });
    expect(details({ ...nothing, user: zoe, verb: 'get', path: '/x' })).toMatchObject({ details: {} });
  });
});

describe('who may', () => {
  const cases: [string, UserInfo, string[], string[]][] = [
    ['masters', admin, ['delete core/nodes - n1', 'put /anything', 'impersonate core/users - zoe'], []],
    [
      'everybody known',
      zoe,
      [
        'get /api',
        'get /apis/apps/v1',
        'get /openapi/v3',
        'get /version',
        'get /readyz',
        'get /livez/ping',
        'create authorization.k8s.io/selfsubjectaccessreviews',
        'create authentication.k8s.io/selfsubjectreviews',
      ],
      [
        'post /api',
        'get /',
        'get /metrics',
        'get /apix',
        'get /openid/v1/jwks',
        'list core/pods',
        'create authorization.k8s.io/subjectaccessreviews',
      ],
    ],
    [
      'a service account',
      user('system:serviceaccount:d:a', 'system:serviceaccounts', authenticated),
      ['get /api', 'get /.well-known/openid-configuration', 'get /openid/v1/jwks', 'get /openid/v1/jwks/'],
      ['get /openid/v1', 'put /openid/v1/jwks', 'get /.well-known', 'list core/pods'],
    ],
    [
      'nobody known',
      nobody,
      ['get /healthz', 'get /version'],
      ['get /api', 'get /readyz/storage', 'create authorization.k8s.io/selfsubjectaccessreviews'],
    ],
    [
      'a node',
      node1,
      [
        'list core/pods',
        'watch core/services',
        'watch discovery.k8s.io/endpointslices',
        'list core/nodes',
        'get /api',
        'create core/nodes',
        'patch core/nodes/status - n1',
        'update core/nodes - n1',
        'patch core/pods/status d mine',
        'delete core/pods d mine',
        'delete core/pods d gone',
        'create core/serviceaccounts/token d used',
        'list core/namespaces',
        'watch networking.k8s.io/networkpolicies',
        'create core/pods d',
        'get storage.k8s.io/volumeattachments - mine',
        'create certificates.k8s.io/certificatesigningrequests/selfnodeclient',
        'create certificates.k8s.io/certificatesigningrequests/selfnodeserver',
        'create core/pods/eviction d mine',
        'get core/configmaps kube-system jotasu-cluster',
        'get core/secrets d used',
        'watch core/configmaps d used',
        'get core/persistentvolumeclaims d used',
        'watch core/persistentvolumes',
        'patch core/persistentvolumes - mine',
        'create core/events d',
        'patch events.k8s.io/events d e',
        'create coordination.k8s.io/leases kube-node-lease',
        'update coordination.k8s.io/leases kube-node-lease n1',
      ],
      [
        'patch core/nodes/status - n2',
        'update core/nodes - n2',
        'delete core/nodes - n1',
        'patch core/pods/status d theirs',
        'delete core/pods d theirs',
        'delete core/pods d waiting',
        'create core/pods/eviction d theirs',
        'update core/pods d mine',
        'create core/pods/exec d mine',
        'create core/pods/binding d mine',
        'get core/secrets d other',
        'watch core/configmaps d other',
        'get core/persistentvolumeclaims d other',
        'create core/serviceaccounts/token d other',
        'get storage.k8s.io/volumeattachments - theirs',
        'create certificates.k8s.io/certificatesigningrequests/nodeclient',
        'list core/secrets d',
        'list core/secrets',
        'update core/secrets d used',
        'get core/secrets - used',
        'update coordination.k8s.io/leases kube-node-lease n2',
        'create coordination.k8s.io/leases default',
        'list apps/deployments',
        'patch core/persistentvolumes - theirs',
        'patch core/persistentvolumes - nobodys',
        'delete core/persistentvolumes - mine',
        'patch core/persistentvolumes/status - mine',
      ],
    ],
    [
      'a machine that joins',
      joining,
      [
        'get /api',
        'create certificates.k8s.io/certificatesigningrequests',
        'create certificates.k8s.io/certificatesigningrequests/nodeclient',
        'get core/configmaps kube-system jotasu-cluster',
        'get certificates.k8s.io/certificatesigningrequests - mine',
        'watch certificates.k8s.io/certificatesigningrequests - gone',
      ],
      [
        'get certificates.k8s.io/certificatesigningrequests - theirs',
        'list certificates.k8s.io/certificatesigningrequests',
        'update certificates.k8s.io/certificatesigningrequests/approval - mine',
        'create certificates.k8s.io/certificatesigningrequests/selfnodeclient',
        'list core/nodes',
        'create core/nodes',
        'update core/configmaps kube-system jotasu-cluster',
        'get core/configmaps kube-system used',
        'get core/secrets kube-system jotasu-cluster',
      ],
    ],
    ['one who only calls itself a node', impostor, [], ['list core/pods', 'patch core/nodes/status - n1']],
  ];
  test.each(cases)('%s', (_, who, may, mayNot) => {
    for (const words of may) expect([words, ask(who, words)]).toEqual([words, 'yes']);
    for (const words of mayNot)
      expect([words, ask(who, words)]).toEqual([words, expect.stringContaining('forbidden')]);
  });

  test('a node is told why not', () => {
    expect(ask(node1, 'update coordination.k8s.io/leases kube-node-lease n2')).toMatch(
      /namespace "kube-node-lease": can only access node lease with the same name as the requesting node$/,
    );
    expect(ask(node1, 'get core/secrets d other')).toMatch(
      /: no relationship found between node 'n1' and this object$/,
    );
    expect(ask(node1, 'patch core/nodes/status - n2')).toMatch(
      /: node "n1" is not allowed to modify node "n2"$/,
    );
  });
});

describe('impersonation', () => {
  const as = (who: UserInfo, ...headers: string[]) => {
    const result = impersonate(who, ['Host', 'x', ...headers], authorize);
    return result instanceof StatusError ? `${result.code} ${result.message}` : result;
  };
  test('without its headers changes nothing', () => expect(as(zoe, 'If-Match', 'x')).toBe(zoe));
  test('gives the name and groups that were asked for', () => {
    expect(
      as(admin, 'Impersonate-User', 'max', 'Impersonate-Group', 'a, b', 'impersonate-group', 'c'),
    ).toEqual({
      name: 'max',
      uid: '',
      groups: ['a, b', 'c', authenticated],
      extra: {},
    });
    expect(as(admin, 'Impersonate-User', 'system:serviceaccount:d:sa')).toMatchObject({
      groups: ['system:serviceaccounts', 'system:serviceaccounts:d', authenticated],
    });
    expect(as(admin, 'Impersonate-User', 'system:anonymous')).toMatchObject({
      groups: ['system:unauthenticated'],
    });
    expect(
      as(admin, 'Impersonate-User', 'm', 'Impersonate-Uid', '7', 'Impersonate-Extra-Team%2Fa', 'x'),
    ).toMatchObject({
      uid: '7',
      extra: { 'team/a': ['x'] },
    });
  });
  test('needs the right to it', () => {
    expect(as(zoe, 'Impersonate-User', 'max')).toBe(
      '403 users "max" is forbidden: User "zoe" cannot impersonate resource "users" in API group "" at the cluster scope',
    );
  });
  test('needs a user', () => expect(as(admin, 'Impersonate-Group', 'a')).toMatch(/^400 /));
});
