// Names as pods ask for them: Debian's dig and getent (glibc) and busybox in real containers on two nodes, a name server of our own as the
// world outside.
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { busyboxImage, mustRun, root, run, staysPut, TourCluster, whyNot } from './tour-machine.ts';

const why = whyNot() ?? whyNoDig();

function whyNoDig(): string | undefined {
  if (existsSync('/usr/bin/dig')) return undefined;
  const line = 'SKIPPED names asked with dig: missing /usr/bin/dig (apt-get install bind9-dnsutils)';
  if (process.env['JOTASU_REQUIRE_ALL'] === '1') throw new Error(line);
  console.warn(line);
  return line;
}

const cluster = new TourCluster('jt-dns');
const digImage = 'docker.io/library/dig:1';
/** So many that one of them asks at any moment. */
const askers = [1, 2, 3, 4, 5, 6, 7, 8];
const node = (n: number) => `jt-dns-node-${n}`;

const pod = (name: string, n: number, more = '') => `
---
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  nodeName: ${node(n)}
  terminationGracePeriodSeconds: 0
  tolerations: ${staysPut}
  containers: [{ name: c, image: '${n === 1 ? digImage : busyboxImage}', command: [sleep, '10000'] }]
  ${more}
`;

const objects = `
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { clusterIP: 10.96.7.7, selector: { app: nobody }, ports: [{ name: http, port: 80 }, { port: 99, name: dns, protocol: UDP }] }
---
apiVersion: v1
kind: Service
metadata: { name: pets }
spec: { clusterIP: None, selector: { app: pets }, ports: [{ name: http, port: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: early }
spec: { clusterIP: None, publishNotReadyAddresses: true, selector: { app: early }, ports: [{ name: http, port: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: late }
spec: { clusterIP: None, selector: { app: early }, ports: [{ name: http, port: 8080 }] }
---
apiVersion: v1
kind: Service
metadata: { name: outside }
spec: { type: ExternalName, externalName: one.example.test }
---
apiVersion: v1
kind: Service
metadata: { name: hand }
spec: { clusterIP: None, ports: [{ name: http, port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: hand-1, labels: { kubernetes.io/service-name: hand } }
addressType: IPv4
ports: [{ name: http, port: 80, protocol: TCP }]
endpoints: [{ addresses: [198.51.100.1] }]
---
apiVersion: v1
kind: Service
metadata: { name: many }
spec: { clusterIP: None, ports: [{ name: http, port: 80 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: many-1, labels: { kubernetes.io/service-name: many } }
addressType: IPv4
ports: [{ name: http, port: 80, protocol: TCP }]
endpoints: [${Array.from({ length: 300 }, (_, i) => `{ addresses: [198.51.${100 + (i >> 8)}.${i & 255}] }`).join(', ')}]
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: pet }
spec:
  serviceName: pets
  replicas: 2
  podManagementPolicy: Parallel
  selector: { matchLabels: { app: pets } }
  template:
    metadata: { labels: { app: pets } }
    spec:
      terminationGracePeriodSeconds: 0
      tolerations: ${staysPut}
      containers: [{ name: c, image: '${busyboxImage}', command: [sleep, '10000'] }]
---
apiVersion: v1
kind: Pod
metadata: { name: early, labels: { app: early } }
spec:
  hostname: bird
  subdomain: early
  terminationGracePeriodSeconds: 0
  tolerations: ${staysPut}
  containers:
  - { name: c, image: '${busyboxImage}', command: [sleep, '10000'], readinessProbe: { exec: { command: ['false'] } } }
${pod('glibc', 1)}
${pod('host', 1, 'hostNetwork: true\n  dnsPolicy: ClusterFirstWithHostNet')}
${pod('plain', 1, 'dnsPolicy: Default')}
${pod('own', 1, "dnsPolicy: None\n  dnsConfig: { nameservers: [10.96.0.10], searches: [kube-system.svc.cluster.local], options: [{ name: ndots, value: '2' }] }")}
${pod('busy', 2)}
---
apiVersion: v1
kind: Pod
metadata: { name: asker }
spec:
  nodeName: ${node(1)}
  terminationGracePeriodSeconds: 0
  tolerations: ${staysPut}
  containers:
  - name: c
    image: '${digImage}'
    command:
    - sh
    - -c
    - |
      now() { read up idle </proc/uptime; echo \${up%.*}; }
      ask() {
        while :; do
          began=$(now)
          if getent hosts web >/dev/null; then echo $1 ok; else echo $1 FAILED after $(($(now) - began)) s; fi
          sleep 0.2
        done
      }
      for asker in ${askers.join(' ')}; do ask $asker & done
      wait
`;

