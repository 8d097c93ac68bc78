// Every way in which a node runs, changes, refuses and ends pods, as kubectl shows it: one cluster of one node, all pods at once. What
// a case says about its pod is waited for; the messages are the kubelet's.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { coreV1, Pod } from '../../src/api/index.ts';
import { listProcesses, readCgroupLayout } from '../../src/os/index.ts';
import { lifeCases } from './pod-life-cases.ts';
import { image, manifest, node, ready, restarted, type Spec, sh } from './pod-manifest.ts';
import { refusalCases } from './pod-refusal-cases.ts';
import { settingsCases } from './pod-settings-cases.ts';
import { subjects } from './pod-subjects.ts';
import { mustRun, TourCluster, whyNot } from './tour-machine.ts';

const why = whyNot();
const cases = { ...lifeCases, ...refusalCases, ...settingsCases };
const cluster = new TourCluster('jt-pods');
const shared = join(cluster.directory, 'shared');
const dataDir = join(cluster.directory, 'data');
const manifests = join(dataDir, 'nodes', node, 'manifests');
let pods = new Map<string, Pod>();
let events: coreV1.Event[] = [];
let following = true;
let follower: Promise<void> = Promise.resolve();

async function follow(): Promise<void> {
  while (following) {
    // A look that fails is told, and another is taken: who waits for something says what he saw last.
    await look().catch((error: unknown) => console.warn(String(error)));
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

async function look(): Promise<void> {
  const { items } = await cluster.json<{ items: (Pod | coreV1.Event)[] }>('get', 'pods,events');
  pods = new Map(items.flatMap((o) => (o.kind === 'Pod' ? [[o.metadata.name, o as Pod] as const] : [])));
  events = items.filter((o): o is coreV1.Event => o.kind === 'Event');
}

/** All pods start at once, on one node: on a machine with much else to do the last of them take their time. */
const timeoutMs = 100_000;
const eventsOf = (name: string): string[] =>
  events.filter((e) => e.involvedObject.name === name).map((e) => `${e.reason}: ${e.message}`);
/** Resolves once `look` answers with undefined; rejects with its last answer. Concurrent tests cannot share expect.poll. */
async function eventually(look: () => unknown): Promise<void> {
  for (const untilMs = Date.now() + timeoutMs; ; ) {
    const found = await look();
    if (found === undefined) return;
    if (Date.now() > untilMs) throw new Error(`it stayed ${JSON.stringify(found, undefined, 1)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
const sees = (name: string, look: (pod: Pod) => boolean) =>
  eventually(() => {
    const pod = pods.get(name);
    if (pod === undefined) return 'absent';
    return look(pod) ? undefined : (pod.status ?? 'without a status');
  });
const hears = (name: string, event: string | RegExp) =>
  eventually(() =>
    eventsOf(name).some((e) => (typeof event === 'string' ? e === event : event.test(e)))
      ? undefined
      : eventsOf(name),
  );

const begins = (name: string) => sees(name, subjects(shared)[name]!.until);

/** The value of a file of the pod's group, and of its container's. */
function groupsOf(pod: Pod, [controller, file]: readonly [controller: string, file: string]): string[] {
  const layout = readCgroupLayout();
  const at = layout.legacy.find((l) => l.controllers.includes(controller))?.path ?? layout.unified!;
  const qos = pod.status?.qosClass === 'Guaranteed' ? '' : `${pod.status!.qosClass!.toLowerCase()}/`;
  const group = join(at, 'jotasu/jt-pods', node, `${qos}pod${pod.metadata.uid}`);
  const id = pod.status!.containerStatuses![0]!.containerID!.replace('containerd://', '');
  return [group, join(group, id)].map((folder) => readFileSync(join(folder, file), 'utf8').trim());
}
const isV2 = why === undefined && readCgroupLayout().mode === 'v2';

const processesLike = (text: string): number =>
  listProcesses(readCgroupLayout(), `/jotasu/jt-pods/${node}`).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').includes(text);
    } catch {
      return false;
    }
  }).length;

beforeAll(async () => {
  if (why !== undefined) return;
  await cluster.down();
  mkdirSync(shared);
  await cluster.up('--nodes', '1', '--data-dir', dataDir, '--image', await cluster.busyboxArchive());
  const objects = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { A: 'one', 'b.c': 'two' } },
    { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'jt-kata' }, handler: 'jt-kata' },
    ...Object.entries({ ...subjects(shared), ...cases }).map(([name, { spec, metadata }]) =>
      manifest(name, spec, metadata),
    ),
  ];
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  await mustRun(cluster.kubectlArgv('create', '-f', '-'), { input: list });
  follower = follow();
});

afterAll(async () => {
  following = false;
  await follower;
  if (why === undefined) await cluster.down();
  rmSync(cluster.directory, { recursive: true, force: true });
});

describe.skipIf(why !== undefined)('pods', () => {
  test.concurrent.each(Object.entries(cases))('%s', async (name, { until, event, log }) => {
    await sees(name, until);
    if (event !== undefined) await hears(name, event);
    if (log !== undefined)
      // Who has no probe is ready before he has said all.
      await eventually(async () => {
        const text = await cluster.kubectl('logs', name, '-c', 'c0');
        try {
          log(text);
          return undefined;
        } catch (error) {
          return String(error);
        }
      });
  });

  test.concurrent('a running pod is resized, by its control groups and by a restart where its policy says so', async () => {
    const cpu = isV2 ? (['cpu', 'cpu.max'] as const) : (['cpu', 'cpu.cfs_quota_us'] as const);
    const memory = isV2
      ? (['memory', 'memory.max'] as const)
      : (['memory', 'memory.limit_in_bytes'] as const);
    const quota = (value: number) => (isV2 ? `${value} 100000` : String(value));
    await begins('resized');
    expect(groupsOf(pods.get('resized')!, cpu)).toEqual([quota(10_000), quota(10_000)]);
    const patch = (resources: object) =>
      cluster.kubectl(
        ...['patch', 'pod', 'resized', '--subresource', 'resize', '--patch'],
        JSON.stringify({ spec: { containers: [{ name: 'c0', resources }] } }),
      );
    await patch({ requests: { cpu: '60m' }, limits: { cpu: '200m' } });
    await hears('resized', /^ResizeCompleted: Pod resize completed: .*"cpu":"200m".*"generation":2/);
    await sees('resized', (pod) => {
      const status = pod.status?.containerStatuses?.[0];
      return (
        status?.resources?.limits?.['cpu'] === '200m' &&
        status.allocatedResources?.['cpu'] === '60m' &&
        status.restartCount === 0 &&
        pod.status?.observedGeneration === 2
      );
    });
    expect(groupsOf(pods.get('resized')!, cpu)).toEqual([quota(20_000), quota(20_000)]);

    await patch({ limits: { memory: '80Mi' } });
    await hears('resized', 'Killing: Container c0 resize requires restart');
    await sees('resized', (pod) => restarted(1)(pod) && ready(pod));
    const bytes = String(80 << 20);
    await eventually(() => {
      const found = groupsOf(pods.get('resized')!, memory);
      return found.every((value) => value === bytes) ? undefined : found;
    });

    await patch({ requests: { cpu: '500' }, limits: { cpu: '500' } });
    await sees('resized', (pod) => {
      const condition = pod.status?.conditions?.find((c) => c.type === 'PodResizePending');
      return (
        condition?.reason === 'Infeasible' &&
        /^Node didn't have enough capacity: cpu, requested: 500000, capacity: \d+$/.test(
          condition.message ?? '',
        )
      );
    });
  });

  test.concurrent('a running pod takes in a container that sees the processes of another', async () => {
    await begins('guaranteed');
    await cluster.kubectl(
      ...['debug', 'guaranteed', `--image=${image}`, '--target=c0', '--container=dbg', '--profile=general'],
      ...['--', 'sh', '-c', 'ps; exec sleep 1000'],
    );
    await sees(
      'guaranteed',
      (pod) => pod.status?.ephemeralContainerStatuses?.[0]?.state?.running !== undefined,
    );
    await eventually(async () => {
      const log = await cluster.kubectl('logs', 'guaranteed', '-c', 'dbg');
      return /1 root +sleep 1000/.test(log) ? undefined : log;
    });
  });

  test.concurrent('a pod ends its containers first and its sidecars after them, the last one first', async () => {
    await begins('sidecars');
    await cluster.kubectl('delete', 'pod', 'sidecars', '--timeout=90s');
    expect(readFileSync(join(shared, 'order'), 'utf8')).toBe('main\nside1\nside0\n');
  });

  test.concurrent('a pod is told to stop even when its hook fails', async () => {
    await begins('pre-stop');
    await cluster.kubectl('delete', 'pod', 'pre-stop', '--timeout=90s');
    await hears('pre-stop', 'FailedPreStopHook: PreStopHook failed');
    await hears('pre-stop', 'Killing: Stopping container c0');
  });
});

describe.skipIf(why !== undefined)('a static pod', () => {
  const file = (name: string) => join(manifests, `${name}.yaml`);
  const put = (name: string, container: Partial<coreV1.Container>, more: Spec = {}) => {
    const { nodeName: _, ...spec } = (
      manifest(name, { hostNetwork: true, containers: [container], ...more }) as Pod
    ).spec;
    writeFileSync(file(name), JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }));
  };
  const shown = `fixed-${node}`;

  test('runs from a file, is shown, and cannot be deleted from outside', async () => {
    put('fixed', { command: ['sleep', '7001'] });
    await sees(shown, ready);
    const { metadata } = pods.get(shown)!;
    const { annotations = {} } = metadata;
    expect(annotations).toMatchObject({
      'kubernetes.io/config.source': 'file',
      'kubernetes.io/config.hash': annotations['kubernetes.io/config.mirror'],
    });
    expect(metadata.ownerReferences).toMatchObject([{ kind: 'Node', name: node, controller: true }]);
    expect(await cluster.kubectl('exec', shown, '--', 'hostname')).toBe(`${node}\n`);
    // Not waited for: kubectl takes the next one of its name, which is there at once, for the one that it deletes.
    await cluster.kubectl('delete', 'pod', shown, '--wait=false');
    await sees(shown, (pod) => pod.metadata.uid !== metadata.uid && ready(pod));
    expect(pods.get(shown)!.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    expect(processesLike('sleep 7001')).toBe(1);
  });

  test('needs no API: it starts, and outlives the agent, while the server is silent', async () => {
    const { server, nodes } = await cluster.status();
    following = false;
    await follower;
    process.kill(server.pid!, 'SIGSTOP');
    try {
      put('alone', { command: ['sleep', '7002'] });
      await expect.poll(() => processesLike('sleep 7002')).toBe(1);
      process.kill(nodes[0]!.pid!, 'SIGKILL');
      put('later', { command: ['sleep', '7003'] });
      await expect.poll(() => processesLike('sleep 7003')).toBe(1);
      expect(processesLike('sleep 7001') + processesLike('sleep 7002')).toBe(2);
    } finally {
      process.kill(server.pid!, 'SIGCONT');
    }
    following = true;
    follower = follow();
    for (const name of ['alone', 'later']) await sees(`${name}-${node}`, ready);
  });

  test('follows its file, and ends with it by the signal that it names', async () => {
    const { uid } = pods.get(shown)!.metadata;
    put(
      'fixed',
      sh(`trap 'touch /t/usr1; exit 0' USR1; trap '' TERM; sleep 7004 & wait; exit 1`, {
        lifecycle: { stopSignal: 'SIGUSR1' },
        volumeMounts: [{ name: 't', mountPath: '/t' }],
      }),
      {
        terminationGracePeriodSeconds: 10,
        os: { name: 'linux' },
        volumes: [{ name: 't', hostPath: { path: shared } }],
      },
    );
    await sees(shown, (pod) => pod.metadata.uid !== uid && ready(pod));
    expect(processesLike('sleep 7001')).toBe(0);
    // The shell, and what it starts once it has set its traps.
    await expect.poll(() => processesLike('sleep 7004')).toBe(2);
    for (const name of ['fixed', 'alone', 'later']) rmSync(file(name));
    await expect.poll(() => [...pods.keys()].filter((name) => name.endsWith(node))).toEqual([]);
    expect(existsSync(join(shared, 'usr1'))).toBe(true);
    await expect.poll(() => processesLike('sleep 700')).toBe(0);
  });
});
