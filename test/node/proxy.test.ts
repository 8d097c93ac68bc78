// Services on real nodes: two nodes of a cluster on this machine, a web server on each, clients in pods, on nodes, and outside.
import { createSocket } from 'node:dgram';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { busyboxImage, mustRun, TourCluster, whyNot } from './tour-machine.ts';

const why = whyNot();
const cluster = new TourCluster('jt-proxy');

const service = (name: string, spec: string) => `
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: http }], ${spec} }`;

const manifest = `
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: web }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 0
      automountServiceAccountToken: false
      containers:
      - name: main
        image: ${busyboxImage}
        env: [{ name: NODE, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }]
        ports: [{ name: http, containerPort: 8080 }]
        command:
        - sh
        - -c
        - |
          mkdir -p /w/cgi-bin
          printf '#!/bin/sh\\necho; echo %s $REMOTE_ADDR\\n' $NODE >/w/cgi-bin/who; chmod +x /w/cgi-bin/who
          exec httpd -f -p 8080 -h /w
        readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 }
${service('web', 'type: NodePort')}
${service('local', 'type: NodePort, externalTrafficPolicy: Local')}
${service('sticky', 'sessionAffinity: ClientIP')}
${service('balanced', 'type: LoadBalancer, externalTrafficPolicy: Local').replace('port: 80,', 'port: 21510,')}
---
apiVersion: v1
kind: Service
metadata: { name: none }
spec: { selector: { app: none }, type: NodePort, ports: [{ port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: datagrams }
spec: { type: NodePort, ports: [{ port: 53, protocol: UDP }] }
---
apiVersion: v1
kind: Service
metadata: { name: kept }
spec: { type: NodePort, sessionAffinity: ClientIP, ports: [{ port: 80 }] }
`;

interface Facts {
  readonly pods: readonly { readonly name: string; readonly node: string; readonly ip: string }[];
  readonly nodes: readonly { readonly name: string; readonly ip: string }[];
  readonly services: Readonly<
    Record<string, { readonly ip: string; readonly nodePort: number; readonly checkPort: number }>
  >;
  /** This machine, as nodes see it. */
  readonly outside: string;
}
let facts: Facts;

async function learn(): Promise<Facts> {
  const [pods, nodes, services] = await Promise.all([
    cluster.json<{
      items: { metadata: { name: string }; spec: { nodeName: string }; status: { podIP: string } }[];
    }>('get', 'pods', '-l', 'app=web'),
    cluster.json<{ items: { metadata: { name: string }; status: { addresses: { address: string }[] } }[] }>(
      'get',
      'nodes',
    ),
    cluster.json<{
      items: {
        metadata: { name: string };
        spec: { clusterIP: string; healthCheckNodePort?: number; ports: { nodePort?: number }[] };
      }[];
    }>('get', 'services'),
  ]);
  const nodeFacts = nodes.items.map((node) => ({
    name: node.metadata.name,
    ip: node.status.addresses[0]!.address,
  }));
  return {
    pods: pods.items.map((pod) => ({
      name: pod.metadata.name,
      node: pod.spec.nodeName,
      ip: pod.status.podIP,
    })),
    nodes: nodeFacts,
    services: Object.fromEntries(
      services.items.map(({ metadata, spec }) => [
        metadata.name,
        {
          ip: spec.clusterIP,
          nodePort: spec.ports[0]!.nodePort ?? 0,
          checkPort: spec.healthCheckNodePort ?? 0,
        },
      ]),
    ),
    outside: nodeFacts[0]!.ip.replace(/\.\d+$/, '.1'),
  };
}

beforeAll(async () => {
  if (why !== undefined) return;
  await cluster.down();
  await cluster.up('--nodes', '2', '--image', await cluster.busyboxArchive());
  await cluster.apply(manifest);
  await cluster.kubectl('rollout', 'status', 'ds/web', '--timeout=90s');
  facts = await learn();
});
afterAll(async () => {
  if (why === undefined) await cluster.down();
  rmSync(cluster.directory, { recursive: true });
});

