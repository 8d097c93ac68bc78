// What commands on clusters decide before they touch anything.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CgroupLayout, Link, Route } from '../../os/index.ts';
import { planPodRoutes } from './cluster-steps.ts';
import { planMasquerade, planOpening } from './firewall.ts';
import {
  planAgentCommand,
  planAgentProgram,
  planMounts,
  planNodeLink,
  planResolver,
} from './node-machine.ts';
import {
  type Allocation,
  dnsAddressOf,
  overlap,
  parseRange,
  planAllocation,
  planNode,
} from './plan-allocation.ts';
import { planKernelProblems } from './requirements.ts';
import { planServerCommand } from './server-process.ts';
import type { ClusterState } from './state.ts';
import { planNodeStatus, planOtherNodeStatus, statusLines } from './status.ts';

const eth0: Link = {
  name: 'eth0',
  mtu: 1400,
  up: true,
  master: undefined,
  addresses: ['192.0.2.2/24', 'fd00::2/64'],
};
const wayOut: Route = { destination: 'default', gateway: '192.0.2.1', device: 'eth0' };

function cluster(allocation: Allocation, more: Partial<ClusterState> = {}): ClusterState {
  return {
    format: 1,
    name: 'jotasu',
    ...allocation,
    dataDir: '/var/lib/jotasu/jotasu',
    apiPort: 6443,
    kubeconfig: { file: '/root/.kube/config', context: 'jotasu', isOurs: false },
    version: '0.1.0',
    server: null,
    nodes: [planNode(allocation, 1, 'jotasu-node-1'), planNode(allocation, 2, 'jotasu-node-2')],
    lastNodeNumber: 2,
    made: { directories: [], forwardingWasOff: false },
    ...more,
  };
}
const first = planAllocation({ links: [eth0], routes: [wayOut], clusters: [] });
const state = cluster(first);
const dual = cluster(
  planAllocation(
    { links: [eth0], routes: [wayOut], clusters: [] },
    { clusterCidr: '10.244.0.0/16,fd00:10:244::/56' },
  ),
);

