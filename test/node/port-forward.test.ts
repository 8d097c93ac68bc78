// kubectl port-forward, cp and debug as users run them: a cluster on this machine, a real HTTP server in a real container that listens
// on the pod's localhost only. kubectl 1.28 and newer speak SPDY inside a WebSocket (since 1.31), Debian's 1.20 speaks SPDY.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { KubeConfig, PortForward } from '@kubernetes/client-node';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { listProcesses, readCgroupLayout } from '../../src/os/index.ts';
import { findKubectl, findKubectl120 } from '../client/kubectl.ts';
import { busyboxImage, mustRun, staysPut, TourCluster, whyNot } from './tour-machine.ts';

const why = whyNot();
const cluster = new TourCluster('jt-forward');
const bigBytes = 220 << 20;

const pods = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 0
      tolerations: ${staysPut}
      containers:
      - name: main
        image: ${busyboxImage}
        command:
        - sh
        - -c
        - |
          mkdir -p /w; echo hello >/w/index.html
          dd if=/dev/zero of=/w/big bs=1M count=${bigBytes >> 20} 2>/dev/null
          httpd -f -p 127.0.0.1:80 -h /w &
          echo 'wc -c >/tmp/n; sleep 2; cat /tmp/n' >/w/slow.sh
          exec nc -ll -p 9000 -e sh /w/slow.sh
        readinessProbe: { exec: { command: [wget, -qO-, localhost] }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 8080, targetPort: 80 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: host }
spec:
  hostNetwork: true
  terminationGracePeriodSeconds: 0
  tolerations: ${staysPut}
  containers:
  - { name: main, image: ${busyboxImage}, command: [sh, -c, 'mkdir /w; echo host >/w/index.html; exec httpd -f -p 8099 -h /w'] }
---
apiVersion: v1
kind: Pod
metadata: { name: done }
spec:
  restartPolicy: Never
  tolerations: ${staysPut}
  containers: [{ name: main, image: ${busyboxImage}, command: ['true'] }]
`;

beforeAll(async () => {
  if (why !== undefined) return;
  await cluster.down();
  await cluster.up('--nodes', '1', '--image', await cluster.busyboxArchive());
  await cluster.apply(pods);
  await cluster.kubectl('rollout', 'status', 'deploy/web', '--timeout=90s');
  await cluster.kubectl('wait', '--for=condition=Ready', 'pod/host', '--timeout=90s');
});
afterAll(async () => {
  if (why === undefined) await cluster.down();
  rmSync(cluster.directory, { recursive: true });
});

const running: ChildProcess[] = [];
afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

/** A running port-forward: its local ports in the order in which they were asked for, and all that it has said. */
async function forward(program: string, target: string, ...ports: string[]) {
  const child = spawn(program, ['--kubeconfig', cluster.kubeconfig, 'port-forward', target, ...ports], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  let said = '';
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const local = () => [...said.matchAll(/127\.0\.0\.1:(\d+) ->/g)].map((match) => Number(match[1]));
  await expect.poll(() => [local().length, said]).toEqual([ports.length, expect.anything()]);
  return { ports: local(), said: () => said, ended };
}

const get = async (port: number, path = '/') =>
  (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })).text();

/** Sends, ends its half, and reads to the end. */
function ask(port: number, bytes: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => (text += part));
  const piece = Buffer.alloc(1 << 20);
  let left = bytes;
  const more = () => {
    while (left > 0) {
      left -= piece.length;
      if (!socket.write(piece)) {
        socket.once('drain', more);
        return;
      }
    }
    socket.end();
  };
  more();
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('end', () => resolve(text.trim()));
  });
}

/** Resident memory of the cluster's server and agents, in MB. */
async function memoryMb(): Promise<number[]> {
  const lines = (await mustRun(['ps', '-eo', 'rss,args'])).split('\n');
  const ours = lines.filter((line) =>
    /^\s*\d+ \S*node (?:--\S+ )*\S+jotasu\.js (server|agent) .*jt-forward/.test(line),
  );
  return ours.map((line) => Number.parseInt(line, 10) / 1024);
}

describe.skipIf(why !== undefined).each([
  ['kubectl', why === undefined ? findKubectl() : undefined],
  ['kubectl 1.20', why === undefined ? findKubectl120() : undefined],
])('%s', (_, found) => {
  const program = found ?? '';
  const it = test.skipIf(found === undefined);

  it.each(['deployment/web', 'service/web'])('%s', async (target) => {
    const { ports } = await forward(program, target, target === 'service/web' ? ':8080' : ':80');
    expect(await get(ports[0]!)).toBe('hello\n');
  });

  it('a pod on the network of its node', async () => {
    const { ports } = await forward(program, 'pod/host', ':8099');
    expect(await get(ports[0]!)).toBe('host\n');
  });

  it('a hundred requests at once', async () => {
    const { ports } = await forward(program, 'deployment/web', ':80');
    const answers = await Promise.all(Array.from({ length: 100 }, () => get(ports[0]!)));
    expect(new Set(answers)).toEqual(new Set(['hello\n']));
  });

  it('an answer that comes long after the question ended', async () => {
    const { ports } = await forward(program, 'deployment/web', ':9000');
    expect(await ask(ports[0]!, 1 << 20)).toBe(String(1 << 20));
  });

  it('220 MB down and up, in bounded memory', async () => {
    const { ports } = await forward(program, 'deployment/web', ':80', ':9000');
    const before = await memoryMb();
    expect(before.length).toBeGreaterThanOrEqual(2);
    const answer = await fetch(`http://127.0.0.1:${ports[0]}/big`);
    let got = 0;
    for await (const chunk of answer.body!) got += chunk.length;
    expect(got).toBe(bigBytes);
    expect(await ask(ports[1]!, bigBytes)).toBe(String(bigBytes));
    const after = await memoryMb();
    for (const [i, mb] of after.entries()) expect(mb - before[i]!).toBeLessThan(80);
  });

  it('a port on which nobody listens', async () => {
    const { ports, said } = await forward(program, 'deployment/web', ':81');
    await expect(get(ports[0]!)).rejects.toThrow();
    await expect.poll(said).toContain('IPv4: dial tcp4 127.0.0.1:81: connect: connection refused');
    expect(said()).toMatch(
      /an error occurred forwarding \d+ -> 81: error forwarding port 81 to pod \w+, uid : failed to execute portforward in network namespace/,
    );
  });

  it('a pod that is over', async () => {
    await cluster.kubectl('wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/done', '--timeout=90s');
    await expect(
      mustRun([program, '--kubeconfig', cluster.kubeconfig, 'port-forward', 'pod/done', ':80']),
    ).rejects.toThrow('unable to forward port because pod is not running. Current status=Succeeded');
  });

  it('files there and back', async () => {
    const pod = (await cluster.kubectl('get', 'pods', '-l', 'app=web', '-o', 'name'))
      .trim()
      .replace('pod/', '');
    const [from, to] = [join(cluster.directory, 'from'), join(cluster.directory, 'to')];
    mkdirSync(join(from, 'below'), { recursive: true });
    const bytes = Buffer.alloc(3 << 20, createHash('sha512').update(program).digest());
    writeFileSync(join(from, 'below/data'), bytes);
    const cp = (...args: string[]) => mustRun([program, '--kubeconfig', cluster.kubeconfig, 'cp', ...args]);
    await cp(from, `${pod}:/tmp/copied`);
    await cp(`${pod}:/tmp/copied`, to);
    expect(readFileSync(join(to, 'below/data')).equals(bytes)).toBe(true);
    await cluster.kubectl('exec', pod, '--', 'rm', '-r', '/tmp/copied');
    for (const directory of [from, to]) rmSync(directory, { recursive: true });
  });
});

