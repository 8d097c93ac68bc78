// Policies over whole requests: which they are about, with what parameters, and what becomes of the request.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../../testkit/index.ts';

let f: ApiFixture;
beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

const group = '/apis/admissionregistration.k8s.io/v1';
type Some = Record<string, unknown>;

const rule = (resources = ['configmaps'], operations = ['CREATE'], apiGroups = ['']): Some => ({
  operations,
  apiGroups,
  apiVersions: ['v1'],
  resources,
});

async function policy(name: string, spec: Some): Promise<void> {
  const body = {
    metadata: { name },
    spec: { matchConstraints: { resourceRules: [rule()] }, ...spec },
  };
  const { code, text } = await f.ask('POST', `${group}/validatingadmissionpolicies`, { body });
  expect([code, code === 201 ? '' : text]).toEqual([201, '']);
}

async function bind(policyName: string, spec: Some = {}, name = `${policyName}-binding`): Promise<void> {
  const body = { metadata: { name }, spec: { policyName, validationActions: ['Deny'], ...spec } };
  const { code, text } = await f.ask('POST', `${group}/validatingadmissionpolicybindings`, { body });
  expect([code, code === 201 ? '' : text]).toEqual([201, '']);
}

const create = (plural: string, body: unknown, { namespace = 'default', query = '', user = '' } = {}) =>
  f.ask('POST', `/api/v1/namespaces/${namespace}/${plural}${query}`, { body, ...(user !== '' && { user }) });
const make = (
  name = 'a',
  data: Some = {},
  rest: { namespace?: string; query?: string; user?: string } = {},
) => create('configmaps', { metadata: { name }, data }, rest);

const say = (message: string, binding = 'p-binding'): string =>
  `ValidatingAdmissionPolicy 'p' with binding '${binding}' denied request: ${message}`;
const never = { validations: [{ expression: 'false' }] };

describe('a denial', () => {
  it('is Invalid unless it says otherwise', async () => {
    await policy('p', { validations: [{ expression: "object.metadata.name != 'a'" }] });
    expect((await make('free')).code).toBe(201);
    await bind('p');
    const { code, json } = await make('a');
    const text = say("failed expression: object.metadata.name != 'a'");
    expect([code, json.reason, json.message, json.details]).toEqual([
      422,
      'Invalid',
      `configmaps "a" is forbidden: ${text}`,
      { name: 'a', kind: 'configmaps', causes: [{ message: text }] },
    ]);
    expect((await make('b')).code).toBe(201);
    expect((await make('a', {}, { query: '?dryRun=All' })).code).toBe(422);
  });

  it.each([
    ['Forbidden', 403],
    ['RequestEntityTooLarge', 413],
    ['Invalid', 422],
  ])('for the reason %s is %i', async (reason, wanted) => {
    await policy('p', { validations: [{ expression: 'false', reason, message: 'no' }] });
    await bind('p');
    const { code, json } = await make();
    expect([code, json.reason, json.message]).toEqual([
      wanted,
      reason,
      `configmaps "a" is forbidden: ${say('no')}`,
    ]);
  });

  it('is told of the first, all are asked', async () => {
    await policy('p', { validations: [{ expression: 'true' }, { expression: 'false' }] });
    await policy('q', { validations: [{ expression: 'false', message: 'warned' }] });
    await bind('p');
    await bind('q', { validationActions: ['Warn', 'Audit'] });
    const { code, headers } = await make();
    expect(code).toBe(422);
    expect(String(headers['Warning'] ?? headers['warning'])).toContain("binding 'q-binding': warned");
  });
});

