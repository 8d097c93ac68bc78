// What a pod's claims on devices need: some are to be made from templates, some to be noted in its status, some to be reserved for it
// because it has a node already. Pure; kube-controller-manager's pkg/controller/resourceclaim.
import {
  canBeReserved,
  claimReference,
  type coreV1,
  isClaimOfPod,
  isReservedForPod,
  isTerminating,
  type Pod,
  podClaimAnnotation,
  type ResourceClaim,
  type ResourceClaimTemplate,
} from '../../api/index.ts';
import { controllerRef, type Draft } from '../../machinery/index.ts';

/** What is known of the pod's namespace. */
export interface PodClaimsView {
  claim(name: string): ResourceClaim | undefined;
  template(name: string): ResourceClaimTemplate | undefined;
  /** Claims that have the pod for their controller. */
  readonly owned: readonly ResourceClaim[];
}

/** Of one entry of the pod's resourceClaims. */
export type ClaimStep = { readonly entry: string } & (
  | { readonly create: Draft<ResourceClaim> }
  /** It is there, but the pod's status does not say so. */
  | { readonly note: string }
  /** Only a change elsewhere can help; the text is for the pod's event. */
  | { readonly failure: string }
);

export interface PodClaimsPlan {
  /** In the order of the entries; after a failure there is no more. */
  readonly steps: readonly ClaimStep[];
  /** Claims that the pod uses without being noted in them: nobody but this controller does that once it has a node. */
  readonly reserve: readonly ResourceClaim[];
}

const nothing: PodClaimsPlan = { steps: [], reserve: [] };

export function planPodClaims(pod: Pod, view: PodClaimsView): PodClaimsPlan {
  if (isTerminating(pod)) return nothing;
  const steps: ClaimStep[] = [];
  for (const entry of pod.spec.resourceClaims ?? []) {
    const step = stepFor(pod, entry, view);
    if (step !== undefined) steps.push(step);
    if (step !== undefined && 'failure' in step) break;
  }
  return { steps, reserve: pod.spec.nodeName ? toReserve(pod, view) : [] };
}

function stepFor(pod: Pod, entry: coreV1.PodResourceClaim, view: PodClaimsView): ClaimStep | undefined {
  const reference = claimReference(pod, entry);
  if (reference === 'none' || entry.resourceClaimTemplateName === undefined) return undefined;
  if (reference !== 'awaited') {
    const claim = view.claim(reference.name);
    if (claim !== undefined && isClaimOfPod(pod, claim)) return undefined;
  }
  // Made, but whoever made it did not come to say so.
  const made = view.owned.find(({ metadata }) => metadata.annotations?.[podClaimAnnotation] === entry.name);
  if (made !== undefined) return { entry: entry.name, note: made.metadata.name };
  const template = view.template(entry.resourceClaimTemplateName);
  if (template !== undefined) return { entry: entry.name, create: claimFrom(template, pod, entry.name) };
  const name = JSON.stringify(entry.resourceClaimTemplateName);
  return {
    entry: entry.name,
    failure: `resource claim template ${name}: resourceclaimtemplate.resource.k8s.io ${name} not found`,
  };
}

/** Room for a hyphen and five random characters in a name of 63. */
const maxBaseLength = 57;

/** Both names are cut in proportion, so that the pod's does not push the entry's out. */
export function generateNameFor(podName: string, entry: string): string {
  const whole = `${podName}-${entry}-`;
  if (whole.length <= maxBaseLength) return whole;
  const cut = (text: string) => text.slice(0, Math.floor((text.length * maxBaseLength) / whole.length));
  return `${cut(podName)}-${cut(entry)}`;
}

function claimFrom({ spec }: ResourceClaimTemplate, pod: Pod, entry: string): Draft<ResourceClaim> {
  const { labels, annotations } = spec.metadata ?? {};
  return {
    metadata: {
      generateName: generateNameFor(pod.metadata.name, entry),
      namespace: pod.metadata.namespace,
      ...(labels !== undefined && { labels }),
      annotations: { ...annotations, [podClaimAnnotation]: entry },
      ownerReferences: [controllerRef(pod)],
    },
    spec: spec.spec,
  };
}

function toReserve(pod: Pod, view: PodClaimsView): readonly ResourceClaim[] {
  const out: ResourceClaim[] = [];
  for (const entry of pod.spec.resourceClaims ?? []) {
    const reference = claimReference(pod, entry);
    if (typeof reference !== 'object') continue;
    const claim = view.claim(reference.name);
    if (claim?.status?.allocation === undefined || claim.metadata.deletionTimestamp !== undefined) continue;
    if (reference.ofPod && !isClaimOfPod(pod, claim)) continue;
    if (!isReservedForPod(pod, claim) && canBeReserved(claim)) out.push(claim);
  }
  return out;
}
