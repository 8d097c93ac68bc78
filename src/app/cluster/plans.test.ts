// What commands on clusters decide before they touch anything.
import { describe, expect, test } from 'vitest';
import type { CgroupLayout } from '../../os/index.ts';
import { clusterOf, plainMachine, twoFamilies } from './cluster-fixture.ts';
import { planPodRoutes } from './cluster-steps.ts';
import { planMasquerade, planOpening } from './firewall.ts';
import {
  planAgentCommand,
  planAgentProgram,
  planMounts,
  planNodeLink,
  planResolver,
} from './node-machine.ts';
import { planAllocation } from './plan-allocation.ts';
import { planKernelProblems } from './requirements.ts';
import { planServerCommand, planShares } from './server-process.ts';
import { planNodeStatus, planOtherNodeStatus, statusLines } from './status.ts';

const state = clusterOf(planAllocation(plainMachine));
const dual = clusterOf(planAllocation(plainMachine, twoFamilies));

describe('processes', () => {
  test('a cluster weighs more than one process, and its server more than a node, which has the default', () => {
    const shares = new Map(planShares(state));
    expect([...shares.keys()]).toEqual(['/jotasu', '/jotasu/jotasu', '/jotasu/jotasu/control-plane']);
    expect(Math.min(...shares.values())).toBeGreaterThan(1024);
  });

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
      '--shutdown-grace-period=30s',
      '--shutdown-grace-period-critical-pods=10s',
      '--cluster-cidr=10.244.0.0/16',
      '--cluster-dns=10.96.0.10',
    ]);
  });

  test('a server with addresses for load balancers', () => {
    const command = planServerCommand({ ...state, servicelbPool: ['10.89.0.200-10.89.0.210'] }, ['j']);
    expect(command).toContain('--servicelb-pool=10.89.0.200-10.89.0.210');
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
    const six = clusterOf(planAllocation(plainMachine, { clusterCidr: 'fd00:10:244::/56' }));
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
