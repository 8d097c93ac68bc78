// Machines that join a server by a token: three agents behind a router, of which two share a link with nobody but the router. Each runs a
// pod; the pods reach each other through tunnels and by routes. Certificates last less than a minute, so that all of them are replaced while
// this looks. Beside that, what an administrator does with certificates by kubectl alone.
import { X509Certificate } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createCertificateRequest, createKeyPair } from '../../src/http/index.ts';
import { JoinMachines } from './join-machines.ts';
import { busyboxImage, mustRun, root, whyNot } from './tour-machine.ts';

const why = whyNot();
const port = 21210;
const url = `https://10.90.1.2:${port}`;
const lifeSeconds = 40;
const machines = new JoinMachines([
  { name: 'server', address: '10.90.1.2', link: 'a' },
  { name: 'join-a', address: '10.90.2.2', link: 'b' },
  { name: 'join-b', address: '10.90.3.2', link: 'c' },
  { name: 'join-c', address: '10.90.2.3', link: 'b' },
]);
const agents = ['join-a', 'join-b', 'join-c'];
/** What the agents find on their links by themselves. */
const secondAddress: Readonly<Record<string, string>> = {
  'join-a': 'fd00:90:2::2',
  'join-b': 'fd00:90:3::2',
  'join-c': 'fd00:90:2::3',
};
const patient = { interval: 200 };
const archive = join(machines.directory, 'busybox.tar');
let token = '';

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly containerStatuses?: readonly { readonly containerID?: string; readonly restartCount: number }[];
  };
}
interface Node {
  readonly metadata: { readonly name: string; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec: { readonly podCIDR: string };
  readonly status: {
    readonly conditions: readonly { readonly type: string; readonly status: string }[];
    readonly addresses: readonly { readonly type: string; readonly address: string }[];
  };
}

const podOn = (name: string, node: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    nodeName: node,
    terminationGracePeriodSeconds: 0,
    containers: [{ name: 'c', image: busyboxImage, command: ['sleep', '3600'] }],
  },
});
async function create(...objects: object[]): Promise<void> {
  const file = join(machines.directory, 'objects.json');
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }));
  await machines.kubectl('create', '-f', file);
}
const pod = (name: string) => machines.json<Pod>('get', 'pod', name);
const running = async (name: string): Promise<string> => {
  await expect.poll(async () => (await pod(name)).status.phase, patient).toBe('Running');
  return (await pod(name)).status.podIP!;
};
/** Asked again: routes, tunnels and neighbours come a moment after the pod. */
const reaches = (from: string, to: string, bytes = 56) =>
  expect
    .poll(
      () => machines.kubectl('exec', from, '--', 'ping', '-c', '1', '-W', '2', '-s', String(bytes), to),
      patient,
    )
    .toContain('1 packets received');
const nodes = async () => (await machines.json<{ items: Node[] }>('get', 'nodes')).items;
const isReady = ({ status }: Node): boolean =>
  status.conditions.some((condition) => condition.type === 'Ready' && condition.status === 'True');
const certificateOf = (name: string, which: 'client' | 'serving') =>
  new X509Certificate(readFileSync(join(machines.stateDir(name), 'pki', `${which}.pem`)));

beforeAll(async () => {
  if (why !== undefined) return;
  await machines.make();
  for (const name of agents)
    await machines.ip(name, 'address', 'add', `${secondAddress[name]}/64`, 'dev', 'eth0', 'nodad');
  await Promise.all([
    mustRun([process.execPath, join(root, 'tools/busybox-image.mjs'), archive]),
    machines.startServer([
      `--data-dir=${join(machines.directory, 'server')}`,
      `--https-listen-port=${port}`,
      '--advertise-address=10.90.1.2',
      `--write-kubeconfig=${machines.kubeconfig}`,
      '--datastore-endpoint=memory',
      '--cluster-cidr=10.91.0.0/16,fd00:91::/56',
      `--cluster-signing-duration=${lifeSeconds}s`,
      // An agent that is started again shall find its pods there.
      '--node-monitor-grace-period=30s',
    ]),
  ]);
});
afterAll(async () => {
  if (why === undefined) await machines.clear();
});