describe('addresses', () => {
  test('the first cluster gets the usual ones', () => {
    expect(first).toEqual({
      index: 0,
      bridge: 'jts0',
      mtu: 1400,
      nodeCidr: '10.89.0.0/24',
      gateway: '10.89.0.1',
      podCidr: '10.244.0.0/16',
      serviceCidr: '10.96.0.0/16',
    });
    expect(planNode(first, 1, 'a')).toEqual({
      name: 'a',
      number: 1,
      address: '10.89.0.2',
      link: 'jts0n1',
      process: null,
    });
    expect(() => planNode(first, 254, 'a')).toThrow('room for 253 nodes');
  });

  test('the next one others', () => {
    expect(planAllocation({ links: [eth0], routes: [wayOut], clusters: [state] })).toMatchObject({
      index: 1,
      bridge: 'jts1',
      nodeCidr: '10.89.1.0/24',
      podCidr: '10.245.0.0/16',
      serviceCidr: '10.96.0.0/16',
    });
  });

  test('a bridge, a route or an address in the way is gone round', () => {
    const around = {
      links: [
        eth0,
        { ...eth0, name: 'jts0', addresses: [] },
        { ...eth0, name: 'vpn', addresses: ['10.89.2.7/32'] },
      ],
      routes: [
        { destination: '10.89.1.0/24', gateway: undefined, device: 'x' },
        { destination: '10.244.0.0/15', gateway: undefined, device: 'x' },
        { destination: '10.96.7.1', gateway: undefined, device: 'x' },
      ],
      clusters: [],
    };
    expect(planAllocation(around)).toMatchObject({
      index: 3,
      mtu: 1500,
      podCidr: '10.246.0.0/16',
      serviceCidr: '10.97.0.0/16',
    });
  });

  const twoFamilies = { clusterCidr: '10.244.0.0/16,fd00:10:244::/56' };
  test('of two families, of which the services are too unless they are told', () => {
    const made = planAllocation({ links: [eth0], routes: [wayOut], clusters: [] }, twoFamilies);
    expect(made).toMatchObject({
      nodeCidr: '10.89.0.0/24,fd00:10:89::/64',
      gateway: '10.89.0.1,fd00:10:89::1',
      podCidr: '10.244.0.0/16,fd00:10:244::/56',
      serviceCidr: '10.96.0.0/16,fd00:10:96::/112',
    });
    expect(planNode(made, 1, 'a').address).toBe('10.89.0.2,fd00:10:89::2');
    expect(planNode(made, 15, 'a').address).toBe('10.89.0.16,fd00:10:89::10');
    expect(dnsAddressOf(made.serviceCidr)).toBe('10.96.0.10,fd00:10:96::a');
  });

  test('of IPv6 alone, by the range of services', () => {
    expect(
      planAllocation({ links: [], routes: [], clusters: [state] }, { serviceCidr: 'fd00:10:97::/112' }),
    ).toMatchObject({
      nodeCidr: 'fd00:10:89:1::/64',
      podCidr: 'fd00:10:244::/56',
      serviceCidr: 'fd00:10:97::/112',
    });
  });

  test('ranges that were asked for and cannot be are refused', () => {
    const around = {
      links: [eth0],
      routes: [{ destination: 'fd00:10::/32', gateway: undefined, device: 'x' }],
      clusters: [state],
    };
    expect(() => planAllocation(around, twoFamilies)).toThrow('no range of 10.89.0.0/16,fd00:10:89::/48');
    expect(() => planAllocation(around, { clusterCidr: '10.244.0.0/17' })).toThrow(
      '--cluster-cidr 10.244.0.0/17: this machine uses addresses of that range already',
    );
    expect(() => planAllocation(around, { ...twoFamilies, serviceCidr: '10.96.0.0/16' })).toThrow(
      'must be of the same address families',
    );
  });

  test('when nothing is left it says of what', () => {
    const taken = (destination: string) => ({
      links: [],
      routes: [{ destination, gateway: undefined, device: 'x' }],
      clusters: [],
    });
    expect(() => planAllocation(taken('10.89.0.0/16'))).toThrow('for the nodes of a cluster');
    expect(() => planAllocation(taken('10.192.0.0/10'))).toThrow('is free for pods');
    expect(() => planAllocation(taken('10.96.0.0/12'))).toThrow('is free for services');
  });

  test('no two clusters, and no cluster and its machine, ever share an address', () => {
    const cidr = fc
      .tuple(fc.constantFrom(89, 96, 97, 200, 244, 245, 250), fc.nat(255), fc.integer({ min: 14, max: 32 }))
      .map(([b, c, bits]) => `10.${b}.${c}.0/${bits}`);
    fc.assert(
      fc.property(fc.array(cidr, { maxLength: 12 }), fc.integer({ min: 1, max: 6 }), (taken, count) => {
        const routes = [
          wayOut,
          ...taken.map((destination) => ({ destination, gateway: undefined, device: 'x' })),
        ];
        const clusters: ClusterState[] = [];
        const used = taken.map((text) => parseRange(text)!);
        for (let i = 0; i < count; i++) {
          let made: Allocation;
          try {
            made = planAllocation({ links: [eth0], routes, clusters });
          } catch {
            return;
          }
          for (const text of [made.nodeCidr, made.podCidr]) {
            const range = parseRange(text)!;
            expect(used.filter((other) => overlap(range, other))).toEqual([]);
            used.push(range);
          }
          expect(clusters.map(({ bridge }) => bridge)).not.toContain(made.bridge);
          clusters.push(cluster(made, { name: `c${i}` }));
        }
      }),
    );
  });

  test('overlap is having an address in common', () => {
    const range = fc
      .tuple(fc.nat(3), fc.nat(255), fc.integer({ min: 22, max: 32 }))
      .map(([c, d, bits]) => `10.0.${c}.${d}/${bits}`);
    fc.assert(
      fc.property(range, range, (a, b) => {
        const [one, other] = [parseRange(a)!, parseRange(b)!];
        let common = false;
        for (let address = one.first; address <= one.last; address++)
          if (address >= other.first && address <= other.last) common = true;
        expect(overlap(one, other)).toBe(common);
      }),
    );
  });

  test.each([
    ['10.0.0.0/8', { family: 'IPv4', first: 167772160n, last: 184549375n }],
    ['255.255.255.255', { family: 'IPv4', first: 4294967295n, last: 4294967295n }],
    ['10.1.2.3/31', { family: 'IPv4', first: 167838210n, last: 167838211n }],
    ['default', undefined],
    ['::1', { family: 'IPv6', first: 1n, last: 1n }],
    ['::/112', { family: 'IPv6', first: 0n, last: 65535n }],
  ])('parseRange(%s)', (text, range) => {
    expect(parseRange(text)).toEqual(range);
  });
});

