// A cluster of both address families: two nodes, a web server and a client on each; pods, services, names, policies and ingress by IPv6
// as by IPv4. SCTP beside them, as far as this kernel has it.
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findProgram } from '../../src/os/index.ts';
import { busyboxImage, mustRun, root, TourCluster, whyNot } from './tour-machine.ts';

const why = whyNot();
const cluster = new TourCluster('jt-dual');
const ranges = ['10.199.0.0/16', 'fd00:10:199::/56'];
const patient = { interval: 100 };

const service = (name: string, spec: string) => `
---
apiVersion: v1
kind: Service
metadata: { name: ${name} }
spec: { selector: { app: web }, ports: [{ name: http, port: 80, targetPort: 8080 }], ${spec} }`;

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
        env:
        - { name: NODE, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
        - { name: POD_IPS, valueFrom: { fieldRef: { fieldPath: status.podIPs } } }
        - { name: HOST_IPS, valueFrom: { fieldRef: { fieldPath: status.hostIPs } } }
        ports: [{ containerPort: 8080, hostPort: 18080 }]
        command:
        - sh
        - -c
        - |
          mkdir -p /w/cgi-bin
          printf '#!/bin/sh\\nprintf "Content-Type: text/plain\\\\r\\\\n\\\\r\\\\n"; echo %s $REMOTE_ADDR\\n' $NODE >/w/cgi-bin/who
          chmod +x /w/cgi-bin/who
          exec httpd -f -p 8080 -h /w
        readinessProbe: { httpGet: { port: 8080, path: /cgi-bin/who }, periodSeconds: 1 }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: { name: web }
spec:
  rules: [{ http: { paths: [{ path: /, pathType: Prefix, backend: { service: { name: six, port: { number: 80 } } } }] } }]
${service('both', 'type: NodePort, ipFamilyPolicy: RequireDualStack')}
${service('six', 'ipFamilies: [IPv6]')}
${service('four', '')}
${service('local', 'type: NodePort, externalTrafficPolicy: Local, ipFamilyPolicy: PreferDualStack, ipFamilies: [IPv6]')}
${service('headless', 'clusterIP: None, ipFamilyPolicy: PreferDualStack')}
`;

interface Pod {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly nodeName: string };
  readonly status: {
    readonly podIP: string;
    readonly podIPs: readonly { readonly ip: string }[];
    readonly hostIPs: readonly { readonly ip: string }[];
  };
}
interface Node {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly podCIDRs: readonly string[] };
  readonly status: { readonly addresses: readonly { readonly type: string; readonly address: string }[] };
}
interface Service {
  readonly spec: {
    readonly clusterIPs: readonly string[];
    readonly ipFamilies: readonly string[];
    readonly ports: readonly { readonly nodePort?: number }[];
  };
}

const list = async <T>(kind: string) => (await cluster.json<{ items: T[] }>('get', kind)).items;
const serviceOf = (name: string) => cluster.json<Service>('get', 'service', name);
const nodeIps = ({ status }: Node): string[] =>
  status.addresses.filter(({ type }) => type === 'InternalIP').map(({ address }) => address);
const podIps = ({ status }: Pod): string[] => status.podIPs.map(({ ip }) => ip);

let pods: readonly Pod[] = [];
let nodes: readonly Node[] = [];
/** On the first node and on the second. */
let near: Pod;
let far: Pod;
/** This machine as the nodes' bridge has it, which is outside of the cluster. */
let outside: readonly string[] = [];

/** httpd writes the address of a client as `[…]`, an IPv4 one as IPv6. */
const plain = (text: string): string => text.replace(/\[(?:::ffff:)?([^\]]+)\]/g, '$1').trim();
const asking = (host: string, port: number, times: number): string =>
  `i=0; while [ $i -lt ${times} ]; do printf 'GET /cgi-bin/who HTTP/1.0\\r\\n\\r\\n' | nc -w 20 ${host} ${port} | tail -n 1; i=$((i+1)); done`;
const inPod = ({ metadata }: Pod, script: string) =>
  cluster.kubectl('exec', metadata.name, '--', 'sh', '-c', script);
const asked = async (from: Pod, host: string, port = 80, times = 1): Promise<string[]> =>
  plain(await inPod(from, asking(host, port, times))).split('\n');
const inBrackets = (host: string): string => (host.includes(':') ? `[${host}]` : host);
async function fromOutside(host: string, port: number): Promise<string> {
  const signal = AbortSignal.timeout(20_000);
  const answer = await fetch(`http://${inBrackets(host)}:${port}/cgi-bin/who`, { signal });
  return plain(await answer.text());
}
const nodesOf = (answers: readonly string[]): string[] =>
  [...new Set(answers.map((line) => line.split(' ')[0]!))].sort();
const onNode = (name: string, ...argv: string[]) =>
  mustRun(['nsenter', `--net=/run/jotasu/${cluster.name}/${name}.netns`, ...argv]);
