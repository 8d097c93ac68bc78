// What happens to requests that a webhook or a policy is about.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

const group = '/apis/admissionregistration.k8s.io/v1';
const rule = { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] };
const webhook = {
  name: 'a.example.com',
  clientConfig: { url: 'https://a.example.com/' },
  rules: [rule],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
};
const configure = (changed: object = {}, kind = 'validating') =>
  f.ask('POST', `${group}/${kind}webhookconfigurations`, {
    body: { metadata: { name: 'a' }, webhooks: [{ ...webhook, ...changed }] },
  });
const make = (namespace = 'default', metadata: object = { name: 'a' }) =>
  f.ask('POST', `/api/v1/namespaces/${namespace}/configmaps`, { body: { metadata } });

it.each(['validating', 'mutating'])(
  'a request of a %s webhook fails as when it does not answer',
  async (kind) => {
    const { headers } = await configure({}, kind);
    expect(headers['warning']).toEqual([
      '299 - "webhook \\"a.example.com\\": this server does not call admission webhooks; requests that match it are refused, as its failurePolicy says"',
    ]);
    const { code, json } = await make();
    expect([code, json.reason, json.message]).toEqual([
      500,
      'InternalError',
      'Internal error occurred: failed calling webhook "a.example.com": failed to call webhook: this server does not call admission webhooks',
    ]);
    // Whoever wrote it can take it away again.
    expect((await f.ask('DELETE', `${group}/${kind}webhookconfigurations/a`)).code).toBe(200);
    expect((await make()).code).toBe(201);
  },
);

it('a server starts again, whatever its webhooks refuse', async () => {
  await configure({ rules: [{ ...rule, resources: ['*'], apiGroups: ['*'], operations: ['*'] }] });
  const again = await ApiFixture.create({ store: f.store });
  expect((await again.ask('GET', '/api/v1/namespaces/default')).code).toBe(200);
});

describe('a webhook is not about', () => {
  it.each([
    ['what it may fail for', { failurePolicy: 'Ignore' }],
    ['other operations', { rules: [{ ...rule, operations: ['UPDATE', 'DELETE'] }] }],
    ['other groups', { rules: [{ ...rule, apiGroups: ['apps'] }] }],
    ['other versions, exactly', { matchPolicy: 'Exact', rules: [{ ...rule, apiVersions: ['v2'] }] }],
    ['subresources', { rules: [{ ...rule, resources: ['configmaps/status', '*/scale'] }] }],
    ['the cluster scope', { rules: [{ ...rule, scope: 'Cluster' }] }],
    ['other namespaces', { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } } }],
    ['other labels', { objectSelector: { matchLabels: { a: 'b' } } }],
  ])('%s', async (_, changed) => {
    await configure(changed);
    expect((await make()).code).toBe(201);
  });
});

describe('a webhook is about', () => {
  it.each([
    ['everything', { rules: [{ ...rule, resources: ['*'], apiGroups: ['*'], operations: ['*'] }] }],
    ['its namespaces', { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } } }],
    ['its labels', { objectSelector: { matchExpressions: [{ key: 'a', operator: 'Exists' }] } }],
  ])('%s', async (_, changed) => {
    await configure(changed);
    expect((await make('default', { name: 'a', labels: { a: '' } })).code).toBe(500);
  });
});

it('a policy that is bound with Deny denies', async () => {
  const policy = {
    metadata: { name: 'p' },
    spec: { matchConstraints: { resourceRules: [rule] }, validations: [{ expression: 'true' }] },
  };
  const told = await f.ask('POST', `${group}/validatingadmissionpolicies`, { body: policy });
  expect(told.code).toBe(201);
  expect((await make('default', { name: 'free' })).code).toBe(201);
  const spec = { policyName: 'p', validationActions: ['Deny'] };
  await f.ask('POST', `${group}/validatingadmissionpolicybindings`, {
    body: { metadata: { name: 'b' }, spec },
  });
  const { code, json } = await make();
  expect([code, json.message]).toEqual([
    403,
    "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: this server does not evaluate expressions",
  ]);
});

it('a version that another server has is away', async () => {
  const spec = {
    group: 'metrics.k8s.io',
    version: 'v1beta1',
    groupPriorityMinimum: 100,
    versionPriority: 100,
    service: { name: 'm', namespace: 'kube-system' },
  };
  const services = '/apis/apiregistration.k8s.io/v1/apiservices';
  await f.ask('POST', services, { body: { metadata: { name: 'v1beta1.metrics.k8s.io' }, spec } });
  expect((await f.ask('GET', '/apis/metrics.k8s.io/v1beta1/nodes')).code).toBe(503);
  expect((await f.ask('GET', '/apis/metrics.k8s.io/v1/nodes')).code).toBe(404);
  const { json } = await f.ask('GET', services);
  expect(
    json.items.find((i: { metadata: { name: string } }) => i.metadata.name === 'v1.').status.conditions[0]
      .status,
  ).toBe('True');
});
