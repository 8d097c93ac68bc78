// A pod as the inner loop sees it: what its rules need, read once. HOT: bench/scheduler.ts.
import { isSidecar, isTerminating, type Pod, podRequests } from '../api/index.ts';
import { controllerOf } from '../machinery/index.ts';
import { type Resources, resourcesFrom } from './resources.ts';

const unsaidCpuMilli = 100;
const unsaidMemoryBytes = 200 * 1024 * 1024;

export class PodInfo {
  /** Replaced when it changes in a way that nothing here depends on. */
  pod: Pod;
  /** namespace/name */
  readonly key: string;
  readonly uid: string;
  readonly namespace: string;
  readonly requests: Resources;
  /** As `requests`, but what it does not say counts as a little: for scores, so that such pods spread too. */
  readonly scoredCpuMilli: number;
  readonly scoredMemoryBytes: number;
  readonly priority: number;
  /** The uid of the managing owner; '' = none. */
  readonly owner: string;
  /** `TCP:8080` or `TCP:8080@10.0.0.1` for each host port; null = none */
  readonly hostPorts: readonly string[] | null;
  /** `namespace/name` of the persistent volume claims it uses, those made for ephemeral volumes included; null = none */
  readonly claims: readonly string[] | null;

  #likeness: string | null = null;
  #groupKey: string | null = null;

  constructor(pod: Pod, requests: Resources, owner: string) {
    this.pod = pod;
    this.namespace = pod.metadata.namespace ?? '';
    this.key = `${this.namespace}/${pod.metadata.name}`;
    this.uid = pod.metadata.uid;
    this.requests = requests;
    this.scoredCpuMilli = requests.cpuMilli === 0 ? unsaidCpuMilli : requests.cpuMilli;
    this.scoredMemoryBytes = requests.memoryBytes === 0 ? unsaidMemoryBytes : requests.memoryBytes;
    this.priority = pod.spec.priority ?? 0;
    this.owner = owner;
    this.hostPorts = hostPortsOf(pod);
    this.claims = claimsOf(pod);
  }

  /** The same for pods of one namespace with the same labels. */
  get likeness(): string {
    if (this.#likeness === null) {
      const labels = Object.entries(this.pod.metadata.labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
      this.#likeness = JSON.stringify([this.namespace, labels]);
    }
    return this.#likeness;
  }

  /** The same for pods of one namespace with the same labels, pod affinity and deletion. */
  get groupKey(): string {
    if (this.#groupKey === null) {
      const { podAffinity, podAntiAffinity } = this.pod.spec.affinity ?? {};
      const rest = isTerminating(this.pod) ? ' terminating' : '';
      this.#groupKey =
        podAffinity === undefined && podAntiAffinity === undefined
          ? this.likeness + rest
          : this.likeness + JSON.stringify([podAffinity, podAntiAffinity]) + rest;
    }
    return this.#groupKey;
  }
}

export function podInfo(pod: Pod): PodInfo {
  const requests = resourcesFrom(podRequests(pod));
  requests.podSlots = 1;
  return new PodInfo(pod, requests, controllerOf(pod)?.uid ?? '');
}

function hostPortsOf(pod: Pod): readonly string[] | null {
  const out: string[] = [];
  for (const container of [...pod.spec.containers, ...(pod.spec.initContainers ?? []).filter(isSidecar)]) {
    for (const port of container.ports ?? []) {
      if ((port.hostPort ?? 0) === 0) continue;
      const ip =
        port.hostIP === undefined || port.hostIP === '' || port.hostIP === '0.0.0.0' || port.hostIP === '::'
          ? ''
          : `@${port.hostIP}`;
      out.push(`${port.protocol ?? 'TCP'}:${port.hostPort}${ip}`);
    }
  }
  return out.length === 0 ? null : out;
}

function claimsOf({ metadata, spec }: Pod): readonly string[] | null {
  if (spec.volumes === undefined) return null;
  const out: string[] = [];
  for (const { name, persistentVolumeClaim, ephemeral } of spec.volumes) {
    if (persistentVolumeClaim !== undefined)
      out.push(`${metadata.namespace}/${persistentVolumeClaim.claimName}`);
    else if (ephemeral !== undefined) out.push(`${metadata.namespace}/${metadata.name}-${name}`);
  }
  return out.length === 0 ? null : out;
}
