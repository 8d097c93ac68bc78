// What policies make of requests, and which texts are none; the examples of Kubernetes' documentation among them.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { field, type ObjectSchema, ObjectSchema as Shape, scalar } from '../schema/schema.ts';
import { type AskAccess, Authorizer } from './authorizer.ts';
import { CompiledPolicy, type PolicyExpressions, PolicyRequest, policyFaults, typeFaults } from './policy.ts';

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'web', namespace: 'shop', labels: { app: 'web' } },
  spec: {
    replicas: 7,
    template: {
      spec: {
        containers: [
          { name: 'a', image: 'example.com/a:1' },
          { name: 'b', image: 'b' },
        ],
      },
    },
  },
};

const mayDeploy: AskAccess = ({ verb, resource, serviceAccount, path }) => ({
  allowed:
    serviceAccount?.name !== 'nobody' && (verb === 'deploy' || resource === 'deployments' || path === '/ok'),
  reason: 'said so',
  error: '',
});
const asked = new PolicyRequest({
  object: deployment,
  oldObject: null,
  namespaceObject: { metadata: { name: 'shop', labels: { environment: 'prod' } } },
  request: {
    operation: 'CREATE',
    namespace: 'shop',
    resource: { group: 'apps', version: 'v1', resource: 'deployments' },
    userInfo: { username: 'jane', groups: ['system:authenticated'] },
    dryRun: false,
  },
  authorizer: new Authorizer(mayDeploy, {
    group: 'apps',
    resource: 'deployments',
    subresource: '',
    namespace: 'shop',
    name: 'web',
  }),
});

const paths = (spec: PolicyExpressions): string[] => policyFaults(spec).map(({ path }) => path.join('.'));
const messages = (spec: PolicyExpressions, params?: unknown): string[] => {
  expect(policyFaults(spec)).toEqual([]);
  return new CompiledPolicy(spec).judge(asked, params).objections.map(({ message }) => message);
};
const rule = (expression: string, rest: object = {}): PolicyExpressions => ({
  validations: [{ expression }],
  ...rest,
});