describe('processes', () => {
  test('the server', () => {
    expect(planServerCommand(state, ['node', '/j.js'])).toEqual([
      'node',
      '/j.js',
      'server',
      '--data-dir=/var/lib/jotasu/jotasu/server',
      '--bind-address=0.0.0.0',
      '--https-listen-port=6443',
      '--advertise-address=10.89.0.1',
      '--cluster-cidr=10.244.0.0/16',
      '--service-cidr=10.96.0.0/16',
      '--write-kubeconfig=/var/lib/jotasu/jotasu/admin.kubeconfig',
      '--simulate-nodes=0',
    ]);
  });

  test('the flags of node.js are those of an agent', () => {
    expect(
      planAgentProgram([
        'node',
        '--min-semi-space-size=16',
        '--max-semi-space-size=32',
        '--inspect',
        '/j.js',
      ]),
    ).toEqual(['node', '--max-semi-space-size=4', '--inspect', '/j.js']);
  });

  test('an agent', () => {
    const directory = '/var/lib/jotasu/jotasu/nodes/jotasu-node-2';
    expect(planAgentCommand(state, state.nodes[1]!, ['j'])).toEqual([
      'j',
      'agent',
      '--server=https://10.89.0.1:6443',
      `--certificate-authority=${directory}/pki/ca.crt`,
      `--client-certificate=${directory}/pki/node.crt`,
      `--client-key=${directory}/pki/node.key`,
      `--tls-cert-file=${directory}/pki/node.crt`,
      `--tls-private-key-file=${directory}/pki/node.key`,
      '--node-name=jotasu-node-2',
      '--node-ip=10.89.0.3',
      `--state-dir=${directory}`,
      '--run-dir=/run/jotasu',
      '--cgroup-parent=/jotasu/jotasu/jotasu-node-2',
      `--pod-manifest-path=${directory}/manifests`,
      `--shared-machine-dir=${directory.replace(/[^/]+$/, '.machine')}`,
      '--eviction-hard=memory.available<100Mi,nodefs.available<1Gi,nodefs.inodesFree<1%,imagefs.available<1Gi,imagefs.inodesFree<1%',
      '--image-gc-high-threshold=100',
      '--cluster-cidr=10.244.0.0/16',
      '--cluster-dns=10.96.0.10',
    ]);
  });

  test('an agent of a cluster without ingress', () => {
    const command = planAgentCommand({ ...state, without: ['ingress'] }, state.nodes[1]!, ['j']);
    expect(command).toContain('--without=ingress');
  });

  test('the v2 tree is taken away on hybrid machines alone', () => {
    const layout = (mode: CgroupLayout['mode']): CgroupLayout => ({
      mode,
      legacy: [],
      unified: '/sys/fs/cgroup/x',
    });
    const unmounted = (mode: CgroupLayout['mode']) =>
      planMounts(state, state.nodes[0]!, layout(mode), undefined).unmounted;
    expect([unmounted('hybrid'), unmounted('v2')]).toEqual([['/sys/fs/cgroup/x'], []]);
  });

  test.each([
    ['as it is', ['search a\nnameserver 192.0.2.53\n'], 'search a\nnameserver 192.0.2.53\n'],
    [
      'what systemd asks, behind its local server',
      ['nameserver 127.0.0.53\noptions edns0\n', 'nameserver 192.0.2.1\n'],
      'nameserver 192.0.2.1\n',
    ],
    ['without local ones', ['nameserver 127.0.0.1\nnameserver 192.0.2.1'], 'nameserver 192.0.2.1'],
    ['nothing that can be reached', ['nameserver ::1\n'], ''],
    ['no file', [], ''],
  ])('resolv.conf: %s', (_, texts, planned) => {
    expect(planResolver(texts)).toBe(planned);
  });
});

