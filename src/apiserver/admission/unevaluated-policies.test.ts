// What happens to requests that a policy is about.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

const group = '/apis/admissionregistration.k8s.io/v1';
const rule = { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] };
const make = (namespace = 'default', metadata: object = { name: 'a' }) =>
  f.ask('POST', `/api/v1/namespaces/${namespace}/configmaps`, { body: { metadata } });

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