describe('objections', () => {
  const paramKind = { apiVersion: 'v1', kind: 'ConfigMap' };
  test.each<[string, PolicyExpressions, unknown, string[]]>([
    ['none', rule('object.spec.replicas <= 7'), undefined, []],
    [
      'by default',
      rule(' object.spec.replicas <= 5 '),
      undefined,
      ['failed expression: object.spec.replicas <= 5'],
    ],
    [
      'with a message',
      { validations: [{ expression: 'object.spec.replicas <= 5', message: ' too many ' }] },
      undefined,
      ['too many'],
    ],
    [
      'with a message of the parameters',
      {
        paramKind,
        validations: [
          {
            expression: 'object.spec.replicas <= params.maxReplicas',
            messageExpression: "'object.spec.replicas must be no greater than ' + string(params.maxReplicas)",
          },
        ],
      },
      { maxReplicas: 5 },
      ['object.spec.replicas must be no greater than 5'],
    ],
    [
      'with a message that cannot be said',
      {
        validations: [
          { expression: 'false', messageExpression: 'string(object.gone)', message: 'no' },
          { expression: 'false', messageExpression: "'a\\nb'" },
        ],
      },
      undefined,
      ['no', 'failed expression: false'],
    ],
    [
      'for labels',
      rule("['app', 'tier'].all(l, has(object.metadata.labels) && l in object.metadata.labels)"),
      undefined,
      [
        "failed expression: ['app', 'tier'].all(l, has(object.metadata.labels) && l in object.metadata.labels)",
      ],
    ],
    [
      'with variables, as documented',
      {
        variables: [
          {
            name: 'environment',
            expression:
              "'environment' in namespaceObject.metadata.labels ? namespaceObject.metadata.labels['environment'] : 'prod'",
          },
          {
            name: 'exempt',
            expression: "'exempt' in object.metadata.labels && object.metadata.labels['exempt'] == 'true'",
          },
          { name: 'containers', expression: 'object.spec.template.spec.containers' },
          {
            name: 'containersToCheck',
            expression: "variables.containers.filter(c, c.image.contains('example.com/'))",
          },
        ],
        validations: [
          {
            expression:
              "variables.exempt || variables.containersToCheck.all(c, c.image.startsWith(variables.environment + '.'))",
            messageExpression:
              "'only ' + variables.environment + ' images are allowed in namespace ' + namespaceObject.metadata.name",
          },
        ],
      },
      undefined,
      ['only prod images are allowed in namespace shop'],
    ],
    [
      'of what cannot be asked',
      rule('object.spec.gone > 1'),
      undefined,
      ["expression 'object.spec.gone > 1' resulted in error: no such key: gone"],
    ],
    [
      'of nobody when that is ignored',
      rule('object.spec.gone > 1', { failurePolicy: 'Ignore' }),
      undefined,
      [],
    ],
    [
      'of a variable that cannot be made',
      rule('variables.a > 1', { variables: [{ name: 'a', expression: 'object.gone.a' }] }),
      undefined,
      [
        'expression \'variables.a > 1\' resulted in error: composited variable "a" fails to evaluate: no such key: gone',
      ],
    ],
    [
      'not of a variable that nobody looks at',
      rule('true || variables.a', { variables: [{ name: 'a', expression: 'object.gone == 1' }] }),
      undefined,
      [],
    ],
    [
      'of something other than a truth',
      rule("object.metadata['name']"),
      undefined,
      ["expression 'object.metadata['name']' resulted in error: it does not evaluate to a bool"],
    ],
    [
      'not when a condition does not hold',
      rule('false', { matchConditions: [{ name: 'a', expression: "request.operation == 'DELETE'" }] }),
      undefined,
      [],
    ],
    [
      'of a condition that cannot be asked',
      rule('true', { matchConditions: [{ name: 'a', expression: 'object.gone == 1' }] }),
      undefined,
      ["expression 'object.gone == 1' resulted in error: no such key: gone"],
    ],
    ['without parameters', rule('params == null', { paramKind }), undefined, []],
    ['by who asks', rule("!('system:masters' in request.userInfo.groups)"), undefined, []],
    ['by what he may do', rule("authorizer.requestResource.check('x').allowed()"), undefined, []],
    [
      'by what others may do',
      rule(
        "authorizer.group('apps').resource('pods').namespace('shop').check('deploy').allowed() && !authorizer.serviceAccount('a', 'nobody').group('').resource('x').check('get').allowed() && authorizer.path('/ok').check('get').reason() == 'said so'",
      ),
      undefined,
      [],
    ],
    [
      'when it would take too long',
      rule(
        'object.l.all(a, object.l.all(b, object.l.all(c, a == c)))'.replaceAll('object.l', 'variables.l'),
        {
          variables: [{ name: 'l', expression: `[${'1,'.repeat(999)}1]` }],
        },
      ),
      undefined,
      ['validation failed due to running out of cost budget, no further validation rules will be run'],
    ],
  ])('%s', (_, spec, params, wanted) => expect(messages(spec, params)).toEqual(wanted));
});

test('what is to be noted', () => {
  const spec: PolicyExpressions = {
    auditAnnotations: [
      { key: 'a', valueExpression: "' replicas: ' + string(object.spec.replicas)" },
      { key: 'b', valueExpression: 'null' },
      { key: 'c', valueExpression: "object.spec.replicas > 50 ? 'many' : dyn(null)" },
      { key: 'd', valueExpression: 'string(object.gone)' },
    ],
  };
  expect(new CompiledPolicy(spec).judge(asked, undefined)).toEqual({
    objections: [],
    annotations: [{ key: 'a', value: 'replicas: 7' }],
    failures: ["expression 'string(object.gone)' resulted in error: no such key: gone"],
  });
});

