// What policies are told of their expressions, by kinds of Kubernetes and by custom ones.
import { afterEach, expect, test } from 'vitest';
import { CustomResourceDefinition, kinds, ValidatingAdmissionPolicy } from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { ControllerHarness } from '../../testkit/index.ts';
import { validatingAdmissionPolicyStatusController } from './controller.ts';

const definition = {
  metadata: { name: 'limits.rules.example.com' },
  spec: {
    group: 'rules.example.com',
    names: { kind: 'Limit', plural: 'limits' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: { metadata: { type: 'object' }, maxReplicas: { type: 'integer' } },
          },
        },
      },
    ],
  },
};
const established = { conditions: [{ type: 'Established', status: 'True' }] };

const rule = (resource: string, group = 'apps', version = 'v1') => ({
  operations: ['CREATE'],
  apiGroups: [group],
  apiVersions: [version],
  resources: [resource],
});

let running: ControllerHarness | undefined;
afterEach(() => running?.stop());

async function told(spec: object): Promise<ValidatingAdmissionPolicy['status']> {
  const harness = new ControllerHarness();
  running = harness;
  await harness.create(CustomResourceDefinition, definition as unknown as Draft<CustomResourceDefinition>);
  await harness
    .client(CustomResourceDefinition)
    .patch({ name: definition.metadata.name, subresource: 'status' }, 'merge', { status: established });
  const policy = { metadata: { name: 'p' }, spec };
  await harness.create(ValidatingAdmissionPolicy, policy as unknown as Draft<ValidatingAdmissionPolicy>);
  await harness.start(validatingAdmissionPolicyStatusController({ kinds }));
  await harness.advance(1000);
  const [found] = await harness.list(ValidatingAdmissionPolicy);
  await harness.stop();
  running = undefined;
  return found?.status;
}

const replicas = [{ expression: 'object.replicas > 1', messageExpression: "'a' + object.spec.nobody" }];
const wrong = "ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^\n";

test.each<[string, object, readonly { fieldRef: string; warning: string }[] | undefined]>([
  [
    'expressions and messages',
    { matchConstraints: { resourceRules: [rule('deployments')] }, validations: replicas },
    [
      { fieldRef: 'spec.validations[0].expression', warning: `apps/v1, Kind=Deployment: ${wrong}` },
      {
        fieldRef: 'spec.validations[0].messageExpression',
        warning:
          "apps/v1, Kind=Deployment: ERROR: <input>:1:18: undefined field 'nobody'\n | 'a' + object.spec.nobody\n | .................^\n",
      },
    ],
  ],
  [
    'of all kinds, in their order',
    {
      matchConstraints: { resourceRules: [rule('replicasets'), rule('deployments'), rule('configmaps', '')] },
      validations: [{ expression: 'object.replicas > 1' }],
    },
    [
      {
        fieldRef: 'spec.validations[0].expression',
        warning: ['/v1, Kind=ConfigMap', 'apps/v1, Kind=Deployment', 'apps/v1, Kind=ReplicaSet']
          .map((kind) => `${kind}: ${wrong}`)
          .join('\n'),
      },
    ],
  ],
  [
    'by custom kinds and parameters',
    {
      paramKind: { apiVersion: 'rules.example.com/v1', kind: 'Limit' },
      matchConstraints: { resourceRules: [rule('limits', 'rules.example.com')] },
      validations: [
        { expression: 'object.maxReplicas <= params.maxReplicas && has(object.metadata.labels)' },
        { expression: 'object.maxReplicas <= params.least' },
      ],
    },
    [
      {
        fieldRef: 'spec.validations[1].expression',
        warning:
          "rules.example.com/v1, Kind=Limit: ERROR: <input>:1:29: undefined field 'least'\n | object.maxReplicas <= params.least\n | ............................^\n",
      },
    ],
  ],
  [
    'nothing, when they are right',
    {
      matchConstraints: { resourceRules: [rule('deployments')] },
      variables: [{ name: 'containers', expression: 'object.spec.template.spec.containers' }],
      validations: [
        { expression: 'object.spec.replicas <= 5 && object.metadata.labels.app == "x"' },
        {
          expression:
            'variables.containers.all(c, !has(c.securityContext) || c.securityContext.runAsNonRoot == true)',
        },
        { expression: 'object.spec.template == oldObject.spec.template || oldObject == null' },
      ],
    },
    undefined,
  ],
  [
    'nothing, of rules for anything',
    { matchConstraints: { resourceRules: [rule('*'), rule('deployments', '*')] }, validations: replicas },
    undefined,
  ],
  [
    'nothing, of kinds that nobody serves',
    { matchConstraints: { resourceRules: [rule('nobodies')] }, validations: replicas },
    undefined,
  ],
])('%s', async (_, spec, wanted) => {
  expect(await told(spec)).toEqual({
    observedGeneration: 1,
    typeChecking: wanted === undefined ? {} : { expressionWarnings: wanted },
  });
});
