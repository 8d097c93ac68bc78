// The Pod Security Standards: why a pod is not of a level. Pure. Worded as Kubernetes words it.
import {
  appArmor,
  capabilities,
  hostNamespaces,
  hostPath,
  hostPorts,
  hostProcess,
  privileged,
  probeHosts,
  procMount,
  seccomp,
  seLinux,
  sysctls,
} from './baseline-checks.ts';
import type { Check, Complaint, PodSpec } from './check.ts';
import type { LevelAt } from './levels.ts';
import { escalation, fewCapabilities, nonRoot, someSeccomp, user, volumes } from './restricted-checks.ts';

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
