import { expect, it } from 'vitest';
import { type ContainerdMachine, containerdToml } from './containerd-config.ts';

const machine: ContainerdMachine = {
  crun: '/usr/bin/crun',
  runc: '/usr/sbin/runc',
  hybridCgroups: false,
  maySetOomScore: true,
  overlayfs: true,
};
const toml = (changed: Partial<ContainerdMachine> = {}): string =>
  containerdToml({
    rootDir: '/r',
    runDir: '/s',
    socketPath: '/s/sock',
    cniBinDir: '/cni',
    cniConfDir: '/net.d',
    sandboxImage: 'pause:1',
    machine: { ...machine, ...changed },
  });

it.each<[string, Partial<ContainerdMachine>, readonly string[]]>([
  ['prefers crun', {}, ['default_runtime_name = "crun"', 'BinaryName = "/usr/bin/crun"']],
  ['falls back to runc', { hybridCgroups: true }, ['default_runtime_name = "runc"']],
  ['restricts scores where it must', { maySetOomScore: false }, ['restrict_oom_score_adj = true']],
  ['needs no overlayfs', { overlayfs: false }, ['snapshotter = "native"']],
  [
    'lets users who are not root listen on every port and ping',
    {},
    ['enable_unprivileged_ports = true', 'enable_unprivileged_icmp = true'],
  ],
])('%s', (_, changed, lines) => {
  const text = toml(changed);
  for (const line of lines) expect(text).toContain(line);
});

it('says what is missing', () => {
  expect(() => toml({ crun: undefined, runc: undefined })).toThrow('neither crun nor runc is installed');
});
