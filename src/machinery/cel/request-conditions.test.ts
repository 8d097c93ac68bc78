// Conditions on requests: what they see, and what they cannot say.
import { describe, expect, test } from 'vitest';
import { Authorizer } from './authorizer.ts';
import { conditionFault, RequestConditions } from './request-conditions.ts';

const object = {
  metadata: { name: 'web', labels: { 'app.kubernetes.io/name': 'x' } },
  spec: { replicas: 3, share: 0.5, ports: [{ port: 80 }, { port: 443 }], gone: undefined },
};
const request = { operation: 'CREATE', kind: { group: 'apps', kind: 'Deployment' }, dryRun: false };
const authorizer = new Authorizer(({ verb }) => ({ allowed: verb === 'get', reason: '', error: '' }), {
  group: 'apps',
  resource: 'deployments',
  subresource: '',
  namespace: 'default',
  name: 'web',
});
const conditions = new RequestConditions({ object, oldObject: null, request, authorizer });

test.each<[string, boolean]>([
  ["object.metadata.name != 'skip-me'", true],
  ['object.spec.replicas > 2 && object.spec.replicas == 3', true],
  ['object.spec.share < 1.0', true],
  ["object.metadata.labels['app.kubernetes.io/name'] == 'x'", true],
  ["'other' in object.metadata.labels", false],
  ['object.spec.ports.all(p, p.port < 1000)', true],
  ['has(object.spec.gone) || has(object.status)', false],
  ['oldObject == null', true],
  ["authorizer.requestResource.check('get').allowed()", true],
  ["authorizer.group('').resource('pods').check('list').allowed()", false],
  ["request.operation == 'CREATE' && request.kind.group == 'apps' && !request.dryRun", true],
])('%s: %s', (text, wanted) => {
  expect(conditionFault(text)).toBeUndefined();
  expect(conditions.holds(text)).toBe(wanted);
});

test.each([
  ["object.metadata.labels['a'] == 'b'", 'no such key: a'],
  ['oldObject.metadata.name', "expression 'oldObject.metadata.name' resulted in error: "],
  ['object.metadata.name', 'must evaluate to bool but got dyn'],
  ["object.metadata['name']", 'it does not evaluate to a bool'],
])('%s cannot be said: %s', (text, why) => {
  expect(() => conditions.holds(text)).toThrow(why);
});

test('what would take too long is not asked', () => {
  const long = new RequestConditions({
    object: { list: new Array(3000).fill(1) },
    oldObject: null,
    request,
    authorizer,
  });
  expect(long.holds('object.list.all(a, a == 1)')).toBe(true);
  const loops = 'object.list.all(a, object.list.all(b, object.list.all(c, a == c)))';
  expect(() => long.holds(loops)).toThrow('running out of cost budget');
});

describe('no conditions', () => {
  test.each(['object.', "'a' == 1", '1 + 1', 'self.metadata.name == "a"', "authorizer.group('')"])(
    '%s',
    (text) => {
      expect(conditionFault(text)).toEqual(expect.any(String));
    },
  );
});