describe('what else a binding can do', () => {
  it('warns', async () => {
    await policy('p', { validations: [{ expression: 'false', message: 'not nice' }] });
    await bind('p', { validationActions: ['Warn'] });
    const { code, headers } = await make();
    expect(code).toBe(201);
    expect(String(headers['Warning'] ?? headers['warning'])).toBe(
      `299 - "Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p-binding': not nice"`,
    );
    expect(await f.metrics.text()).toContain(
      'apiserver_validating_admission_policy_check_total{policy="p",policy_binding="p-binding",error_type="no_error",enforcement_action="warn"} 1',
    );
  });

  it('notes, of which nobody hears', async () => {
    await policy('p', { ...never, auditAnnotations: [{ key: 'k', valueExpression: "'v'" }] });
    await bind('p', { validationActions: ['Audit'] });
    const { code, headers } = await make();
    expect([code, headers['Warning'] ?? headers['warning']]).toEqual([201, undefined]);
  });

  it('but what cannot be noted denies', async () => {
    await policy('p', { auditAnnotations: [{ key: 'k', valueExpression: 'string(object.gone)' }] });
    await bind('p', { validationActions: ['Audit'] });
    expect((await make()).json.message).toContain(
      "denied request: expression 'string(object.gone)' resulted in error: no such key: gone",
    );
  });
});

describe('which requests a policy is about', () => {
  const about = async (constraints: Some, binding: Some = {}): Promise<void> => {
    await policy('p', { ...never, matchConstraints: { resourceRules: [rule()], ...constraints } });
    await bind('p', binding);
  };
  const denied = async (...told: { code: number }[]): Promise<number[]> => told.map(({ code }) => code);

  it('those of a rule, but for those excluded', async () => {
    const resourceRules = [rule(['configmaps', 'secrets'], ['*'])];
    await about({ resourceRules, excludeResourceRules: [{ ...rule(), resourceNames: ['b'] }] });
    expect(await denied(await make('a'), await make('b'))).toEqual([422, 201]);
    const patch = await f.ask('PATCH', '/api/v1/namespaces/default/configmaps/b', {
      body: { data: { a: 'b' } },
      type: 'application/merge-patch+json',
    });
    expect(patch.code).toBe(422);
    expect((await f.ask('DELETE', '/api/v1/namespaces/default/configmaps/b')).code).toBe(422);
    expect((await create('secrets', { metadata: { name: 's' } })).code).toBe(422);
    expect((await create('serviceaccounts', { metadata: { name: 's' } })).code).toBe(201);
  });

  it('those of a namespace, of the policy and of the binding', async () => {
    const named = (name: string) => ({ matchLabels: { 'kubernetes.io/metadata.name': name } });
    await about({}, { matchResources: { namespaceSelector: named('other') } });
    expect(await denied(await make(), await make('a', {}, { namespace: 'other' }))).toEqual([201, 422]);
  });

  it('those of objects with labels', async () => {
    await about({ objectSelector: { matchLabels: { check: 'me' } } });
    expect((await make()).code).toBe(201);
    expect((await create('configmaps', { metadata: { name: 'b', labels: { check: 'me' } } })).code).toBe(422);
  });

  it('those for which its conditions hold', async () => {
    const matchConditions = [
      { name: 'who', expression: "request.userInfo.username == 'jane'" },
      { name: 'may', expression: "authorizer.group('').resource('pods').check('get').allowed()" },
    ];
    await policy('p', { ...never, matchConditions });
    await bind('p');
    expect((await make('a')).code).toBe(201);
    expect((await make('b', {}, { user: 'jane@system:masters' })).code).toBe(422);
  });

  it('never those about policies', async () => {
    await about({
      resourceRules: [{ ...rule(['*/*']), apiGroups: ['*'], apiVersions: ['*'], operations: ['*'] }],
    });
    expect((await make()).code).toBe(422);
    expect((await f.ask('DELETE', `${group}/validatingadmissionpolicybindings/p-binding`)).code).toBe(200);
    expect((await make()).code).toBe(201);
  });

  it('in other versions too, each in the version of the rule', async () => {
    const autoscalers = (version: string): Some => ({
      ...rule(['horizontalpodautoscalers'], ['CREATE'], ['autoscaling']),
      apiVersions: [version],
    });
    const ask = (name: string) =>
      f.ask('POST', '/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers', {
        body: {
          metadata: { name },
          spec: {
            maxReplicas: 3,
            scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'd' },
            targetCPUUtilizationPercentage: 50,
          },
        },
      });
    const expression =
      "has(object.spec.metrics) && object.apiVersion == 'autoscaling/v2' && request.kind.version == 'v2' && request.requestKind.version == 'v1' && request.resource.version == 'v2'";
    await policy('p', {
      matchConstraints: { resourceRules: [autoscalers('v2')] },
      validations: [{ expression: `!(${expression})`, message: 'seen as v2' }],
    });
    await bind('p');
    expect((await ask('a')).json.message).toContain('seen as v2');
    await policy('q', {
      matchConstraints: { resourceRules: [autoscalers('v1')] },
      validations: [
        { expression: 'object.spec.targetCPUUtilizationPercentage != 50', message: 'seen as v1' },
      ],
    });
    await bind('q');
    await f.ask('DELETE', `${group}/validatingadmissionpolicybindings/p-binding`);
    expect((await ask('a')).json.message).toContain('seen as v1');
    await f.ask('DELETE', `${group}/validatingadmissionpolicybindings/q-binding`);
    await policy('r', {
      ...never,
      matchConstraints: { resourceRules: [autoscalers('v2')], matchPolicy: 'Exact' },
    });
    await bind('r');
    expect((await ask('a')).code).toBe(201);
  });

  it('scales as what they are', async () => {
    const deployments = '/apis/apps/v1/namespaces/default/deployments';
    const labels = { app: 'a' };
    const spec = {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } },
    };
    expect((await f.ask('POST', deployments, { body: { metadata: { name: 'd' }, spec } })).code).toBe(201);
    await policy('p', {
      matchConstraints: { resourceRules: [rule(['deployments/scale'], ['UPDATE'], ['apps'])] },
      validations: [
        { expression: "object.kind == 'Scale' && object.spec.replicas <= 5 && oldObject.spec.replicas == 1" },
      ],
    });
    await bind('p');
    const scale = (replicas: number) =>
      f.ask('PATCH', `${deployments}/d/scale`, {
        body: { spec: { replicas } },
        type: 'application/merge-patch+json',
      });
    expect((await scale(6)).code).toBe(422);
    expect((await scale(5)).code).toBe(200);
  });
});