async function apply(text: string): Promise<void> {
  const file = join(cluster.directory, 'objects.yaml');
  writeFileSync(file, text);
  await cluster.kubectl('apply', '-f', file);
}

beforeAll(async () => {
  if (why !== undefined) return;
  await cluster.down();
  const archive = join(cluster.directory, 'busybox.tar');
  await mustRun(['node', join(root, 'tools/busybox-image.mjs'), archive, busyboxImage]);
  await cluster.up('--nodes', '2', '--image', archive, `--cluster-cidr=${ranges.join()}`);
  await apply(manifest);
  await cluster.kubectl('rollout', 'status', 'ds/web', '--timeout=90s');
  nodes = await list<Node>('nodes');
  const found = await list<Pod>('pods');
  pods = nodes.map(({ metadata }) => found.find(({ spec }) => spec.nodeName === metadata.name)!);
  [near, far] = pods as [Pod, Pod];
  outside = nodeIps(nodes[0]!).map((ip) => ip.replace(/2$/, '1'));
});
afterAll(async () => {
  if (why === undefined) await cluster.down();
  rmSync(cluster.directory, { recursive: true });
});

describe.skipIf(why !== undefined)('two address families', () => {
  test('a node has a range and an address of each, and so has a pod', async () => {
    for (const [i, node] of nodes.entries()) {
      expect(node.spec.podCIDRs).toEqual([
        expect.stringMatching(/^10\.199\.\d+\.0\/24$/),
        expect.stringMatching(/^fd00:10:199:.*:\/64$/),
      ]);
      const ips = nodeIps(node);
      expect(ips.map((ip) => ip.includes(':'))).toEqual([false, true]);
      const pod = pods[i]!;
      expect(podIps(pod).map((ip) => ip.includes(':'))).toEqual([false, true]);
      expect(pod.status.podIP).toBe(podIps(pod)[0]);
      expect(pod.status.hostIPs.map(({ ip }) => ip)).toEqual(ips);
      const told = await inPod(pod, 'echo $POD_IPS $HOST_IPS; cat /etc/hosts');
      expect(told.split('\n')[0]).toBe(`${podIps(pod).join()} ${ips.join()}`);
      for (const ip of podIps(pod)) expect(told).toContain(`${ip}\t${pod.metadata.name}\n`);
    }
  });

  test('pods reach each other without NAT', async () => {
    for (const [i, ip] of podIps(far).entries())
      expect(await asked(near, ip, 8080)).toEqual([`${far.spec.nodeName} ${podIps(near)[i]}`]);
  });

  test('what pods send outside bears the address of their node', async () => {
    for (const [i, ip] of outside.entries()) {
      const server = createServer();
      const client = new Promise<string | undefined>((resolve) => {
        server.on('connection', (socket) => {
          resolve(socket.remoteAddress);
          socket.destroy();
        });
      });
      await new Promise<void>((done) => server.listen(0, ip, done));
      try {
        const { port } = server.address() as AddressInfo;
        await inPod(near, `nc -w 20 ${ip} ${port} </dev/null || true`);
        expect(await client).toBe(nodeIps(nodes[0]!)[i]);
      } finally {
        server.close();
      }
    }
  });

  test('services have the families that they ask for', async () => {
    const families = async (name: string) => (await serviceOf(name)).spec.ipFamilies.join();
    expect(await families('both')).toBe('IPv4,IPv6');
    expect(await families('six')).toBe('IPv6');
    expect(await families('four')).toBe('IPv4');
    expect(await families('local')).toBe('IPv6,IPv4');
    await cluster.kubectl('patch', 'service', 'four', '-p', '{"spec":{"ipFamilyPolicy":"PreferDualStack"}}');
    const [, second = ''] = (await serviceOf('four')).spec.clusterIPs;
    expect(second).toMatch(/^fd00:10:96:/);
    await expect.poll(() => asked(near, second), patient).toEqual([expect.stringContaining(cluster.name)]);
  });

  test('a cluster address of each family leads to the pods of both nodes, as pods and nodes ask', async () => {
    const all = nodes.map(({ metadata }) => metadata.name).sort();
    for (const name of ['both', 'six'])
      for (const ip of (await serviceOf(name)).spec.clusterIPs) {
        // What is random goes to one of them for a while, if seldom.
        await expect.poll(async () => nodesOf(await asked(near, ip, 80, 16)), patient).toEqual(all);
        const fromNode = async () => {
          const said = await onNode(all[0]!, 'busybox', 'sh', '-c', asking(ip, 80, 16));
          return nodesOf(said.trim().split('\n'));
        };
        await expect.poll(fromNode, patient).toEqual(all);
      }
  });

  test('a node port answers on each address of a node; policy Local keeps who asks', async () => {
    const { nodePort = 0 } = (await serviceOf('both')).spec.ports[0]!;
    const { nodePort: localPort = 0 } = (await serviceOf('local')).spec.ports[0]!;
    for (const node of nodes)
      for (const [i, ip] of nodeIps(node).entries()) {
        await expect.poll(() => fromOutside(ip, nodePort), patient).toContain(cluster.name);
        await expect
          .poll(() => fromOutside(ip, localPort), patient)
          .toBe(`${node.metadata.name} ${outside[i]}`);
        expect(await fromOutside(ip, 18080)).toContain(node.metadata.name);
      }
  });

  test('names have addresses of both, and addresses have names', async () => {
    const [four = '', six = ''] = (await serviceOf('both')).spec.clusterIPs;
    const look = () => inPod(near, 'nslookup both.default.svc.cluster.local; cat /etc/resolv.conf');
    await expect.poll(look, patient).toContain(`Address: ${four}\n`);
    const said = await look();
    expect(said).toContain(`Address: ${six}\n`);
    // Each family has a server of names.
    const servers = Array.from(said.matchAll(/^nameserver (\S+)$/gm), ([, ip]) => ip!);
    expect(servers.map((ip) => ip.includes(':'))).toEqual([false, true]);
    const [, server = ''] = servers;
    for (const ip of [four, six])
      expect(await inPod(near, `nslookup ${ip} ${server}`)).toContain('both.default.svc.cluster.local');
    const headless = () => inPod(near, `nslookup headless.default.svc.cluster.local ${server}`);
    for (const ip of pods.flatMap(podIps)) await expect.poll(headless, patient).toContain(`Address: ${ip}\n`);
  });

  test('ingress is reached by IPv6, and reaches a service that has nothing else', async () => {
    for (const ip of nodes.flatMap(nodeIps))
      await expect.poll(() => fromOutside(ip, 80).catch(String), patient).toContain(cluster.name);
  });

  test('a policy isolates both addresses; its peers are pods and blocks of either family', async () => {
    const policy = (from: string) => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { name: web }
spec: { podSelector: { matchLabels: { app: web } }, policyTypes: [Ingress], ingress: [${from}] }`;
    const reached = async (): Promise<boolean[]> => {
      const script = podIps(far).map((ip) => `nc -w 1 ${ip} 8080 </dev/null >/dev/null 2>&1; echo $?`);
      return (await inPod(near, script.join('; ')))
        .trim()
        .split('\n')
        .map((code) => code === '0');
    };
    await expect.poll(reached, patient).toEqual([true, true]);
    await apply(policy(''));
    await expect.poll(reached, patient).toEqual([false, false]);
    await apply(policy(`{ from: [{ ipBlock: { cidr: "${podIps(near)[1]}/128" } }] }`));
    await expect.poll(reached, patient).toEqual([false, true]);
    await apply(policy('{ from: [{ podSelector: { matchLabels: { app: web } } }] }'));
    await expect.poll(reached, patient).toEqual([true, true]);
    await cluster.kubectl('delete', 'networkpolicy', 'web');
  });
});

/** Sockets of the kernel's own are not needed: the packets of both ends are made by hand. */
const whyNoSctp =
  why ??
  (findProgram('perl', process.env['PATH'] ?? '') === undefined
    ? 'missing: perl'
    : existsSync('/proc/sys/net/netfilter/nf_conntrack_sctp_timeout_established')
      ? undefined
      : 'this kernel does not track SCTP');
if (why === undefined && whyNoSctp !== undefined) console.warn(`SKIPPED SCTP: ${whyNoSctp}`);

describe.skipIf(whyNoSctp !== undefined)('SCTP', () => {
  const peer = join(import.meta.dirname, 'sctp-peer.pl');
  const port = 7777;

  test.each([4, 6] as const)(
    'a service of IPv%d leads an association to its endpoint and back',
    async (version) => {
      const [asks, answers] = nodes as [Node, Node];
      const endpoint = nodeIps(answers)[version === 4 ? 0 : 1]!;
      await apply(`
apiVersion: v1
kind: Service
metadata: { name: sctp${version} }
spec: { ipFamilies: [IPv${version}], ports: [{ port: 9999, targetPort: ${port}, protocol: SCTP }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: sctp${version}, labels: { kubernetes.io/service-name: sctp${version} } }
addressType: IPv${version}
ports: [{ port: ${port}, protocol: SCTP }]
endpoints: [{ addresses: ["${endpoint}"] }]`);
      const [address = ''] = (await serviceOf(`sctp${version}`)).spec.clusterIPs;
      const family = version === 4 ? 'ip' : 'ip6';
      await expect
        .poll(
          () => onNode(asks.metadata.name, 'nft', 'list', 'map', family, 'jotasu-proxy', 'endpoints-sctp'),
          patient,
        )
        .toContain(endpoint);
      const answering = onNode(answers.metadata.name, 'perl', peer, 'answer', String(version), String(port));
      const said = await onNode(
        asks.metadata.name,
        'perl',
        peer,
        'ask',
        String(version),
        address,
        '9999',
        '40000',
      );
      // The answer comes from the service, and the endpoint was asked by the node.
      expect(said.trim()).toBe(`${address} 9999`);
      expect((await answering).trim().split('\n')).toEqual(['ready', nodeIps(asks)[version === 4 ? 0 : 1]]);
    },
  );
});
