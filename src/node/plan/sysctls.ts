// Which kernel parameters a pod may set: those that concern nobody but the pod, and those that the node's owner allows besides. Pure.
import { safeSysctls } from '../../api/index.ts';

const namespaces: readonly (readonly [start: string, namespace: 'IPC' | 'Net'])[] = [
  ['kernel.sem', 'IPC'],
  ['kernel.shm', 'IPC'],
  ['kernel.msg', 'IPC'],
  ['fs.mqueue.', 'IPC'],
  ['net.', 'Net'],
];

const namespaceOf = (name: string): 'IPC' | 'Net' | undefined =>
  namespaces.find(([start]) => name.startsWith(start))?.[1];

/** Between the groups of a name a slash means the same as a dot. */
export function normalizeSysctl(name: string): string {
  const first = /[./]/.exec(name)?.[0];
  if (first !== '/') return name;
  return name.replace(/[./]/g, (c) => (c === '/' ? '.' : '/'));
}

/**
 * Why a pod may not set `name`; undefined = it may. `allowed` are names, or starts of names that end in `*`.
 * Sharing the node's namespace makes a parameter the node's.
 */
export function refuseSysctl(
  name: string,
  pod: { readonly hostNetwork?: boolean | undefined; readonly hostIPC?: boolean | undefined },
  allowed: readonly string[],
): string | undefined {
  const plain = normalizeSysctl(name);
  const listed = [...safeSysctls, ...allowed].some((pattern) =>
    pattern.endsWith('*')
      ? plain.startsWith(normalizeSysctl(pattern.slice(0, -1)))
      : plain === normalizeSysctl(pattern),
  );
  if (!listed) return `${JSON.stringify(name)} not allowlisted`;
  const namespace = namespaceOf(plain);
  if ((namespace === 'IPC' && pod.hostIPC === true) || (namespace === 'Net' && pod.hostNetwork === true))
    return `${JSON.stringify(name)} not allowed with host ${namespace.toLowerCase()} enabled`;
  return undefined;
}

/** Why the node's owner cannot allow it: it concerns the whole machine. */
export function checkAllowedSysctl(pattern: string): string | undefined {
  if (!/^[a-z0-9]([-_a-z0-9]*[a-z0-9])?([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*([./]?\*)?$/.test(pattern))
    return `sysctl ${JSON.stringify(pattern)} is no name of a kernel parameter`;
  return namespaceOf(normalizeSysctl(pattern.replace(/\*$/, ''))) === undefined
    ? `the sysctls ${JSON.stringify(pattern)} are not known to be namespaced`
    : undefined;
}
