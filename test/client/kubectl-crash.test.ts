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
}
interface Pod {
  readonly metadata: Metadata & { readonly labels: Readonly<Record<string, string>> };
  readonly spec: { readonly nodeName: string; readonly containers: readonly { readonly image: string }[] };
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

/** Of pods: where they are, and what settledIn asks about. */
const columns = [
  'NAME:.metadata.name',
  'UID:.metadata.uid',
  'NODE:.spec.nodeName',
  'IMAGE:.spec.containers[0].image',
  'PHASE:.status.phase',
  'DELETED:.metadata.deletionTimestamp',
].join(',');

/** The places of the new pods that run, after what has been heard of all pods, whole lines of the columns. */
function settledIn(heard: string): string[] {
  const last = new Map<string, string[]>();
  for (const line of heard.split('\n').slice(0, -1)) {
    const [name = '', ...rest] = line.trim().split(/ +/);
    last.set(name, rest);
  }
  return [...last].flatMap(([name, [uid, node, image, phase, deleted]]) =>
    image === 'web:2' && phase === 'Running' && deleted === '<none>' ? `${name} ${uid} ${node}` : [],
  );
}

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
    await k.ok('create -f -', job);
    await k.ok('set image deploy/web web=web:2');
    await k.ok('set image sts/db db=db:2');
    const settled = new Set<string>();
    for (const atLeast of [2, 10]) {
      // All that is asked about the moment of the crash is in what this hears: the rollout does not wait for another kubectl.
      const seen = k.follow(`get pods -l app=web --watch --no-headers -o custom-columns=${columns}`);
      await expect.poll(() => settledIn(seen.text).length, { interval: 20 }).toBeGreaterThanOrEqual(atLeast);
      await nodes.server.kill();
      await seen.ended;
      const places = settledIn(seen.text);
      // Or it was over before the crash, and this has shown nothing.
      expect(places.length).toBeLessThan(replicas);
      for (const place of places) settled.add(place);
      await nodes.server.restart();
    }
    await nodes.rolledOut('deploy/web');
    await nodes.rolledOut('sts/db');
    await k.ok('wait job/sums --for=condition=complete --timeout=90s');
    await expect.poll(() => list('pods -l app=web')).toHaveLength(replicas);

    const pods = await list<Pod>('pods -l app=web');
    expect(new Set(pods.map(({ spec }) => spec.containers[0]?.image))).toEqual(new Set(['web:2']));
    const places = new Set(pods.map(placeOf));
    expect([...settled].filter((place) => !places.has(place))).toEqual([]);
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