describe.skipIf(why !== undefined)('machines of their own', () => {
  const joinedMs = new Map<string, number>();
  const before = new Map<string, string>();

  test('join by a token, two with tunnels and one with routes', async () => {
    const said = await machines.jotasu('server', ['token', 'create', '--kubeconfig', machines.kubeconfig]);
    expect(said.err).toBe('');
    const line = said.out.split('\n').find((each) => each.includes(' agent '))!;
    const [, server = '', shown = ''] = /agent --server (\S+) --token (\S+)$/.exec(line) ?? [];
    expect(server).toBe(url);
    token = shown;
    await Promise.all(
      agents.map(async (name) => {
        const backend = name === 'join-c' ? 'host-gw' : 'vxlan';
        await machines.startAgent(name, [
          `--server=${url}`,
          `--token=${token}`,
          `--flannel-backend=${backend}`,
        ]);
        joinedMs.set(name, Date.now());
        await machines.loadImage(name, archive);
      }),
    );
    await expect
      .poll(async () => (await nodes()).filter(isReady).map((node) => node.metadata.name), patient)
      .toEqual(agents);
    for (const name of agents) {
      expect(statSync(join(machines.stateDir(name), 'pki/client.pem')).mode & 0o777).toBe(0o600);
      before.set(name, certificateOf(name, 'client').serialNumber);
    }
    const list = await nodes();
    expect(list.map(({ metadata }) => metadata.annotations?.['network.jotasu.dev/vtep-address'])).toEqual([
      '10.90.2.2',
      '10.90.3.2',
      undefined,
    ]);
    // The range is the server's: it was told.
    for (const { metadata, spec, status } of list) {
      expect(spec.podCIDR).toMatch(/^10\.91\./);
      expect(status.addresses[1]!.address).toBe(secondAddress[metadata.name]);
    }
  });

  test('their pods reach each other in both families', async () => {
    await create(podOn('a', 'join-a'), podOn('b', 'join-b'), podOn('c', 'join-c'));
    const [a, b, c] = (await Promise.all(['a', 'b', 'c'].map(running))) as [string, string, string];
    // As long as fits: 1450 less 20 and 8.
    await reaches('a', b, 1422);
    await reaches('b', a);
    await reaches('a', c);
    await reaches('c', a);
    // Tunnels over IPv4 carry IPv6: what fits is less by 40 and 8.
    const second = async (name: string) => (await pod(name)).status.podIPs![1]!.ip;
    const [a6, b6, c6] = (await Promise.all(['a', 'b', 'c'].map(second))) as [string, string, string];
    await reaches('a', b6, 1402);
    await reaches('b', a6);
    await reaches('a', c6);
    await reaches('c', a6);
    const routes = await machines.ip('join-a', 'route');
    const range = (ip: string) => ip.replace(/\.\d+$/, '.0');
    expect(routes).toContain(`${range(b)}/24 via ${range(b)} dev jts-vxlan onlink`);
    expect(routes).toContain(`${range(c)}/24 via 10.90.2.3 dev eth0`);
    expect(await machines.ip('join-a', '-o', 'link', 'show', 'jts-vxlan')).toContain('mtu 1450');
    // What left the machine was a tunnel's packet: the router knows no way to pods.
    expect(await machines.ip('router', 'route')).not.toContain('10.91.');
  });

  test('who may not join is told why', async () => {
    const attempt = async (args: readonly string[]) => {
      const said = await machines.jotasu('join-b', ['agent', ...args]);
      expect(said.code).not.toBe(0);
      return said.err;
    };
    const fresh = (name: string) => `--state-dir=${join(machines.directory, name)}`;
    const [taken, wrong] = await Promise.all([
      attempt([`--server=${url}`, `--token=${token}`, '--node-name=join-a', fresh('taken')]),
      attempt([`--server=${url}`, `--token=${token.slice(0, -4)}zzzz`, '--node-name=new', fresh('wrong')]),
    ]);
    expect(taken).toContain(
      'the name join-a is taken: a node named "join-a" is part of the cluster and alive',
    );
    expect(wrong).toMatch(
      /does not accept token [a-z0-9]{6}: it is mistyped, was deleted, or its time is over/,
    );
  });

  test('a person gets a certificate by kubectl alone', async () => {
    const { privateKey } = createKeyPair();
    const csr = (name: string, request: string, signer: string) => ({
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name },
      spec: {
        request: Buffer.from(request).toString('base64'),
        signerName: `kubernetes.io/${signer}`,
        usages: ['digital signature', 'client auth'],
      },
    });
    const request = await createCertificateRequest(privateKey, { commonName: 'zoe', organizations: ['dev'] });
    await create(
      csr('zoe', request, 'kube-apiserver-client'),
      csr('no', request, 'kube-apiserver-client'),
      csr('odd', request, 'kube-apiserver-client-kubelet'),
    );
    await machines.kubectl('certificate', 'approve', 'zoe', 'odd');
    await machines.kubectl('certificate', 'deny', 'no');
    const column = async () =>
      (await machines.kubectl('get', 'csr', 'no', 'odd', 'zoe', '--no-headers'))
        .trim()
        .split('\n')
        .map((line) => line.split(/\s+/).at(-1));
    await expect.poll(column, patient).toEqual(['Denied', 'Approved,Failed', 'Approved,Issued']);
    const { status } = await machines.json<{ status: { certificate: string; conditions: object[] } }>(
      'get',
      'csr',
      'odd',
    );
    expect(status.conditions).toContainEqual(
      expect.objectContaining({
        type: 'Failed',
        reason: 'SignerValidationFailure',
        message: 'subject organization is not system:nodes',
      }),
    );
    const zoe = await machines.json<{ status: { certificate: string } }>('get', 'csr', 'zoe');
    const files = { cert: join(machines.directory, 'zoe.crt'), key: join(machines.directory, 'zoe.key') };
    writeFileSync(files.cert, Buffer.from(zoe.status.certificate, 'base64'));
    writeFileSync(files.key, privateKey);
    await machines.kubectl(
      'config',
      'set-credentials',
      'zoe',
      `--client-certificate=${files.cert}`,
      `--client-key=${files.key}`,
    );
    expect(await machines.kubectl('--user', 'zoe', 'auth', 'whoami')).toMatch(
      /Username +zoe\nGroups +\[dev system:authenticated\]/,
    );
  });

  test('an agent that starts again needs no token', async () => {
    const life = async () => {
      const { metadata, status } = await pod('b');
      return [
        metadata.uid,
        status.containerStatuses?.[0]?.containerID,
        status.containerStatuses?.[0]?.restartCount,
      ];
    };
    const old = await life();
    await machines.restartAgent('join-b', [`--server=${url}`, '--flannel-backend=vxlan']);
    await expect.poll(async () => (await nodes()).every(isReady), patient).toBe(true);
    expect(await life()).toEqual(old);
    await reaches('a', (await pod('b')).status.podIP!);
  });

  test('certificates are replaced before they end, and nothing is heard of it', async () => {
    const lost: string[] = [];
    const over = Math.max(...joinedMs.values()) + (lifeSeconds + 2) * 1000;
    // The first ones end meanwhile.
    while (Date.now() < over) {
      for (const node of await nodes()) if (!isReady(node)) lost.push(node.metadata.name);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    expect(lost).toEqual([]);
    for (const name of agents) {
      // The second one, too, if this took so long that it was the second that was looked at.
      await expect.poll(() => certificateOf(name, 'client').serialNumber, patient).not.toBe(before.get(name));
      for (const which of ['client', 'serving'] as const)
        expect(Date.parse(certificateOf(name, which).validTo)).toBeGreaterThan(Date.now());
    }
    // Watches, leases, statuses and the node's own server go on.
    await create(...agents.map((name) => podOn(`late-${name}`, name)));
    for (const name of agents) {
      await running(`late-${name}`);
      await machines.kubectl('exec', `late-${name}`, '--', 'true');
    }
  });
});
