// kill -9 of the server, of agents and of containerds at random moments while a Deployment is rolled out and a Job runs, with real
// containers on two nodes. Nothing may be lost, doubled, restarted or left over. JOTASU_CRASH_SEED repeats a run's moments.
import { mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/index.ts';
import { containerdOf, type ExpectedPod, leftovers } from './node-leftovers.ts';
import { busyboxImage, mustRun, run, staysPut, TourCluster, whyNot } from './tour-machine.ts';

const why = whyNot();
const cluster = new TourCluster('jt-crash');
const nodes = ['jt-crash-node-1', 'jt-crash-node-2'] as const;
const seed = Number(process.env['JOTASU_CRASH_SEED'] ?? Date.now() % 1_000_000);
const random = seededRandom(seed);
const between = (low: number, high: number) => low + random.next() * (high - low);

interface State {
  terminated?: { reason: string };
}
interface Pod {
  metadata: { name: string; uid: string; deletionTimestamp?: string; labels: Record<string, string> };
  spec: { nodeName: string; containers: { name: string; image: string }[] };
  status: {
    phase: string;
    podIP: string;
    containerStatuses?: {
      containerID: string;
      restartCount: number;
      ready: boolean;
      state: State;
      lastState: State;
    }[];
  };
}

const pods = async (selector: string): Promise<Pod[]> =>
  (await cluster.json<{ items: Pod[] }>('get', 'pods', '-l', selector)).items;
const identities = (list: readonly Pod[]) =>
  list
    .map(({ metadata, status }) => {
      const [container] = status.containerStatuses ?? [];
      return `${metadata.uid} ${status.podIP} ${container?.containerID} ${container?.restartCount}`;
    })
    .sort();

const container = (script: string) => ({
  name: 'main',
  image: busyboxImage,
  command: ['sh', '-c', script],
});
const tolerations = JSON.parse(staysPut);
const deployment = (name: string, replicas: number, script: string) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { terminationGracePeriodSeconds: 2, tolerations, containers: [container(script)] },
    },
  },
});
const untilTerm = (command: string) => `trap 'exit 0' TERM; ${command} & wait`;

/** A server that is just being started again refuses: kubectl is asked once more. */
async function patiently<T>(what: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++)
    try {
      return await what();
    } catch (error) {
      if (tries === 50) throw error;
      await new Promise((done) => setTimeout(done, 200));
    }
}

/** What is killed, by name; each is found anew, since it has another number each time. */
const victims: Readonly<Record<string, () => number | undefined>> = {
  server: () => runningBelow('server.runs'),
  ...Object.fromEntries(
    nodes.flatMap((name) => [
      [`agent of ${name}`, () => runningBelow(`${name}.runs`)],
      [`containerd of ${name}`, () => containerdOf({ cluster: cluster.name, name })],
    ]),
  ),
};

function runningBelow(file: string): number | undefined {
  const text = readFileSync(join('/var/lib/jotasu', cluster.name, 'log', file), 'utf8');
  const last = text.trim().split('\n').at(-1) ?? '';
  return last.startsWith('started ') ? Number(last.slice('started '.length)) : undefined;
}

const killed: string[] = [];
async function killAtRandom(until: () => boolean): Promise<void> {
  const names = Object.keys(victims);
  while (!until()) {
    await new Promise((done) => setTimeout(done, between(100, 900)));
    const name = names[Math.floor(random.next() * names.length)]!;
    const pid = victims[name]!();
    if (pid === undefined || until()) continue;
    process.kill(pid, 'SIGKILL');
    killed.push(name);
  }
}

