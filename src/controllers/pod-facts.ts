// What several controllers ask about pods, besides api/core/v1/pod/conditions.ts, and how they make and own them. Pure.
import { type coreV1, getCondition, type Pod } from '../api/index.ts';
import { controllerRef, type Draft, type KubeObject, parseTime, StatusError } from '../machinery/index.ts';

/** When a ready pod becomes available, in milliseconds from now; undefined = not by waiting. */
export function availableInMs(pod: Pod, minReadySeconds: number, nowMs: number): number | undefined {
  if (minReadySeconds === 0) return undefined;
  const ready = getCondition(pod, 'Ready');
  const since = parseTime(ready?.lastTransitionTime);
  if (ready?.status !== 'True' || since === undefined) return undefined;
  const left = since + minReadySeconds * 1000 - nowMs;
  return left > 0 ? left : undefined;
}

/** When the next of them becomes available, as far as waiting brings it about. */
export function nextAvailableInMs(
  pods: readonly Pod[],
  minReadySeconds: number,
  nowMs: number,
): number | undefined {
  let next: number | undefined;
  for (const pod of pods) {
    const left = availableInMs(pod, minReadySeconds, nowMs);
    if (left !== undefined && (next === undefined || left < next)) next = left;
  }
  return next;
}

/** A pod made from a template for an owner; the server completes the name. */
export function podFromTemplate(owner: KubeObject, template: coreV1.PodTemplateSpec): Draft<Pod> {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    metadata: {
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace,
      ...(labels !== undefined && { labels: { ...labels } }),
      ...(annotations !== undefined && { annotations: { ...annotations } }),
      ...(finalizers !== undefined && { finalizers: [...finalizers] }),
      ownerReferences: [controllerRef(owner)],
    },
    spec: structuredClone(template.spec!),
  } as Draft<Pod>;
}

/** Strategic merge patches that touch one owner reference and no other, whatever the cache has missed. */
export const adoptPatch = (owner: KubeObject, owned: KubeObject) => ({
  metadata: { uid: owned.metadata.uid, ownerReferences: [controllerRef(owner)] },
});
export const releasePatch = (owner: KubeObject, owned: KubeObject) => ({
  metadata: { uid: owned.metadata.uid, ownerReferences: [{ $patch: 'delete', uid: owner.metadata.uid }] },
});

/** A create was refused because its namespace is on its way out: trying again is of no use. */
export const isNamespaceEnding = (error: unknown): boolean =>
  error instanceof StatusError &&
  error.details?.causes?.some((cause) => cause.reason === 'NamespaceTerminating') === true;
