// Security contexts of pod and container as the runtime takes them: the container's word counts before the pod's. Pure.
import type { coreV1, Pod } from '../../api/index.ts';
import type {
  ContainerSecurity,
  ImageInfo,
  NamespaceOptions,
  SecurityProfile,
  SelinuxOptions,
} from '../../os/index.ts';
import { ContainerConfigError } from './environment.ts';

/** What an unprivileged container must not see or change below /proc and /sys: the defaults of the runtimes. */
const maskedPaths = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

export function podNamespaces(pod: Pod): NamespaceOptions {
  const { spec } = pod;
  return {
    network: spec.hostNetwork ? 'node' : 'pod',
    pid: spec.hostPID ? 'node' : spec.shareProcessNamespace ? 'pod' : 'container',
    ipc: spec.hostIPC ? 'node' : 'pod',
  };
}

export function securityProfile(
  profile: coreV1.SeccompProfile | coreV1.AppArmorProfile | undefined,
  seccompDir: string | undefined,
): SecurityProfile | undefined {
  if (profile === undefined) return undefined;
  const type = profile.type as SecurityProfile['type'];
  if (type !== 'Localhost') return { type };
  const name = profile.localhostProfile ?? '';
  return { type, localhostRef: seccompDir === undefined ? name : `${seccompDir}/${name}` };
}

export const selinuxOf = (
  container: coreV1.SELinuxOptions | undefined,
  pod: coreV1.SELinuxOptions | undefined,
): SelinuxOptions | undefined => container ?? pod;

/** Throws when runAsNonRoot is asked for and the container would run as root, or nobody can tell. */
export function containerSecurity(
  pod: Pod,
  container: coreV1.Container,
  image: Pick<ImageInfo, 'uid' | 'username'>,
  seccompDir?: string,
): ContainerSecurity {
  const own = container.securityContext ?? {};
  const shared = pod.spec.securityContext ?? {};
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const runAsGroup = own.runAsGroup ?? shared.runAsGroup;
  if (own.runAsNonRoot ?? shared.runAsNonRoot) checkNonRoot(pod, container, { runAsUser, image });
  const privileged = own.privileged ?? false;
  if (privileged && own.allowPrivilegeEscalation === false)
    throw new ContainerConfigError('cannot set `allowPrivilegeEscalation` to false and `privileged` to true');
  const unmasked = privileged || own.procMount === 'Unmasked';
  const groups = new Set(shared.supplementalGroups ?? []);
  if (shared.fsGroup !== undefined) groups.add(shared.fsGroup);
  return {
    addCapabilities: own.capabilities?.add ?? [],
    dropCapabilities: own.capabilities?.drop ?? [],
    privileged,
    namespaces: podNamespaces(pod),
    ...userOf(runAsUser, image),
    ...(runAsGroup !== undefined && { runAsGroup }),
    readOnlyRootfs: own.readOnlyRootFilesystem ?? false,
    supplementalGroups: [...groups],
    noNewPrivs: own.allowPrivilegeEscalation === false,
    maskedPaths: unmasked ? [] : maskedPaths,
    readonlyPaths: unmasked ? [] : readonlyPaths,
    seccomp: privileged
      ? { type: 'Unconfined' }
      : (securityProfile(own.seccompProfile ?? shared.seccompProfile, seccompDir) ?? { type: 'Unconfined' }),
    apparmor: securityProfile(own.appArmorProfile ?? shared.appArmorProfile, undefined),
    selinux: selinuxOf(own.seLinuxOptions, shared.seLinuxOptions),
  };
}

/** CRI: the user of the image is the runtime's to look up, by name too. Where nobody names one it is root: a group needs a user. */
function userOf(
  runAsUser: number | undefined,
  { uid, username }: Pick<ImageInfo, 'uid' | 'username'>,
): Pick<ContainerSecurity, 'runAsUser' | 'runAsUsername'> {
  const number = runAsUser ?? uid;
  if (number !== undefined) return { runAsUser: number };
  return username === '' ? { runAsUser: 0 } : { runAsUsername: username };
}

function checkNonRoot(
  pod: Pod,
  container: coreV1.Container,
  user: { runAsUser: number | undefined; image: Pick<ImageInfo, 'uid' | 'username'> },
): void {
  const where = `(pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${container.name})`;
  if (user.runAsUser !== undefined) {
    if (user.runAsUser === 0)
      throw new ContainerConfigError(`container's runAsUser breaks non-root policy ${where}`);
    return;
  }
  if (user.image.uid === 0 || (user.image.uid === undefined && user.image.username === ''))
    throw new ContainerConfigError(`container has runAsNonRoot and image will run as root ${where}`);
  if (user.image.uid === undefined)
    throw new ContainerConfigError(
      `container has runAsNonRoot and image has non-numeric user (${user.image.username}), cannot verify user is non-root ${where}`,
    );
}
