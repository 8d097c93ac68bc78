// What an update of a pod may change: images, a shorter deadline, more tolerations, fewer scheduling gates; and while a gate
// holds the pod back, a narrower choice of nodes. Everything else was decided at its creation.
import { type Causes, FieldAt, semanticEqual } from '../../../../../machinery/index.ts';
import type { Container, NodeAffinity, Pod, PodSpec, Toleration } from '../../../../generated/core-v1.ts';
import { validateAnnotationUpdate } from './annotations.ts';
import { validatePodAsWhole } from './create.ts';

const changeable = [
  '`spec.containers[*].image`',
  '`spec.initContainers[*].image`',
  '`spec.activeDeadlineSeconds`',
  '`spec.tolerations` (only additions to existing tolerations)',
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)',
].join(',');

const required = 'requiredDuringSchedulingIgnoredDuringExecution';
const maxInt32 = 2147483647;
const onlyAdditions = 'only additions are allowed (no mutations or deletions)';

export function validatePodUpdate(pod: Pod, old: Pod, causes: Causes): void {
  validatePodAsWhole(pod, causes);
  validateAnnotationUpdate(pod.metadata, old.metadata, new FieldAt('metadata.annotations', causes));
  const field = new FieldAt('spec', causes);
  const { spec } = pod;
  for (const name of ['containers', 'initContainers'] as const) {
    if ((spec[name] ?? []).length === (old.spec[name] ?? []).length) continue;
    field.child(name).forbidden('pod updates may not add or remove containers');
    return;
  }
  if (!validateDeadline(spec, old.spec, field.child('activeDeadlineSeconds'))) return;
  validateAddedTolerations(spec.tolerations ?? [], old.spec.tolerations ?? [], field.child('tolerations'));
  const oldGates = new Set((old.spec.schedulingGates ?? []).map((gate) => gate.name));
  for (const [i, { name }] of (spec.schedulingGates ?? []).entries())
    if (!oldGates.has(name))
      field
        .child('schedulingGates')
        .index(i)
        .child('name')
        .forbidden(`only deletion is allowed, but found new scheduling gate '${name}'`);
  if (semanticEqual(spec, old.spec)) return;

  const rest = withAllowedChangesUndone(spec, old.spec);
  if (oldGates.size > 0) narrowChoiceOfNodes(rest, old.spec, field);
  const changes = differences(old.spec, rest);
  if (changes.length > 0)
    field.forbidden(
      `pod updates may not change fields other than ${changeable}\n  core.PodSpec{\n${changes.join('')}  }\n`,
    );
}

/** A deadline may be set, and brought nearer. False ends the validation, as it does in Kubernetes. */
function validateDeadline(spec: PodSpec, old: PodSpec, field: FieldAt): boolean {
  const seconds = spec.activeDeadlineSeconds;
  const before = old.activeDeadlineSeconds;
  if (seconds === undefined) {
    if (before !== undefined) field.invalid('null', 'must not update from a positive integer to nil value');
    return true;
  }
  if (seconds < 0 || seconds > maxInt32) {
    field.invalid(seconds, `must be between 0 and ${maxInt32}, inclusive`);
    return false;
  }
  if (before === undefined || before >= seconds) return true;
  field.invalid(seconds, 'must be less than or equal to previous value');
  return false;
}

/** All of the old tolerations must still be there; only how long they last may differ. */
function validateAddedTolerations(
  now: readonly Toleration[],
  old: readonly Toleration[],
  field: FieldAt,
): void {
  const key = ({ key = '', operator = '', value = '', effect = '' }: Toleration): string =>
    JSON.stringify([key, operator, value, effect]);
  const kept = new Set(now.map(key));
  if (!old.every((toleration) => kept.has(key(toleration))))
    field.forbidden('existing toleration can not be modified except its tolerationSeconds');
}

