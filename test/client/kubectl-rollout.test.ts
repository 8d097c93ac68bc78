// `kubectl rollout` and what it is about: Deployments, StatefulSets and DaemonSets on simulated nodes change their pods, go back,
// stand still and go on.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, type Kubectl } from './kubectl.ts';
import { type SimulatedNodes, startNodes } from './simulated-nodes.ts';

const program = findKubectl();
const nodeCount = 6;

const manifest = `
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {clusterIP: None, selector: {app: db}, ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 3
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: 'db:1'}]}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  updateStrategy: {rollingUpdate: {maxUnavailable: 2}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: 'agent:1'}]}
`;

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
    readonly spec: { readonly nodeName: string; readonly containers: readonly { readonly image: string }[] };
  }[];
}

let nodes: SimulatedNodes;
let k: Kubectl;

/** Of those that nobody has told to go. */
const podsOf = async (app: string) =>
  (await k.json<PodList>(`get pods -l app=${app}`)).items.filter(
    ({ metadata }) => metadata.deletionTimestamp === undefined,
  );
const imagesOf = async (app: string) => [
  ...new Set((await podsOf(app)).map(({ spec }) => spec.containers[0]?.image)),
];
const uidsOf = async (app: string) => (await podsOf(app)).map(({ metadata }) => metadata.uid);
const rolledOut = (what: string) => nodes.rolledOut(what);