describe('no expressions', () => {
  const validation = (expression: string, rest: object = {}): [PolicyExpressions, string, string] => [
    rule(expression, rest),
    'validations.0.expression',
    '',
  ];
  test.each<[PolicyExpressions, string, string]>([
    [
      rule('object.x in [1, 2, '),
      'validations.0.expression',
      'compilation failed: ERROR: <input>:1:20: Syntax error: ',
    ],
    [rule('nobody == 1'), 'validations.0.expression', "undeclared reference to 'nobody' (in container '')"],
    [rule('1 + 1'), 'validations.0.expression', 'must evaluate to bool but got int'],
    [rule('object.spec.paused'), 'validations.0.expression', 'must evaluate to bool but got dyn'],
    [
      rule('request.operaton == "CREATE"'),
      'validations.0.expression',
      "<input>:1:8: undefined field 'operaton'",
    ],
    [rule("request.userInfo.name == 'a'"), 'validations.0.expression', "undefined field 'name'"],
    [rule("namespaceObject.labels.a == 'b'"), 'validations.0.expression', "undefined field 'labels'"],
    [rule('request.name'), 'validations.0.expression', 'must evaluate to bool but got string'],
    [rule('params.x == 1'), 'validations.0.expression', "undeclared reference to 'params'"],
    [rule('variables.x == 1'), 'validations.0.expression', "undeclared reference to 'variables'"],
    [rule("picture('a').tag() == ''"), 'validations.0.expression', "undeclared reference to 'picture'"],
    [
      rule('variables.b == 1', { variables: [{ name: 'a', expression: '1' }] }),
      'validations.0.expression',
      "undefined field 'b'",
    ],
    [
      rule('true', {
        variables: [
          { name: 'a', expression: 'variables.b' },
          { name: 'b', expression: '1' },
        ],
      }),
      'variables.0.expression',
      "undeclared reference to 'variables'",
    ],
    [
      {
        validations: [
          { expression: 'true', messageExpression: "authorizer.path('/').check('get').reason()" },
        ],
      },
      'validations.0.messageExpression',
      "undeclared reference to 'authorizer'",
    ],
    [
      { validations: [{ expression: 'true', messageExpression: '1' }] },
      'validations.0.messageExpression',
      'must evaluate to string but got int',
    ],
    [
      { auditAnnotations: [{ key: 'a', valueExpression: '1' }] },
      'auditAnnotations.0.valueExpression',
      'must evaluate to one of [string null] but got int',
    ],
    [
      rule('true', {
        matchConditions: [{ name: 'a', expression: 'variables.a' }],
        variables: [{ name: 'a', expression: 'true' }],
      }),
      'matchConditions.0.expression',
      "undeclared reference to 'variables'",
    ],
    validation('authorizer.nobody() == 1'),
  ])('%j', (spec, path, why) => {
    expect(paths(spec)).toEqual([path]);
    expect(policyFaults(spec)[0]!.detail).toContain(why);
  });

  test('but these are', () => {
    for (const text of [
      'namespaceObject == null || has(namespaceObject.metadata.labels)',
      "has(request.subResource) && request.options.kind == 'x'",
      'oldObject != null && object.spec == oldObject.spec',
      'object.?spec.?paused.orValue(false)',
      "request.userInfo.extra['a'].exists(x, x == 'y')",
      'params == null',
    ])
      expect([text, ...policyFaults(rule(text, { paramKind: {} }))]).toEqual([text]);
  });
});

test('the checker is told of what kind objects are', () => {
  const shape = (
    name: string,
    fields: Record<string, ObjectSchema | ReturnType<typeof scalar>>,
  ): ObjectSchema =>
    new Shape(name, () => new Map(Object.entries(fields).map(([key, of]) => [key, field(key, of)])));
  const kind = shape('K', { spec: shape('S', { replicas: scalar('int32'), port: scalar('intOrString') }) });
  const spec: PolicyExpressions = {
    variables: [{ name: 'spec', expression: 'object.spec' }],
    validations: [
      { expression: 'object.replicas > 1', messageExpression: 'string(object.name)' },
      { expression: "variables.spec.replicas == 'a'" },
      { expression: 'object.spec.port == 1 && object.spec != null && !has(oldObject.spec.replicas)' },
      { expression: 'variables.spec.nobody == 1' },
    ],
  };
  expect([...typeFaults(spec, { object: (types, name) => types.ofShape(name, kind) })]).toEqual([
    [
      'spec.validations[0].expression',
      "ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^",
    ],
    [
      'spec.validations[0].messageExpression',
      "ERROR: <input>:1:14: undefined field 'name'\n | string(object.name)\n | .............^",
    ],
    [
      'spec.validations[1].expression',
      "ERROR: <input>:1:25: found no matching overload for '_==_' applied to '(int, string)'\n | variables.spec.replicas == 'a'\n | ........................^",
    ],
    [
      'spec.validations[3].expression',
      "ERROR: <input>:1:15: undefined field 'nobody'\n | variables.spec.nobody == 1\n | ..............^",
    ],
  ]);
});

test('any text is an expression or is told why it is none, and never ends the server', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'object.variables.a()[]&|!<>=\'"1 ?:,') })),
      (text) => {
        const spec = rule(text, { variables: [{ name: 'a', expression: text }] });
        policyFaults(spec);
        expect(new CompiledPolicy(spec).judge(asked, undefined).objections.length).toBeLessThan(2);
      },
    ),
  );
});
