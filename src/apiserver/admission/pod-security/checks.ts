// The Pod Security Standards: what pods of a level must not ask for. Pure; each check says why a pod fails it, or nothing. Worded as
// Kubernetes words it.
import type { coreV1 } from '../../../api/index.ts';
import type { Level, LevelAt } from './levels.ts';

type PodSpec = coreV1.PodSpec;
type Container = Pick<
  coreV1.Container,
  | 'name'
  | 'image'
  | 'securityContext'
  | 'ports'
  | 'livenessProbe'
  | 'readinessProbe'
  | 'startupProbe'
  | 'lifecycle'
>;
type Context = coreV1.SecurityContext;

export interface Complaint {
  readonly reason: string;
  readonly detail: string;
}

interface Check {
  readonly level: Exclude<Level, 'privileged'>;
  /** Stands in for a check of the baseline, under the stricter level. */
  readonly replaces?: Check;
  /** The minor version with which it came; pods of an older version of the standard need not pass it. */
  readonly since?: number;
  readonly reason: string;
  /** Why it fails; none = it passes. */
  readonly find: (spec: PodSpec) => readonly string[];
}

/** Init containers first, as they start; they are all looked at alike. */
export const containersOf = (spec: PodSpec): readonly Container[] => [
  ...(spec.initContainers ?? []),
  ...(spec.containers ?? []),
  ...((spec.ephemeralContainers ?? []) as readonly Container[]),
];

const quoted = (names: readonly string[]): string => names.map((name) => JSON.stringify(name)).join(', ');
const noun = (what: string, names: readonly string[]): string =>
  `${what}${names.length === 1 ? '' : 's'} ${quoted(names)}`;
const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** `container "a" must …`, or nothing when none does wrong. */
function ofContainers(
  spec: PodSpec,
  isWrong: (context: Context | undefined) => boolean,
  must: string,
): string[] {
  const names = containersOf(spec)
    .filter(({ securityContext }) => isWrong(securityContext))
    .map(({ name }) => name);
  return names.length === 0 ? [] : [`${noun('container', names)} ${must}`];
}

const isWindows = (spec: PodSpec): boolean => spec.os?.name === 'windows';
const setBy = (context: Context | undefined, pod: PodSpec): unknown =>
  context?.seccompProfile?.type ?? pod.securityContext?.seccompProfile?.type;

const appArmorTypes = new Set<string | undefined>([undefined, 'RuntimeDefault', 'Localhost']);
const appArmor: Check = {
  level: 'baseline',
  reason: 'forbidden AppArmor profile',
  find: (spec) => [
    ...(appArmorTypes.has(spec.securityContext?.appArmorProfile?.type)
      ? []
      : [
          `pod must not set AppArmor profile type to ${JSON.stringify(spec.securityContext?.appArmorProfile?.type)}`,
        ]),
    ...ofContainers(
      spec,
      (context) => !appArmorTypes.has(context?.appArmorProfile?.type),
      'must not set AppArmor profile type to "Unconfined"',
    ),
  ],
};

const usual = new Set(
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  ),
);

function extraCapabilities(spec: PodSpec, allowed: (name: string) => boolean): string[] {
  const bad = containersOf(spec).map(({ name, securityContext }) => ({
    name,
    extra: (securityContext?.capabilities?.add ?? []).filter((one) => !allowed(one)),
  }));
  const guilty = bad.filter(({ extra }) => extra.length > 0);
  if (guilty.length === 0) return [];
  const all = unique(guilty.flatMap(({ extra }) => extra)).sort();
  const names = guilty.map(({ name }) => name);
  return [`${noun('container', names)} must not include ${quoted(all)} in securityContext.capabilities.add`];
}
const capabilities: Check = {
  level: 'baseline',
  reason: 'non-default capabilities',
  find: (spec) => extraCapabilities(spec, (name) => usual.has(name)),
};

const hostNamespaces: Check = {
  level: 'baseline',
  reason: 'host namespaces',
  find: (spec) => {
    const set = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((name) => spec[name] === true);
    return set.length === 0 ? [] : [set.map((name) => `${name}=true`).join(', ')];
  },
};

const hostPath: Check = {
  level: 'baseline',
  reason: 'hostPath volumes',
  find: (spec) => {
    const names = (spec.volumes ?? []).filter((v) => v.hostPath !== undefined).map((v) => v.name);
    return names.length === 0 ? [] : [noun('volume', names)];
  },
};