/** Says a number every 100 ms over one connection, and hears it again. */
class Echo {
  readonly #socket: Socket;
  readonly #timer: NodeJS.Timeout;
  said = 0;
  heard = '';
  problem: string | undefined;
  constructor(host: string, port: number) {
    this.#socket = connect({ host, port });
    this.#socket.setEncoding('utf8').on('data', (text: string) => (this.heard += text));
    this.#socket.on('error', (error) => (this.problem ??= error.message));
    this.#socket.on('close', () => (this.problem ??= 'closed'));
    this.#timer = setInterval(() => this.#socket.write(`${++this.said}\n`), 100);
  }
  quiet(): void {
    clearInterval(this.#timer);
  }
  end(): void {
    this.quiet();
    this.#socket.destroy();
  }
  get expected(): string {
    return Array.from({ length: this.said }, (_, i) => `${i + 1}\n`).join('');
  }
}

const echoes: Echo[] = [];
const counts = join(cluster.directory, 'counts');

beforeAll(async () => {
  if (why !== undefined) return;
  console.info(`JOTASU_CRASH_SEED=${seed}`);
  await cluster.down();
  await cluster.up('--nodes', '2', '--image', await cluster.busyboxArchive());
});
afterAll(async () => {
  for (const echo of echoes) echo.end();
  if (why === undefined) await cluster.down();
  rmSync(cluster.directory, { recursive: true });
});

describe.skipIf(why !== undefined)('kill -9 at random moments', () => {
  let still: string[] = [];

  test('what runs before', async () => {
    await cluster.apply(deployment('still', 4, untilTerm('nc -ll -p 7000 -e cat')));
    await cluster.apply(deployment('rolling', 8, untilTerm('sleep 3600')));
    for (const name of ['still', 'rolling'])
      await cluster.kubectl('rollout', 'status', `deployment/${name}`, '--timeout=90s');
    const list = await pods('app=still');
    still = identities(list);
    for (const node of nodes) {
      const pod = list.find(({ spec }) => spec.nodeName === node);
      if (pod === undefined) throw new Error(`none on ${node}`);
      let echo: Echo | undefined;
      // A container runs before its program listens.
      const heard = () => {
        if (echo?.problem !== undefined) echo.end();
        if (echo === undefined || echo.problem !== undefined) echo = new Echo(pod.status.podIP, 7000);
        return echo.heard;
      };
      await expect.poll(heard).not.toBe('');
      if (echo !== undefined) echoes.push(echo);
    }
  });

  test('rollouts complete, and a job does each of its parts once', async () => {
    mkdirSync(counts);
    await cluster.apply({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { name: 'count' },
      spec: {
        completions: 12,
        // A start that is killed is a failure, and how many of them there are is a matter of luck.
        backoffLimit: 40,
        parallelism: 2,
        template: {
          metadata: { labels: { app: 'count' } },
          spec: {
            restartPolicy: 'Never',
            tolerations,
            containers: [
              {
                ...container('hostname >>/counts/$(hostname); sleep 1'),
                volumeMounts: [{ name: 'counts', mountPath: '/counts' }],
              },
            ],
            volumes: [{ name: 'counts', hostPath: { path: counts } }],
          },
        },
      },
    });
    let done = false;
    const killing = killAtRandom(() => (done && killed.length >= 5) || killed.length >= 14);
    try {
      for (const round of [1, 2]) {
        const image = `docker.io/library/busybox:${round % 2 === 1 ? '1.35' : '1.36'}`;
        await patiently(() => cluster.kubectl('set', 'image', 'deployment/rolling', `main=${image}`));
        // kubectl gives up when its watch ends with the server.
        await patiently(() => cluster.kubectl('rollout', 'status', 'deployment/rolling', '--timeout=20s'));
        for (const pod of await patiently(() => pods('app=rolling')))
          if (pod.metadata.deletionTimestamp === undefined) expect(pod.spec.containers[0]!.image).toBe(image);
      }
    } finally {
      done = true;
      await killing;
      console.info(`killed ${killed.length}: ${killed.join(', ')}`);
    }
    await patiently(() => cluster.kubectl('wait', '--for=condition=Complete', 'job/count', '--timeout=90s'));
    const all = await pods('app=count');
    const done12 = all.filter(({ status }) => status.phase === 'Succeeded');
    // An agent that is killed while containerd starts a container takes the start with it: that pod has failed without having run.
    for (const { status } of all.filter((pod) => !done12.includes(pod)))
      expect(status.containerStatuses?.map(({ state }) => state.terminated?.reason)).toEqual(['StartError']);
    expect(readdirSync(counts).sort()).toEqual(done12.map(({ metadata }) => metadata.name).sort());
    expect(done12).toHaveLength(12);
    for (const { metadata } of done12)
      expect(readFileSync(join(counts, metadata.name), 'utf8')).toBe(`${metadata.name}\n`);
  });

  test('no pod is lost, doubled or restarted; connections lived on', async () => {
    for (const echo of echoes) echo.quiet();
    await expect
      .poll(() => echoes.map(({ heard, problem }) => ({ heard, problem })))
      .toEqual(echoes.map(({ expected: heard }) => ({ heard, problem: undefined })));
    await expect.poll(async () => identities(await pods('app=still'))).toEqual(still);
    const rolling = async () =>
      (await pods('app=rolling'))
        .filter(({ status }) => status.phase === 'Running')
        .map(({ status }) =>
          status.containerStatuses?.map(({ ready, restartCount, lastState }) => [
            ready,
            lastState.terminated?.reason === 'StartError' ? 0 : restartCount,
          ]),
        );
    await expect.poll(rolling).toEqual(Array.from({ length: 8 }, () => [[true, 0]]));
  });

  test('nothing is left over on the nodes', async () => {
    await cluster.kubectl('delete', 'job', 'count', '--wait=true');
    const expected = async (node: string): Promise<ExpectedPod[]> =>
      (await cluster.json<{ items: Pod[] }>('get', 'pods', '-A')).items
        .filter(({ spec }) => spec.nodeName === node)
        .map(({ metadata, spec, status }) => ({
          uid: metadata.uid,
          ip: status.podIP,
          containers: spec.containers.map(({ name }) => name),
        }));
    const found = async () =>
      (
        await Promise.all(
          nodes.map(async (name) => leftovers({ cluster: cluster.name, name }, await expected(name))),
        )
      ).flat();
    await expect.poll(found, { interval: 1000 }).toEqual([]);
  });

  test('namespaces and addresses that a killed containerd forgot are removed by the next', async () => {
    const daemon = victims[`containerd of ${nodes[0]}`]!;
    const inNode = (script: string) =>
      mustRun(['nsenter', '--target', String(daemon()), '--mount', '--net', 'sh', '-c', script]);
    await inNode(`
      touch /run/netns/cni-marked
      touch /run/netns/cni-made && unshare --net=/run/netns/cni-made true
      echo no-sandbox >/var/lib/cni/networks/jotasu/10.244.0.250`);
    const remains = () =>
      inNode('ls /run/netns /var/lib/cni/networks/jotasu | grep -E "cni-ma|250$" || true').catch(String);
    expect((await remains()).split('\n').length).toBeGreaterThan(3);
    process.kill(daemon()!, 'SIGKILL');
    await expect.poll(remains, { interval: 500 }).toBe('');
  });

  test('down: nothing is left', async () => {
    await cluster.jotasu('down');
    expect(cluster.traces()).toEqual([]);
    expect((await run(['ip', 'link', 'show', 'type', 'bridge'])).out).not.toContain(cluster.name);
  });
});
