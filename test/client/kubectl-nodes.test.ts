// Nodes as administrators treat them, and as fate does: cordon, drain, taints, a power cut; and where pods are put.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, Kubectl } from './kubectl.ts';
import { bundle } from './program-server.ts';
import { type SimulatedNodes, startNodes } from './simulated-nodes.ts';

const program = findKubectl();
const nodeCount = 10;
const replicas = 50;

const spread = `
apiVersion: apps/v1
kind: Deployment
metadata: {name: spread}
spec:
  replicas: 9
  selector: {matchLabels: {app: spread}}
  template:
    metadata: {labels: {app: spread}}
    spec:
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: topology.kubernetes.io/zone
        whenUnsatisfiable: DoNotSchedule
        labelSelector: {matchLabels: {app: spread}}
      containers: [{name: c, image: i}]
`;

/** A pod that needs most of a machine. */
const big = (name: string, rest: Record<string, unknown> = {}) =>
  JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: 'big' } },
    spec: { ...rest, containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '20' } } }] },
  });

let nodes: SimulatedNodes;
let k: Kubectl;
/** The program itself, as kubectl is run. */
let jotasu: Kubectl;

/** By node, how many pods with a label run on it: the columns of -o wide. */
async function placesOf(selector: string): Promise<Map<string, number>> {
  const places = new Map<string, number>();
  for (const line of (await k.ok(`get pods -l ${selector} -o wide --no-headers`)).trim().split('\n')) {
    const [, ready, status, , , , node = ''] = line.split(/ +/);
    if (ready === '1/1' && status === 'Running') places.set(node, (places.get(node) ?? 0) + 1);
  }
  return places;
}
const sum = (counts: Iterable<number>) => [...counts].reduce((a, b) => a + b, 0);