const hostPorts: Check = {
  level: 'baseline',
  reason: 'hostPort',
  find: (spec) => {
    const guilty = containersOf(spec).filter((c) => c.ports?.some((port) => (port.hostPort ?? 0) !== 0));
    if (guilty.length === 0) return [];
    const ports = unique(guilty.flatMap((c) => (c.ports ?? []).map((port) => port.hostPort ?? 0)))
      .filter((port) => port !== 0)
      .map(String)
      .sort();
    const use = guilty.length === 1 ? 'uses' : 'use';
    return [
      `${noun(
        'container',
        guilty.map((c) => c.name),
      )} ${use} hostPort${ports.length === 1 ? '' : 's'} ${ports.join(', ')}`,
    ];
  },
};

const probedHosts = ({ livenessProbe, readinessProbe, startupProbe, lifecycle }: Container): string[] =>
  [livenessProbe, readinessProbe, startupProbe, lifecycle?.postStart, lifecycle?.preStop].flatMap((handler) =>
    [handler?.httpGet?.host, handler?.tcpSocket?.host].filter((host) => host !== undefined && host !== ''),
  ) as string[];
const probeHosts: Check = {
  level: 'baseline',
  since: 34,
  reason: 'probe or lifecycle host',
  find: (spec) => {
    const guilty = containersOf(spec).filter((container) => probedHosts(container).length > 0);
    if (guilty.length === 0) return [];
    const use = guilty.length === 1 ? 'uses' : 'use';
    const hosts = unique(guilty.flatMap(probedHosts)).sort();
    return [
      `${noun(
        'container',
        guilty.map((c) => c.name),
      )} ${use} ${noun('probe or lifecycle host', hosts)}`,
    ];
  },
};

const privileged: Check = {
  level: 'baseline',
  reason: 'privileged',
  find: (spec) =>
    ofContainers(spec, (c) => c?.privileged === true, 'must not set securityContext.privileged=true'),
};

const procMount: Check = {
  level: 'baseline',
  reason: 'procMount',
  find: (spec) =>
    ofContainers(
      spec,
      (c) => c?.procMount !== undefined && c.procMount !== 'Default',
      'must not set securityContext.procMount to "Unmasked"',
    ),
};

const seLinuxTypes = new Set([
  '',
  'container_t',
  'container_init_t',
  'container_kvm_t',
  'container_engine_t',
]);
const seLinux: Check = {
  level: 'baseline',
  reason: 'seLinuxOptions',
  find: (spec) => {
    const faults: string[] = [];
    const look = (who: string, options: coreV1.SELinuxOptions | undefined): void => {
      const found = [
        ...(seLinuxTypes.has(options?.type ?? '') ? [] : [`type ${JSON.stringify(options?.type)}`]),
        ...((options?.user ?? '') === '' ? [] : ['user may not be set']),
        ...((options?.role ?? '') === '' ? [] : ['role may not be set']),
      ];
      if (found.length > 0)
        faults.push(`${who} set forbidden securityContext.seLinuxOptions: ${found.join('; ')}`);
    };
    look('pod', spec.securityContext?.seLinuxOptions);
    for (const { name, securityContext } of containersOf(spec))
      look(noun('container', [name]), securityContext?.seLinuxOptions);
    return faults;
  },
};

const seccomp: Check = {
  level: 'baseline',
  reason: 'seccompProfile',
  find: (spec) => [
    ...(spec.securityContext?.seccompProfile?.type === 'Unconfined'
      ? ['pod must not set securityContext.seccompProfile.type to "Unconfined"']
      : []),
    ...ofContainers(
      spec,
      (c) => c?.seccompProfile?.type === 'Unconfined',
      'must not set securityContext.seccompProfile.type to "Unconfined"',
    ),
  ],
};

const safeSysctls = new Set([
  'kernel.shm_rmid_forced',
  'net.ipv4.ip_local_port_range',
  'net.ipv4.tcp_syncookies',
  'net.ipv4.ping_group_range',
  'net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.ip_local_reserved_ports',
  'net.ipv4.tcp_keepalive_time',
  'net.ipv4.tcp_fin_timeout',
  'net.ipv4.tcp_keepalive_intvl',
  'net.ipv4.tcp_keepalive_probes',
  'net.ipv4.tcp_rmem',
  'net.ipv4.tcp_wmem',
]);
const sysctls: Check = {
  level: 'baseline',
  reason: 'forbidden sysctls',
  find: (spec) => {
    const names = (spec.securityContext?.sysctls ?? [])
      .map(({ name }) => name)
      .filter((n) => !safeSysctls.has(n));
    return names.length === 0 ? [] : [names.join(', ')];
  },
};

