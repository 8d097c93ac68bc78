// A server that is killed in the middle of rollouts and started again on its data: nothing of what it was about is lost, and nothing
// is done twice.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, type Kubectl } from './kubectl.ts';
import { type SimulatedNodes, startNodes } from './simulated-nodes.ts';

const program = findKubectl();
const replicas = 30;
const completions = 12;

/** Slow enough that a crash falls into the middle. */
const simulation = `
pods:
- name: job
  selector: {matchExpressions: [{key: batch.kubernetes.io/job-name, operator: Exists}]}
  ends: {after: 500ms..800ms}
- name: web
  start: 600ms..2s
`;

const job = `
apiVersion: batch/v1
kind: Job
metadata: {name: sums}
spec:
  completions: ${completions}
  parallelism: 3
  completionMode: Indexed
  template:
    spec: {restartPolicy: Never, containers: [{name: c, image: i}]}
`;

const set = `
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: db
  replicas: 5
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: 'db:1'}]}
`;

interface Metadata {
  readonly name: string;
  readonly uid: string;
  readonly deletionTimestamp?: string;
}
interface Pod {
  readonly metadata: Metadata & { readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly nodeName: string; readonly containers: readonly { readonly image: string }[] };
  readonly status: { readonly phase: string };
}
interface ReplicaSet {
  readonly metadata: Metadata;
  readonly spec: { readonly replicas: number };
  readonly status: { readonly readyReplicas?: number };
}
interface Event {
  readonly involvedObject: { readonly kind: string; readonly name: string };
  readonly reason: string;
  readonly message: string;
  readonly count: number;
}

let nodes: SimulatedNodes;
let k: Kubectl;

const list = async <T>(what: string) => (await k.json<{ items: T[] }>(`get ${what}`)).items;
const placeOf = ({ metadata, spec }: Pod) => `${metadata.name} ${metadata.uid} ${spec.nodeName}`;

describe.skipIf(program === undefined)('a server that crashes', () => {
  beforeAll(async () => {
    nodes = await startNodes(10, { simulation });
    k = nodes.k;
    await k.ok(`create deployment web --image=web:1 --replicas=${replicas}`);
    await k.ok('apply -f -', set);
    await nodes.rolledOut('deploy/web');
    await nodes.rolledOut('sts/db');
  });
  afterAll(() => nodes?.stop());

  test('twice in the middle of rollouts goes on where it was', async () => {
    const [before] = (await list<ReplicaSet>('rs -l app=web')) as [ReplicaSet];
    await k.ok('create -f -', job);
    await k.ok('set image deploy/web web=web:2');
    await k.ok('set image sts/db db=db:2');
    const settled: Pod[] = [];
    for (const atLeast of [2, 10]) {
      // NAME DESIRED CURRENT READY AGE
      const seen = k.follow('get rs -l app=web --watch --no-headers');
      const ready = () =>
        Math.max(
          0,
          ...seen.text
            .split('\n')
            .filter((line) => line !== '' && !line.startsWith(`${before.metadata.name} `))
            .map((line) => Number(line.split(/ +/)[3] ?? 0)),
        );
      await expect.poll(ready, { interval: 20 }).toBeGreaterThanOrEqual(atLeast);
      settled.push(
        ...(await list<Pod>('pods -l app=web')).filter(
          ({ spec, status, metadata }) =>
            spec.containers[0]?.image === 'web:2' &&
            status.phase === 'Running' &&
            metadata.deletionTimestamp === undefined,
        ),
      );
      await nodes.server.kill();
      await seen.ended;
      // Or it was over before the crash, and this has shown nothing.
      expect(ready()).toBeLessThan(replicas);
      await nodes.server.restart();
    }
    expect(settled.length).toBeGreaterThan(0);
    await nodes.rolledOut('deploy/web');
    await nodes.rolledOut('sts/db');
    await k.ok('wait job/sums --for=condition=complete --timeout=25s');
    await expect.poll(() => list('pods -l app=web')).toHaveLength(replicas);

    const pods = await list<Pod>('pods -l app=web');
    expect(new Set(pods.map(({ spec }) => spec.containers[0]?.image))).toEqual(new Set(['web:2']));
    const places = new Set(pods.map(placeOf));
    expect(settled.map(placeOf).filter((place) => !places.has(place))).toEqual([]);
    const sets = await list<ReplicaSet>('rs -l app=web');
    expect(sets.map(({ spec, status }) => [spec.replicas, status.readyReplicas ?? 0]).sort()).toEqual([
      [0, 0],
      [replicas, replicas],
    ]);
    await k.says(
      'rollout history deploy/web',
      'deployment.apps/web\nREVISION  CHANGE-CAUSE\n1  <none>\n2  <none>',
    );
    expect(
      (await list<Pod>('pods -l app=db')).map(({ metadata, spec }) => [
        metadata.name,
        spec.containers[0]?.image,
      ]),
    ).toEqual([0, 1, 2, 3, 4].map((i) => [`db-${i}`, 'db:2']));
  });

  test('does nothing twice', async () => {
    const pods = await list<Pod>('pods');
    const names = new Set(pods.map(({ metadata }) => metadata.name));
    const events = await list<Event>('events');
    const web = pods.find(({ spec }) => spec.containers[0]?.image === 'web:2');
    const hash = web?.metadata.labels['pod-template-hash'];
    // Who was made and let go again would have been scheduled.
    const scheduled = events.filter(
      ({ reason, involvedObject: { name } }) =>
        reason === 'Scheduled' && (name.startsWith(`web-${hash}-`) || name.startsWith('sums-')),
    );
    // Events that were under way are lost with the server: on a busy machine more of them.
    expect(scheduled.length).toBeGreaterThan(replicas / 6);
    expect(
      scheduled.filter(({ count, involvedObject }) => count !== 1 || !names.has(involvedObject.name)),
    ).toEqual([]);
    const steps = events.filter(
      ({ reason, message }) => reason === 'ScalingReplicaSet' && message.startsWith('Scaled'),
    );
    expect(steps.length).toBeGreaterThan(2);
    expect(steps.filter(({ count }) => count !== 1)).toEqual([]);
    expect(new Set(steps.map(({ message }) => message)).size).toBe(steps.length);
    const work = pods.filter(({ metadata }) => metadata.labels['batch.kubernetes.io/job-name'] === 'sums');
    const indexes = work.map(({ metadata }) =>
      Number(metadata.labels['batch.kubernetes.io/job-completion-index']),
    );
    expect(indexes.sort((a, b) => a - b)).toEqual([...Array(completions).keys()]);
    await k.says(
      'get job sums --no-headers',
      new RegExp(`^sums {2}Complete {2}${completions}/${completions} `),
    );
  });
});