describe('parameters', () => {
  const paramKind = { apiVersion: 'v1', kind: 'ConfigMap' };
  const limited = {
    paramKind,
    matchConstraints: { resourceRules: [rule(['secrets'])] },
    validations: [
      {
        expression: "params == null || size(object.metadata.name) <= int(params.data['longest'])",
        messageExpression: "'at most ' + params.data['longest']",
      },
    ],
  };
  const secret = async (name: string, namespace = 'default') =>
    (await create('secrets', { metadata: { name } }, { namespace })).json.message;

  it('of the namespace of the request', async () => {
    await policy('p', limited);
    await bind('p', { paramRef: { name: 'limits', parameterNotFoundAction: 'Allow' } });
    await make('limits', { longest: '3' });
    await make('limits', { longest: '1' }, { namespace: 'other' });
    expect(await secret('four')).toContain(say('at most 3'));
    expect(await secret('two', 'other')).toContain(say('at most 1'));
    expect(await secret('two')).toBeUndefined();
    expect(await secret('anything-at-all', 'kube-system')).toBeUndefined();
  });

  it('selected by labels: each is asked', async () => {
    await policy('p', limited);
    const paramRef = {
      selector: { matchLabels: { limits: 'yes' } },
      namespace: 'other',
      parameterNotFoundAction: 'Deny',
    };
    await bind('p', { paramRef });
    expect(await secret('x')).toContain(
      say(
        'failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction',
      ),
    );
    for (const [name, longest] of Object.entries({ a: '5', b: '2' }))
      await create(
        'configmaps',
        { metadata: { name, labels: { limits: 'yes' } }, data: { longest } },
        { namespace: 'other' },
      );
    expect(await secret('xxx')).toContain(say('at most 2'));
    expect(await secret('xxxxxx')).toContain(say('at most 5'));
    expect(await secret('x')).toBeUndefined();
  });

  it('that nobody refers to are null', async () => {
    await policy('p', limited);
    await bind('p');
    expect(await secret('anything')).toBeUndefined();
  });

  it('of a kind that is not served', async () => {
    await policy('p', {
      ...limited,
      paramKind: { apiVersion: 'rules.example.com/v1', kind: 'ReplicaLimit' },
    });
    await bind('p', { paramRef: { name: 'x', parameterNotFoundAction: 'Allow' } });
    expect(await secret('a')).toBe(
      `secrets "a" is forbidden: ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'rules.example.com/v1, Kind=ReplicaLimit'`,
    );
    expect((await make()).code).toBe(201);
  });

  it('of a namespace, for what is in none', async () => {
    await policy('p', { ...limited, matchConstraints: { resourceRules: [rule(['nodes'])] } });
    await bind('p', { paramRef: { name: 'x', parameterNotFoundAction: 'Allow' } });
    const { json } = await f.ask('POST', '/api/v1/nodes', { body: { metadata: { name: 'n' } } });
    expect(json.message).toContain(
      'failed to configure binding: cannot use namespaced paramRef in policy binding that matches cluster-scoped resources',
    );
  });

  it('of a kind in no namespace cannot be looked for in one, which is no matter with Ignore', async () => {
    await policy('p', { ...limited, paramKind: { apiVersion: 'v1', kind: 'Node' } });
    const paramRef = { name: 'x', namespace: 'a', parameterNotFoundAction: 'Allow' };
    await bind('p', { paramRef });
    expect(await secret('a')).toContain(
      'failed to configure binding: paramRef.namespace must not be provided for a cluster-scoped `paramKind`',
    );
    await policy('q', { ...limited, paramKind: { apiVersion: 'v1', kind: 'Node' }, failurePolicy: 'Ignore' });
    await bind('q', { paramRef });
    await f.ask('DELETE', `${group}/validatingadmissionpolicybindings/p-binding`);
    expect(await secret('a')).toBeUndefined();
  });
});

