// Validating admission policies as Kubernetes' documentation writes them, through kubectl.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, type Kubectl } from './kubectl.ts';
import { type SimulatedNodes, startNodes } from './simulated-nodes.ts';

const program = findKubectl();

let nodes: SimulatedNodes;
let k: Kubectl;

const head = (kind: string, name: string) => `
apiVersion: admissionregistration.k8s.io/v1
kind: ${kind}
metadata: {name: ${name}}
`;
const deployments = `
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}`;
const policy = (name: string, spec: string) => `${head('ValidatingAdmissionPolicy', name)}spec:${spec}\n`;
const binding = (name: string, spec: string, actions = '[Deny]') =>
  `${head('ValidatingAdmissionPolicyBinding', `${name}-binding`)}spec:
  policyName: ${name}
  validationActions: ${actions}${spec}
`;
const inNamespaces = (label: string) => `
  matchResources:
    namespaceSelector: {matchLabels: {${label}}}`;

describe.skipIf(program === undefined)('validating admission policies', () => {
  beforeAll(async () => {
    nodes = await startNodes(1);
    k = nodes.k;
    for (const name of ['limited', 'shop', 'teams']) await k.ok(`create ns ${name}`);
    await k.ok('label ns limited environment=test');
    await k.ok('label ns shop environment=prod');
  });
  afterAll(() => nodes?.stop());

  test('limit replicas where they are bound, dry runs included', async () => {
    await k.ok(
      'apply -f -',
      `${policy(
        'demo-policy',
        `
  failurePolicy: Fail${deployments}
  validations:
  - expression: "object.spec.replicas <= 5"`,
      )}---${binding('demo-policy', inNamespaces('environment: test'))}`,
    );
    const refusal = (name: string) =>
      `deployments.apps "${name}" is forbidden: ValidatingAdmissionPolicy 'demo-policy' with binding 'demo-policy-binding' denied request: failed expression: object.spec.replicas <= 5`;
    for (const dry of ['', ' --dry-run=server'])
      await k.refuses(
        `create deployment web -n limited --image=i --replicas=6${dry}`,
        `error: failed to create deployment: ${refusal('web')}`,
      );
    await k.ok('create deployment web -n limited --image=i --replicas=5');
    await k.ok('create deployment web -n shop --image=i --replicas=6');
    await k.refuses(
      `patch deploy web -n limited -p '{"spec":{"replicas":9}}'`,
      `The deployments "web" is invalid: : ${refusal('web').replace(/^.* is forbidden: /, '')}`,
    );
    await k.says(
      'get validatingadmissionpolicybindings demo-policy-binding -o jsonpath={.spec.policyName}',
      'demo-policy',
    );
    await k.ok('delete validatingadmissionpolicybinding demo-policy-binding');
    await k.ok('scale deploy web -n limited --replicas=6');
  });

  test('take their limits from a custom resource', async () => {
    await k.ok(
      'apply -f -',
      `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: replicalimits.rules.example.com}
spec:
  group: rules.example.com
  scope: Namespaced
  names: {kind: ReplicaLimit, plural: replicalimits}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties: {maxReplicas: {type: integer}}
`,
    );
    await k.ok('wait crd/replicalimits.rules.example.com --for=condition=Established --timeout=90s');
    await k.ok(
      'apply -f -',
      `
apiVersion: rules.example.com/v1
kind: ReplicaLimit
metadata: {name: replica-limit-test.example.com, namespace: default}
maxReplicas: 3
---${policy(
        'replicalimit-policy.example.com',
        `
  failurePolicy: Fail
  paramKind:
    apiVersion: rules.example.com/v1
    kind: ReplicaLimit${deployments}
  validations:
  - expression: "object.spec.replicas <= params.maxReplicas"
    reason: Invalid
    messageExpression: "'object.spec.replicas must be no greater than ' + string(params.maxReplicas)"`,
      )}---${binding(
        'replicalimit-policy.example.com',
        `
  paramRef:
    name: replica-limit-test.example.com
    namespace: default
    parameterNotFoundAction: Deny${inNamespaces('environment: test')}`,
      )}`,
    );
    const by =
      "ValidatingAdmissionPolicy 'replicalimit-policy.example.com' with binding 'replicalimit-policy.example.com-binding' denied request: ";
    await k.refuses(
      'create deployment many -n limited --image=i --replicas=4',
      `error: failed to create deployment: deployments.apps "many" is forbidden: ${by}object.spec.replicas must be no greater than 3`,
    );
    await k.ok('create deployment few -n limited --image=i --replicas=3');
    await k.ok('delete replicalimit replica-limit-test.example.com');
    await k.refuses(
      'create deployment none -n limited --image=i --replicas=0',
      `error: failed to create deployment: deployments.apps "none" is forbidden: ${by}failed to configure binding: no params found for policy binding with \`Deny\` parameterNotFoundAction`,
    );
    await k.ok('delete validatingadmissionpolicybinding replicalimit-policy.example.com-binding');
  });

  test('take labels from a ConfigMap of the namespace, and warn', async () => {
    await k.ok('create configmap required -n teams --from-literal=labels=team,owner');
    await k.ok(
      'apply -f -',
      `${policy(
        'labels',
        `
  paramKind: {apiVersion: v1, kind: ConfigMap}${deployments}
  variables:
  - name: missing
    expression: "params.data.labels.split(',').filter(l, !has(object.metadata.labels) || !(l in object.metadata.labels))"
  validations:
  - expression: "size(variables.missing) == 0"
    messageExpression: "'missing labels: ' + variables.missing.join(', ')"`,
      )}---${binding('labels', '\n  paramRef: {name: required, parameterNotFoundAction: Allow}', '[Warn, Audit]')}`,
    );
    const { code, err } = await k.run('create deployment web -n teams --image=i');
    expect([code, err]).toEqual([
      0,
      "Warning: Validation failed for ValidatingAdmissionPolicy 'labels' with binding 'labels-binding': missing labels: team, owner\n",
    ]);
    const labelled = await k.run('label deploy web -n teams team=a owner=b');
    expect([labelled.code, labelled.err]).toEqual([0, '']);
    const elsewhere = await k.run('create deployment free -n shop --image=i');
    expect([elsewhere.code, elsewhere.err]).toEqual([0, '']);
    await k.ok('delete validatingadmissionpolicybinding labels-binding');
  });

  test('look at the images of a namespace with variables', async () => {
    await k.ok(
      'apply -f -',
      `${policy(
        'image-matches-namespace-environment.policy.example.com',
        `
  failurePolicy: Fail${deployments}
  variables:
  - name: environment
    expression: "'environment' in namespaceObject.metadata.labels ? namespaceObject.metadata.labels['environment'] : 'prod'"
  - name: exempt
    expression: "'exempt' in object.metadata.labels && object.metadata.labels['exempt'] == 'true'"
  - name: containers
    expression: "object.spec.template.spec.containers"
  - name: containersToCheck
    expression: "variables.containers.filter(c, c.image.contains('example.com/'))"
  validations:
  - expression: "variables.exempt || variables.containersToCheck.all(c, c.image.startsWith(variables.environment + '.'))"
    messageExpression: "'only ' + variables.environment + ' images are allowed in namespace ' + namespaceObject.metadata.name"`,
      )}---${binding('image-matches-namespace-environment.policy.example.com', '')}`,
    );
    await k.refuses(
      'create deployment image -n shop --image=dev.example.com/nginx',
      /denied request: only prod images are allowed in namespace shop$/,
    );
    await k.ok('create deployment image -n shop --image=prod.example.com/nginx');
    await k.ok('create deployment other -n shop --image=busybox');
    await k.ok(
      'delete validatingadmissionpolicybinding image-matches-namespace-environment.policy.example.com-binding',
    );
  });

  test('deny deletions and connections', async () => {
    await k.ok(
      'apply -f -',
      `${policy(
        'hands-off',
        `
  matchConstraints:
    resourceRules:
    - {apiGroups: [""], apiVersions: [v1], operations: [DELETE], resources: [configmaps]}
    - {apiGroups: [""], apiVersions: [v1], operations: [CONNECT], resources: [pods/exec]}
  matchConditions:
  - name: people
    expression: "!('system:serviceaccounts' in request.userInfo.groups)"
  validations:
  - expression: "request.operation != 'DELETE' || oldObject.metadata.name != 'kept'"
    message: it is needed
  - expression: "request.operation != 'CONNECT' || object.command[0] != 'sh'"
    message: no shells
    reason: Forbidden`,
      )}---${binding('hands-off', '')}`,
    );
    await k.ok('create configmap kept -n shop');
    await k.ok('create configmap free -n shop');
    await k.refuses('delete configmap kept -n shop', /denied request: it is needed$/);
    await k.ok('delete configmap free -n shop');
    await k.ok('wait -n shop deploy/web --for=condition=Available --timeout=90s');
    const pod = await k.ok('get pods -n shop -l app=web -o jsonpath={.items[0].metadata.name}');
    await k.refuses(
      `exec -n shop ${pod} -- sh -c true`,
      new RegExp(
        `^Error from server \\(Forbidden\\): pods "${pod}" is forbidden: ValidatingAdmissionPolicy 'hands-off' with binding 'hands-off-binding' denied request: no shells$`,
      ),
    );
    await k.ok('delete validatingadmissionpolicy hands-off');
    await k.ok('delete configmap kept -n shop');
  });

  test('that are no expressions are refused, and those that look for what is not there are told', async () => {
    await k.refuses(
      'apply -f -',
      /spec.validations\[0\].expression: Invalid value: .*: compilation failed: ERROR: <input>:1:8: undefined field 'operaton'/,
      policy('bad', `${deployments}\n  validations:\n  - expression: "request.operaton == 'CREATE'"`),
    );
    await k.ok(
      'apply -f -',
      policy(
        'deploy-replica-policy.example.com',
        `${deployments}\n  validations:\n  - expression: "object.replicas > 1"\n    message: must be replicated`,
      ),
    );
    await k.ok(
      "wait validatingadmissionpolicy/deploy-replica-policy.example.com --for=jsonpath='{.status.observedGeneration}'=1 --timeout=90s",
    );
    await k.says(
      'get validatingadmissionpolicy deploy-replica-policy.example.com -o jsonpath={.status.typeChecking.expressionWarnings[0].warning}',
      "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'replicas'\n | object.replicas > 1\n | ......^",
    );
  });
});