const hostProcess: Check = {
  level: 'baseline',
  reason: 'hostProcess',
  find: (spec) => [
    ...(spec.securityContext?.windowsOptions?.hostProcess === true
      ? ['pod must not set securityContext.windowsOptions.hostProcess=true']
      : []),
    ...ofContainers(
      spec,
      (c) => c?.windowsOptions?.hostProcess === true,
      'must not set securityContext.windowsOptions.hostProcess=true',
    ),
  ],
};

const escalation: Check = {
  level: 'restricted',
  reason: 'allowPrivilegeEscalation != false',
  find: (spec) =>
    isWindows(spec)
      ? []
      : ofContainers(
          spec,
          (c) => c?.allowPrivilegeEscalation !== false,
          'must set securityContext.allowPrivilegeEscalation=false',
        ),
};

const fewCapabilities: Check = {
  level: 'restricted',
  replaces: capabilities,
  reason: 'unrestricted capabilities',
  find: (spec) =>
    isWindows(spec)
      ? []
      : [
          ...ofContainers(
            spec,
            (c) => c?.capabilities?.drop?.includes('ALL') !== true,
            'must set securityContext.capabilities.drop=["ALL"]',
          ),
          ...extraCapabilities(spec, (name) => name === 'NET_BIND_SERVICE'),
        ],
};

const volumeTypes = new Set([
  'configMap',
  'csi',
  'downwardAPI',
  'emptyDir',
  'ephemeral',
  'image',
  'persistentVolumeClaim',
  'projected',
  'secret',
]);
const volumes: Check = {
  level: 'restricted',
  replaces: hostPath,
  reason: 'restricted volume types',
  find: (spec) => {
    const bad = (spec.volumes ?? []).flatMap((volume) => {
      const type = Object.keys(volume).find((key) => key !== 'name' && !volumeTypes.has(key));
      return type === undefined ? [] : [{ name: volume.name, type }];
    });
    if (bad.length === 0) return [];
    const types = unique(bad.map(({ type }) => type)).sort();
    const use = bad.length === 1 ? 'uses' : 'use';
    return [
      `${noun(
        'volume',
        bad.map(({ name }) => name),
      )} ${use} ${noun('restricted volume type', types)}`,
    ];
  },
};

const nonRoot: Check = {
  level: 'restricted',
  reason: 'runAsNonRoot != true',
  find: (spec) => {
    const ofPod = spec.securityContext?.runAsNonRoot;
    const refused = ofContainers(
      spec,
      (c) => c?.runAsNonRoot === false,
      'must not set securityContext.runAsNonRoot=false',
    );
    const left =
      ofPod === true
        ? []
        : ofContainers(
            spec,
            (c) => c?.runAsNonRoot === undefined,
            'must set securityContext.runAsNonRoot=true',
          ).map((text) => `pod or ${text}`);
    return [
      ...(ofPod === false && left.length > 0
        ? ['pod must not set securityContext.runAsNonRoot=false']
        : left),
      ...refused,
    ];
  },
};

const user: Check = {
  level: 'restricted',
  reason: 'runAsUser=0',
  find: (spec) => [
    ...(spec.securityContext?.runAsUser === 0 ? ['pod must not set runAsUser=0'] : []),
    ...ofContainers(spec, (c) => c?.runAsUser === 0, 'must not set runAsUser=0'),
  ],
};

const someSeccomp: Check = {
  level: 'restricted',
  replaces: seccomp,
  reason: 'seccompProfile',
  find: (spec) =>
    isWindows(spec)
      ? []
      : [
          ...seccomp.find(spec),
          ...ofContainers(
            spec,
            (c) => setBy(c, spec) === undefined,
            'must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
          ).map((text) => `pod or ${text}`),
        ],
};

/** In the order in which they are told. */
const all: readonly Check[] = [
  appArmor,
  capabilities,
  hostNamespaces,
  hostPath,
  hostPorts,
  probeHosts,
  privileged,
  procMount,
  seLinux,
  seccomp,
  sysctls,
  hostProcess,
  escalation,
  fewCapabilities,
  volumes,
  nonRoot,
  user,
  someSeccomp,
];
const baseline = all.filter(({ level }) => level === 'baseline');
const replaced = new Set(all.map(({ replaces }) => replaces));
const restricted = all.filter((check) => !replaced.has(check));

/** Why the pod is not of the level; none = it is. */
export function complaintsOf(spec: PodSpec, { level, version }: LevelAt): readonly Complaint[] {
  if (level === 'privileged') return [];
  const minor = version === 'latest' ? Number.POSITIVE_INFINITY : Number(version.slice('v1.'.length));
  return (level === 'baseline' ? baseline : restricted).flatMap(({ reason, find, since = 0 }) => {
    const faults = since > minor ? [] : find(spec);
    return faults.length === 0 ? [] : [{ reason, detail: faults.join('; ') }];
  });
}
