// The files a node sees: a mount namespace of its own in which the places that container programs share by default are the
// node's. The choice: it is set up by one small shell script that ends by becoming the node's program, so that the namespace lives
// exactly as long as the node's processes and a power-off leaves no mount behind.
import { readFileSync } from 'node:fs';
import { shellQuote } from './exec.ts';
import { mountPoints } from './netns.ts';

export interface NodeMounts {
  /** Its name, which becomes the host name inside. */
  readonly hostname: string;
  /** Folders of the node's, bound over places of the machine's: `[source, target]`, both there already. */
  readonly binds: readonly (readonly [source: string, target: string])[];
  /** Covered by an empty tmpfs, e.g. `/run`: sockets, locks and pinned namespaces of the machine's stay outside. */
  readonly hidden: readonly string[];
  /** Folders made after that, e.g. inside what was covered. */
  readonly folders: readonly string[];
  /** Taken away inside, e.g. the v2 tree of a hybrid machine, with which crun does not start. */
  readonly unmounted: readonly string[];
  /** What /etc/resolv.conf says inside; the file, and where it must appear when /etc/resolv.conf points into a hidden place. */
  readonly resolver: { readonly source: string; readonly target: string } | undefined;
  /** Mounts below these are let go of inside, so that this node does not keep another's namespaces alive. */
  readonly released: readonly string[];
  /** Kernel settings of the namespaces: `[file, value]`. */
  readonly settings: readonly (readonly [file: string, value: string])[];
}

/**
 * The command that enters the groups and the network namespace, makes the mount namespace, and becomes `argv`. Its process number
 * is that of `argv` in the end: every step is an exec.
 */
export function planNodeCommand(
  node: { joins: readonly string[]; netns: string; mounts: NodeMounts },
  argv: readonly string[],
): string[] {
  const enter = ['nsenter', `--net=${node.netns}`, 'unshare', '--mount', '--uts', '--propagation', 'private'];
  const script = [
    ...planJoin(node.joins),
    `exec ${[...enter, 'sh', '-c', planMountScript(node.mounts, argv)].map(shellQuote).join(' ')}`,
  ];
  return ['sh', '-c', script.join('\n')];
}

/** The command that enters the groups and becomes `argv`. */
export function planCommandInGroups(joins: readonly string[], argv: readonly string[]): string[] {
  return ['sh', '-c', [...planJoin(joins), `exec ${argv.map(shellQuote).join(' ')}`].join('\n')];
}

// `$$` and not 0: a shell that wrote 0 in a pipeline would move its child.
const planJoin = (joins: readonly string[]): string[] => [
  'set -e',
  ...joins.map((file) => `echo $$ >${shellQuote(file)}`),
];

export function planMountScript(mounts: NodeMounts, argv: readonly string[]): string {
  const q = shellQuote;
  const lines = ['set -e', `echo ${q(mounts.hostname)} >/proc/sys/kernel/hostname || true`];
  for (const [file, value] of mounts.settings) lines.push(`echo ${q(value)} >${q(file)}`);
  if (mounts.released.length > 0)
    lines.push(
      'while read -r _ target _; do',
      `  case $target in ${mounts.released.map((path) => `${q(path)}/*`).join('|')}) umount -l "$target" || true ;; esac`,
      'done </proc/self/mounts',
    );
  for (const path of mounts.unmounted) lines.push(`umount ${q(path)}`);
  for (const [source, target] of mounts.binds) lines.push(`mount --bind ${q(source)} ${q(target)}`);
  lines.push(...ownNullDevice);
  for (const path of mounts.hidden) lines.push(`mount -t tmpfs -o mode=755,nosuid,nodev tmpfs ${q(path)}`);
  for (const path of mounts.folders) lines.push(`mkdir -p ${q(path)}`);
  if (mounts.resolver !== undefined) {
    const { source, target } = mounts.resolver;
    if (mounts.hidden.some((path) => target.startsWith(`${path}/`)))
      lines.push(`mkdir -p ${q(target.slice(0, target.lastIndexOf('/')))}`, `cp ${q(source)} ${q(target)}`);
    else lines.push(`mount --bind ${q(source)} ${q(target)}`);
  }
  // Shared among the node's own containers, as on a machine with systemd, so that volumes can propagate both ways.
  lines.push('mount --make-rshared /', `exec ${argv.map(q).join(' ')}`);
  return lines.join('\n');
}

/**
 * A /dev/null of the node's own: crun hands what a command reads from to the command's user, and kubectl exec and probes read from
 * /dev/null. As its owner any container could close that of the machine to everybody. Who may not make devices keeps the machine's.
 */
const ownNullDevice: readonly string[] = [
  'mount -t tmpfs -o mode=755 tmpfs /tmp',
  'if mknod -m 666 /tmp/null c 1 3; then mount --bind /tmp/null /dev/null; fi',
  'umount -l /tmp',
];

/** Mount points of this process at `path` or below it. */
export function readMountsBelow(path: string): string[] {
  return mountPoints(readFileSync('/proc/self/mountinfo', 'utf8')).filter(
    (point) => point === path || point.startsWith(`${path}/`),
  );
}
