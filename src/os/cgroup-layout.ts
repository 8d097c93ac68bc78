// Which cgroup hierarchies this machine has. Pure: the text of /proc/self/mountinfo in, a layout out.

export interface CgroupHierarchy {
  /** Where it is mounted, e.g. `/sys/fs/cgroup/memory`. */
  readonly path: string;
  /** e.g. `cpu`, `cpuacct`; empty for a named hierarchy such as systemd's. */
  readonly controllers: readonly string[];
}

/** v2: one tree. v1: one per controller. hybrid: controllers in v1 trees, and a v2 tree beside them that holds processes. */
export interface CgroupLayout {
  readonly mode: 'v1' | 'v2' | 'hybrid';
  /** The v1 trees; none in mode v2. */
  readonly legacy: readonly CgroupHierarchy[];
  /** Where the v2 tree is mounted; undefined in mode v1. */
  readonly unified: string | undefined;
}

const notControllers =
  /^(rw|ro|no\w+|relatime|seclabel|xattr|clone_children|cpuset_v2_mode|release_agent=.*|name=.*|rel\w+)$/;

/** A hierarchy mounted twice counts once, at its first place. Throws when there is none at all. */
export function planCgroupLayout(mountinfo: string): CgroupLayout {
  const legacy = new Map<string, CgroupHierarchy>();
  let unified: string | undefined;
  for (const line of mountinfo.split('\n')) {
    // 36 35 98:0 /root /mount/point options optional… - type source super-options
    const [before, after] = line.split(' - ');
    if (before === undefined || after === undefined) continue;
    const path = unescapeMount(before.split(' ')[4] ?? '');
    const [type, , options = ''] = after.split(' ');
    if (type === 'cgroup2') unified ??= path;
    if (type !== 'cgroup') continue;
    if (!legacy.has(options))
      legacy.set(options, {
        path,
        controllers: options.split(',').filter((word) => !notControllers.test(word)),
      });
  }
  if (legacy.size === 0 && unified === undefined)
    throw new Error('no cgroups are mounted: containers cannot run on this machine');
  return {
    mode: legacy.size === 0 ? 'v2' : unified === undefined ? 'v1' : 'hybrid',
    legacy: [...legacy.values()],
    unified,
  };
}

/** The kernel writes blanks, tabs, newlines and backslashes of a path as octal escapes. */
export function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