describe('firewall', () => {
  test('what leaves the cluster bears the address of the machine', () => {
    expect(planMasquerade(state)).toBe(
      `add table ip jotasu-jotasu
delete table ip jotasu-jotasu
table ip jotasu-jotasu {
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr { 10.89.0.0/24, 10.244.0.0/16 } ip daddr != { 10.89.0.0/24, 10.244.0.0/16 } oifname != "jts0" masquerade
  }
}
`,
    );
  });

  test('a firewall that drops lets the bridge pass', () => {
    const adds = (dropping: string[], firewalld: boolean) =>
      planOpening({ dropping, firewalld }, state).map((rule) => rule.add.join(' '));
    expect(adds([], false)).toEqual([]);
    expect(adds(['OUTPUT', 'INPUT', 'FORWARD'], true)).toEqual([
      'iptables -w -I INPUT 1 -i jts0 -m comment --comment jotasu jotasu -j ACCEPT',
      'iptables -w -I FORWARD 1 -i jts0 -m comment --comment jotasu jotasu -j ACCEPT',
      'iptables -w -I FORWARD 1 -o jts0 -m comment --comment jotasu jotasu -j ACCEPT',
      'firewall-cmd --quiet --zone=trusted --add-interface=jts0',
    ]);
  });

  test('pods of nodes that have a range are routed to', () => {
    const ranges = new Map([
      ['jotasu-node-2', ['10.244.1.0/24', 'fd00:10:244:1::/64']],
      ['jotasu-node-1', []],
      ['other', ['10.244.9.0/24']],
    ]);
    const four = { destination: '10.244.1.0/24', gateway: '10.89.0.3' };
    expect(planPodRoutes(state, ranges)).toEqual([four]);
    expect(planPodRoutes(dual, ranges)).toEqual([
      four,
      { destination: 'fd00:10:244:1::/64', gateway: 'fd00:10:89::3' },
    ]);
  });

  test('each family has its own masquerade and its own firewall', () => {
    const text = planMasquerade(dual);
    expect(text).toContain('table ip jotasu-jotasu {');
    expect(text).toContain(
      'ip6 saddr { fd00:10:89::/64, fd00:10:244::/56 } ip6 daddr != { fd00:10:89::/64, fd00:10:244::/56 } oifname != "jts0" masquerade',
    );
    expect(
      planOpening({ dropping: [], dropping6: ['INPUT'], firewalld: false }, dual).map(({ check }) =>
        check.slice(0, 4).join(' '),
      ),
    ).toEqual(['ip6tables -w -C INPUT']);
  });

  test('a node of both families', () => {
    const [node] = dual.nodes;
    expect(planNodeLink(dual, node!)).toEqual([
      'link set lo up',
      'address add 10.89.0.2/24 dev eth0',
      'link set eth0 up',
      'route add default via 10.89.0.1',
      'address add fd00:10:89::2/64 dev eth0 nodad',
      'route add default via fd00:10:89::1',
    ]);
    const flags = [...planAgentCommand(dual, node!, []), ...planServerCommand(dual, [])];
    for (const flag of [
      '--server=https://10.89.0.1:6443',
      '--node-ip=10.89.0.2,fd00:10:89::2',
      '--cluster-cidr=10.244.0.0/16,fd00:10:244::/56',
      '--cluster-dns=10.96.0.10,fd00:10:96::a',
      '--bind-address=0.0.0.0',
      '--advertise-address=10.89.0.1',
      '--service-cidr=10.96.0.0/16,fd00:10:96::/112',
    ])
      expect(flags).toContain(flag);
  });

  test('a cluster of IPv6 alone names its server by IPv6', () => {
    const six = cluster(
      planAllocation({ links: [], routes: [], clusters: [] }, { clusterCidr: 'fd00:10:244::/56' }),
    );
    const flags = [...planAgentCommand(six, six.nodes[0]!, []), ...planServerCommand(six, [])];
    for (const flag of [
      '--server=https://[fd00:10:89::1]:6443',
      '--bind-address=::',
      '--advertise-address=fd00:10:89::1',
    ])
      expect(flags).toContain(flag);
    expect(planMasquerade(six)).not.toContain('table ip ');
  });
});

