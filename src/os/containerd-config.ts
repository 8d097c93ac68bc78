// containerd's configuration file, from what the machine offers. Pure, apart from `inspectMachine`, which looks.
import * as fs from 'node:fs';
import { findProgram } from './packages.ts';

export interface ContainerdMachine {
  /** Absolute paths; undefined = not installed. */
  readonly crun: string | undefined;
  readonly runc: string | undefined;
  /** cgroup v1 hierarchies with a cgroup2 mount among them: crun refuses to run there. */
  readonly hybridCgroups: boolean;
  /** Lowering oom_score_adj needs CAP_SYS_RESOURCE; without it every container start would fail. */
  readonly maySetOomScore: boolean;
  readonly overlayfs: boolean;
}

export interface ContainerdConfig {
  readonly rootDir: string;
  readonly runDir: string;
  readonly socketPath: string;
  readonly cniBinDir: string;
  readonly cniConfDir: string;
  readonly sandboxImage: string;
  readonly machine: ContainerdMachine;
  /** Only when systemd manages the cgroups of this node's pods. */
  readonly systemdCgroup?: boolean | undefined;
  readonly maxConcurrentDownloads?: number | undefined;
  /** Directory with a hosts.toml per registry. */
  readonly registryConfigDir?: string | undefined;
  readonly logLevel?: 'debug' | 'info' | 'warn' | 'error' | undefined;
}

/** What pods do not need; leaving them out starts the daemon faster and smaller. */
const disabledPlugins = [
  'io.containerd.snapshotter.v1.aufs',
  'io.containerd.snapshotter.v1.btrfs',
  'io.containerd.snapshotter.v1.devmapper',
  'io.containerd.snapshotter.v1.zfs',
  'io.containerd.snapshotter.v1.blockfile',
  'io.containerd.internal.v1.opt',
  'io.containerd.internal.v1.tracing',
  'io.containerd.tracing.processor.v1.otlp',
  'io.containerd.nri.v1.nri',
];

/** Which OCI runtime pods get: crun costs half of runc, but must be able to run here. */
export function chooseRuntime(
  machine: ContainerdMachine,
): { name: 'crun' | 'runc'; path: string } | undefined {
  if (machine.crun !== undefined && !machine.hybridCgroups) return { name: 'crun', path: machine.crun };
  if (machine.runc !== undefined) return { name: 'runc', path: machine.runc };
  return undefined;
}

const q = (text: string): string => JSON.stringify(text);

/**
 * The file's text. Whoever runs in a pod may listen below 1024 and ping without being root, as with a newer containerd's defaults.
 * Throws when no OCI runtime can be used.
 */
export function containerdToml(config: ContainerdConfig): string {
  const { machine } = config;
  const runtime = chooseRuntime(machine);
  if (runtime === undefined)
    throw new Error(
      machine.crun === undefined
        ? 'neither crun nor runc is installed'
        : 'crun cannot run with hybrid cgroups (cgroup2 mounted beside version 1), and runc is not installed',
    );
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = ${q(config.rootDir)}
state = ${q(config.runDir)}
disabled_plugins = [${disabledPlugins.map(q).join(', ')}]

[grpc]
  address = ${q(config.socketPath)}

[ttrpc]
  address = ${q(`${config.socketPath}.ttrpc`)}

[debug]
  level = ${q(config.logLevel ?? 'error')}

[${cri}]
  sandbox_image = ${q(config.sandboxImage)}
  restrict_oom_score_adj = ${!machine.maySetOomScore}
  max_concurrent_downloads = ${config.maxConcurrentDownloads ?? 3}
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  enable_selinux = false
  enable_unprivileged_ports = true
  enable_unprivileged_icmp = true
  [${cri}.containerd]
    snapshotter = ${q(machine.overlayfs ? 'overlayfs' : 'native')}
    default_runtime_name = ${q(runtime.name)}
    disable_snapshot_annotations = true
    [${cri}.containerd.runtimes.${runtime.name}]
      runtime_type = "io.containerd.runc.v2"
      [${cri}.containerd.runtimes.${runtime.name}.options]
        BinaryName = ${q(runtime.path)}
        SystemdCgroup = ${config.systemdCgroup ?? false}
  [${cri}.cni]
    bin_dir = ${q(config.cniBinDir)}
    conf_dir = ${q(config.cniConfDir)}
    max_conf_num = 1
  [${cri}.registry]
    config_path = ${q(config.registryConfigDir ?? '')}
`;
}

const capSysResource = 1n << 24n;

/** Looks at this machine as the calling process sees it: its mount namespace, its capabilities. */
export function inspectMachine(searchPath: string): ContainerdMachine {
  const mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8');
  const capEff = /^CapEff:\s*([0-9a-f]+)/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0';
  return {
    crun: findProgram('crun', searchPath),
    runc: findProgram('runc', searchPath),
    hybridCgroups: / - cgroup /.test(mounts) && / - cgroup2 /.test(mounts),
    maySetOomScore: (BigInt(`0x${capEff}`) & capSysResource) !== 0n,
    overlayfs: /^nodev\s+overlay$/m.test(fs.readFileSync('/proc/filesystems', 'utf8')) || overlayLoadable(),
  };
}

/** Where overlayfs is a module that was not needed yet, it is loaded by the first mount. */
function overlayLoadable(): boolean {
  const release = fs.readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  for (const ext of ['', '.xz', '.zst', '.gz'])
    if (fs.existsSync(`/lib/modules/${release}/kernel/fs/overlayfs/overlay.ko${ext}`)) return true;
  return false;
}
