// What keeps a node in order, with real containers: logs that are rotated while they are followed, memory and disk that run out, and
// what the node tells about usage. Runs itself a second time inside mount and network namespaces of its own.
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Event, Node, Pod } from '../../src/api/index.ts';
import { createLog, seededRandom, silentLog, systemClock } from '../../src/base/index.ts';
import { type Client, createClient } from '../../src/client/index.ts';
import { createCa, createHttpsClient, issueCertificate } from '../../src/http/index.ts';
import {
  type Agent,
  createNodeNetwork,
  parseNodeSettings,
  startAgent,
  thisMachine,
} from '../../src/node/index.ts';
import {
  type Containerd,
  type ContainerRuntime,
  connectRuntime,
  findProgram,
  readCgroupLayout,
  removeCgroup,
  startContainerd,
  systemExec,
} from '../../src/os/index.ts';
import { inProcessApiServer, type ServedTransport } from '../../src/testkit/index.ts';

const inside = process.env['JOTASU_TEST_NAMESPACE'] === '1';
const searchPath = process.env['PATH'] ?? '';
const missing = ['containerd', 'ctr', 'nft', 'ip', 'unshare'].filter(
  (name) => findProgram(name, searchPath) === undefined,
);
if (!['crun', 'runc'].some((name) => findProgram(name, searchPath) !== undefined))
  missing.push('crun or runc');
if (!fs.existsSync('/usr/lib/cni/bridge')) missing.push('containernetworking-plugins');
const why =
  process.getuid?.() !== 0 ? 'not root' : missing.length > 0 ? `missing: ${missing.join(', ')}` : undefined;
if (why !== undefined) {
  const line = `SKIPPED housekeeping with real containers: ${why}`;
  if (process.env['JOTASU_REQUIRE_ALL'] === '1') throw new Error(line);
  console.warn(line);
}

const image = 'docker.io/library/busybox:1.36';
const root = path.resolve(import.meta.dirname, '../..');

describe.skipIf(why !== undefined || inside)('housekeeping', () => {
  test('in namespaces of its own', { timeout: 90_000 }, () => {
    // crun refuses to run beside a second cgroup hierarchy; pods' network namespaces are pinned below /run/netns.
    const prepare = [
      'umount /sys/fs/cgroup/unified 2>/dev/null',
      'mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns',
      'ip link set lo up',
      'exec "$@"',
    ].join('\n');
    const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
    const command = [process.execPath, vitest, 'run', '--project', 'node', 'test/node/housekeeping.test.ts'];
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['--mount', '--net', '--propagation', 'private', 'sh', '-c', prepare, 'sh', ...command],
      { cwd: root, env: { ...process.env, JOTASU_TEST_NAMESPACE: '1', NO_COLOR: '1' }, encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`${stdout}\n${stderr}`);
    console.log(stdout.trim());
  });
});

