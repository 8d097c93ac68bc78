// Devices as kubectl sees them: claims that pods get from templates, devices that nodes have too few of, and what becomes of both.
import { afterAll, beforeAll, describe, test } from 'vitest';
import { findKubectl, type Kubectl } from './kubectl.ts';
import { type SimulatedNodes, startNodes } from './simulated-nodes.ts';

const program = findKubectl();

const deviceClass = `
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: gpu.example.com}
spec:
  selectors:
  - cel: {expression: device.driver == "gpu.example.com"}
`;
const slice = (node: string, devices: number, generation = 1) => `
apiVersion: resource.k8s.io/v1
kind: ResourceSlice
metadata: {name: ${node}-gpu}
spec:
  driver: gpu.example.com
  nodeName: ${node}
  pool: {name: ${node}, generation: ${generation}, resourceSliceCount: 1}
  devices:
${Array.from({ length: devices }, (_, i) => `  - {name: gpu-${i}, attributes: {index: {int: ${i}}}, capacity: {memory: {value: 40Gi}}}`).join('\n')}
`;
const template = `
apiVersion: resource.k8s.io/v1
kind: ResourceClaimTemplate
metadata: {name: one-gpu}
spec:
  spec:
    devices:
      requests:
      - name: gpu
        exactly:
          deviceClassName: gpu.example.com
          selectors:
          - cel: {expression: 'device.capacity["gpu.example.com"].memory.compareTo(quantity("10Gi")) >= 0'}
`;
const deployment = (replicas: number) => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: train}
spec:
  replicas: ${replicas}
  selector: {matchLabels: {app: train}}
  template:
    metadata: {labels: {app: train}}
    spec:
      containers: [{name: c, image: i, resources: {claims: [{name: gpu}]}}]
      resourceClaims: [{name: gpu, resourceClaimTemplateName: one-gpu}]
`;
const shared = `
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: shared}
spec:
  devices:
    requests:
    - name: any
      firstAvailable:
      - {name: two, deviceClassName: gpu.example.com, count: 2}
      - {name: one, deviceClassName: gpu.example.com}
`;
const user = (name: string) => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}}
spec:
  containers: [{name: c, image: i, resources: {claims: [{name: gpu}]}}]
  resourceClaims: [{name: gpu, resourceClaimName: shared}]
`;

let nodes: SimulatedNodes;
let k: Kubectl;
let names: readonly string[];

describe.skipIf(program === undefined)('devices', () => {
  beforeAll(async () => {
    nodes = await startNodes(2);
    k = nodes.k;
    names = (await k.ok('get nodes -o name'))
      .trim()
      .split('\n')
      .map((name) => name.replace('node/', ''));
  });
  afterAll(() => nodes?.stop());

  test('a selector that is no CEL is refused, with the place', async () => {
    await k.refuses(
      'create -f -',
      /spec\.selectors\[0\]\.cel\.expression: Invalid value: "device\.drivers == \\"gpu\.example\.com\\"": compilation failed: ERROR: <input>:1:7: undefined field 'drivers'/,
      deviceClass.replace('device.driver ', 'device.drivers '),
    );
  });

  test('pods get devices as far as there are any, and are told when there are none', async () => {
    await k.ok(
      'create -f -',
      [deviceClass, slice(names[0]!, 2), slice(names[1]!, 1), template, deployment(4)].join('---'),
    );
    await k.comesToSay('get deployment train -o jsonpath={.status.readyReplicas}', '3');
    await k.comesToSay(
      'get resourceclaims --no-headers -o custom-columns=S:.status.allocation.devices.results[0].device --sort-by=.status.allocation.devices.results[0].device',
      '<none>\ngpu-0\ngpu-0\ngpu-1',
    );
    await k.says('get resourceclaims --no-headers', /^train-\S+-gpu-\S+ {2,}allocated,reserved {2}/m);
    await k.comesToSay(
      'get events --field-selector reason=FailedScheduling -o jsonpath={.items[0].message}',
      '0/2 nodes are available: 2 cannot allocate all claims. still not schedulable, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
    );
    await k.says(
      'get pods --field-selector status.phase=Pending -o jsonpath={.items[*].spec.resourceClaims[0].resourceClaimTemplateName}',
      'one-gpu',
    );
    const claim = '{.items[0].status.resourceClaimStatuses[0]}';
    await k.says(
      `get pods --field-selector status.phase=Running -o jsonpath=${claim}`,
      /^\{"name":"gpu","resourceClaimName":"train-\S+-gpu-\S+"\}$/,
    );
  });

  test('a device that comes is given to who waits', async () => {
    await k.ok('apply --server-side --force-conflicts -f -', slice(names[1]!, 2, 2));
    await k.ok('rollout status deployment/train --timeout=90s');
    await k.says(
      `get pods --field-selector spec.nodeName=${names[1]} --no-headers -o custom-columns=P:.status.phase`,
      'Running\nRunning',
    );
  });

  test('with pods go their claims, and their devices are free', async () => {
    await k.ok('delete deployment train');
    await k.comesToSay('get resourceclaims,pods -o name', '');
  });

  test('a claim is shared by pods, goes with none of them, and is kept while it is used', async () => {
    await k.ok('create -f -', [shared, user('a'), user('b')].join('---'));
    await k.ok('wait pod/a pod/b --for=condition=Ready --timeout=90s');
    await k.says(
      'get resourceclaim shared -o jsonpath={.status.allocation.devices.results[*].request}/{.status.reservedFor[*].resource}/{.metadata.finalizers[0]}',
      'any/two any/two/pods pods/resource.kubernetes.io/delete-protection',
    );
    await k.says('get pods a b --no-headers -o custom-columns=N:.spec.nodeName', /^(\S+)\n\1$/);
    await k.ok('delete pod a');
    await k.comesToSay('get resourceclaim shared -o jsonpath={.status.reservedFor[*].name}', 'b');
    await k.ok('delete resourceclaim shared --wait=false');
    await k.comesToSay('get resourceclaim shared --no-headers', /^shared {2,}deleted,allocated,reserved {2}/);
    await k.ok('delete pod b');
    await k.comesToSay('get resourceclaims -o name', '');
  });

  test('a pod waits for the claim that it names', async () => {
    await k.ok('create -f -', user('c'));
    await k.comesToSay(
      'get pod c -o jsonpath={.status.conditions[?(@.type=="PodScheduled")].message}',
      '0/2 nodes are available: could not find resource claim "default/shared". no new claims to deallocate, preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
    );
    await k.ok('create -f -', shared);
    await k.ok('wait pod/c --for=condition=Ready --timeout=90s');
  });
});
