// The restricted level of the Pod Security Standards: hardened as far as containers can be. Pure.
import { capabilities, extraCapabilities, hostPath, seccomp } from './baseline-checks.ts';
import { type Check, type Context, noun, ofContainers, type PodSpec, unique } from './check.ts';

const isWindows = (spec: PodSpec): boolean => spec.os?.name === 'windows';
const setBy = (context: Context | undefined, pod: PodSpec): unknown =>
  context?.seccompProfile?.type ?? pod.securityContext?.seccompProfile?.type;

export const escalation: Check = {
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

export const fewCapabilities: Check = {
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
export const volumes: Check = {
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

export const nonRoot: Check = {
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

export const user: Check = {
  level: 'restricted',
  reason: 'runAsUser=0',
  find: (spec) => [
    ...(spec.securityContext?.runAsUser === 0 ? ['pod must not set runAsUser=0'] : []),
    ...ofContainers(spec, (c) => c?.runAsUser === 0, 'must not set runAsUser=0'),
  ],
};

export const someSeccomp: Check = {
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
