// Real containers: containerd, CNI and the node agent against an API server in memory. Runs itself a second time inside mount and
// network namespaces of its own, so that nothing of it is seen outside and everything goes when it ends.
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigMap, Event, Namespace, Node, Pod, Secret } from '../../src/api/index.ts';
import { createLog, seededRandom, silentLog, systemClock } from '../../src/base/index.ts';
import { type Client, createClient } from '../../src/client/index.ts';
import { createCa, createHttpsClient, issueCertificate } from '../../src/http/index.ts';
import { type Agent, createNodeNetwork, startAgent } from '../../src/node/index.ts';
import {
  type Containerd,
  type ContainerRuntime,
  connectRuntime,
  findProgram,
  readCgroupLayout,
  removeCgroup,
  runtimeContract,
  startContainerd,
  systemExec,
} from '../../src/os/index.ts';
import { inProcessApiServer, type ServedTransport } from '../../src/testkit/index.ts';

const inside = process.env['JOTASU_TEST_NAMESPACE'] === '1';
const needed = ['containerd', 'ctr', 'nft', 'ip', 'unshare'];
const missing = needed.filter((name) => findProgram(name, process.env['PATH'] ?? '') === undefined);
if (!['crun', 'runc'].some((name) => findProgram(name, process.env['PATH'] ?? '') !== undefined))
  missing.push('crun or runc');
if (!fs.existsSync('/usr/lib/cni/bridge')) missing.push('containernetworking-plugins');
const why =
  process.getuid?.() !== 0 ? 'not root' : missing.length > 0 ? `missing: ${missing.join(', ')}` : undefined;
if (why !== undefined) {
  const line = `SKIPPED real containers: ${why}`;
  if (process.env['JOTASU_REQUIRE_ALL'] === '1') throw new Error(line);
  console.warn(line);
}

const image = 'docker.io/library/busybox:1.36';
const root = path.resolve(import.meta.dirname, '../..');