/** Answers A with 192.0.2.1, `big` only over TCP, and what begins with `no` not at all; tells what it was asked. */
class World {
  readonly asked: string[] = [];
  readonly #udp: UdpSocket = createSocket('udp4');
  readonly #tcp: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      const answer = this.#answer(bytes.subarray(2), 'tcp');
      const length = Buffer.alloc(2);
      length.writeUInt16BE(answer.length);
      socket.write(Buffer.concat([length, answer]));
    });
  });

  async start(address: string): Promise<void> {
    this.#udp.on('message', (bytes, from) =>
      this.#udp.send(this.#answer(bytes, 'udp'), from.port, from.address),
    );
    await new Promise<void>((done) => this.#udp.bind(53, address, done));
    await new Promise<void>((done) => this.#tcp.listen(53, address, done));
  }

  #answer(query: Buffer, over: string): Buffer {
    let end = 12;
    const labels: string[] = [];
    for (; query[end] !== 0; end += query[end]! + 1)
      labels.push(query.toString('latin1', end + 1, end + 1 + query[end]!));
    const question = query.subarray(12, end + 5);
    const type = query.readUInt16BE(end + 1);
    const name = labels.join('.');
    this.asked.push(`${over} ${name} ${type}`);
    const known = name.endsWith('example.test');
    const exists = known && type === 1;
    const cut = labels[0] === 'big' && over === 'udp';
    const header = Buffer.from(query.subarray(0, 12));
    header.writeUInt16BE(cut ? 0x8380 : known ? 0x8180 : 0x8183, 2);
    header.writeUInt16BE(exists && !cut ? 1 : 0, 6);
    header.writeUInt32BE(0, 8);
    const record = Buffer.from('c00c000100010000003c0004c0000201', 'hex');
    return Buffer.concat([header, question, ...(exists && !cut ? [record] : [])]);
  }

  stop(): void {
    this.#udp.close();
    this.#tcp.close();
  }
}

const world = new World();
const dataDir = '/var/lib/jotasu/jt-dns';

beforeAll(async () => {
  if (why !== undefined) return;
  await cluster.down();
  const dig = join(cluster.directory, 'dig.tar');
  const [busybox] = await Promise.all([
    cluster.busyboxArchive(),
    mustRun(['node', join(root, 'tools/dig-image.mjs'), dig, digImage]),
  ]);
  await cluster.up('--nodes', '2', '--image', busybox);
  const { gateway } = JSON.parse(readFileSync(join(dataDir, 'cluster.json'), 'utf8')) as { gateway: string };
  await world.start(gateway);
  // Seen without a restart of anything. The first is the cluster's own, which must not be asked.
  for (const n of [1, 2])
    writeFileSync(
      join(dataDir, 'nodes', node(n), 'resolv.conf'),
      `nameserver 10.96.0.10\nnameserver ${gateway}\n`,
    );
  await cluster.jotasu('image', 'load', dig, '--nodes', node(1));
  await cluster.apply(objects);
  await cluster.kubectl(
    'wait',
    '--for=condition=Ready',
    ...['glibc', 'host', 'plain', 'own', 'busy', 'asker', 'pet-0', 'pet-1'].map((name) => `pod/${name}`),
    '--timeout=90s',
  );
});
afterAll(async () => {
  if (why !== undefined) return;
  world.stop();
  await cluster.down();
  rmSync(cluster.directory, { recursive: true });
});

const inPod = (name: string, ...command: string[]) => cluster.kubectl('exec', name, '--', ...command);
const dig = (...args: string[]) => inPod('glibc', 'dig', ...args);

/** Status, flags and records as dig shows them; several questions are one dig. */
async function digAll(questions: readonly string[]): Promise<string[]> {
  const script = questions
    .map((question) => `dig +noall +comments +answer +authority ${question}; echo =====`)
    .join('\n');
  const said = (await inPod('glibc', 'sh', '-c', script)).split('=====\n').slice(0, -1);
  return said.map((text) => {
    const status = /status: (\w+)/.exec(text)?.[1] ?? 'none';
    const records = text.split('\n').filter((line) => line !== '' && !line.startsWith(';'));
    return [status, ...records.map((line) => line.split(/\s+/).slice(3).join(' ')).sort()].join(' | ');
  });
}

