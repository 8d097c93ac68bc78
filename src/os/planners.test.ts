// What is planned before anything is run: texts in, command lines and scripts out.
import { describe, expect, test } from 'vitest';
import { planCgroupLayout, unescapeMount } from './cgroup-layout.ts';
import { FakeExec } from './fake-exec.ts';
import { parseAdvertisedLinks } from './forwarding.ts';
import {
  applyLinks,
  checkLinkName,
  parseLinks,
  parseRoutes,
  planBridge,
  planFurtherAddress,
  planInside,
  planVeth,
  removeLink,
  versionsOf,
} from './links.ts';
import { type NodeMounts, planCommandInGroups, planMountScript, planNodeCommand } from './mounts.ts';
import { inNetns, mountPoints } from './netns.ts';
import { parseBaseChains, planTable, removeTable } from './nft.ts';
import { findProgram, installPackages, listMissing } from './packages.ts';
import { parseStat } from './processes.ts';

describe('planCgroupLayout', () => {
  const v2 =
    '30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot';
  const cpu = '33 32 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct';
  const cpuset = '34 32 0:30 / /sys/fs/cgroup/cpuset rw - cgroup none rw,cpuset,clone_children';
  const named =
    '35 32 0:31 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/lib/x,name=systemd';
  const beside = '36 32 0:32 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw';
  const other = '24 1 0:22 / /sys rw shared:7 - sysfs sysfs rw';

  test('v2', () => {
    expect(planCgroupLayout(`${other}\n${v2}\n`)).toEqual({
      mode: 'v2',
      legacy: [],
      unified: '/sys/fs/cgroup',
    });
  });

  test('v1, with a named hierarchy; one that is mounted twice counts once', () => {
    const twice = cpu.replace('/sys/fs/cgroup/cpu,cpuacct', '/elsewhere');
    expect(planCgroupLayout([other, cpu, cpuset, named, twice].join('\n'))).toEqual({
      mode: 'v1',
      legacy: [
        { path: '/sys/fs/cgroup/cpu,cpuacct', controllers: ['cpu', 'cpuacct'] },
        { path: '/sys/fs/cgroup/cpuset', controllers: ['cpuset'] },
        { path: '/sys/fs/cgroup/systemd', controllers: [] },
      ],
      unified: undefined,
    });
  });

  test('hybrid', () => {
    expect(planCgroupLayout([cpu, beside].join('\n'))).toMatchObject({
      mode: 'hybrid',
      unified: '/sys/fs/cgroup/unified',
    });
  });

  test('none', () => {
    expect(() => planCgroupLayout(other)).toThrow('no cgroups are mounted');
  });

  test('escapes of paths', () => {
    expect(unescapeMount('/a\\040b\\134c\\011')).toBe('/a b\\c\t');
    expect(mountPoints('1 2 0:3 / /a\\040b rw - tmpfs tmpfs rw\n')).toEqual(['/a b']);
  });
});

