// Which claim a pod's ephemeral volume needs. Pure.
import {
  ephemeralClaimName,
  isMadeFor,
  notMadeFor,
  type PersistentVolumeClaim,
  type Pod,
} from '../../api/index.ts';
import { controllerRef, type Draft } from '../../machinery/index.ts';

export type EphemeralPlan = { readonly volume: string } & (
  | { readonly create: Draft<PersistentVolumeClaim>; readonly conflict?: undefined }
  /** The name is taken by a claim that is not the pod's. */
  | { readonly conflict: string }
);

/** undefined = nothing is to be done for the claim of that key (`namespace/name`) on behalf of this pod. */
export function planEphemeralClaim(
  pod: Pod,
  key: string,
  claim: PersistentVolumeClaim | undefined,
): EphemeralPlan | undefined {
  const { name: podName, namespace, deletionTimestamp } = pod.metadata;
  if (deletionTimestamp !== undefined) return undefined;
  const volume = (pod.spec.volumes ?? []).find(
    ({ name, ephemeral }) =>
      ephemeral !== undefined && `${namespace}/${ephemeralClaimName(podName, name)}` === key,
  );
  const template = volume?.ephemeral?.volumeClaimTemplate;
  if (volume === undefined || template === undefined) return undefined;
  if (claim !== undefined)
    return isMadeFor(pod, claim) ? undefined : { volume: volume.name, conflict: notMadeFor(pod, claim) };
  const { labels, annotations } = template.metadata ?? {};
  return {
    volume: volume.name,
    create: {
      metadata: {
        name: ephemeralClaimName(podName, volume.name),
        namespace,
        ...(labels !== undefined && { labels }),
        ...(annotations !== undefined && { annotations }),
        ownerReferences: [controllerRef(pod)],
      },
      spec: template.spec,
    },
  };
}