describe('the kernel', () => {
  const good = {
    platform: 'linux',
    cgroups: { mode: 'v2', legacy: [], unified: '/sys/fs/cgroup' } as CgroupLayout,
    filesystems: 'nodev\tsysfs\n\text4\nnodev\toverlay\n',
    unifiedControllers: 'cpuset cpu io memory pids\n',
  };
  test.each<[string, Parameters<typeof planKernelProblems>[0], string[]]>([
    ['good', good, []],
    ['not Linux', { ...good, platform: 'darwin' }, ['containers need Linux, and this is darwin']],
    ['no cgroups', { ...good, cgroups: undefined }, ['no cgroups are mounted (see mount -t cgroup2)']],
    [
      'no memory controller, no overlay',
      { ...good, unifiedControllers: 'cpu pids', filesystems: '\text4\n' },
      [
        'the cgroup controllers memory are missing from this kernel',
        'the kernel has no overlay file system (modprobe overlay)',
      ],
    ],
  ])('%s', (_, facts, problems) => {
    expect(planKernelProblems(facts)).toEqual(problems);
  });
});

describe('status', () => {
  const node = { ...state.nodes[0]!, process: { pid: 6, startTicks: 1, bootId: 'b' } };
  const up = { pid: 7, failures: 0, restarts: 2 };
  const facts = { name: node.name, ready: true, podCidrs: ['10.244.0.0/24'], version: 'v1.35.0' };
  const containers = new Map([[node.name, 3]]);
  test.each<[string, Parameters<typeof planNodeStatus>, object]>([
    [
      'ready',
      [node, up, { facts, containers }],
      { state: 'Ready', agent: 'Running', restarts: 2, pid: 7, containers: 3, version: 'v1.35.0' },
    ],
    [
      'not ready',
      [node, up, { facts: { ...facts, ready: false }, containers }],
      { state: 'NotReady', containers: 3 },
    ],
    [
      'not known to the server yet',
      [node, up, { facts: undefined, containers: new Map() }],
      { state: 'NotReady', containers: 0 },
    ],
    [
      'between two agents',
      [node, { ...up, pid: undefined }, { facts, containers }],
      { state: 'Ready', agent: 'Restarting', pid: null },
    ],
    ['no answer', [node, up, undefined], { state: 'Unknown', pid: 7, containers: null, version: null }],
    [
      'off, whatever the server remembers',
      [node, undefined, { facts, containers }],
      { state: 'Off', agent: 'Off', pid: null, containers: 0 },
    ],
  ])('%s', (_, args, want) => {
    expect(planNodeStatus(...args)).toMatchObject(want);
  });

  const other = { name: 'sim-1', ready: true, podCidrs: [], version: 'v1.35.0', address: '10.0.0.1' };
  test.each<[string, Parameters<typeof planOtherNodeStatus>[1], object]>([
    [
      'simulated',
      { simulated: true, off: false, containers: 4 },
      { state: 'Ready', containers: 4, agent: null },
    ],
    [
      'simulated, without power',
      { simulated: true, off: true, containers: 4 },
      { state: 'Off', containers: 0 },
    ],
    ['of another machine', { simulated: false, off: false, containers: 1 }, { state: 'Ready', link: null }],
  ])('of a node that is not of this machine: %s', (_, more, want) => {
    expect(planOtherNodeStatus(other, more)).toMatchObject(want);
  });

  test('as lines', () => {
    const lines = statusLines({
      name: 'jotasu',
      dataDir: '/d',
      kubeconfig: { file: '/k', context: 'jotasu' },
      server: { url: 'https://127.0.0.1:6443', state: 'Restarting', pid: null, restarts: 1, version: null },
      nodes: [
        planNodeStatus(node, up, undefined),
        planOtherNodeStatus(other, { simulated: true, off: false, containers: 4 }),
      ],
    });
    expect(lines.join('\n')).toBe(
      `cluster    jotasu
server     Restarting, started again once
API        https://127.0.0.1:6443
context    jotasu in /k
data       /d

NODE            STATE     ADDRESS     LINK     AGENT       PID   RESTARTS   CONTAINERS   VERSION
jotasu-node-1   Unknown   10.89.0.2   jts0n1   Running     7     2          ?            -
sim-1           Ready     10.0.0.1    -        simulated   -     -          4            v1.35.0`,
    );
  });
});