/** A connection from this machine, which is outside of the cluster. */
function dial(host: string, port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => resolve(socket));
    socket.setTimeout(20_000, () => socket.destroy(new Error('timeout')));
    socket.on('error', reject);
  });
}

function received(socket: Socket, until: (text: string) => boolean): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.on('data', (data) => {
      text += data;
      if (until(text)) resolve(text);
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
  });
}

/** Who answers, and whom it sees: `jt-proxy-node-1 10.244.0.1`. */
async function askFromOutside(host: string, port: number): Promise<string> {
  const socket = await dial(host, port);
  socket.write('GET /cgi-bin/who HTTP/1.0\r\n\r\n');
  return lastLine(await received(socket, () => false));
}

/** httpd shows IPv4 clients as IPv6 ones. */
const plain = (text: string): string => text.replace(/\[::ffff:([\d.]+)\]/g, '$1');
const lastLine = (text: string): string => plain(text.trim().split('\n').at(-1) ?? '');
const scripted = (host: string, port: number, times: number): string =>
  `i=0; while [ $i -lt ${times} ]; do printf 'GET /cgi-bin/who HTTP/1.0\\r\\n\\r\\n' | nc -w 20 ${host} ${port} | tail -n 1; i=$((i+1)); done`;
const lines = (text: string): string[] => plain(text.trim()).split('\n');

async function askFromPod(host: string, port: number, times = 1): Promise<string[]> {
  const { name } = facts.pods[0]!;
  return lines(await cluster.kubectl('exec', name, '--', 'sh', '-c', scripted(host, port, times)));
}

const get = (url: string) => fetch(url, { signal: AbortSignal.timeout(20_000) });

/** As a process of the node itself. */
const onNode = (node: string, ...argv: string[]) =>
  mustRun(['nsenter', `--net=/run/jotasu/${cluster.name}/${node}.netns`, ...argv]);
const askFromNode = async (node: string, host: string, port: number, times: number) =>
  lines(await onNode(node, 'busybox', 'sh', '-c', scripted(host, port, times)));

const nodesOf = (answers: readonly string[]): string[] =>
  [...new Set(answers.map((line) => line.split(' ')[0]!))].sort();
const clientsOf = (answers: readonly string[]): string[] =>
  [...new Set(answers.map((line) => line.split(' ')[1]!))].sort();