describe.skipIf(why !== undefined)('names of a cluster', () => {
  it('the schema, asked with dig in a pod', async () => {
    const ips = new Map<string, string>();
    for (const name of ['pet-0', 'pet-1', 'early'])
      await expect
        .poll(async () => {
          const { status } = await cluster.json<{ status: { podIP?: string } }>('get', 'pod', name);
          ips.set(name, status.podIP ?? '');
          return status.podIP ?? '';
        })
        .not.toBe('');
    const zero = ips.get('pet-0')!;
    const backwards = `${zero.split('.').reverse().join('.')}.in-addr.arpa`;
    const soa = /SOA ns\.dns\.cluster\.local\. hostmaster\.cluster\.local\. \d+ 7200 1800 86400 5/;
    const d = 'default.svc.cluster.local';
    const pets = [zero, ips.get('pet-1')!].sort();
    const table: [string, string | RegExp][] = [
      ['dns-version.cluster.local TXT', 'NOERROR | TXT "1.1.0"'],
      [`kubernetes.${d} A`, 'NOERROR | A 10.96.0.1'],
      [`kubernetes.${d} AAAA`, new RegExp(`^NOERROR \\| ${soa.source}$`)],
      ['kube-dns.kube-system.svc.cluster.local A', 'NOERROR | A 10.96.0.10'],
      [`web.${d} A`, 'NOERROR | A 10.96.7.7'],
      [`WEB.DEFAULT.svc.cluster.LOCAL A`, 'NOERROR | A 10.96.7.7'],
      [`_http._tcp.web.${d} SRV`, `NOERROR | SRV 0 100 80 web.${d}.`],
      [`_dns._udp.web.${d} SRV`, `NOERROR | SRV 0 100 99 web.${d}.`],
      ['-x 10.96.7.7', `NOERROR | PTR web.${d}.`],
      [`pets.${d} A`, `NOERROR | A ${pets.join(' | A ')}`],
      [`pet-0.pets.${d} A`, `NOERROR | A ${zero}`],
      [
        `_http._tcp.pets.${d} SRV`,
        `NOERROR | SRV 0 50 8080 pet-0.pets.${d}. | SRV 0 50 8080 pet-1.pets.${d}.`,
      ],
      [`${backwards} PTR`, `NOERROR | PTR pet-0.pets.${d}.`],
      [`bird.early.${d} A`, `NOERROR | A ${ips.get('early')}`],
      [`late.${d} A`, new RegExp(`^NXDOMAIN \\| ${soa.source}$`)],
      [`outside.${d} A`, 'NOERROR | A 192.0.2.1 | CNAME one.example.test.'],
      ['10-1-2-3.default.pod.cluster.local A', 'NOERROR | A 10.1.2.3'],
      [`nothing.${d} A`, new RegExp(`^NXDOMAIN \\| ${soa.source}$`)],
      ['cluster.local NS', 'NOERROR | NS ns.dns.cluster.local.'],
      ['ns.dns.cluster.local A', 'NOERROR | A 10.96.0.10'],
      [`web.${d} ANY`, 'NOERROR | HINFO "RFC8482" ""'],
      [`+tcp web.${d} A`, 'NOERROR | A 10.96.7.7'],
      [`+noedns web.${d} A`, 'NOERROR | A 10.96.7.7'],
      [`+edns=9 +noednsneg web.${d} A`, /^BADVERS/],
      [`web.${d} CH A`, 'REFUSED'],
      ['+opcode=notify cluster.local SOA', /^NOTIMP/],
    ];
    const got = await digAll(table.map(([question]) => question));
    expect(got.map((answer, i) => `${table[i]![0]} → ${answer}`)).toEqual(
      table.map(([question, expected]) =>
        typeof expected === 'string'
          ? `${question} → ${expected}`
          : expect.stringMatching(new RegExp(`→ ${expected.source.replace('^', '')}`)),
      ),
    );
  });

  it('short names by the search path: glibc, busybox, the host network', async () => {
    expect(await inPod('glibc', 'cat', '/etc/resolv.conf')).toMatch(
      /search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local\nnameserver 10\.96\.0\.10\noptions ndots:5\n/,
    );
    expect(await inPod('glibc', 'getent', 'hosts', 'web')).toMatch(
      /^10\.96\.7\.7\s+web\.default\.svc\.cluster\.local/,
    );
    expect(await inPod('glibc', 'getent', 'hosts', '10.96.0.10')).toContain(
      'kube-dns.kube-system.svc.cluster.local',
    );
    expect(await inPod('host', 'getent', 'ahostsv4', 'kube-dns.kube-system')).toContain('10.96.0.10');
    expect(await inPod('busy', 'nslookup', 'web.default.svc.cluster.local')).toMatch(/Address: 10\.96\.7\.7/);
    expect(await inPod('busy', 'ping', '-c1', '-w3', 'pet-0.pets')).toContain('1 packets received');
    expect(await inPod('busy', 'ping', '-c1', '-w3', 'pet-1.pets')).toContain('1 packets received');
  });

  it('dnsPolicy Default asks the node’s servers, None what the pod says', async () => {
    expect(await inPod('plain', 'cat', '/etc/resolv.conf')).not.toContain('cluster.local');
    expect(await inPod('own', 'cat', '/etc/resolv.conf')).toBe(
      'search kube-system.svc.cluster.local\nnameserver 10.96.0.10\noptions ndots:2\n',
    );
    expect(await inPod('own', 'getent', 'hosts', 'kube-dns')).toContain('10.96.0.10');
  });

  it('the world outside is asked once and kept; over TCP when it does not fit', async () => {
    const heard = (name: string) => world.asked.filter((one) => one.split(' ')[1] === name);
    expect(await dig('+short', 'two.example.test')).toBe('192.0.2.1\n');
    const once = heard('two.example.test');
    expect(await dig('+short', 'two.example.test')).toBe('192.0.2.1\n');
    expect(heard('two.example.test')).toEqual(once);
    // Who is late with an answer, as this process may be, is asked again for it.
    const kinds = (name: string) => [...new Set(heard(name))];
    expect(kinds('two.example.test')).toEqual(['udp two.example.test 1']);
    expect(await dig('+short', 'big.example.test')).toBe('192.0.2.1\n');
    expect(kinds('big.example.test')).toEqual(['udp big.example.test 1', 'tcp big.example.test 1']);
    expect(await inPod('busy', 'nslookup', 'three.example.test')).toContain('192.0.2.1');
    expect(
      (await run(cluster.kubectlArgv('exec', 'glibc', '--', 'getent', 'hosts', 'nothing.example.org'))).code,
    ).toBe(2);
    // Names of the cluster are nobody else's business.
    expect(world.asked.filter((one) => one.includes('cluster.local'))).toEqual([]);
  });

  it('a long answer is cut in a datagram and whole over TCP', async () => {
    const d = 'many.default.svc.cluster.local';
    expect(await dig('+ignore', '+noall', '+comments', d)).toMatch(
      /flags: qr aa tc rd ra; QUERY: 1, ANSWER: 7\d/,
    );
    expect((await dig('+short', d)).trim().split('\n')).toHaveLength(300);
    expect((await inPod('glibc', 'getent', 'ahostsv4', d)).match(/STREAM/g)).toHaveLength(300);
  });

  it('a change of endpoints is answered within a second', async () => {
    const asked = inPod(
      'glibc',
      'sh',
      '-c',
      'echo ready >/tmp/ready; until dig +short hand.default.svc.cluster.local | grep -q 198.51.100.9; do :; done; cat /proc/uptime',
    );
    await inPod('glibc', 'sh', '-c', 'until [ -e /tmp/ready ]; do sleep 0.05; done');
    const endpoints = JSON.stringify({ endpoints: [{ addresses: ['198.51.100.9'] }] });
    await cluster.kubectl('patch', 'endpointslice', 'hand-1', '--type=merge', '-p', endpoints);
    // One machine, one clock. A tenth of that second is seen; a machine with much else to do gets more than the whole.
    const written = Number.parseFloat(readFileSync('/proc/uptime', 'latin1'));
    expect(Number.parseFloat(await asked) - written).toBeLessThan(10);
  });

  test('the agent is killed and started again: glibc’s retry bridges it, and no question fails', async () => {
    const runs = join(dataDir, 'log', `${node(1)}.runs`);
    const started = () =>
      [...readFileSync(runs, 'utf8').matchAll(/^started (\d+)$/gm)].map((match) => Number(match[1]));
    const pid = started().at(-1)!;
    // Not in a session: those end with the agent.
    const lines = async () => (await run(cluster.kubectlArgv('logs', 'asker'))).out.trim().split('\n');
    const counts = async () => {
      const said = await lines();
      return askers.map((asker) => said.filter((line) => line.startsWith(`${asker} `)).length);
    };
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => started().at(-1)).not.toBe(pid);
    let before: number[] = [];
    const seen = async () => {
      before = await counts();
      return Math.min(...before);
    };
    await expect.poll(seen, { interval: 500 }).toBeGreaterThan(0);
    // glibc asks again after five seconds. The second line from now on is of a question that was asked from now on.
    const more = async () => (await counts()).every((count, i) => count >= before[i]! + 2);
    await expect.poll(more, { interval: 500 }).toBe(true);
    // A question that is refused fails at once. One that is lost fails after two attempts of five seconds: on a machine that gives the
    // agent no time to be back by then.
    const bad = (await lines()).filter((line) => !/^\d (ok|FAILED after (9|\d\d) s)$/.test(line));
    expect(bad).toEqual([]);
    const late = (await lines()).filter((line) => line.includes('FAILED')).map((line) => line[0]);
    expect(late).toEqual([...new Set(late)]);
    expect(started().length).toBeGreaterThan(1);
  });
});