describe('a policy that is none', () => {
  it('is refused as it is written', async () => {
    const body = {
      metadata: { name: 'p' },
      spec: {
        matchConstraints: { resourceRules: [rule()] },
        validations: [
          { expression: 'object.x in [1, 2, ' },
          { expression: '1 + 1', messageExpression: 'nobody' },
        ],
        variables: [{ name: 'v', expression: "picture('a')" }],
      },
    };
    const { code, json } = await f.ask('POST', `${group}/validatingadmissionpolicies`, { body });
    expect(code).toBe(422);
    expect(
      json.details.causes.map(({ field, message }: Record<string, string>) => [
        field,
        message!.split('\n')[0],
      ]),
    ).toEqual([
      [
        'spec.variables[0].expression',
        `Invalid value: "picture('a')": compilation failed: ERROR: <input>:1:8: undeclared reference to 'picture' (in container '')`,
      ],
      [
        'spec.validations[0].expression',
        expect.stringContaining(
          `Invalid value: "object.x in [1, 2, ": compilation failed: ERROR: <input>:1:20: Syntax error: mismatched input '<EOF>'`,
        ),
      ],
      ['spec.validations[1].expression', 'Invalid value: "1 + 1": must evaluate to bool but got int'],
      [
        'spec.validations[1].messageExpression',
        `Invalid value: "nobody": compilation failed: ERROR: <input>:1:1: undeclared reference to 'nobody' (in container '')`,
      ],
    ]);
  });

  it('warns of nothing otherwise', async () => {
    await policy('p', never);
    const { json, headers } = await f.ask('GET', `${group}/validatingadmissionpolicies/p`);
    expect([json.spec.failurePolicy, headers['Warning']]).toEqual(['Fail', undefined]);
  });
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