describe.skipIf(why !== undefined || inside)('real containers', () => {
  test('in namespaces of their own', { timeout: 170_000 }, () => {
    // crun refuses to run beside a second cgroup hierarchy; pods' network namespaces are pinned below /run/netns.
    const prepare = [
      'umount /sys/fs/cgroup/unified 2>/dev/null',
      'mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns',
      'ip link set lo up',
      'exec "$@"',
    ].join('\n');
    const vitest = path.join(root, 'node_modules/vitest/vitest.mjs');
    const command = [
      process.execPath,
      vitest,
      'run',
      '--project',
      'node',
      'test/node/agent-containerd.test.ts',
    ];
    const { status, stdout, stderr } = spawnSync(
      'unshare',
      ['--mount', '--net', '--propagation', 'private', 'sh', '-c', prepare, 'sh', ...command],
      { cwd: root, env: { ...process.env, JOTASU_TEST_NAMESPACE: '1', NO_COLOR: '1' }, encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`${stdout}\n${stderr}`);
    console.log(stdout.trim());
  });
});

describe.skipIf(why !== undefined || !inside)('a node with real containers', () => {
  let dir: string;
  const cgroup = `/jotasu-test-${process.pid}`;
  const clock = systemClock;
  const log =
    process.env['JOTASU_TEST_LOG'] === '1'
      ? createLog({ level: 'debug', write: (line) => process.stderr.write(line), nowMs: Date.now })
      : silentLog;
  let api: ServedTransport;
  let client: Client;
  let containerd: Containerd;
  let runtime: ContainerRuntime;
  let agent: Agent;
  let https: ReturnType<typeof createHttpsClient>;
  let pki: Awaited<ReturnType<typeof makePki>>;

  async function makePki() {
    const nowMs = clock.nowMs();
    const ca = await createCa({ commonName: 'test', days: 1, nowMs });
    const issue = (request: Parameters<typeof issueCertificate>[1]) => issueCertificate(ca, request, nowMs);
    return {
      ca,
      serving: await issue({ commonName: 'node', ips: ['127.0.0.1'], usage: 'server', days: 1 }),
      admin: await issue({ commonName: 'api', organizations: ['system:masters'], usage: 'client', days: 1 }),
      stranger: await issue({ commonName: 'nobody', usage: 'client', days: 1 }),
    };
  }

  const launch = async () => {
    const cni = path.join(dir, 'cni');
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
        clusterCidr: '10.245.0.0/16',
        cniConfDir: path.join(cni, 'net.d'),
        cniDataDir: path.join(cni, 'data'),
        log,
      }),
      server: {
        host: '127.0.0.1',
        port: 0,
        cert: pki.serving.cert,
        key: pki.serving.key,
        clientCa: pki.ca.cert,
      },
      version: 'v1.35.0',
      clock,
      random: seededRandom(1),
      log,
    });
    https = createHttpsClient({
      server: `https://127.0.0.1:${agent.port}`,
      ca: pki.ca.cert,
      cert: pki.admin.cert,
      key: pki.admin.key,
      userAgent: 'test',
      timeoutMs: 10_000,
      clock,
    });
  };

  beforeAll(async () => {
    dir = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-node-'));
    api = await inProcessApiServer();
    client = createClient(api.transport);
    pki = await makePki();
    containerd = await startContainerd({
      rootDir: path.join(dir, 'root'),
      runDir: path.join(dir, 'run'),
      logFile: path.join(dir, 'containerd.log'),
      cniBinDir: '/usr/lib/cni',
      cniConfDir: path.join(dir, 'cni/net.d'),
      cniDataDir: path.join(dir, 'cni/data'),
      exec: systemExec,
      clock,
      log,
    });
    const archive = path.join(dir, 'busybox.tar');
    await systemExec.run([process.execPath, path.join(root, 'tools/busybox-image.mjs'), archive]);
    expect(await containerd.importImage(archive)).toContain(image);
    runtime = await connectRuntime({ socketPath: containerd.socketPath });
    await client(Namespace)
      .create({ metadata: { name: 'kube-node-lease' }, spec: {} })
      .catch(() => {});
    await launch();
    // What a controller does in a cluster.
    await until('the node', () =>
      client(Node)
        .get('n1')
        .catch(() => undefined),
    );
    await client(Node).patch({ name: 'n1' }, 'merge', {
      spec: { podCIDR: '10.245.7.0/24', podCIDRs: ['10.245.7.0/24'] },
    });
    await agent.ready;
  });

  afterAll(async () => {
    for (const { metadata } of (await client(Pod).list({ namespace: 'default' })).items)
      await client(Pod).delete(metadata.name, 'default', { gracePeriodSeconds: 1 });
    await until(
      'no pods',
      async () => agent.podCount === 0 && (await runtime.listPodSandbox()).length === 0,
      30_000,
    );
    const layout = readCgroupLayout();
    for (const hierarchy of layout.legacy) {
      const left = ['', 'burstable', 'besteffort'].flatMap((level) => {
        const group = path.join(hierarchy.path, cgroup, level);
        return fs.existsSync(group) ? fs.readdirSync(group).filter((name) => name.startsWith('pod')) : [];
      });
      expect(left).toEqual([]);
    }
    await removeCgroup(layout, cgroup, clock);
    await agent.stop();
    https.close();
    runtime.close();
    await containerd.stop();
    await api.close();
    fs.rmSync(dir, { recursive: true, force: true });
  });

  async function until<T>(
    what: string,
    look: () => Promise<T | undefined | false>,
    limitMs = 20_000,
  ): Promise<T> {
    const end = Date.now() + limitMs;
    for (;;) {
      const found = await look();
      if (found) return found;
      if (Date.now() > end) {
        const pods = (await client(Pod).list({})).items.map((p) => [p.metadata.name, p.status]);
        const events = (await client(Event).list({})).items.map(
          (e) => `${e.involvedObject.name} ${e.reason} ${e.message}`,
        );
        throw new Error(`never came: ${what}\n${JSON.stringify(pods, null, 1)}\n${events.join('\n')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  const pod = (name: string) =>
    client(Pod)
      .get(name, 'default')
      .catch(() => undefined);
  const ready = (name: string) =>
    until(`${name} is ready`, async () => {
      const found = await pod(name);
      return found?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') && found;
    });
  const ended = (name: string) =>
    until(`${name} has ended`, async () => {
      const found = await pod(name);
      return (found?.status?.phase === 'Succeeded' || found?.status?.phase === 'Failed') && found;
    });
  const create = (name: string, script: string, more: object = {}, containerMore: object = {}) =>
    client(Pod).create({
      metadata: { name, namespace: 'default', labels: { app: name } },
      spec: {
        nodeName: 'n1',
        terminationGracePeriodSeconds: 2,
        automountServiceAccountToken: false,
        containers: [{ name: 'main', image, command: ['sh', '-c', script], ...containerMore }],
        ...more,
      } as Pod['spec'],
    });
  const logs = async (name: string, query = '') => {
    const answer = await https.request({
      method: 'GET',
      path: `/containerLogs/default/${name}/main${query}`,
    });
    return `${answer.status} ${answer.body.toString()}`;
  };
  const containerOf = async (name: string) =>
    (await runtime.listContainers({ labels: { 'io.kubernetes.pod.name': name } }))[0]!.id;
  const run = async (name: string, ...command: string[]) => {
    const result = await runtime.execSync(await containerOf(name), command, 5_000);
    return result.stdout.toString() + result.stderr.toString();
  };
  const forever = 'trap "exit 0" TERM; while :; do sleep 0.1; done';

  describe('containerd keeps the contract', () => {
    const trap = (what: string) => ['sh', '-c', `trap "${what}" TERM; while :; do sleep 0.1; done`];
    runtimeContract(
      () => ({
        runtime,
        image,
        commands: { obeys: trap('exit 0'), ignores: trap(''), exits: ['sh', '-c', 'sleep 0.1; exit 3'] },
        logDir: path.join(dir, 'contract'),
        cgroupParent: `${cgroup}/contract`,
        // A shell needs a moment before it has set its trap.
        settled: () => new Promise((resolve) => setTimeout(resolve, 300)),
        async until(look) {
          await until('the contract', look);
        },
      }),
      { expect, test },
    );
  });

  test('the node is ready once it has a network', async () => {
    const node = await until('Ready', async () => {
      const found = await client(Node).get('n1');
      return found.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') && found;
    });
    expect(node.status?.nodeInfo?.containerRuntimeVersion).toMatch(/^containerd:\/\/1\./);
    expect(node.status?.images?.flatMap((i) => i.names ?? [])).toContain(image);
  });

  test('a pod runs with an address of the node, and is gone when deleted', async () => {
    const startedMs = Date.now();
    await create('web', `echo hello; ${forever}`);
    const found = await ready('web');
    const tookMs = Date.now() - startedMs;
    expect(found.status?.podIP).toMatch(/^10\.245\.7\./);
    expect(found.status?.containerStatuses?.[0]).toMatchObject({ image, restartCount: 0, ready: true });
    expect(await run('web', 'hostname')).toBe('web\n');
    expect(await run('web', 'cat', '/etc/hosts')).toContain(`${found.status?.podIP}\tweb\n`);
    expect(await logs('web')).toBe('200 hello\n');
    const deletedMs = Date.now();
    await client(Pod).delete('web', 'default');
    await until('gone', async () => (await pod('web')) === undefined);
    console.log(`start to ready ${tookMs} ms, delete to gone ${Date.now() - deletedMs} ms`);
    await until(
      'no sandbox',
      async () =>
        (await runtime.listPodSandbox({ labels: { 'io.kubernetes.pod.name': 'web' } })).length === 0,
    );
  });

  test('environment, volumes and identity are as asked for', async () => {
    await client(ConfigMap).create({
      metadata: { name: 'cm', namespace: 'default' },
      data: { key: 'from-map', other: 'x' },
    });
    await client(Secret).create({
      metadata: { name: 'sec', namespace: 'default' },
      data: { password: Buffer.from('s3cret').toString('base64') },
    });
    await create(
      'rich',
      'cat /cm/key /sec/password; echo; ls -ln /sec/..data/ | tail -1; id -u; id -G; cat /down/labels; echo; mount | grep -c " /mem "; touch /etc/x || echo read-only; echo bye > /dev/termination-log',
      {
        restartPolicy: 'Never',
        securityContext: { runAsUser: 1000, fsGroup: 2000 },
        volumes: [
          { name: 'cm', configMap: { name: 'cm' } },
          { name: 'sec', secret: { secretName: 'sec', defaultMode: 0o400 } },
          {
            name: 'down',
            downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] },
          },
          { name: 'mem', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
          { name: 'data', emptyDir: {} },
        ],
      },
      {
        env: [
          { name: 'FROM_MAP', valueFrom: { configMapKeyRef: { name: 'cm', key: 'key' } } },
          { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
          { name: 'ALL', value: '$(FROM_MAP)-$(POD)-$(LIMIT)' },
        ],
        args: ['x'],
        resources: { limits: { memory: '64Mi', cpu: '500m' } },
        securityContext: {
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
          capabilities: { drop: ['ALL'] },
        },
        volumeMounts: [
          { name: 'cm', mountPath: '/cm' },
          { name: 'sec', mountPath: '/sec' },
          { name: 'down', mountPath: '/down' },
          { name: 'mem', mountPath: '/mem' },
          { name: 'data', mountPath: '/data', subPath: 'a/b' },
        ],
      },
    );
    const found = await ended('rich');
    const text = await logs('rich');
    expect(text).toContain('200 from-maps3cret\n');
    expect(text).toMatch(/-r--r----- +1 0 +2000 /);
    expect(text).toContain('\n1000\n');
    expect(text).toMatch(/\n0 2000\n/);
    expect(text).toContain('app="rich"');
    expect(text).toContain('read-only');
    expect(found.status).toMatchObject({ phase: 'Succeeded' });
    expect(found.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      exitCode: 0,
      reason: 'Completed',
      message: 'bye\n',
    });
  });

  test('a mounted ConfigMap changes while the pod runs', async () => {
    await client(ConfigMap).create({ metadata: { name: 'live', namespace: 'default' }, data: { v: '1' } });
    await create(
      'watcher',
      forever,
      { volumes: [{ name: 'v', configMap: { name: 'live' } }] },
      { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
    );
    await ready('watcher');
    expect(await run('watcher', 'cat', '/v/v')).toBe('1');
    await client(ConfigMap).patch({ name: 'live', namespace: 'default' }, 'merge', { data: { v: '2' } });
    await until('the new value', async () => (await run('watcher', 'cat', '/v/v')) === '2', 5_000);
  });

  test('a container that ends is restarted within a second, and its log is kept', async () => {
    await create(
      'once',
      'echo "run $HOSTNAME"; [ -e /d/was ] && exec sh -c \'trap "exit 0" TERM; while :; do sleep 0.1; done\'; touch /d/was; sleep 0.3; exit 5',
      {
        volumes: [{ name: 'd', emptyDir: {} }],
      },
      { volumeMounts: [{ name: 'd', mountPath: '/d' }] },
    );
    const found = await until('restarted', async () => {
      const now = await pod('once');
      return (
        now?.status?.containerStatuses?.[0]?.restartCount === 1 &&
        now.status.containerStatuses[0].ready &&
        now
      );
    });
    const status = found.status!.containerStatuses![0]!;
    const endedMs = Date.parse(status.lastState!.terminated!.finishedAt!);
    expect(status.lastState?.terminated).toMatchObject({ exitCode: 5, reason: 'Error' });
    expect(Date.parse(status.state!.running!.startedAt!) - endedMs).toBeLessThanOrEqual(1_000);
    expect(await logs('once', '?previous=true')).toBe('200 run once\n');
  });

  test('probes decide readiness', async () => {
    await create(
      'probed',
      `mkdir /www; httpd -p 8080 -h /www; ${forever}`,
      {},
      {
        readinessProbe: { httpGet: { path: '/ok', port: 8080 }, periodSeconds: 1 },
        livenessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
      },
    );
    await until('not ready', async () => {
      const { items } = await client(Event).list({ namespace: 'default' });
      return items.some(
        (e) =>
          e.involvedObject.name === 'probed' && e.message?.includes('HTTP probe failed with statuscode: 404'),
      );
    });
    await run('probed', 'touch', '/www/ok');
    await ready('probed');
  });

  test('logs are followed to the end, tailed, stamped and cut', async () => {
    await create('talk', 'for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done', { restartPolicy: 'Never' });
    await until('running', async () => {
      const phase = (await pod('talk'))?.status?.phase;
      return phase === 'Running' || phase === 'Succeeded';
    });
    const { body } = await https.stream({
      method: 'GET',
      path: '/containerLogs/default/talk/main?follow=true',
    });
    let text = '';
    for await (const chunk of body) text += chunk;
    expect(text).toBe('line 1\nline 2\nline 3\nline 4\nline 5\n');
    expect(await logs('talk', '?tailLines=2')).toBe('200 line 4\nline 5\n');
    expect(await logs('talk', '?limitBytes=4')).toBe('200 line');
    expect(await logs('talk', '?tailLines=1&timestamps=true')).toMatch(/^200 \d{4}-\d\d-\d\dT\S+Z line 5\n$/);
    expect(await logs('talk', '?tailLines=x')).toMatch(/^400 /);
  });

  test('strangers are kept out', async () => {
    const asking = (keys: { cert?: string; key?: string }) =>
      createHttpsClient({
        server: `https://127.0.0.1:${agent.port}`,
        ca: pki.ca.cert,
        ...keys,
        userAgent: 't',
        timeoutMs: 5_000,
        clock,
      });
    for (const [keys, status] of [
      [{}, 401],
      [{ cert: pki.stranger.cert, key: pki.stranger.key }, 403],
    ] as const) {
      const stranger = asking(keys);
      expect((await stranger.request({ method: 'GET', path: '/pods' })).status).toBe(status);
      stranger.close();
    }
    expect((await https.request({ method: 'GET', path: '/healthz' })).body.toString()).toBe('ok');
  });

  test('neither a restart of the agent nor one of containerd touches containers', async () => {
    await create('steady', forever);
    await ready('steady');
    const before = await containerOf('steady');
    await agent.stop();
    https.close();
    const { pid } = containerd;
    process.kill(pid, 'SIGKILL');
    await until('containerd is back', async () => containerd.pid !== 0 && containerd.pid !== pid);
    await until('it answers', () =>
      runtime
        .status()
        .then((s) => s.runtimeReady)
        .catch(() => false),
    );
    await launch();
    await agent.ready;
    expect(await containerOf('steady')).toBe(before);
    expect((await runtime.containerStatus(before)).state).toBe('running');
    const found = await ready('steady');
    expect(found.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    expect(await logs('steady')).toBe('200 ');
  });

  test('preStop runs, and what ignores SIGTERM is killed after its grace period', async () => {
    await create(
      'stubborn',
      'trap "" TERM; while :; do sleep 0.1; done',
      {
        terminationGracePeriodSeconds: 1,
        volumes: [{ name: 'h', hostPath: { path: dir, type: 'Directory' } }],
      },
      {
        volumeMounts: [{ name: 'h', mountPath: '/h' }],
        lifecycle: { preStop: { exec: { command: ['touch', '/h/pre-stop-ran'] } } },
      },
    );
    await ready('stubborn');
    const startedMs = Date.now();
    await client(Pod).delete('stubborn', 'default');
    await until('gone', async () => (await pod('stubborn')) === undefined);
    expect(Date.now() - startedMs).toBeGreaterThanOrEqual(900);
    expect(fs.existsSync(path.join(dir, 'pre-stop-ran'))).toBe(true);
  });

  test('many pods start, and stop', { timeout: 60_000 }, async () => {
    const count = 10;
    const cpu = process.cpuUsage();
    const startedMs = Date.now();
    const names = Array.from({ length: count }, (_, i) => `burst-${i}`);
    await Promise.all(names.map((name) => create(name, forever)));
    await Promise.all(names.map(ready));
    const used = process.cpuUsage(cpu);
    console.log(
      `${count} pods ready in ${Date.now() - startedMs} ms; this process used ${Math.round((used.user + used.system) / 1000 / count)} ms of processor a pod`,
    );
    const deletedMs = Date.now();
    await Promise.all(names.map((name) => client(Pod).delete(name, 'default')));
    await until('all gone', async () =>
      (await client(Pod).list({ namespace: 'default' })).items.every(
        (p) => !p.metadata.name.startsWith('burst-'),
      ),
    );
    console.log(`${count} pods gone in ${Date.now() - deletedMs} ms`);
  });
});