describe('links', () => {
  test('families, in the order in which they come', () => {
    expect(versionsOf(['fd00::/64', '10.0.0.0/8', 'fd00::1'])).toEqual([6, 4]);
    expect(versionsOf([])).toEqual([]);
  });

  test('those with routes that a router told of', () => {
    const routes = [
      { dst: 'default', gateway: 'fe80::1', dev: 'eth0', protocol: 'ra' },
      { dst: '2001:db8::/64', dev: 'eth0', protocol: 'ra' },
      { dst: 'default', gateway: 'fd00::1', dev: 'eth1', protocol: 'static' },
      { dst: 'fe80::/64', dev: 'eth0', protocol: 'kernel' },
    ];
    expect(parseAdvertisedLinks(JSON.stringify(routes))).toEqual(['eth0']);
    expect(parseAdvertisedLinks('')).toEqual([]);
  });

  test('a bridge, a cable, its inside', () => {
    expect(planBridge({ name: 'jts0', address: '10.89.0.1/24', mtu: 1400 })).toEqual([
      'link add name jts0 mtu 1400 type bridge forward_delay 0 stp_state 0',
      'address add 10.89.0.1/24 dev jts0',
      'link set jts0 up',
    ]);
    expect(
      planVeth({ name: 'jts0n1', bridge: 'jts0', mtu: 1400, peerNamespace: '/run/n', peerName: 'eth0' }),
    ).toEqual([
      'link add name jts0n1 mtu 1400 type veth peer name eth0 mtu 1400 netns /run/n',
      'link set jts0n1 master jts0',
      'link set jts0n1 up',
    ]);
    expect(planFurtherAddress({ link: 'eth0', address: 'fd00::2/64', gateway: 'fd00::1' })).toEqual([
      'address add fd00::2/64 dev eth0 nodad',
      'route add default via fd00::1',
    ]);
    expect(planFurtherAddress({ link: 'jts0', address: '10.89.0.1/24' })).toEqual([
      'address add 10.89.0.1/24 dev jts0',
    ]);
    expect(planInside({ link: 'eth0', address: '10.89.0.2/24', gateway: '10.89.0.1' })).toEqual([
      'link set lo up',
      'address add 10.89.0.2/24 dev eth0',
      'link set eth0 up',
      'route add default via 10.89.0.1',
    ]);
  });

  test('names that the kernel or ip would read otherwise', () => {
    for (const name of ['jts0', 'eth0.1', 'a-b_c', 'abcdefghijklmno']) checkLinkName(name);
    for (const name of ['', 'abcdefghijklmnop', '0a', 'a b', 'a/b', '-a'])
      expect(() => checkLinkName(name)).toThrow();
  });

  test('lines go through one ip, in a namespace if need be, or through none', async () => {
    const exec = new FakeExec();
    await applyLinks(exec, ['a', 'b']);
    await applyLinks(exec, ['c'], '/run/n');
    await applyLinks(exec, []);
    expect(exec.ran).toEqual(['ip -batch -\n< a\nb\n', 'nsenter --net=/run/n ip -batch -\n< c\n']);
  });

  test('a link that is not there is removed already; one that stays is a failure', async () => {
    const gone = { code: 1, stderr: 'Cannot find device' };
    await removeLink(new FakeExec().answer(/delete/, gone).answer(/show/, { stdout: '[]' }), 'a');
    const stays = new FakeExec().answer(/delete/, gone).answer(/show/, { stdout: '[{"ifname":"a"}]' });
    await expect(removeLink(stays, 'a')).rejects.toThrow('ip link delete a: exit code 1');
  });

  test('what ip prints', () => {
    expect(parseLinks('')).toEqual([]);
    expect(
      parseLinks(
        '[{},{"ifname":"jts0n1","mtu":1400,"flags":["UP","LOWER_UP"],"master":"jts0","addr_info":[{},{"local":"10.0.0.1","prefixlen":8}]},{"ifname":"ifb0","mtu":1500,"flags":["NOARP"],"addr_info":[]}]',
      ),
    ).toEqual([
      { name: 'jts0n1', mtu: 1400, up: true, master: 'jts0', addresses: ['10.0.0.1/8'] },
      { name: 'ifb0', mtu: 1500, up: false, master: undefined, addresses: [] },
    ]);
    expect(
      parseRoutes('[{"dst":"default","gateway":"1.2.3.4","dev":"eth0"},{"dst":"10.0.0.0/8","dev":"x"}]'),
    ).toEqual([
      { destination: 'default', gateway: '1.2.3.4', device: 'eth0' },
      { destination: '10.0.0.0/8', gateway: undefined, device: 'x' },
    ]);
  });
});