describe.skipIf(why !== undefined || !inside)('a node that is kept in order', () => {
  const cgroup = `/jotasu-house-${process.pid}`;
  const clock = systemClock;
  const log =
    process.env['JOTASU_TEST_LOG'] === '1'
      ? createLog({ level: 'debug', write: (line) => process.stderr.write(line), nowMs: Date.now })
      : silentLog;
  let dir: string;
  let api: ServedTransport;
  let client: Client;
  let containerd: Containerd;
  let runtime: ContainerRuntime;
  let agent: Agent;
  let https: ReturnType<typeof createHttpsClient>;
  /** What the machine seems to have left; undefined = what it has. */
  let memoryLeft: number | undefined;

  beforeAll(async () => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-house-'));
    api = await inProcessApiServer();
    client = createClient(api.transport);
    const nowMs = clock.nowMs();
    const ca = await createCa({ commonName: 'test', days: 1, nowMs });
    const serving = await issueCertificate(
      ca,
      { commonName: 'node', ips: ['127.0.0.1'], usage: 'server', days: 1 },
      nowMs,
    );
    const admin = await issueCertificate(
      ca,
      { commonName: 'api', organizations: ['system:masters'], usage: 'client', days: 1 },
      nowMs,
    );
    const cniConfDir = path.join(dir, 'cni/net.d');
    containerd = await startContainerd({
      rootDir: path.join(dir, 'root'),
      runDir: path.join(dir, 'run'),
      logFile: path.join(dir, 'containerd.log'),
      cniBinDir: '/usr/lib/cni',
      cniConfDir,
      cniDataDir: path.join(dir, 'cni/data'),
      exec: systemExec,
      clock,
      log,
    });
    const archive = path.join(dir, 'busybox.tar');
    await systemExec.run([process.execPath, path.join(root, 'tools/busybox-image.mjs'), archive]);
    await containerd.importImage(archive);
    runtime = await connectRuntime({ socketPath: containerd.socketPath });
    agent = await startAgent({
      client,
      nodeName: 'n1',
      nodeIps: ['127.0.0.1'],
      runtime,
      exec: systemExec,
      stateDir: path.join(dir, 'state'),
      logDir: path.join(dir, 'logs'),
      cgroupParent: cgroup,
      network: createNodeNetwork({
        exec: systemExec,
        nodeName: 'n1',
        clusterCidr: '10.246.0.0/16',
        cniConfDir,
        cniDataDir: path.join(dir, 'cni/data'),
        log,
      }),
      server: { host: '127.0.0.1', port: 0, cert: serving.cert, key: serving.key, clientCa: ca.cert },
      settings: parseNodeSettings({
        evictionHard: 'memory.available<100Mi',
        evictionPressureTransitionPeriod: '5s',
        containerLogMaxSize: '8Ki',
        containerLogMaxFiles: 3,
        volumeStatsAggPeriod: '1s',
        systemReserved: 'memory=64Mi,cpu=100m',
      }),
      podMaxPids: 64,
      usage: {
        ...thisMachine,
        memory() {
          const real = thisMachine.memory();
          return real === undefined || memoryLeft === undefined
            ? real
            : { ...real, availableBytes: memoryLeft };
        },
      },
      version: 'v1.35.0',
      clock,
      random: seededRandom(1),
      log,
    });
    https = createHttpsClient({
      server: `https://127.0.0.1:${agent.port}`,
      ca: ca.cert,
      cert: admin.cert,
      key: admin.key,
      userAgent: 'test',
      timeoutMs: 10_000,
      clock,
    });
    // What a controller does in a cluster.
    await until('the node', () => node().catch(() => undefined));
    await client(Node).patch({ name: 'n1' }, 'merge', {
      spec: { podCIDR: '10.246.7.0/24', podCIDRs: ['10.246.7.0/24'] },
    });
    await agent.ready;
  });

  afterAll(async () => {
    for (const { metadata } of (await client(Pod).list({ namespace: 'default' })).items)
      await client(Pod).delete(metadata.name, 'default', { gracePeriodSeconds: 1 });
    await until('no pods', async () => agent.podCount === 0 && (await runtime.listPodSandbox()).length === 0);
    await agent.stop();
    https.close();
    runtime.close();
    await containerd.stop();
    await removeCgroup(readCgroupLayout(), cgroup, clock);
    await api.close();
    fs.rmSync(dir, { recursive: true, force: true });
  });

  async function until<T>(
    what: string,
    look: () => Promise<T | undefined | false>,
    limitMs = 30_000,
  ): Promise<T> {
    const end = Date.now() + limitMs;
    for (;;) {
      const found = await look();
      if (found) return found;
      if (Date.now() > end) {
        const pods = (await client(Pod).list({})).items.map((p) => [p.metadata.name, p.status]);
        throw new Error(
          `never came: ${what}\n${JSON.stringify(pods, null, 1)}\n${(await events()).join('\n')}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  const node = () => client(Node).get('n1');
  const pod = (name: string) => client(Pod).get(name, 'default');
  const phase = async (name: string) => (await pod(name)).status?.phase;
  const events = async () =>
    (await client(Event).list({})).items.map((e) => `${e.involvedObject.name} ${e.reason}: ${e.message}`);
  const get = async (page: string) => {
    const { status, body } = await https.request({ method: 'GET', path: page });
    expect(status, page).toBe(200);
    return body.toString();
  };
  const create = (
    name: string,
    script: string,
    { container = {}, spec = {} }: { container?: object; spec?: object },
  ) =>
    client(Pod).create({
      metadata: { name, namespace: 'default' },
      spec: {
        nodeName: 'n1',
        terminationGracePeriodSeconds: 1,
        automountServiceAccountToken: false,
        containers: [{ name: 'main', image, command: ['sh', '-c', script], ...container }],
        ...spec,
      } as Pod['spec'],
    });
  const memory = (request: string, limit?: string) => ({
    resources: { requests: { memory: request }, ...(limit !== undefined && { limits: { memory: limit } }) },
  });

  test('logs, memory, disk, and what is told of them', { timeout: 80_000 }, async () => {
    const wait = 'while :; do sleep 0.2; done';
    // One process writes the log; what is in the shell's memory is the pod's.
    await create(
      'talker',
      'i=0; while :; do i=$((i+1)); echo "line $i of a log that grows"; sleep 0.02; done',
      {
        container: memory('64Mi'),
      },
    );
    await create('oom', 'a=x; while :; do a=$a$a; done', {
      container: memory('24Mi', '24Mi'),
      spec: { restartPolicy: 'Never' },
    });
    await create('hungry', `a=$(head -c 30000000 /dev/zero | tr '\\0' x); ${wait}`, {
      container: memory('1Mi'),
    });
    await create('scratch', `dd if=/dev/zero of=/v/file bs=1M count=4; ${wait}`, {
      container: { ...memory('1Mi'), volumeMounts: [{ name: 'v', mountPath: '/v' }] },
      spec: { volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Mi' } }] },
    });
    await until('talker runs', async () => (await phase('talker')) === 'Running');
    const followed = follow('talker');

    await until('oom ended', async () => (await phase('oom')) === 'Failed');
    expect((await pod('oom')).status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      reason: 'OOMKilled',
      exitCode: 137,
    });

    // Nobody may have more processes than the node gives a pod.
    const [{ id } = { id: '' }] = await runtime.listContainers({
      labels: { 'io.kubernetes.pod.name': 'talker' },
    });
    const forked = await runtime.execSync(id, ['sh', '-c', 'for i in $(seq 100); do sleep 3 & done'], 10_000);
    expect(forked.stderr.toString()).toContain("can't fork");

    const { status } = await node();
    const kibi = (text: string | undefined) => Number(text?.replace('Ki', ''));
    expect(kibi(status?.capacity?.['memory']) - kibi(status?.allocatable?.['memory'])).toBe(
      (64 + 100) * 1024,
    );
    expect(status?.allocatable?.['cpu']).toBe(`${Number(status?.capacity?.['cpu']) * 1000 - 100}m`);

    const gone = await until('scratch is evicted', async () => {
      const found = await pod('scratch');
      return found.status?.phase === 'Failed' && found;
    });
    expect(gone.status).toMatchObject({
      reason: 'Evicted',
      message: 'Usage of EmptyDir volume "v" exceeds the limit "1Mi". ',
    });

    const told = JSON.parse(await get('/stats/summary')) as {
      node: Record<string, Record<string, number>>;
      pods: {
        podRef: { name: string };
        memory: { workingSetBytes: number };
        network: { name: string };
        containers: { name: string; logs: { usedBytes: number } }[];
      }[];
    };
    expect(told.node['memory']?.['workingSetBytes']).toBeGreaterThan(1 << 20);
    expect(told.node['fs']?.['capacityBytes']).toBeGreaterThan(1 << 30);
    expect(told.node['rlimit']?.['curproc']).toBeGreaterThan(1);
    const hungry = told.pods.find(({ podRef }) => podRef.name === 'hungry');
    expect(hungry?.memory.workingSetBytes).toBeGreaterThan(30_000_000);
    expect(hungry?.network.name).toBe('eth0');
    const talker = told.pods.find(({ podRef }) => podRef.name === 'talker');
    expect(talker?.containers[0]?.logs.usedBytes).toBeGreaterThan(1000);
    expect(await get('/metrics/cadvisor')).toMatch(
      /container_memory_working_set_bytes\{container="main",[^}]*pod="hungry"\} [3-9]\d{7} /,
    );

    memoryLeft = 50 << 20;
    const evicted = await until('hungry is evicted', async () => {
      const found = await pod('hungry');
      return found.status?.phase === 'Failed' && found;
    });
    memoryLeft = undefined;
    expect(evicted.status?.reason).toBe('Evicted');
    expect(evicted.status?.message).toMatch(
      /^The node was low on resource: memory\. Threshold quantity: 100Mi, available: 50Mi\. Container main was using \d+Ki?, request is 1Mi, has larger consumption of memory\. $/,
    );
    expect(evicted.status?.conditions?.find(({ type }) => type === 'DisruptionTarget')?.reason).toBe(
      'TerminationByKubelet',
    );
    const pressure = async () =>
      (await node()).status?.conditions?.find(({ type }) => type === 'MemoryPressure')?.status;
    await until('the pressure is over', async () => (await pressure()) === 'False');
    expect(await phase('talker')).toBe('Running');
    const said = await events();
    for (const one of [
      'n1 Starting: Starting kubelet.',
      'n1 NodeAllocatableEnforced: Updated Node Allocatable limit across pods',
      'n1 EvictionThresholdMet: Attempting to reclaim memory',
      'n1 NodeHasInsufficientMemory: Node n1 status is now: NodeHasInsufficientMemory',
    ])
      expect(said).toContain(one);

    // Rotated often enough that one was gzipped; who followed missed nothing.
    const logDir = path.dirname((await runtime.containerStatus(id)).logPath);
    const zipped = await until('a log is gzipped', async () =>
      fs.readdirSync(logDir).find((name) => /^0\.log\.\d{8}-\d{6}\.gz$/.test(name)),
    );
    expect(gunzipSync(fs.readFileSync(path.join(logDir, zipped))).toString()).toContain(' stdout F line ');
    expect(fs.readdirSync(logDir).length).toBeLessThanOrEqual(3);
    const lines = await followed.stop();
    expect(lines.length).toBeGreaterThan(500);
    expect(lines).toEqual(lines.map((_, i) => `line ${i + 1} of a log that grows`));
    expect(await get('/containerLogs/default/talker/main?tailLines=1')).toMatch(
      /^line \d+ of a log that grows\n$/,
    );
  });

  function follow(name: string): { stop(): Promise<string[]> } {
    let text = '';
    const stream = https.stream({ method: 'GET', path: `/containerLogs/default/${name}/main?follow=true` });
    const reading = stream.then(async ({ body }) => {
      for await (const chunk of body) text += chunk;
    });
    reading.catch(() => {});
    return {
      async stop() {
        const { body } = await stream;
        body.destroy();
        await reading.catch(() => {});
        return text.split('\n').slice(0, -1);
      },
    };
  }
});
