// The baseline of the Pod Security Standards: nothing that is known to lead out of a container. Pure.
import { type coreV1, safeSysctls } from '../../../api/index.ts';
import {
  type Check,
  type Container,
  containersOf,
  noun,
  ofContainers,
  type PodSpec,
  quoted,
  unique,
} from './check.ts';

const appArmorTypes = new Set<string | undefined>([undefined, 'RuntimeDefault', 'Localhost']);
export const appArmor: Check = {
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

export function extraCapabilities(spec: PodSpec, allowed: (name: string) => boolean): string[] {
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
export const capabilities: Check = {
  level: 'baseline',
  reason: 'non-default capabilities',
  find: (spec) => extraCapabilities(spec, (name) => usual.has(name)),
};

export const hostNamespaces: Check = {
  level: 'baseline',
  reason: 'host namespaces',
  find: (spec) => {
    const set = (['hostNetwork', 'hostPID', 'hostIPC'] as const).filter((name) => spec[name] === true);
    return set.length === 0 ? [] : [set.map((name) => `${name}=true`).join(', ')];
  },
};

export const hostPath: Check = {
  level: 'baseline',
  reason: 'hostPath volumes',
  find: (spec) => {
    const names = (spec.volumes ?? []).filter((v) => v.hostPath !== undefined).map((v) => v.name);
    return names.length === 0 ? [] : [noun('volume', names)];
  },
};

export const hostPorts: Check = {
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
export const probeHosts: Check = {
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

export const privileged: Check = {
  level: 'baseline',
  reason: 'privileged',
  find: (spec) =>
    ofContainers(spec, (c) => c?.privileged === true, 'must not set securityContext.privileged=true'),
};

export const procMount: Check = {
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
export const seLinux: Check = {
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

export const seccomp: Check = {
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

export const sysctls: Check = {
  level: 'baseline',
  reason: 'forbidden sysctls',
  find: (spec) => {
    const names = (spec.securityContext?.sysctls ?? [])
      .map(({ name }) => name)
      .filter((n) => !safeSysctls.has(n));
    return names.length === 0 ? [] : [names.join(', ')];
  },
};

export const hostProcess: Check = {
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