describe.skipIf(program === undefined)('kubectl rollout', () => {
  beforeAll(async () => {
    nodes = await startNodes(nodeCount);
    k = nodes.k;
    await k.ok('create deployment web --image=web:1 --replicas=4');
    await k.ok('apply -f -', manifest);
  });
  afterAll(() => nodes?.stop());

  test('a Deployment: status, history, change causes', async () => {
    expect(await rolledOut('deploy/web')).toBe('deployment "web" successfully rolled out');
    await k.ok('set image deploy/web web=web:2');
    await k.ok('annotate deploy/web kubernetes.io/change-cause=second');
    await rolledOut('deploy/web');
    expect(await imagesOf('web')).toEqual(['web:2']);
    await k.comesToSay(
      'rollout history deploy/web',
      'deployment.apps/web\nREVISION  CHANGE-CAUSE\n1  <none>\n2  second',
    );
    await k.says(
      'rollout history deploy/web --revision=2',
      /kubernetes\.io\/change-cause: second[\s\S]*Image:\sweb:2/,
    );
  });

  test('a paused Deployment stands still until it is resumed', async () => {
    const before = await uidsOf('web');
    await k.says('rollout pause deploy/web', 'deployment.apps/web paused');
    await k.ok('set image deploy/web web=web:3');
    const { metadata } = await k.json<{ metadata: { generation: number } }>('get deploy web');
    const observed = "jsonpath='{.status.observedGeneration}'";
    await k.ok(`wait deploy/web --for=${observed}=${metadata.generation} --timeout=90s`);
    await k.says(
      'rollout status deploy/web --watch=false',
      'Waiting for deployment "web" rollout to finish: 0 out of 4 new replicas have been updated...',
    );
    await k.refuses(
      'rollout undo deploy/web',
      "error: you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again",
    );
    await k.refuses(
      'rollout restart deploy/web',
      /can't restart paused deployment \(run rollout resume first\)/,
    );
    await k.says('describe deploy/web', /Progressing {2}Unknown {2}DeploymentPaused/);
    expect(await uidsOf('web')).toEqual(before);
    await k.says('rollout resume deploy/web', 'deployment.apps/web resumed');
    await rolledOut('deploy/web');
    expect(await imagesOf('web')).toEqual(['web:3']);
  });

  test('a Deployment goes back, and its pods are made anew', async () => {
    await k.says('rollout undo deploy/web', 'deployment.apps/web rolled back');
    await rolledOut('deploy/web');
    expect(await imagesOf('web')).toEqual(['web:2']);
    await k.says(
      'rollout history deploy/web',
      'deployment.apps/web\nREVISION  CHANGE-CAUSE\n1  <none>\n3  second\n4  second',
    );
    const before = await uidsOf('web');
    await k.says('rollout restart deploy/web', 'deployment.apps/web restarted');
    await rolledOut('deploy/web');
    const after = await uidsOf('web');
    expect(after).toHaveLength(4);
    expect(after.filter((uid) => before.includes(uid))).toEqual([]);
  });

  test('describe tells of a Deployment and its ReplicaSets', async () => {
    await expect
      .poll(async () => (await nodes.messages('web', 'ScalingReplicaSet')).slice(0, 2))
      .toEqual([
        expect.stringMatching(/^Scaled up replica set web-\w+ from 0 to 4$/),
        expect.stringMatching(/^Scaled up replica set web-\w+ from 0 to 1$/),
      ]);
    await k.says(
      'describe deploy/web',
      /Replicas: {2}4 desired \| 4 updated \| 4 total \| 4 available \| 0 unavailable/,
    );
    await k.says(
      'describe deploy/web',
      /Available {2}True {2}MinimumReplicasAvailable\n {2}Progressing {2}True {2}NewReplicaSetAvailable/,
    );
    await k.says('describe deploy/web', /NewReplicaSet: {2}web-\w+ \(4\/4 replicas created\)/);
    await k.comesToSay(
      'describe rs -l app=web',
      /Normal {2}SuccessfulCreate {2}\S+ {2}replicaset-controller {2}Created pod: web-/,
    );
    await k.comesToSay(
      'describe rs -l app=web',
      /Normal {2}SuccessfulDelete {2}\S+ {2}replicaset-controller {2}Deleted pod: web-/,
    );
    await k.comesToSay(
      'describe pods -l app=web',
      /Scheduled {2}\S+ {2}default-scheduler {2}Successfully assigned default\/web-\S+ to sim-\d\n {2}Normal {2}Pulled {2}\S+ {2}kubelet {2}Container image "web:2" already present on machine and can be accessed by the pod\n {2}Normal {2}Created {2}\S+ {2}kubelet {2}Container created\n {2}Normal {2}Started {2}\S+ {2}kubelet {2}Container started/,
    );
  });

  test('a StatefulSet: from the last pod to the first, back, anew', async () => {
    expect(await rolledOut('sts/db')).toBe('partitioned roll out complete: 3 new pods have been updated...');
    await k.ok('set image sts/db db=db:2');
    await rolledOut('sts/db');
    expect(await imagesOf('db')).toEqual(['db:2']);
    await expect
      .poll(() => nodes.messages('db', 'SuccessfulDelete'))
      .toEqual([2, 1, 0].map((i) => `delete Pod db-${i} in StatefulSet db successful`));
    await k.says(
      'rollout history sts/db',
      'statefulset.apps/db\nREVISION  CHANGE-CAUSE\n1  <none>\n2  <none>',
    );
    await k.says('rollout undo sts/db', 'statefulset.apps/db rolled back');
    await rolledOut('sts/db');
    expect(await imagesOf('db')).toEqual(['db:1']);
    await k.says(
      'rollout history sts/db',
      'statefulset.apps/db\nREVISION  CHANGE-CAUSE\n2  <none>\n3  <none>',
    );
    const before = await uidsOf('db');
    await k.says('rollout restart sts/db', 'statefulset.apps/db restarted');
    await rolledOut('sts/db');
    const after = await podsOf('db');
    expect(after.map(({ metadata }) => metadata.name)).toEqual(['db-0', 'db-1', 'db-2']);
    expect(after.filter(({ metadata }) => before.includes(metadata.uid))).toEqual([]);
    await k.refuses('rollout pause sts/db', 'error: statefulsets.apps "db" pausing is not supported');
    await k.says('describe sts/db', /Pods Status: {2}3 Running \/ 0 Waiting \/ 0 Succeeded \/ 0 Failed/);
    await k.comesToSay(
      'describe sts/db',
      /Normal {2}SuccessfulCreate {2}.* {2}statefulset-controller {2}create Pod db-0 in StatefulSet db successful/,
    );
  });

  test('a DaemonSet: a pod on each node, changed, back, anew', async () => {
    expect(await rolledOut('ds/agent')).toBe('daemon set "agent" successfully rolled out');
    await k.ok('set image ds/agent agent=agent:2');
    await rolledOut('ds/agent');
    expect(await imagesOf('agent')).toEqual(['agent:2']);
    expect(new Set((await podsOf('agent')).map(({ spec }) => spec.nodeName)).size).toBe(nodeCount);
    await k.says('rollout undo ds/agent', 'daemonset.apps/agent rolled back');
    await rolledOut('ds/agent');
    expect(await imagesOf('agent')).toEqual(['agent:1']);
    await k.says(
      'rollout history ds/agent',
      'daemonset.apps/agent\nREVISION  CHANGE-CAUSE\n2  <none>\n3  <none>',
    );
    const before = await uidsOf('agent');
    await k.says('rollout restart ds/agent', 'daemonset.apps/agent restarted');
    await rolledOut('ds/agent');
    const after = await uidsOf('agent');
    expect(after).toHaveLength(nodeCount);
    expect(after.filter((uid) => before.includes(uid))).toEqual([]);
    await k.refuses('rollout pause ds/agent', 'error: daemonsets.apps "agent" pausing is not supported');
    await k.says(
      'describe ds/agent',
      /Desired Number of Nodes Scheduled: 6\nCurrent Number of Nodes Scheduled: 6\nNumber of Nodes Scheduled with Up-to-date Pods: 6/,
    );
    await k.comesToSay(
      'describe ds/agent',
      /Normal {2}SuccessfulCreate {2}\S+ {2}daemonset-controller {2}Created pod: agent-/,
    );
  });

  test('scale, also only from a number that is expected', async () => {
    await k.says('scale sts db --replicas=1 --current-replicas=3', 'statefulset.apps/db scaled');
    await k.refuses(
      'scale sts db --replicas=9 --current-replicas=3',
      'error: Expected replicas to be 3, was 1',
    );
    await k.ok('wait pod/db-1 pod/db-2 --for=delete --timeout=90s');
    expect((await podsOf('db')).map(({ metadata }) => metadata.name)).toEqual(['db-0']);
    await k.says('scale deploy web --replicas=0', 'deployment.apps/web scaled');
    await k.ok('wait pods -l app=web --for=delete --timeout=90s');
    await k.comesToSay('get deploy web --no-headers', /^web {2}0\/0 {2}0 {2}0 {2}/);
  });

  test('deletion leaves, waits for, or takes along what was owned', async () => {
    await k.says('delete ds agent --cascade=orphan', 'daemonset.apps "agent" deleted');
    expect(await podsOf('agent')).toHaveLength(nodeCount);
    await k.ok('delete pods -l app=agent');
    await k.ok('scale deploy web --replicas=3');
    await rolledOut('deploy/web');
    await k.says('delete deploy web --cascade=foreground', 'deployment.apps "web" deleted');
    await k.says('get rs,pods -l app=web -o name', '');
    await k.says('delete sts db --wait=false', 'statefulset.apps "db" deleted');
    await k.ok('wait pods -l app=db --for=delete --timeout=90s');
  });
});
