// What a node's runtime holds of a pod, from what the API says of it: a simulation that is started again goes on with what ran. Pure.
import { createHash } from 'node:crypto';
import type { Pod } from '../api/index.ts';
import { parseTime } from '../machinery/index.ts';
import type { ContainerStatus, SandboxStatus } from '../node/index.ts';

/** Newest first, both. */
export interface Runtime {
  readonly sandboxes: SandboxStatus[];
  readonly containers: ContainerStatus[];
}

export const noLabels: Readonly<Record<string, string>> = {};

export function recallRuntime({ status, metadata, spec }: Pod): Runtime {
  const { name, namespace = '', uid } = metadata;
  const told = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])];
  const sandboxId = idFor(uid, 'sandbox', 0);
  const found: ContainerStatus[] = [];
  for (const one of told) {
    const running = one.state?.running;
    const ended = one.state?.terminated ?? one.lastState?.terminated;
    if (
      one.containerID === undefined ||
      one.containerID === '' ||
      (running === undefined && ended === undefined)
    )
      continue;
    const startedAtMs = parseTime(running?.startedAt ?? ended?.startedAt) ?? 0;
    found.push({
      id: one.containerID.replace(/^containerd:\/\//, ''),
      sandboxId,
      name: one.name,
      attempt: one.restartCount,
      state: running === undefined ? 'exited' : 'running',
      createdAtMs: startedAtMs,
      image: one.image,
      imageRef: one.imageID,
      labels: noLabels,
      annotations: noLabels,
      startedAtMs,
      finishedAtMs: running === undefined ? (parseTime(ended?.finishedAt) ?? 0) : 0,
      exitCode: running === undefined ? (ended?.exitCode ?? 0) : 0,
      reason: running === undefined ? (ended?.reason ?? '') : '',
      message: running === undefined ? (ended?.message ?? '') : '',
      logPath: '',
    });
  }
  if (found.length === 0) return { sandboxes: [], containers: [] };
  const ip = spec.hostNetwork === true ? undefined : status?.podIP;
  const sandboxes = [
    {
      id: sandboxId,
      metadata: { name, namespace, uid, attempt: 0 },
      ready: status?.phase === 'Running' || status?.phase === 'Pending',
      createdAtMs: 0,
      labels: noLabels,
      annotations: noLabels,
      ips: ip === undefined ? [] : [ip],
    },
  ];
  return { sandboxes, containers: found.reverse() };
}

/** 64 hex digits, the same for the same instance. */
export const idFor = (uid: string, name: string, attempt: number): string => {
  let hash = attempt + 1;
  for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) >>> 0;
  return (
    (uid.replaceAll('-', '') + hash.toString(16).padStart(8, '0')).padEnd(56, '0') +
    attempt.toString(16).padStart(8, '0')
  );
};

const imageIds = new Map<string, string>();
const maxImageIds = 10_000;

/** As a runtime gives: the digest of what would have been pulled, here that of the name. */
export function imageIdOf(image: string): string {
  let id = imageIds.get(image);
  if (id === undefined) {
    if (imageIds.size >= maxImageIds) imageIds.clear();
    id = `${image.split('@')[0]}@sha256:${createHash('sha256').update(image).digest('hex')}`;
    imageIds.set(image, id);
  }
  return id;
}