describe('a node', () => {
  const mounts: NodeMounts = {
    hostname: 'n-1',
    binds: [['/data/n 1/cni', '/var/lib/cni']],
    hidden: ['/run'],
    folders: ['/run/netns'],
    unmounted: ['/sys/fs/cgroup/unified'],
    resolver: { source: '/data/resolv.conf', target: '/etc/resolv.conf' },
    released: ['/run'],
    settings: [['/proc/sys/net/ipv4/ip_forward', '1']],
  };

  test('its mounts', () => {
    expect(planMountScript(mounts, ['node', '/a b.js'])).toBe(
      `set -e
echo n-1 >/proc/sys/kernel/hostname || true
echo 1 >/proc/sys/net/ipv4/ip_forward
while read -r _ target _; do
  case $target in /run/*) umount -l "$target" || true ;; esac
done </proc/self/mounts
umount /sys/fs/cgroup/unified
mount --bind '/data/n 1/cni' /var/lib/cni
mount -t tmpfs -o mode=755 tmpfs /tmp
if mknod -m 666 /tmp/null c 1 3; then mount --bind /tmp/null /dev/null; fi
umount -l /tmp
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs /run
mkdir -p /run/netns
mount --bind /data/resolv.conf /etc/resolv.conf
mount --make-rshared /
exec node '/a b.js'`,
    );
  });

  test('a resolver in a hidden place is put there anew', () => {
    const target = '/run/systemd/resolve/stub-resolv.conf';
    const script = planMountScript({ ...mounts, resolver: { source: '/d/r', target } }, ['x']);
    expect(script).toContain(`mkdir -p /run/systemd/resolve\ncp /d/r ${target}\n`);
    expect(script).not.toContain('mount --bind /d/r');
  });

  test('it enters its groups and namespaces and becomes its program', () => {
    const [sh, c, script] = planNodeCommand({ joins: ['/c/a', '/c/b'], netns: '/run/n', mounts }, ['x']);
    expect([sh, c]).toEqual(['sh', '-c']);
    expect(script?.split('\n').slice(0, 4)).toEqual([
      'set -e',
      'echo $$ >/c/a',
      'echo $$ >/c/b',
      "exec nsenter --net=/run/n unshare --mount --uts --propagation private sh -c 'set -e",
    ]);
    expect(planCommandInGroups(['/c/a'], ['a', 'b c'])).toEqual([
      'sh',
      '-c',
      "set -e\necho $$ >/c/a\nexec a 'b c'",
    ]);
    expect(inNetns('/run/n', ['ip', 'a'])).toEqual(['nsenter', '--net=/run/n', '--', 'ip', 'a']);
  });
});

describe('nftables', () => {
  test('a table is replaced in one transaction', () => {
    expect(planTable('ip', 'jotasu-a', ['  chain c { }'])).toBe(
      'add table ip jotasu-a\ndelete table ip jotasu-a\ntable ip jotasu-a {\n  chain c { }\n}\n',
    );
  });

  test('removing one that is not there is fine', async () => {
    const exec = new FakeExec();
    await removeTable(exec, 'ip', 't');
    expect(exec.ran).toEqual(['nft -f -\n< add table ip t\ndelete table ip t\n']);
  });

  test('base chains', () => {
    const json = JSON.stringify({
      nftables: [
        { metainfo: {} },
        { chain: { family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', policy: 'drop' } },
        { chain: { family: 'ip', table: 'filter', name: 'DOCKER' } },
      ],
    });
    expect(parseBaseChains(json)).toEqual([
      { family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', policy: 'drop' },
    ]);
    expect(parseBaseChains('{}')).toEqual([]);
  });
});

describe('packages', () => {
  const programs = (...paths: string[]) => ({ exists: (path: string) => paths.includes(path) });
  const nft = { what: 'nft', programs: ['nft'], debianPackage: 'nftables' };
  const runtime = { what: 'crun or runc', programs: ['crun', 'runc'], debianPackage: 'crun' };

  test('programs are found on PATH, in the usual places, and by path', () => {
    expect(findProgram('x', '/opt:/bin', programs('/opt/x'))).toBe('/opt/x');
    expect(findProgram('nft', '', programs('/usr/sbin/nft'))).toBe('/usr/sbin/nft');
    expect(findProgram('/a/b', '', programs('/a/b'))).toBe('/a/b');
    expect(findProgram('x', '/opt', programs())).toBeUndefined();
  });

  test('any one of several will do', () => {
    expect(listMissing([nft, runtime], '/usr/bin', programs('/usr/bin/runc'))).toEqual([nft]);
  });

  test('lists are fetched only when the package is not known', async () => {
    const known = new FakeExec();
    await installPackages(known, ['a']);
    expect(known.ran).toEqual(['apt-get install -q -y --no-install-recommends a']);
    let tries = 0;
    const stale = new FakeExec().answer(/install/, () => ({ code: tries++ === 0 ? 100 : 0 }));
    await installPackages(stale, ['a']);
    expect(stale.ran).toHaveLength(3);
    await expect(
      installPackages(new FakeExec().answer(/install/, { code: 100, stderr: 'Unable to locate package a' }), [
        'a',
      ]),
    ).rejects.toThrow('Unable to locate package a');
  });
});

test.each<[string, ReturnType<typeof parseStat>]>([
  [
    `42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 5 6 0 0 20 0 1 0 987654 1000 ${'0 '.repeat(20)}`,
    { pid: 42, comm: 'a) b (c)', state: 'S', parent: 1, startTicks: 987654 },
  ],
  ['', undefined],
  ['7 (x) R', undefined],
])('parseStat(%j)', (text, stat) => {
  expect(parseStat(text)).toEqual(stat);
});
