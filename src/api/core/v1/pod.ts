// Pod: containers that run together on one node. Everything the server knows about the kind is here and in pod/; other kinds make
// pods from templates and take defaultPodTemplate, validatePodTemplate and warnPodTemplate from here.
import { controllerUid, defineKind } from '../../../machinery/index.ts';
import type { Pod as PodObject } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';
import { podColumns } from './pod/columns.ts';
import { isTerminal } from './pod/conditions.ts';
import { defaultPod } from './pod/defaults.ts';
import { preparePodCreate, preparePodStatus, preparePodUpdate } from './pod/prepare.ts';
import { validatePodCreate } from './pod/validation/create.ts';
import { validatePodStatus } from './pod/validation/status.ts';
import { validatePodUpdate } from './pod/validation/update.ts';
import { warnPod } from './pod/warnings.ts';

export { type PodSummary, summarizePod } from './pod/columns.ts';
export * from './pod/conditions.ts';
export { isSidecar, type PlacedContainer, placedContainers } from './pod/containers.ts';
export { defaultPodTemplate } from './pod/defaults.ts';
export { type QosClass, qosClass } from './pod/qos.ts';
export { compareQuantities, isWhole, roundUpToMilli } from './pod/quantities.ts';
export {
  isExtendedResource,
  isHugePages,
  isNativeResource,
  isOvercommitAllowed,
} from './pod/resource-names.ts';
export { podLimits, podRequests, type ResourceNumbers } from './pod/resources.ts';
export {
  prepareEphemeralContainers,
  preparePodResize,
  validateEphemeralContainersUpdate,
  validatePodResize,
} from './pod/subresources.ts';
export { checkContainerResourceName, validateResourceName } from './pod/validation/resources.ts';
export { validateNodeSelector, validateTolerations } from './pod/validation/scheduling.ts';
export { validatePodSpec } from './pod/validation/spec.ts';
export { validatePodTemplate } from './pod/validation/template.ts';
export { validateDriverName } from './pod/validation/volume-plugins.ts';
export { warnNodeTerm, warnPodTemplate } from './pod/warnings.ts';

/** A pod is told to stop and given time; one that nobody runs, or that has ended, goes at once. */
function gracePeriodSeconds(pod: PodObject, requested: number | undefined): number {
  if (!pod.spec.nodeName || isTerminal(pod)) return 0;
  const seconds = requested ?? pod.spec.terminationGracePeriodSeconds ?? 0;
  return seconds < 0 ? 1 : seconds;
}

export const Pod = defineKind<PodObject>({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  shortNames: ['po'],
  categories: ['all'],
  scope: 'Namespaced',
  schema: shape('core.v1.Pod'),
  subresources: { status: true },
  generationFields: ['spec'],
  returnsDeleted: true,
  columns: podColumns,
  selectableFields: {
    'spec.nodeName': (pod) => pod.spec.nodeName ?? '',
    'spec.restartPolicy': (pod) => pod.spec.restartPolicy ?? '',
    'spec.schedulerName': (pod) => pod.spec.schedulerName ?? '',
    'spec.serviceAccountName': (pod) => pod.spec.serviceAccountName ?? '',
    'spec.hostNetwork': (pod) => String(pod.spec.hostNetwork ?? false),
    'status.phase': (pod) => pod.status?.phase ?? '',
    'status.podIP': (pod) => pod.status?.podIPs?.[0]?.ip ?? '',
    'status.nominatedNodeName': (pod) => pod.status?.nominatedNodeName ?? '',
  },
  indexes: {
    byNode: (pod) => (pod.spec.nodeName ? [pod.spec.nodeName] : []),
    byController: controllerUid,
  },
  defaults: defaultPod,
  prepareCreate: (pod, { nowMs }) => preparePodCreate(pod, nowMs),
  prepareUpdate: (pod, old) => preparePodUpdate(pod, old),
  prepareStatus: (pod, old) => preparePodStatus(pod, old),
  validate(pod, old, causes) {
    if (old === undefined) validatePodCreate(pod, causes);
    else validatePodUpdate(pod, old, causes);
  },
  validateStatus: validatePodStatus,
  warn: (pod, old) => (old === undefined ? warnPod(pod) : []),
  gracePeriodSeconds,
});
export type Pod = PodObject;
