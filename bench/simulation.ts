// The whole control loop over simulated nodes: one process with storage on disk, API server, controllers, scheduler and nodes. Prints
// what a cluster of NODES does (scale up, rolling update, nodes that die), and what a large one costs while it is idle.
//
//   node --import tsx bench/simulation.ts [loop|idle|both] [NODES] [PODS]
//
// `loop` takes 1,000 nodes and 10,000 pods by default; `idle` 10,000 nodes with 100,000 pods. CPU time is that of the whole process. Reads are timed
// from a process of their own, over HTTPS, 50 a second.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { Deployment, isActive, isReady, Lease, Node, Pod } from '../src/api/index.ts';
import { serverDefaults, startServer } from '../src/app/index.ts';
import { systemClock as clock, createLog, Scope, systemRandom } from '../src/base/index.ts';
import { createInformers } from '../src/client/index.ts';
import type { Draft } from '../src/machinery/index.ts';
import { powerAnnotation } from '../src/simulation/index.ts';
import type { ReadOrder, ReadResult } from './paced-reader.ts';

const [what = 'both', nodesGiven, podsGiven] = process.argv.slice(2);
const token = 'bench';
const quiet = createLog({
  level: 'error',
  nowMs: () => clock.nowMs(),
  write: (line: string) => void process.stderr.write(`${line}\n`),
});

interface Bench {
  readonly nodes: number;
  readonly client: Awaited<ReturnType<typeof startServer>>['client'];
  /** Ready pods of one Deployment. */
  ready(app: string): readonly Pod[];
  /** How many they are: what is asked again and again. */
  count(app: string): number;
  /** Resolves when `reached`; rejects after `limitMs`. */
  until(what: string, reached: () => boolean | Promise<boolean>, limitMs?: number): Promise<void>;
  row(title: string, work: () => Promise<string | undefined>): Promise<void>;
}

