// Real containers: containerd, CNI and the node agent against an API server in memory.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigMap, Event, Pod, Secret } from '../../src/api/index.ts';
import { listProcesses, readCgroupLayout, runtimeContract } from '../../src/os/index.ts';
import { inside, runInside, whyNoContainers } from './own-namespaces.ts';
import { RealNode } from './real-node.ts';
import { busyboxImage as image } from './tour-machine.ts';

const why = whyNoContainers('real containers');

/** Whether each shell of a control group has set its trap: a container is started before that. The kernel tells of each process. */
function heedsSigterm(group: string): boolean {
  return listProcesses(readCgroupLayout(), group).every((pid) => {
    const of = (file: string) => fs.readFileSync(`/proc/${pid}/${file}`, 'utf8');
    try {
      const [program] = of('cmdline').split('\0');
      if (program === '/pause' || program === 'sleep') return true;
      const masks = [...of('status').matchAll(/^Sig(?:Cgt|Ign):\t(\w+)$/gm)];
      return masks.some(([, mask]) => (BigInt(`0x${mask}`) & (1n << 14n)) !== 0n);
    } catch {
      // It has just ended: one of the shell's own.
      return true;
    }
  });
}

describe.skipIf(why !== undefined || inside)('real containers', () => {
  test('in namespaces of their own', () => runInside('test/node/agent-containerd.test.ts'));
});