/** The new spec with the old values wherever an update may change them: what still differs may not. */
function withAllowedChangesUndone(spec: PodSpec, old: PodSpec): PodSpec {
  const images = (list: Container[] | undefined, before: Container[] | undefined) =>
    list?.map((container, i) => ({ ...container, image: before?.[i]?.image }));
  const rest: PodSpec = {
    ...spec,
    containers: images(spec.containers, old.containers) ?? [],
    initContainers: images(spec.initContainers, old.initContainers),
    activeDeadlineSeconds: old.activeDeadlineSeconds,
    schedulingGates: old.schedulingGates,
    tolerations: old.tolerations,
  };
  const { terminationGracePeriodSeconds: before } = old;
  if (before !== undefined && before < 0 && spec.terminationGracePeriodSeconds === 1)
    rest.terminationGracePeriodSeconds = before;
  return rest;
}

/** A gated pod may still be told to run on fewer nodes. Undoes those changes in `rest`. */
function narrowChoiceOfNodes(rest: PodSpec, old: PodSpec, field: FieldAt): void {
  if (!semanticEqual(rest.nodeSelector ?? {}, old.nodeSelector ?? {})) {
    const now = rest.nodeSelector ?? {};
    if (Object.entries(old.nodeSelector ?? {}).some(([key, value]) => now[key] !== value))
      field.child('nodeSelector').invalid(now, onlyAdditions);
    rest.nodeSelector = old.nodeSelector;
  }
  const before = old.affinity?.nodeAffinity;
  const after = rest.affinity?.nodeAffinity;
  if (semanticEqual(before, after)) return;
  validateNarrowerAffinity(after, before, field.child('affinity', 'nodeAffinity'));
  const { nodeAffinity: _, ...others } = rest.affinity ?? {};
  if (before !== undefined) rest.affinity = { ...others, nodeAffinity: before };
  else if (old.affinity === undefined && Object.values(others).every((value) => value === undefined))
    rest.affinity = undefined;
  else rest.affinity = others;
}

function validateNarrowerAffinity(
  now: NodeAffinity | undefined,
  old: NodeAffinity | undefined,
  field: FieldAt,
): void {
  // null when nothing was given, as the field is always written
  const oldTerms = old?.[required]?.nodeSelectorTerms ?? [];
  if (oldTerms.length === 0) return;
  const here = field.child(required);
  const terms = now?.[required]?.nodeSelectorTerms ?? [];
  if (terms.length !== oldTerms.length) {
    here
      .child('nodeSelectorTerms')
      .invalid(terms, 'no additions/deletions to non-empty NodeSelectorTerms list are allowed');
    return;
  }
  for (const [i, oldTerm] of oldTerms.entries()) {
    const term = terms[i]!;
    const grew = (['matchExpressions', 'matchFields'] as const).every((name) =>
      semanticEqual((term[name] ?? []).slice(0, (oldTerm[name] ?? []).length), oldTerm[name] ?? []),
    );
    // Terms are alternatives, and an empty one matches nothing: a requirement added to it would make it match.
    const wasEmpty = (oldTerm.matchExpressions ?? []).length + (oldTerm.matchFields ?? []).length === 0;
    if (!grew || (wasEmpty && !semanticEqual(term, oldTerm)))
      here.child('nodeSelectorTerms').index(i).invalid(term, onlyAdditions);
  }
}

/** The fields that differ, each with what it was and what it would become. */
function differences(old: object, now: object): string[] {
  const before = old as Record<string, unknown>;
  const after = now as Record<string, unknown>;
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .sort()
    .filter((name) => !semanticEqual(before[name], after[name]))
    .map((name) => {
      const goName = name.charAt(0).toUpperCase() + name.slice(1);
      const show = (value: unknown) => (value === undefined ? 'nil' : JSON.stringify(value));
      return `- \t${goName}: ${show(before[name])},\n+ \t${goName}: ${show(after[name])},\n`;
    });
}