/** CPU seconds of the thread that runs JavaScript: what one core must give. The rest is the disk's and the garbage collector's threads. */
function mainThreadSeconds(): number {
  const fields = fs
    .readFileSync(`/proc/self/task/${process.pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function withCluster(nodes: number, run: (bench: Bench) => Promise<void>): Promise<void> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-simulation-'));
  const tokens = path.join(dir, 'tokens');
  fs.writeFileSync(tokens, `${token},bench,bench,"system:masters"\n`);
  const began = performance.now();
  const server = await startServer(
    {
      ...serverDefaults,
      dataDir: dir,
      bindAddress: '127.0.0.1',
      httpsListenPort: 0,
      tokenAuthFile: tokens,
      clusterCidr: '100.64.0.0/10',
      simulateNodes: nodes,
    },
    { clock, random: systemRandom(), log: quiet },
  );
  const reader = fork(new URL('./paced-reader.ts', import.meta.url), { execArgv: ['--import', 'tsx'] });
  const scope = new Scope(quiet);
  try {
    const informers = createInformers(server.client, { scope, log: quiet, clock });
    const pods = informers(Pod);
    const known = informers(Node);
    await Promise.all([pods.synced, known.synced]);
    // Kept by hand: asking all pods again and again would be what is measured.
    const readyOf = new Map<string, Set<string>>();
    const note = (pod: Pod, there: boolean) => {
      const app = pod.metadata.labels?.['app'] ?? '';
      let set = readyOf.get(app);
      if (set === undefined) readyOf.set(app, (set = new Set()));
      const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
      if (there && isActive(pod) && isReady(pod)) set.add(key);
      else set.delete(key);
    };
    pods.onChange({
      added: (pod) => note(pod, true),
      updated: (_, pod) => note(pod, true),
      deleted: (pod) => note(pod, false),
    });
    const order: ReadOrder = {
      port: server.port,
      token,
      everyMs: 20,
      paths: [
        '/api/v1/nodes/sim-1',
        '/api/v1/namespaces/default/pods?limit=50',
        '/apis/apps/v1/namespaces/default/deployments',
        '/api/v1/namespaces/default/services/kubernetes',
      ],
    };
    const bench: Bench = {
      nodes,
      client: server.client,
      count: (app) => readyOf.get(app)?.size ?? 0,
      ready: (app) => [...(readyOf.get(app) ?? [])].flatMap((key) => pods.get(key) ?? []),
      async until(title, reached, limitMs = 180_000) {
        const endMs = performance.now() + limitMs;
        while (!(await reached())) {
          if (performance.now() > endMs) throw new Error(`not within ${limitMs / 1000} s: ${title}`);
          await sleep(10);
        }
      },
      async row(title, work) {
        reader.send('report');
        await once(reader, 'message');
        const cpu = process.cpuUsage();
        const main = mainThreadSeconds();
        const from = performance.now();
        const said = await work();
        const seconds = (performance.now() - from) / 1000;
        const { user, system } = process.cpuUsage(cpu);
        reader.send('report');
        const [reads] = (await once(reader, 'message')) as [ReadResult];
        const megabytes = Math.round(process.memoryUsage().rss / 1e6);
        console.log(
          `${title.padEnd(48)} ${(said ?? `${seconds.toFixed(1)} s`).padEnd(30)} CPU ${((user + system) / 1e6).toFixed(1)} s (main thread ${(mainThreadSeconds() - main).toFixed(1)}) in ${seconds.toFixed(1)} s` +
            `, ${megabytes} MB, reads p50 ${reads.p50Ms.toFixed(0)} p99 ${reads.p99Ms.toFixed(0)} max ${reads.maxMs.toFixed(0)} ms${reads.failed > 0 ? `, ${reads.failed} FAILED` : ''}`,
        );
      },
    };
    const allReady = () =>
      known.size >= nodes &&
      known
        .list()
        .every(
          ({ spec, status }) =>
            spec.podCIDR !== undefined &&
            (spec.taints ?? []).length === 0 &&
            status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True'),
        );
    for (;;) {
      if (allReady()) break;
      if (performance.now() - began > 300_000) throw new Error('nodes are not ready within 300 s');
      await sleep(200);
    }
    const { user, system } = process.cpuUsage();
    console.log(
      `${`${nodes} nodes ready`.padEnd(48)} ${((performance.now() - began) / 1000).toFixed(1)} s since the start, CPU ${((user + system) / 1e6).toFixed(1)} s`,
    );
    reader.send(order);
    await run(bench);
  } finally {
    reader.disconnect();
    await scope.stop();
    await server.stop();
    fs.rmSync(dir, { recursive: true, force: true });
  }
}

const deployment = (name: string, replicas: number): Draft<Deployment> =>
  ({
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          containers: [
            { name: 'c', image: 'app:1', resources: { requests: { cpu: '100m', memory: '128Mi' } } },
          ],
        },
      },
    },
  }) as Draft<Deployment>;

async function scaleTo(bench: Bench, app: string, replicas: number): Promise<void> {
  await bench.client(Deployment).patch({ name: app, namespace: 'default' }, 'merge', { spec: { replicas } });
  await bench.until(`${replicas} ready`, () => bench.count(app) === replicas, 900_000);
}

const power = (bench: Bench, node: string, state: string | null) =>
  bench
    .client(Node)
    .patch({ name: node }, 'merge', { metadata: { annotations: { [powerAnnotation]: state } } });

async function kill(bench: Bench, app: string, count: number): Promise<string> {
  const wanted = bench.ready(app).length;
  const byNode = new Map<string, number>();
  for (const { spec } of bench.ready(app))
    byNode.set(spec.nodeName ?? '', (byNode.get(spec.nodeName ?? '') ?? 0) + 1);
  const dead = new Set([...byNode.keys()].slice(0, count));
  const lost = [...dead].reduce((sum, name) => sum + byNode.get(name)!, 0);
  const leases = await bench.client(Lease).list({ namespace: 'kube-node-lease' });
  await Promise.all([...dead].map((name) => power(bench, name, 'off')));
  const from = performance.now();
  const lastBeats = (await bench.client(Lease).list({ namespace: 'kube-node-lease' })).items
    .filter(({ metadata }) => dead.has(metadata.name))
    .map(({ spec }) => Date.parse(spec?.renewTime ?? ''));
  const beatMs = Date.now() - Math.min(...lastBeats);
  if (leases.items.length === 0) throw new Error('there are no leases');
  await bench.until(
    'pods elsewhere',
    () => {
      if (bench.count(app) !== wanted) return false;
      const now = bench.ready(app);
      return now.length === wanted && now.every(({ spec }) => !dead.has(spec.nodeName ?? ''));
    },
    120_000,
  );
  const tookMs = performance.now() - from;
  for (const name of dead) await power(bench, name, null);
  return `${lost} pods, ${(tookMs / 1000).toFixed(1)} s (${((tookMs + beatMs) / 1000).toFixed(1)} s of silence)`;
}

async function loop(nodes: number, pods: number): Promise<void> {
  await withCluster(nodes, async (bench) => {
    await bench.client(Deployment).create(deployment('web', 0));
    await bench.client(Deployment).create(deployment('rolled', 1000));
    await bench.until('1000 ready', () => bench.count('rolled') === 1000);
    await bench.row(
      `Deployment 0 → ${pods} ready pods`,
      async () => void (await scaleTo(bench, 'web', pods)),
    );
    await bench.row('rolling update of 1,000 pods', async () => {
      const template = { spec: { containers: [{ name: 'c', image: 'app:2' }] } };
      const { metadata } = await bench
        .client(Deployment)
        .patch({ name: 'rolled', namespace: 'default' }, 'strategic', { spec: { template } });
      await bench.until('rolled out', async () => {
        const { status } = await bench.client(Deployment).get('rolled', 'default');
        return (
          (status?.observedGeneration ?? 0) >= (metadata.generation ?? 0) &&
          status?.updatedReplicas === 1000 &&
          status?.replicas === 1000 &&
          status?.availableReplicas === 1000
        );
      });
      return undefined;
    });
    await bench.row('one node dies', () => kill(bench, 'web', 1));
    await sleep(5000);
    await bench.row(`${nodes / 10} of ${nodes} nodes die`, () => kill(bench, 'web', nodes / 10));
    await sleep(5000);
    await bench.row('idle, 20 s', async () => {
      const cpu = process.cpuUsage();
      await sleep(20_000);
      const { user, system } = process.cpuUsage(cpu);
      return `${((user + system) / 200_000).toFixed(0)} % of one core`;
    });
    await bench.row(`Deployment ${pods} → 0`, async () => void (await scaleTo(bench, 'web', 0)));
  });
}

async function idle(nodes: number, pods: number): Promise<void> {
  await withCluster(nodes, async (bench) => {
    await bench.row('idle without pods, 20 s', async () => {
      const cpu = process.cpuUsage();
      await sleep(20_000);
      const { user, system } = process.cpuUsage(cpu);
      return `${((user + system) / 200_000).toFixed(0)} % of one core`;
    });
    const each = 10_000;
    for (let made = 0; made < pods; made += each) {
      const app = `web-${made / each}`;
      await bench.client(Deployment).create(deployment(app, Math.min(each, pods - made)));
      await bench.row(
        `${made + each} pods`,
        async () => void (await scaleTo(bench, app, Math.min(each, pods - made))),
      );
    }
    // The last events are written for a while after the last pod is ready.
    await sleep(30_000);
    await bench.row(`idle with ${pods} pods, 20 s`, async () => {
      const cpu = process.cpuUsage();
      await sleep(20_000);
      const { user, system } = process.cpuUsage(cpu);
      return `${((user + system) / 200_000).toFixed(0)} % of one core`;
    });
    await bench.row('one node dies', () => kill(bench, 'web-0', 1));
  });
}

if (what === 'loop' || what === 'both')
  await loop(Number(nodesGiven ?? 1000), Number((what === 'loop' && podsGiven) || 10_000));
if (what === 'idle' || what === 'both')
  await idle(Number((what === 'idle' && nodesGiven) || 10_000), Number(podsGiven ?? 100_000));