describe.skipIf(program === undefined)('nodes', () => {
  beforeAll(async () => {
    nodes = await startNodes(nodeCount);
    k = nodes.k;
    jotasu = new Kubectl({ ...nodes.server, program: process.execPath });
  });
  afterAll(() => nodes?.stop());

  test('a Deployment of fifty is dealt out over ten nodes', async () => {
    await k.ok(`create deployment web --image=web:1 --replicas=${replicas}`);
    await nodes.rolledOut('deploy/web');
    const places = await placesOf('app=web');
    expect(sum(places.values())).toBe(replicas);
    expect(places.size).toBe(nodeCount);
    expect(Math.max(...places.values())).toBeLessThanOrEqual(8);
  });

  test('constraints spread pods over zones', async () => {
    const zones = await k.ok('get nodes --no-headers -L topology.kubernetes.io/zone');
    const zoneOf = new Map(
      zones
        .trim()
        .split('\n')
        .map((line) => line.split(/ +/))
        .map((columns) => [columns[0], columns.at(-1)]),
    );
    // A zone that takes nobody holds the others back: one more than nothing is as far as they may go.
    await k.ok('cordon -l topology.kubernetes.io/zone=sim-c');
    await k.ok('apply -f -', spread);
    await k.ok("wait deploy/spread --for=jsonpath='{.status.readyReplicas}'=2 --timeout=90s");
    await expect
      .poll(() => k.ok('describe pods -l app=spread'))
      .toContain(
        "0/10 nodes are available: 3 node(s) were unschedulable, 7 node(s) didn't match pod topology spread constraints.",
      );
    await k.ok('uncordon -l topology.kubernetes.io/zone=sim-c');
    await nodes.rolledOut('deploy/spread');
    const counts = new Map<string, number>();
    for (const [node, count] of await placesOf('app=spread')) {
      const zone = zoneOf.get(node) ?? 'none';
      counts.set(zone, (counts.get(zone) ?? 0) + count);
    }
    expect([...counts].sort()).toEqual([
      ['sim-a', 3],
      ['sim-b', 3],
      ['sim-c', 3],
    ]);
  });

  test('a drained node is empty, as soon as the disruption budget allows it', async () => {
    await k.ok(`create pdb web --selector=app=web --min-available=${replicas}`);
    await k.ok("wait pdb/web --for=jsonpath='{.status.currentHealthy}'=50 --timeout=90s");
    await k.says('cordon sim-1', 'node/sim-1 cordoned');
    await k.says('get node sim-1 --no-headers', /^sim-1 {2}Ready,SchedulingDisabled {2}/);
    const before = (await placesOf('app=web')).get('sim-1') ?? 0;
    expect(before).toBeGreaterThan(0);
    const draining = k.follow('drain sim-1');
    await draining.until('will retry');
    expect((await placesOf('app=web')).get('sim-1')).toBe(before);
    await k.ok(`scale deploy web --replicas=${replicas + 10}`);
    expect(await draining.ended).toBe(0);
    expect(draining.text.trimEnd().split('\n').at(-1)).toBe('node/sim-1 drained');
    expect(draining.errors).toMatch(
      /error when evicting pods\/"web-\S+" -n "default" \(will retry after 5s\): Cannot evict pod as it would violate the pod's disruption budget\./,
    );
    expect((await placesOf('app=web')).get('sim-1')).toBeUndefined();
    await expect.poll(() => placesOf('app=web').then((places) => sum(places.values()))).toBe(replicas + 10);
    await k.comesToSay(
      'describe pdb web',
      /Allowed disruptions: {2}10\n {2}Current: {2}60\n {2}Desired: {2}50\n {2}Total: {2}60/,
    );
    await k.ok('delete pdb web');
    await k.says('uncordon sim-1', 'node/sim-1 uncordoned');
    await k.says('get node sim-1 --no-headers', /^sim-1 {2}Ready {2}/);
  });

  test('a taint drives out who does not tolerate it', async () => {
    await k.ok(
      'run tolerant --image=i --overrides=' +
        `'${JSON.stringify({
          spec: { nodeName: 'sim-2', tolerations: [{ key: 'gone', operator: 'Exists' }] },
        })}'`,
    );
    await k.ok('wait pod/tolerant --for=condition=Ready --timeout=90s');
    await k.says('taint node sim-2 gone=now:NoExecute', 'node/sim-2 tainted');
    await expect.poll(() => placesOf('app=web').then((p) => p.has('sim-2'))).toBe(false);
    await nodes.rolledOut('deploy/web');
    await k.says('get pod tolerant --no-headers', /^tolerant {2}1\/1 {2}Running/);
    await k.comesToSay(
      'get events --field-selector reason=TaintManagerEviction',
      /Normal {2}TaintManagerEviction {2}pod\/(web-\S+) {2}Marking for deletion Pod default\/\1/,
    );
    await k.says('taint node sim-2 gone-', 'node/sim-2 untainted');
    await k.ok('delete pod tolerant');
  });

  test('pods of a node that loses its power run elsewhere within seconds', async () => {
    const before = await placesOf('app=web');
    const lost = before.get('sim-3') ?? 0;
    expect(lost).toBeGreaterThan(0);
    const kubeconfig = `--kubeconfig ${nodes.server.kubeconfig}`;
    await jotasu.says(`${bundle} node kill sim-3 ${kubeconfig}`, 'Node sim-3 is off.');
    const killedMs = performance.now();
    await expect
      .poll(
        async () => {
          const places = await placesOf('app=web');
          return [places.has('sim-3'), sum(places.values())];
        },
        { interval: 100 },
      )
      .toEqual([false, replicas + 10]);
    // 5 s are promised; the rest is for a machine that has much else to do.
    expect(performance.now() - killedMs).toBeLessThan(40_000);
    await k.says('get node sim-3 --no-headers', /^sim-3 {2}NotReady {2}/);
    await k.says(
      'describe node sim-3',
      /Ready {2}Unknown {2}.* {2}NodeStatusUnknown {2}Kubelet stopped posting node status\./,
    );
    await k.comesToSay(
      'describe node sim-3',
      /Normal {2}NodeNotReady {2}\S+ {2}node-controller {2}Node sim-3 status is now: NodeNotReady/,
    );
    await k.says(
      'describe node sim-3',
      /Taints: {2}.*\n(?:.*\n)*? +node\.kubernetes\.io\/unreachable:NoExecute/,
    );
    await jotasu.says(`${bundle} node start sim-3 ${kubeconfig}`, 'Node sim-3 is running again.');
    await k.ok('wait node/sim-3 --for=condition=Ready --timeout=90s');
    await k.comesToSay('describe node sim-3', /\nTaints: {2}<none>\n/);
  });

  test('who matters more takes the place of who matters less', async () => {
    await k.ok('create priorityclass urgent --value=1000');
    const fillers = Array.from({ length: nodeCount }, (_, i) => big(`big-${i + 1}`));
    await k.ok('create -f -', fillers.join('\n'));
    await k.ok('wait pods -l app=big --for=condition=Ready --timeout=90s');
    await k.ok('create -f -', big('late'));
    await k.ok('wait pod/late --for=condition=PodScheduled=False --timeout=90s');
    await k.comesToSay(
      'describe pod late',
      /Warning {2}FailedScheduling {2}\S+ {2}default-scheduler {2}0\/10 nodes are available: 10 Insufficient cpu\. preemption: 0\/10 nodes are available: 10 No preemption victims found for incoming pod\./,
    );
    await k.ok('create -f -', big('urgent', { priorityClassName: 'urgent' }));
    await k.ok('wait pod/urgent --for=condition=Ready --timeout=90s');
    const uid = await k.ok("get pod urgent -o jsonpath='{.metadata.uid}'");
    const node = await k.ok("get pod urgent -o jsonpath='{.spec.nodeName}'");
    await k.comesToSay(
      'get events --field-selector reason=Preempted --no-headers',
      new RegExp(`^[^\n]* Preempted by pod ${uid} on node ${node}$`),
    );
    await k.says(
      'get pods -l app=big --no-headers --field-selector status.phase=Pending',
      /^late {2}0\/1 {2}Pending/,
    );
    await k.ok('delete pods -l app=big --wait=false');
  });
});
