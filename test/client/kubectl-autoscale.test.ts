// What pods use, told by `kubectl top`, and what autoscalers make of it; and services over the pods that there are just then.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, type Kubectl } from './kubectl.ts';
import { type SimulatedNodes, startNodes } from './simulated-nodes.ts';

const program = findKubectl();

/** Cpu counts from the start, and is looked at often. */
const flags = [
  '--horizontal-pod-autoscaler-sync-period=1s',
  '--horizontal-pod-autoscaler-cpu-initialization-period=0s',
];

/** Their usage is what their annotations say. */
const web = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {simulation.jotasu.dev/cpu-usage: 300m, simulation.jotasu.dev/memory-usage: 64Mi}
    spec:
      containers: [{name: web, image: i, resources: {requests: {cpu: 200m}}}]
`;

let nodes: SimulatedNodes;
let k: Kubectl;

describe.skipIf(program === undefined)('usage', () => {
  beforeAll(async () => {
    nodes = await startNodes(3, { flags });
    k = nodes.k;
    await k.ok('create -f -', web);
    await nodes.rolledOut('deploy/web');
  });
  afterAll(() => nodes?.stop());

  test('top shows pods, containers and nodes', async () => {
    // What is used is told once it has been looked at.
    await k.comesToSay('top pods --no-headers', /^web-\S+ {2}300m {2}64Mi\nweb-\S+ {2}300m {2}64Mi$/);
    await k.says('top pods --containers --no-headers', /^web-\S+ {2}web {2}300m {2}64Mi\n/);
    const used = async () =>
      (await k.ok('top nodes --no-headers'))
        .trim()
        .split('\n')
        .map((line) => Number(/ (\d+)m /.exec(line)?.[1]));
    expect(await used()).toHaveLength(3);
    // Each node has something of its own to do, and the pods run somewhere.
    await expect.poll(async () => (await used()).reduce((a, b) => a + b, 0)).toBeGreaterThanOrEqual(600);
  });

  test('expose: the endpoints are the pods that there are', async () => {
    await k.says('expose deploy web --port=80 --target-port=8080', 'service/web exposed');
    const addresses = async () => {
      const slices = await k.json<{ items: { endpoints?: { addresses: string[] }[] }[] }>(
        'get endpointslices -l kubernetes.io/service-name=web',
      );
      return slices.items.flatMap(({ endpoints = [] }) => endpoints.flatMap((e) => e.addresses)).sort();
    };
    const ips = async () =>
      (await k.ok('get pods -l app=web -o jsonpath={.items[*].status.podIP}')).split(' ').sort();
    await expect.poll(addresses).toHaveLength(2);
    await expect.poll(addresses).toEqual(await ips());
    await k.ok('scale deploy web --replicas=3');
    await nodes.rolledOut('deploy/web');
    await expect.poll(addresses).toEqual(await ips());
    await k.comesToSay(
      'describe svc web',
      /TargetPort: {2}8080\/TCP\nEndpoints: {2}(10\.244\.\d+\.\d+:8080,?){3}\n/,
    );
    await k.ok('scale deploy web --replicas=2');
    await expect.poll(addresses).toHaveLength(2);
  });

  test('autoscale: more pods when they use more than they should, no more than are allowed', async () => {
    await k.says(
      'autoscale deploy web --min=2 --max=6 --cpu-percent=50',
      'horizontalpodautoscaler.autoscaling/web autoscaled',
    );
    // 150 % of what they request where 50 % is wanted: three times as many.
    await k.ok("wait deploy/web --for=jsonpath='{.status.readyReplicas}'=6 --timeout=90s");
    await k.ok("wait hpa/web --for=jsonpath='{.status.currentReplicas}'=6 --timeout=90s");
    await k.says(
      'get hpa web --no-headers',
      /^web {2}Deployment\/web {2}cpu: 150%\/50% {2}2 {2}6 {2}6 {2}\S+$/,
    );
    await k.says(
      'describe hpa web',
      /resource cpu on pods {2}\(as a percentage of request\): {2}150% \(300m\) \/ 50%/,
    );
    await k.says(
      'describe hpa web',
      /ScalingActive {2}True {2}ValidMetricFound {2}the HPA was able to successfully calculate a replica count from cpu resource utilization \(percentage of request\)/,
    );
    await k.says(
      'describe hpa web',
      /ScalingLimited {2}True {2}TooManyReplicas {2}the desired replica count is more than the maximum replica count/,
    );
    await k.comesToSay(
      'describe hpa web',
      /Normal {2}SuccessfulRescale {2}\S+ {2}horizontal-pod-autoscaler {2}New size: 6; reason: cpu resource utilization \(percentage of request\) above target/,
    );
    await k.ok(`patch hpa web -p '{"spec":{"maxReplicas":3}}'`);
    await k.ok("wait deploy/web --for=jsonpath='{.spec.replicas}'=3 --timeout=90s");
    await k.comesToSay(
      'describe hpa web',
      /New size: 3; reason: Current number of replicas above Spec\.MaxReplicas/,
    );
    await k.ok('delete hpa web');
  });
});