describe.skipIf(why !== undefined)('services', () => {
  test('a cluster address leads pods and nodes to the endpoints of both nodes', async () => {
    const both = facts.nodes.map(({ name }) => name).sort();
    const { ip } = facts.services['web']!;
    // What is written to the kernel comes a moment after the pods are ready.
    await expect.poll(async () => nodesOf(await askFromPod(ip, 80, 20))).toEqual(both);
    // Nothing of a pod's address is hidden from another pod, its own included as far as that can be.
    expect(clientsOf(await askFromPod(ip, 80, 20))).toContain(facts.pods[0]!.ip);
    await expect.poll(async () => nodesOf(await askFromNode(both[0]!, ip, 80, 20))).toEqual(both);
  });

  test('the API server answers pods at the address of its service', async () => {
    const { name } = facts.pods[0]!;
    const { ip } = facts.services['kubernetes']!;
    // Plain HTTP at a TLS port: whatever it says, somebody is there.
    const command = `printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 20 ${ip} 443 >/dev/null && echo there`;
    expect(await cluster.kubectl('exec', name, '--', 'sh', '-c', command)).toBe('there\n');
  });

  test('a node port answers on every node from outside, each with all endpoints', async () => {
    const { nodePort } = facts.services['web']!;
    for (const { ip } of facts.nodes) {
      const answering = async () => {
        const answers: string[] = [];
        for (let i = 0; i < 20; i++) answers.push(await askFromOutside(ip, nodePort));
        return nodesOf(answers);
      };
      await expect.poll(answering).toHaveLength(2);
    }
  });

  test('policy Local: the node’s own endpoint, which sees the client', async () => {
    const { nodePort } = facts.services['local']!;
    for (const { name, ip } of facts.nodes) {
      const answer = `${name} ${facts.outside}`;
      await expect.poll(() => askFromOutside(ip, nodePort)).toBe(answer);
      for (let i = 0; i < 4; i++) expect(await askFromOutside(ip, nodePort)).toBe(answer);
    }
  });

  test('a load balancer’s address is that of the nodes; its health is told', async () => {
    const { checkPort } = facts.services['balanced']!;
    const path = 'jsonpath={.status.loadBalancer.ingress[*].ip}';
    const ips = async () =>
      (await cluster.kubectl('get', 'service', 'balanced', '-o', path)).split(' ').sort();
    await expect.poll(ips).toEqual(facts.nodes.map(({ ip }) => ip).sort());
    const [{ name, ip }] = facts.nodes as [Facts['nodes'][number]];
    await expect.poll(() => askFromOutside(ip, 21510)).toBe(`${name} ${facts.outside}`);
    const health = await get(`http://${ip}:${checkPort}/`);
    expect([health.status, await health.json()]).toEqual([
      200,
      { service: { namespace: 'default', name: 'balanced' }, localEndpoints: 1, serviceProxyHealthy: true },
    ]);
    const proxy = await get(`http://${ip}:10256/healthz`);
    expect([proxy.status, await proxy.json()]).toEqual([
      200,
      expect.objectContaining({ nodeEligible: true }),
    ]);
  });

  test('session affinity: a client comes to the same endpoint again', async () => {
    expect(nodesOf(await askFromPod(facts.services['sticky']!.ip, 80, 15))).toHaveLength(1);
  });

  test('a pod reaches itself through its service', async () => {
    const [pod] = facts.pods as [Facts['pods'][number]];
    const { ip } = facts.services['web']!;
    await expect.poll(async () => nodesOf(await askFromPod(ip, 80, 12))).toContain(pod.node);
  });

  test('where nobody serves a client is refused at once', async () => {
    const { ip, nodePort } = facts.services['none']!;
    const { name } = facts.pods[0]!;
    // Told by the clock of the pod: kubectl takes its own time.
    const command = (port: number) =>
      `now() { read u rest </proc/uptime; echo \${u%.*}\${u#*.}; }; for i in 1 2 3 4; do s=$(now); nc -w 5 ${ip} ${port} 2>&1; e=$(now); echo $((e - s)); done`;
    for (const port of [80, 81])
      for (const said of [
        await cluster.kubectl('exec', name, '--', 'sh', '-c', command(port)),
        await onNode(facts.nodes[0]!.name, 'sh', '-c', command(port).replace('nc -w', 'busybox nc -w')),
      ]) {
        expect(said.match(/refused/g)).toHaveLength(4);
        // Hundredths of a second; the first repetition of a SYN is after a whole one. A machine with much else to do may be late, but not
        // each time.
        const took = lines(said).flatMap((line) => (/^\d+$/.test(line) ? Number(line) : []));
        expect(Math.min(...took)).toBeLessThan(90);
      }
    await expect(askFromOutside(facts.nodes[0]!.ip, nodePort)).rejects.toThrow('ECONNREFUSED');
  });

  test('UDP: a flow follows its endpoint, and begins anew at the first', async () => {
    const { nodePort } = facts.services['datagrams']!;
    const servers = await Promise.all([serveDatagrams(), serveDatagrams()]);
    const client = createSocket('udp4');
    let last = '';
    client.on('message', (message) => (last = message.toString()));
    client.on('error', () => {});
    const settles = async (expected: string): Promise<void> => {
      await expect
        .poll(
          () => {
            client.send('x', nodePort, facts.nodes[0]!.ip);
            return last;
          },
          { interval: 20 },
        )
        .toBe(expected);
    };
    // The same socket all along: one flow to conntrack.
    client.send('x', nodePort, facts.nodes[0]!.ip);
    for (const server of servers) {
      const { port } = server.address();
      await putEndpoint('datagrams', port);
      await settles(String(port));
    }
    client.close();
    for (const server of servers) server.close();
  });

  test('a connection outlives its node’s agent, new ones are made meanwhile, and clients are remembered', async () => {
    const [node] = facts.nodes as [Facts['nodes'][number]];
    // The endpoint is nobody's pod, so that it stays whatever becomes of the node.
    const server = createServer((peer) => peer.on('error', () => {}).pipe(peer));
    await new Promise<void>((resolve) => server.listen(0, facts.outside, resolve));
    await putEndpoint('kept', (server.address() as AddressInfo).port);
    const { nodePort } = facts.services['kept']!;
    const opened = () => dial(node.ip, nodePort).catch(() => undefined);
    let socket: Socket | undefined;
    await expect.poll(async () => (socket ??= await opened())).toBeDefined();
    const echo = async (text: string): Promise<string> => {
      const answer = received(socket!, (all) => all.endsWith('\n'));
      socket!.write(`${text}\n`);
      return answer;
    };
    expect(await echo('before')).toBe('before\n');
    const remembered = async (): Promise<number> => {
      const listed = JSON.parse(await onNode(node.name, 'nft', '-j', 'list', 'sets', 'ip')) as {
        nftables: { set?: { name: string; elem?: unknown[] } }[];
      };
      return listed.nftables.flatMap(({ set }) => (set?.name.includes('/kept/') ? (set.elem ?? []) : []))
        .length;
    };
    expect(await remembered()).toBe(1);
    const agent = agentOf(node.name);
    process.kill(agent, 'SIGKILL');
    expect(await echo('without')).toBe('without\n');
    expect(await askFromOutside(node.ip, facts.services['web']!.nodePort)).toMatch(/^jt-proxy-node-/);
    await expect.poll(() => agentOf(node.name)).toSatisfy((pid: number) => pid > 0 && pid !== agent);
    // It has replaced its table when it answers for its health.
    await expect
      .poll(async () => (await get(`http://${node.ip}:10256/healthz`).catch(() => undefined))?.status)
      .toBe(200);
    await expect.poll(() => cluster.kubectl('get', 'node', node.name)).toMatch(/ Ready /);
    expect(await echo('after')).toBe('after\n');
    expect(await remembered()).toBe(1);
    socket!.destroy();
    server.close();
  });

  test('an endpoint that comes or goes is in the rules of every node within a second', async () => {
    const { nodePort } = facts.services['none']!;
    const { ip } = facts.nodes[1]!;
    const changedMs = Date.now();
    await cluster.kubectl(
      'patch',
      'service',
      'none',
      '-p',
      '{"spec":{"selector":{"app":"web"},"ports":[{"port":80,"targetPort":8080}]}}',
    );
    await expect
      .poll(() => askFromOutside(ip, nodePort).catch(() => ''), { interval: 20 })
      .toMatch(/^jt-proxy/);
    console.log(`selector to answer, with kubectl: ${Date.now() - changedMs} ms`);
  });
});

/** Answers each datagram with its own port. */
async function serveDatagrams() {
  const server = createSocket('udp4');
  server.on('message', (_, from) => server.send(String(server.address().port), from.port, from.address));
  await new Promise<void>((resolve) => server.bind(0, facts.outside, resolve));
  return server;
}

async function putEndpoint(service: string, port: number): Promise<void> {
  const file = join(cluster.directory, 'slice.yaml');
  writeFileSync(
    file,
    `
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: ${service}-1, labels: { kubernetes.io/service-name: ${service} } }
addressType: IPv4
ports: [{ port: ${port}, protocol: ${service === 'datagrams' ? 'UDP' : 'TCP'}, name: '' }]
endpoints: [{ addresses: [${facts.outside}] }]
`,
  );
  await cluster.kubectl('apply', '-f', file);
}

/** The process of the agent of a node; 0 = none now. */
function agentOf(node: string): number {
  const wanted = ['agent', `--node-name=${node}`];
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const words = commandOf(entry);
    if (wanted.every((word) => words.includes(word)) && words[0]?.endsWith('node')) return Number(entry);
  }
  return 0;
}

function commandOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