describe.skipIf(why !== undefined)('a client library over the channels of a WebSocket', () => {
  test.each([
    ['80', 'GET / HTTP/1.0\r\n\r\n', /^HTTP\/1.1 200 OK[\s\S]*hello\n$/, /^$/],
    ['81', '', /^$/, /^error forwarding port 81 to pod .*connection refused/],
  ])('port %s', async (port, question, answer, error) => {
    const config = new KubeConfig();
    config.loadFromFile(cluster.kubeconfig);
    const pod = (await cluster.kubectl('get', 'pods', '-l', 'app=web', '-o', 'name'))
      .trim()
      .replace('pod/', '');
    const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()];
    const socket = await new PortForward(config).portForward(
      'default',
      pod,
      [Number(port)],
      output,
      errors,
      input,
    );
    if (typeof socket === 'function') throw new Error('it was to connect once');
    const closed = new Promise<void>((resolve) => {
      socket.onclose = () => resolve();
    });
    if (question !== '') input.write(question);
    await closed;
    expect(String(output.read() ?? '')).toMatch(answer);
    expect(String(errors.read() ?? '')).toMatch(error);
  });
});

describe.skipIf(why !== undefined)('debug', () => {
  test.skipIf(why !== undefined || findKubectl() === undefined)(
    'sees the processes and the network of its target',
    async () => {
      const pod = (await cluster.kubectl('get', 'pods', '-l', 'app=web', '-o', 'name')).trim();
      const command = ['sh', '-c', 'ps; wget -qO- localhost'];
      await cluster.kubectl(
        'debug',
        pod,
        `--image=${busyboxImage}`,
        '--target=main',
        '-c',
        'look',
        '--',
        ...command,
      );
      await expect
        .poll(() => cluster.kubectl('logs', pod, '-c', 'look').catch((error) => String(error)))
        .toMatch(/httpd -f -p 127\.0\.0\.1:80[\s\S]*\nhello\n$/);
    },
  );
});

describe.skipIf(why !== undefined)('when the pod goes', () => {
  test.skipIf(why !== undefined || findKubectl() === undefined)(
    'the session ends, and nothing is left on the node',
    async () => {
      const { ports, said, ended } = await forward('kubectl', 'deployment/web', ':80');
      expect(await get(ports[0]!)).toBe('hello\n');
      // Of this cluster: others may forward ports at the same time.
      const dialers = () =>
        listProcesses(readCgroupLayout(), '/jotasu/jt-forward').filter((pid) => {
          try {
            return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('// jotasu: dials');
          } catch {
            return false;
          }
        }).length;
      expect(dialers()).toBeGreaterThan(0);
      await cluster.kubectl('delete', 'deployment', 'web');
      await ended;
      await expect.poll(said).toContain('lost connection to pod');
      await expect.poll(dialers).toBe(0);
    },
  );
});
