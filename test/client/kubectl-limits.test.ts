// What a namespace may hold: quotas and limit ranges refuse in Kubernetes' words, to people and to controllers.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, type Kubectl } from './kubectl.ts';
import { type SimulatedNodes, startNodes } from './simulated-nodes.ts';

const program = findKubectl();

const pod = (name: string, resources: Record<string, unknown>) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: { containers: [{ name: 'c', image: 'i', resources }] },
  });

const limits = `
apiVersion: v1
kind: LimitRange
metadata: {name: sizes}
spec:
  limits:
  - type: Container
    max: {cpu: 500m}
    min: {cpu: 50m}
    default: {cpu: 200m}
    defaultRequest: {cpu: 100m}
`;

let nodes: SimulatedNodes;
let k: Kubectl;

describe.skipIf(program === undefined)('limits of a namespace', () => {
  beforeAll(async () => {
    nodes = await startNodes(2);
    k = nodes.k;
    await k.ok('create ns few');
    await k.ok('create ns sized');
  });
  afterAll(() => nodes?.stop());

  test('a quota counts what there is, and refuses what is too much', async () => {
    await k.says('create quota few -n few --hard=pods=3,requests.cpu=1', 'resourcequota/few created');
    await k.ok("wait -n few quota/few --for=jsonpath='{.status.used.pods}'=0 --timeout=90s");
    await k.refuses(
      'create -n few -f -',
      'Error from server (Forbidden): error when creating "STDIN": pods "a" is forbidden: failed quota: few: must specify requests.cpu for: c',
      pod('a', {}),
    );
    await k.ok('create -n few -f -', pod('a', { requests: { cpu: '600m' } }));
    await k.refuses(
      'create -n few -f -',
      'Error from server (Forbidden): error when creating "STDIN": pods "b" is forbidden: exceeded quota: few, requested: requests.cpu=600m, used: requests.cpu=600m, limited: requests.cpu=1',
      pod('b', { requests: { cpu: '600m' } }),
    );
    await k.says(
      'describe quota few -n few',
      'Name:  few\nNamespace:  few\nResource  Used  Hard\n--------  ----  ----\npods  1  3\nrequests.cpu  600m  1',
    );
  });

  test('a Deployment that may not have more pods says so, and goes on when it may', async () => {
    await k.ok('create deployment web -n few --image=i --replicas=4 --dry-run=client -o yaml');
    await k.ok('create deployment web -n few --image=i --replicas=0');
    await k.ok('set resources deploy web -n few --requests=cpu=100m');
    await k.ok('scale deploy web -n few --replicas=4');
    await k.ok("wait -n few deploy/web --for=jsonpath='{.status.readyReplicas}'=2 --timeout=90s");
    await k.ok('wait -n few deploy/web --for=condition=ReplicaFailure --timeout=90s');
    await k.says('describe deploy web -n few', /ReplicaFailure {2}True {2}FailedCreate/);
    await k.comesToSay(
      'describe rs -n few -l app=web',
      /Warning {2}FailedCreate {2}.* {2}replicaset-controller {2}Error creating: pods "web-\w+-\w+" is forbidden: exceeded quota: few, requested: pods=1, used: pods=3, limited: pods=3/,
    );
    await k.ok(`patch quota few -n few -p '{"spec":{"hard":{"pods":"9"}}}'`);
    // The retries of what was refused come at growing intervals; a change of the Deployment comes at once.
    await k.ok('scale deploy web -n few --replicas=3');
    await k.ok("wait -n few deploy/web --for=jsonpath='{.status.readyReplicas}'=3 --timeout=90s");
    // One that was made before the second scaling may still be on its way out.
    await k.ok("wait -n few quota/few --for=jsonpath='{.status.used.pods}'=4 --timeout=90s");
    await k.ok('delete pod a -n few');
    await k.ok("wait -n few quota/few --for=jsonpath='{.status.used.pods}'=3 --timeout=90s");
  });

  test('a limit range fills in, and refuses what is too large or too small', async () => {
    await k.ok('create -n sized -f -', limits);
    await k.ok('create -n sized -f -', pod('a', {}));
    expect(await k.json('get pod a -n sized')).toMatchObject({
      metadata: {
        annotations: {
          'kubernetes.io/limit-ranger':
            'LimitRanger plugin set: cpu request for container c; cpu limit for container c',
        },
      },
      spec: { containers: [{ resources: { requests: { cpu: '100m' }, limits: { cpu: '200m' } } }] },
    });
    await k.refuses(
      'create -n sized -f -',
      'Error from server (Forbidden): error when creating "STDIN": pods "b" is forbidden: maximum cpu usage per Container is 500m, but limit is 600m',
      pod('b', { limits: { cpu: '600m' } }),
    );
    await k.refuses(
      'create -n sized -f -',
      'Error from server (Forbidden): error when creating "STDIN": pods "b" is forbidden: minimum cpu usage per Container is 50m, but request is 10m',
      pod('b', { requests: { cpu: '10m' } }),
    );
    await k.says('describe limits sizes -n sized', /Container {2}cpu {2}50m {2}500m {2}100m {2}200m {2}-$/);
  });
});
