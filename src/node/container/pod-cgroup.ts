// The control groups of pods: where they lie, by quality of service, and what is written into them. Pure, for both versions of
// control groups; the rules are the kubelet's (pkg/kubelet/cm). Containers' own groups, below these, are the runtime's.
import {
  type coreV1,
  type Pod,
  placedContainers,
  podLimits,
  podRequests,
  qosClass,
} from '../../api/index.ts';
import { type CgroupLayout, weightOf } from '../../os/index.ts';
import { cpuQuota, cpuShares, periodUs } from './resources.ts';

export interface GroupValues {
  readonly cpuShares?: number | undefined;
  /** Microseconds in a period; undefined = unlimited. */
  readonly cpuQuotaUs?: number | undefined;
  readonly memoryBytes?: number | undefined;
  readonly pids?: number | undefined;
}

export interface GroupFile {
  readonly file: string;
  readonly value: string;
}

const trim = (parent: string): string => parent.replace(/\/$/, '');

/** Below `parent`: guaranteed pods at once, the others in a group of their class. */
export function podCgroup(parent: string, pod: Pod): string {
  const qos = pod.status?.qosClass ?? qosClass(pod);
  const level = qos === 'Guaranteed' ? '' : `/${qos.toLowerCase()}`;
  return `${trim(parent)}${level}/pod${pod.metadata.uid}`;
}

/** Wherever a pod of that uid may have its group. */
export const podCgroups = (parent: string, uid: string): string[] =>
  ['', '/burstable', '/besteffort'].map((level) => `${trim(parent)}${level}/pod${uid}`);

export const qosCgroups = (parent: string) => ({
  burstable: `${trim(parent)}/burstable`,
  bestEffort: `${trim(parent)}/besteffort`,
});

/** Of a pod as a whole. A limit holds only when every container has one, or when it is the pod's own. */
export function podGroupValues(pod: Pod, pids?: number): GroupValues {
  const more = pids === undefined ? {} : { pids };
  if ((pod.status?.qosClass ?? qosClass(pod)) === 'BestEffort') return { cpuShares: cpuShares(0), ...more };
  const { status: _, ...spec } = pod;
  const requests = podRequests(spec as Pod);
  const limits = podLimits(spec as Pod);
  const containers = [...placedContainers({ ...pod.spec, ephemeralContainers: [] } as coreV1.PodSpec, '')];
  const limited = (name: string) =>
    pod.spec.resources?.limits?.[name] !== undefined ||
    containers.every(({ container }) => container.resources?.limits?.[name] !== undefined);
  const quota = limited('cpu') ? cpuQuota(limits['cpu'] ?? 0) : 0;
  const memory = limited('memory') ? (limits['memory'] ?? 0) : 0;
  return {
    cpuShares: cpuShares(requests['cpu'] ?? 0),
    ...(quota > 0 && { cpuQuotaUs: quota }),
    ...(memory > 0 && { memoryBytes: memory }),
    ...more,
  };
}

/** Of the group of all burstable pods: together they weigh what they ask for. */
export function burstableShares(pods: readonly Pod[]): number {
  let milli = 0;
  for (const pod of pods)
    if ((pod.status?.qosClass ?? qosClass(pod)) === 'Burstable') milli += podRequests(pod)['cpu'] ?? 0;
  return cpuShares(milli);
}

/** What to write for `values` into the group at `path`, in the order in which it must be written. */
export function groupFiles(layout: CgroupLayout, path: string, values: GroupValues): GroupFile[] {
  const { cpuShares: shares, cpuQuotaUs, memoryBytes, pids } = values;
  if (layout.mode === 'v2') {
    const at = `${layout.unified}${path}`;
    return [
      ...(shares === undefined ? [] : [{ file: `${at}/cpu.weight`, value: String(weightOf(shares)) }]),
      { file: `${at}/cpu.max`, value: `${cpuQuotaUs ?? 'max'} ${periodUs}` },
      { file: `${at}/memory.max`, value: String(memoryBytes ?? 'max') },
      { file: `${at}/pids.max`, value: String(pids ?? 'max') },
    ];
  }
  const root = (controller: string) =>
    layout.legacy.find(({ controllers }) => controllers.includes(controller))?.path;
  const out: GroupFile[] = [];
  const put = (controller: string, file: string, value: string) => {
    const at = root(controller);
    if (at !== undefined) out.push({ file: `${at}${path}/${file}`, value });
  };
  if (shares !== undefined) put('cpu', 'cpu.shares', String(shares));
  put('cpu', 'cpu.cfs_period_us', String(periodUs));
  put('cpu', 'cpu.cfs_quota_us', String(cpuQuotaUs ?? -1));
  put('memory', 'memory.limit_in_bytes', String(memoryBytes ?? -1));
  put('pids', 'pids.max', String(pids ?? 'max'));
  return out;
}
