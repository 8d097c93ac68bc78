// What the server decides about a pod, not its author: status, selectors completed by the pod's own labels, profiles taken from
// annotations of old, and fields that are switched off.
import { Causes, FieldAt, formatTime } from '../../../../machinery/index.ts';
import type {
  AppArmorProfile,
  Pod,
  PodAffinityTerm,
  PodCondition,
  PodSpec,
  PodStatus,
  TopologySpreadConstraint,
} from '../../../generated/core-v1.ts';
import type { LabelSelector } from '../../../generated/meta-v1.ts';
import { placedContainers } from './containers.ts';
import { alignServiceAccount } from './defaults.ts';
import { qosClass } from './qos.ts';
import { appArmorPrefix } from './validation/annotations.ts';
import { validateAppArmor } from './validation/security.ts';

/** Mutates. Any status that came with the pod is replaced. */
export function preparePodCreate(pod: Pod, nowMs: number): void {
  const { spec } = pod;
  dropDisabledFields(spec, undefined);
  alignServiceAccount(spec);
  pod.status = { phase: 'Pending', qosClass: qosClass(pod) };
  if ((spec.schedulingGates ?? []).length > 0) pod.status.conditions = [gatedCondition(nowMs)];
  completeSelectors(pod);
  adoptAppArmorAnnotations(pod);
}

/** Mutates `pod`. Its status is already that of `old`. */
export function preparePodUpdate(pod: Pod, old: Pod): void {
  dropDisabledFields(pod.spec, old.spec);
  alignServiceAccount(pod.spec);
}

/**
 * For an update through the status subresource: what a report leaves out and the server remembers. Mutates `pod`.
 * Old reports dropped the QoS class; a generation once observed stays observed.
 */
export function preparePodStatus(pod: Pod, old: Pod): void {
  const status: PodStatus = (pod.status ??= {});
  const before = old.status ?? {};
  status.qosClass ||= before.qosClass;
  status.observedGeneration ||= before.observedGeneration;
  const observed = new Map<string, (number | undefined)[]>();
  for (const { type, observedGeneration } of before.conditions ?? []) {
    const list = observed.get(type);
    if (list === undefined) observed.set(type, [observedGeneration]);
    else list.push(observedGeneration);
  }
  for (const condition of status.conditions ?? []) {
    const generation = observed.get(condition.type)?.shift();
    if (!condition.observedGeneration && generation !== undefined) condition.observedGeneration = generation;
  }
  for (const name of ['qosClass', 'observedGeneration'] as const)
    if (status[name] === undefined) delete status[name];
  const { ownerReferences } = old.metadata;
  if (ownerReferences === undefined) delete pod.metadata.ownerReferences;
  else pod.metadata.ownerReferences = ownerReferences;
}

const gatedCondition = (nowMs: number): PodCondition => ({
  type: 'PodScheduled',
  status: 'False',
  reason: 'SchedulingGated',
  message: 'Scheduling is blocked due to non-empty scheduling gates',
  // Always written, and null when there was none.
  lastProbeTime: null as unknown as undefined,
  lastTransitionTime: formatTime(nowMs),
});

/**
 * Fields of features that Kubernetes 1.35 has off by default. One that an older object holds is kept. HOT: most pods have none. The
 * sources clusterTrustBundle and podCertificate of a volume stay, which there would go too: without them nobody could tell the user
 * why a file is missing; so a node refuses them by name.
 */
function dropDisabledFields(spec: PodSpec, old: PodSpec | undefined): void {
  if (spec.schedulingGroup !== undefined && old?.schedulingGroup === undefined) delete spec.schedulingGroup;
  if (setsStopSignal(spec) && !setsStopSignal(old))
    for (const { container } of placedContainers(spec, '')) delete container.lifecycle?.stopSignal;
}

const setsStopSignal = (spec: PodSpec | undefined): boolean =>
  [spec?.containers, spec?.initContainers, spec?.ephemeralContainers].some((containers) =>
    containers?.some(({ lifecycle }) => lifecycle?.stopSignal !== undefined),
  );

/** Terms may say "with my value of this label"; the value is known now. */
function completeSelectors(pod: Pod): void {
  const labels = pod.metadata.labels ?? {};
  const { affinity, topologySpreadConstraints = [] } = pod.spec;
  for (const side of [affinity?.podAffinity, affinity?.podAntiAffinity])
    for (const term of [
      ...(side?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
        (weighted) => weighted.podAffinityTerm,
      ),
      ...(side?.requiredDuringSchedulingIgnoredDuringExecution ?? []),
    ])
      completeTerm(term, labels);
  for (const constraint of topologySpreadConstraints) completeTerm(constraint, labels);
}

function completeTerm(
  term: PodAffinityTerm | TopologySpreadConstraint,
  labels: Record<string, string>,
): void {
  const { labelSelector } = term;
  if (labelSelector === undefined) return;
  requireOwnValues(labelSelector, { keys: term.matchLabelKeys ?? [], operator: 'In', labels });
  if ('mismatchLabelKeys' in term)
    requireOwnValues(labelSelector, { keys: term.mismatchLabelKeys ?? [], operator: 'NotIn', labels });
}

function requireOwnValues(
  selector: LabelSelector,
  own: { keys: readonly string[]; operator: 'In' | 'NotIn'; labels: Record<string, string> },
): void {
  for (const key of own.keys) {
    const value = own.labels[key];
    if (value === undefined) continue;
    selector.matchExpressions ??= [];
    selector.matchExpressions.push({ key, operator: own.operator, values: [value] });
  }
}

/** The profile that an annotation of old names, when it is a good one. */
function profileOf(annotation: string): AppArmorProfile | undefined {
  if (annotation === 'unconfined') return { type: 'Unconfined' };
  if (annotation === 'runtime/default') return { type: 'RuntimeDefault' };
  if (!annotation.startsWith('localhost/')) return undefined;
  const profile = { type: 'Localhost', localhostProfile: annotation.slice('localhost/'.length) };
  const causes = new Causes();
  validateAppArmor(profile, new FieldAt('', causes));
  return causes.empty ? profile : undefined;
}

function adoptAppArmorAnnotations(pod: Pod): void {
  const { annotations } = pod.metadata;
  if (annotations === undefined || pod.spec.os?.name === 'windows') return;
  const ofPod = pod.spec.securityContext?.appArmorProfile;
  for (const { container } of placedContainers(pod.spec, '')) {
    const annotation = annotations[appArmorPrefix + container.name];
    if (annotation === undefined || container.securityContext?.appArmorProfile !== undefined) continue;
    const profile = profileOf(annotation);
    if (profile === undefined) continue;
    if (profile.type === ofPod?.type && profile.localhostProfile === ofPod.localhostProfile) continue;
    container.securityContext ??= {};
    container.securityContext.appArmorProfile = profile;
  }
}
