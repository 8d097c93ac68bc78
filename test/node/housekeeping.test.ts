// What keeps a node in order, with real containers: logs that are rotated while they are followed, memory and disk that run out, and
// what the node tells about usage.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Pod } from '../../src/api/index.ts';
import { parseNodeSettings, thisMachine } from '../../src/node/index.ts';
import { inside, runInside, whyNoContainers } from './own-namespaces.ts';
import { RealNode } from './real-node.ts';

const why = whyNoContainers('housekeeping with real containers');

describe.skipIf(why !== undefined || inside)('housekeeping', () => {
  test('in namespaces of its own', () => runInside('test/node/housekeeping.test.ts'));
});

describe.skipIf(why !== undefined || !inside)('a node that is kept in order', () => {
  let node: RealNode;
  /** What the machine seems to have left; undefined = what it has. */
  let memoryLeft: number | undefined;

  beforeAll(async () => {
    node = await RealNode.start({
      name: 'house',
      network: 246,
      agent: {
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
      },
    });
  });

  afterAll(async () => {
    await node.empty();
    await node.stop();
  });

  const until = <T>(what: string, look: () => Promise<T | undefined | false>) => node.until(what, look);
  const pod = (name: string) => node.client(Pod).get(name, 'default');
  const phase = async (name: string) => (await pod(name)).status?.phase;
  const get = async (page: string) => {
    const { status, body } = await node.https.request({ method: 'GET', path: page });
    expect(status, page).toBe(200);
    return body.toString();
  };
  const memory = (request: string, limit?: string) => ({
    resources: { requests: { memory: request }, ...(limit !== undefined && { limits: { memory: limit } }) },
  });

  test('logs, memory, disk, and what is told of them', async () => {
    const wait = 'while :; do sleep 0.2; done';
    // One process writes the log; what is in the shell's memory is the pod's.
    await node.create(
      'talker',
      'i=0; while :; do i=$((i+1)); echo "line $i of a log that grows"; sleep 0.02; done',
      {
        container: memory('64Mi'),
      },
    );
    await node.create('oom', 'a=x; while :; do a=$a$a; done', {
      container: memory('24Mi', '24Mi'),
      spec: { restartPolicy: 'Never' },
    });
    await node.create('hungry', `a=$(head -c 30000000 /dev/zero | tr '\\0' x); ${wait}`, {
      container: memory('1Mi'),
    });
    await node.create('scratch', `dd if=/dev/zero of=/v/file bs=1M count=4; ${wait}`, {
      container: { ...memory('1Mi'), volumeMounts: [{ name: 'v', mountPath: '/v' }] },
      spec: { volumes: [{ name: 'v', emptyDir: { sizeLimit: '1Mi' } }] },
    });
    // Itself it never forks.
    await node.create('crowd', 'exec sleep 10000', { container: memory('64Mi') });
    await until('talker runs', async () => (await phase('talker')) === 'Running');
    // At once: its log is rotated whoever else is waited for.
    const followed = follow('talker');
    await until('crowd runs', async () => (await phase('crowd')) === 'Running');

    await until('oom ended', async () => (await phase('oom')) === 'Failed');
    expect((await pod('oom')).status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      reason: 'OOMKilled',
      exitCode: 137,
    });

    // Nobody may have more processes than the node gives a pod.
    const forked = await node.runtime.execSync(
      await node.containerOf('crowd'),
      ['sh', '-c', 'for i in $(seq 100); do sleep 100 >/dev/null 2>&1 & done'],
      60_000,
    );
    expect(forked.stderr.toString()).toContain("can't fork");

    const { status } = await node.object();
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

    interface Summary {
      readonly node: Record<string, Record<string, number>>;
      readonly pods: {
        readonly podRef: { readonly name: string };
        readonly memory: { readonly workingSetBytes: number };
        readonly network: { readonly name: string };
        readonly containers: { readonly logs: { readonly usedBytes: number } }[];
      }[];
    }
    const told = await until('what the pods use is told', async () => {
      const summary = JSON.parse(await get('/stats/summary')) as Summary;
      const of = (name: string) => summary.pods.find(({ podRef }) => podRef.name === name);
      const [hungry, talker] = [of('hungry'), of('talker')];
      // A shell takes its time to fill its memory.
      const ate = (hungry?.memory.workingSetBytes ?? 0) > 30_000_000;
      const talked = (talker?.containers[0]?.logs.usedBytes ?? 0) > 1000;
      return ate && talked && { node: summary.node, hungry };
    });
    expect(told.node['memory']?.['workingSetBytes']).toBeGreaterThan(1 << 20);
    expect(told.node['fs']?.['capacityBytes']).toBeGreaterThan(1 << 30);
    expect(told.node['rlimit']?.['curproc']).toBeGreaterThan(1);
    expect(told.hungry?.network.name).toBe('eth0');
    await until('the same as metrics', async () =>
      /container_memory_working_set_bytes\{container="main",[^}]*pod="hungry"\} [3-9]\d{7} /.test(
        await get('/metrics/cadvisor'),
      ),
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
      (await node.object()).status?.conditions?.find(({ type }) => type === 'MemoryPressure')?.status;
    await until('the pressure is over', async () => (await pressure()) === 'False');
    expect(await phase('talker')).toBe('Running');
    const said = await node.events();
    for (const one of [
      'n1 Starting: Starting kubelet.',
      'n1 NodeAllocatableEnforced: Updated Node Allocatable limit across pods',
      'n1 EvictionThresholdMet: Attempting to reclaim memory',
      'n1 NodeHasInsufficientMemory: Node n1 status is now: NodeHasInsufficientMemory',
    ])
      expect(said).toContain(one);

    // Rotated often enough that one was gzipped; who followed missed nothing.
    const { logPath } = await node.runtime.containerStatus(await node.containerOf('talker'));
    const logDir = path.dirname(logPath);
    const inZip = await until('a log is gzipped', async () => {
      const zipped = fs.readdirSync(logDir).find((name) => /^0\.log\.\d{8}-\d{6}\.gz$/.test(name));
      try {
        return zipped !== undefined && gunzipSync(fs.readFileSync(path.join(logDir, zipped))).toString();
      } catch (error) {
        // It made room for the next one.
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
        throw error;
      }
    });
    const last = Number(/.* stdout F line (\d+) of a log that grows\n$/.exec(inZip)?.[1]);
    await until('no more than three files', async () => fs.readdirSync(logDir).length <= 3);
    await until('what came after that one', async () => followed.count() > last);
    const lines = await followed.stop();
    expect(lines).toEqual(lines.map((_, i) => `line ${i + 1} of a log that grows`));
    expect(await get('/containerLogs/default/talker/main?tailLines=1')).toMatch(
      /^line \d+ of a log that grows\n$/,
    );
  });

  function follow(name: string): { count(): number; stop(): Promise<string[]> } {
    let text = '';
    const stream = node.https.stream({
      method: 'GET',
      path: `/containerLogs/default/${name}/main?follow=true`,
    });
    const reading = stream.then(async ({ body }) => {
      for await (const chunk of body) text += chunk;
    });
    reading.catch(() => {});
    return {
      count: () => text.split('\n').length - 1,
      async stop() {
        const { body } = await stream;
        body.destroy();
        await reading.catch(() => {});
        return text.split('\n').slice(0, -1);
      },
    };
  }
});