describe.skipIf(why !== undefined || !inside)('a node with real containers', () => {
  let node: RealNode;

  beforeAll(async () => {
    node = await RealNode.start({ name: 'test', network: 245 });
  });

  afterAll(async () => {
    await node.empty();
    for (const hierarchy of readCgroupLayout().legacy) {
      const left = ['', 'burstable', 'besteffort'].flatMap((level) => {
        const group = path.join(hierarchy.path, node.cgroup, level);
        return fs.existsSync(group) ? fs.readdirSync(group).filter((name) => name.startsWith('pod')) : [];
      });
      expect(left).toEqual([]);
    }
    await node.stop();
  });

  const logs = (name: string, query = '') => node.get(`/containerLogs/default/${name}/main${query}`);
  const forever = 'trap "exit 0" TERM; while :; do sleep 0.1; done';

  describe('containerd keeps the contract', () => {
    const trap = (what: string) => ['sh', '-c', `trap "${what}" TERM; while :; do sleep 0.1; done`];
    runtimeContract(
      () => ({
        runtime: node.runtime,
        image,
        commands: { obeys: trap('exit 0'), ignores: trap(''), exits: ['sh', '-c', 'sleep 0.1; exit 3'] },
        logDir: path.join(node.directory, 'contract'),
        cgroupParent: `${node.cgroup}/contract`,
        async settled() {
          await node.until('the traps', async () => heedsSigterm(`${node.cgroup}/contract`));
        },
        async until(look) {
          await node.until('the contract', look);
        },
      }),
      { expect, test },
    );
  });

  test('the node is ready once it has a network', async () => {
    const { status } = await node.until('Ready', async () => {
      const found = await node.object();
      return found.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') && found;
    });
    expect(status?.nodeInfo?.containerRuntimeVersion).toMatch(/^containerd:\/\/1\./);
    expect(status?.images?.flatMap((i) => i.names ?? [])).toContain(image);
  });

  test('a pod runs with an address of the node, and is gone when deleted', async () => {
    const startedMs = Date.now();
    await node.create('web', `echo hello; ${forever}`);
    const found = await node.ready('web');
    const tookMs = Date.now() - startedMs;
    expect(found.status?.podIP).toMatch(/^10\.245\.7\./);
    expect(found.status?.containerStatuses?.[0]).toMatchObject({ image, restartCount: 0, ready: true });
    expect(await node.run('web', 'hostname')).toBe('web\n');
    expect(await node.run('web', 'cat', '/etc/hosts')).toContain(`${found.status?.podIP}\tweb\n`);
    expect(await logs('web')).toBe('200 hello\n');
    const deletedMs = Date.now();
    await node.client(Pod).delete('web', 'default');
    await node.until('gone', async () => (await node.pod('web')) === undefined);
    console.log(`start to ready ${tookMs} ms, delete to gone ${Date.now() - deletedMs} ms`);
    await node.until(
      'no sandbox',
      async () =>
        (await node.runtime.listPodSandbox({ labels: { 'io.kubernetes.pod.name': 'web' } })).length === 0,
    );
  });

  test('environment, volumes and identity are as asked for', async () => {
    await node.client(ConfigMap).create({
      metadata: { name: 'cm', namespace: 'default' },
      data: { key: 'from-map', other: 'x' },
    });
    await node.client(Secret).create({
      metadata: { name: 'sec', namespace: 'default' },
      data: { password: Buffer.from('s3cret').toString('base64') },
    });
    await node.create(
      'rich',
      'cat /cm/key /sec/password; echo; ls -ln /sec/..data/ | tail -1; id -u; id -G; cat /down/labels; echo; mount | grep -c " /mem "; touch /etc/x || echo read-only; echo bye > /dev/termination-log',
      {
        spec: {
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
        container: {
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
      },
    );
    const found = await node.ended('rich');
    const text = await node.until('its log', async () => {
      const said = await logs('rich');
      return said.includes('read-only') && said;
    });
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
    await node
      .client(ConfigMap)
      .create({ metadata: { name: 'live', namespace: 'default' }, data: { v: '1' } });
    await node.create('watcher', forever, {
      spec: { volumes: [{ name: 'v', configMap: { name: 'live' } }] },
      container: { volumeMounts: [{ name: 'v', mountPath: '/v' }] },
    });
    await node.ready('watcher');
    expect(await node.run('watcher', 'cat', '/v/v')).toBe('1');
    await node.client(ConfigMap).patch({ name: 'live', namespace: 'default' }, 'merge', { data: { v: '2' } });
    await node.until('the new value', async () => (await node.run('watcher', 'cat', '/v/v')) === '2');
  });

  test('a container that ends is restarted within a second, and its log is kept', async () => {
    await node.create(
      'once',
      'echo "run $HOSTNAME"; [ -e /d/was ] && exec sh -c \'trap "exit 0" TERM; while :; do sleep 0.1; done\'; touch /d/was; sleep 0.3; exit 5',
      {
        spec: {
          volumes: [{ name: 'd', emptyDir: {} }],
        },
        container: { volumeMounts: [{ name: 'd', mountPath: '/d' }] },
      },
    );
    const found = await node.until('restarted', async () => {
      const now = await node.pod('once');
      return (
        now?.status?.containerStatuses?.[0]?.restartCount === 1 &&
        now.status.containerStatuses[0].ready &&
        now
      );
    });
    const status = found.status!.containerStatuses![0]!;
    const endedMs = Date.parse(status.lastState!.terminated!.finishedAt!);
    expect(status.lastState?.terminated).toMatchObject({ exitCode: 5, reason: 'Error' });
    // Ten seconds is how long a second crash waits.
    expect(Date.parse(status.state!.running!.startedAt!) - endedMs).toBeLessThan(9_000);
    expect(await logs('once', '?previous=true')).toBe('200 run once\n');
  });

  test('probes decide readiness', async () => {
    await node.create('probed', `mkdir /www; httpd -p 8080 -h /www; ${forever}`, {
      container: {
        readinessProbe: { httpGet: { path: '/ok', port: 8080 }, periodSeconds: 1 },
        livenessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
      },
    });
    await node.until('not ready', async () => {
      const { items } = await node.client(Event).list({ namespace: 'default' });
      return items.some(
        (e) =>
          e.involvedObject.name === 'probed' && e.message?.includes('HTTP probe failed with statuscode: 404'),
      );
    });
    await node.run('probed', 'touch', '/www/ok');
    await node.ready('probed');
  });

  test('logs are followed to the end, tailed, stamped and cut', async () => {
    await node.create('talk', 'for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done', {
      spec: { restartPolicy: 'Never' },
    });
    await node.until('running', async () => {
      const phase = (await node.pod('talk'))?.status?.phase;
      return phase === 'Running' || phase === 'Succeeded';
    });
    const { body } = await node.https.stream({
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
    for (const [keys, status] of [
      [{}, 401],
      [{ cert: node.pki.stranger.cert, key: node.pki.stranger.key }, 403],
    ] as const) {
      const stranger = node.httpsAs(keys);
      expect((await stranger.request({ method: 'GET', path: '/pods' })).status).toBe(status);
      stranger.close();
    }
    expect((await node.https.request({ method: 'GET', path: '/healthz' })).body.toString()).toBe('ok');
  });

  test('neither a restart of the agent nor one of containerd touches containers', async () => {
    await node.create('steady', forever);
    await node.ready('steady');
    const before = await node.containerOf('steady');
    await node.stopAgent();
    const { containerd } = node;
    const { pid } = containerd;
    process.kill(pid, 'SIGKILL');
    await node.until('containerd is back', async () => containerd.pid !== 0 && containerd.pid !== pid);
    await node.until('it answers', () =>
      node.runtime
        .status()
        .then((s) => s.runtimeReady)
        .catch(() => false),
    );
    await node.launchAgent();
    await node.agent.ready;
    expect(await node.containerOf('steady')).toBe(before);
    expect((await node.runtime.containerStatus(before)).state).toBe('running');
    const found = await node.ready('steady');
    expect(found.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    expect(await logs('steady')).toBe('200 ');
  });

  test('preStop runs, and what ignores SIGTERM is killed after its grace period', async () => {
    // Long enough for the hook on a machine with much else to do.
    await node.create('stubborn', 'trap "" TERM; touch /h/trap-is-set; while :; do sleep 0.1; done', {
      spec: {
        terminationGracePeriodSeconds: 3,
        volumes: [{ name: 'h', hostPath: { path: node.directory, type: 'Directory' } }],
      },
      container: {
        volumeMounts: [{ name: 'h', mountPath: '/h' }],
        lifecycle: { preStop: { exec: { command: ['touch', '/h/pre-stop-ran'] } } },
      },
    });
    await node.until('its trap', async () => fs.existsSync(path.join(node.directory, 'trap-is-set')));
    await node.ready('stubborn');
    const startedMs = Date.now();
    await node.client(Pod).delete('stubborn', 'default');
    await node.until('gone', async () => (await node.pod('stubborn')) === undefined);
    expect(Date.now() - startedMs).toBeGreaterThanOrEqual(2_900);
    expect(fs.existsSync(path.join(node.directory, 'pre-stop-ran'))).toBe(true);
  });

  test('many pods start, and stop', async () => {
    const count = 10;
    const cpu = process.cpuUsage();
    const startedMs = Date.now();
    const names = Array.from({ length: count }, (_, i) => `burst-${i}`);
    await Promise.all(names.map((name) => node.create(name, forever)));
    await Promise.all(names.map((name) => node.ready(name)));
    const used = process.cpuUsage(cpu);
    console.log(
      `${count} pods ready in ${Date.now() - startedMs} ms; this process used ${Math.round((used.user + used.system) / 1000 / count)} ms of processor a pod`,
    );
    const deletedMs = Date.now();
    await Promise.all(names.map((name) => node.client(Pod).delete(name, 'default')));
    await node.until('all gone', async () =>
      (await node.client(Pod).list({ namespace: 'default' })).items.every(
        (p) => !p.metadata.name.startsWith('burst-'),
      ),
    );
    console.log(`${count} pods gone in ${Date.now() - deletedMs} ms`);
  });
});
