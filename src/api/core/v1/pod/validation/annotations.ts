// Rules of the annotations that mean something to pods: mirror pods, the cost of deletion, and what fields have since replaced.
import { checkDescendingPath, type DraftMeta, FieldAt } from '../../../../../machinery/index.ts';
import type { AppArmorProfile, PodSpec, SeccompProfile, Toleration } from '../../../../generated/core-v1.ts';
import { placedContainers } from '../containers.ts';
import { validateTolerations } from './scheduling.ts';

export const mirrorPodAnnotation = 'kubernetes.io/config.mirror';
export const deletionCostAnnotation = 'controller.kubernetes.io/pod-deletion-cost';
export const podSeccompAnnotation = 'seccomp.security.alpha.kubernetes.io/pod';
export const containerSeccompPrefix = 'container.seccomp.security.alpha.kubernetes.io/';
export const appArmorPrefix = 'container.apparmor.security.beta.kubernetes.io/';
const tolerationsAnnotation = 'scheduler.alpha.kubernetes.io/tolerations';

/** `field` is the place of the annotations. */
export function validatePodAnnotations(meta: DraftMeta, spec: PodSpec, field: FieldAt): void {
  const { annotations } = meta;
  if (annotations === undefined) return;
  const mirror = annotations[mirrorPodAnnotation];
  if (mirror !== undefined && !spec.nodeName)
    field.key(mirrorPodAnnotation).invalid(mirror, 'must set spec.nodeName if mirror pod annotation is set');
  const tolerations = annotations[tolerationsAnnotation];
  if (tolerations !== undefined && tolerations !== '') validateOldTolerations(tolerations, field);
  const cost = annotations[deletionCostAnnotation];
  if (cost !== undefined && !isDeletionCost(cost))
    field.key(deletionCostAnnotation).invalid(cost, 'must be a 32bit integer');

  const podSeccomp = annotations[podSeccompAnnotation];
  if (podSeccomp !== undefined)
    field.child(podSeccompAnnotation).refuse(podSeccomp, checkSeccomp(podSeccomp));
  const names = new Set([...placedContainers(spec, '')].map(({ container }) => container.name));
  for (const key of Object.keys(annotations).sort()) {
    const value = annotations[key]!;
    if (key.startsWith(containerSeccompPrefix)) field.child(key).refuse(value, checkSeccomp(value));
    if (!key.startsWith(appArmorPrefix)) continue;
    const name = key.slice(appArmorPrefix.length);
    if (!names.has(name)) field.key(key).invalid(name, 'container not found');
    if (
      value !== '' &&
      value !== 'runtime/default' &&
      value !== 'unconfined' &&
      !value.startsWith('localhost/')
    )
      field.key(key).invalid(value, `invalid AppArmor profile name: ${JSON.stringify(value)}`);
  }
}

/** A number of 32 bits, written as Go writes it: no plus sign, no zeros in front. */
export function isDeletionCost(text: string): boolean {
  return /^(?:-\d+|0|[1-9]\d*)$/.test(text) && Number(text) >= -(2 ** 31) && Number(text) < 2 ** 31;
}

function validateOldTolerations(text: string, field: FieldAt): void {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    field.invalid(tolerationsAnnotation, (error as Error).message);
    return;
  }
  if (parsed === null) return;
  const entries = Array.isArray(parsed) ? parsed : [undefined];
  if (entries.some((entry) => typeof entry !== 'object' || entry === null || Array.isArray(entry))) {
    field.invalid(tolerationsAnnotation, 'must be a list of tolerations');
    return;
  }
  const texts = ['key', 'operator', 'value', 'effect'] as const;
  const tolerations = entries as Toleration[];
  if (tolerations.some((entry) => texts.some((name) => typeof (entry[name] ?? '') !== 'string'))) {
    field.invalid(tolerationsAnnotation, 'must be a list of tolerations');
    return;
  }
  validateTolerations(tolerations, field.child(tolerationsAnnotation));
}

const seccompLocalPrefix = 'localhost/';

function checkSeccomp(profile: string): readonly string[] {
  if (profile === 'runtime/default' || profile === 'docker/default' || profile === 'unconfined') return [];
  if (profile.startsWith(seccompLocalPrefix))
    return checkDescendingPath(profile.slice(seccompLocalPrefix.length));
  return ['must be a valid seccomp profile'];
}

/** What a profile was called in the annotation of old. */
interface Profile {
  readonly type: string;
  readonly localhostProfile?: string | undefined;
}

const oldNames: Record<string, readonly string[]> = {
  Unconfined: ['unconfined'],
  RuntimeDefault: ['runtime/default', 'docker/default'],
};

/** An annotation may stand beside the field, when both say the same. `what` is the mechanism's name in the message. */
function validateSameProfile(
  annotation: string,
  profile: Profile,
  what: 'seccomp' | 'apparmor',
  field: FieldAt,
): void {
  const type = field.child('type');
  const mismatch = `${what} type in annotation and field must match`;
  if (profile.type === 'Localhost') {
    if (!annotation.startsWith('localhost/')) type.forbidden(mismatch);
    else if (annotation.slice('localhost/'.length) !== profile.localhostProfile)
      field.child('localhostProfile').forbidden(`${what} profile in annotation and field must match`);
    return;
  }
  const names = oldNames[profile.type];
  if (names !== undefined && !names.includes(annotation)) type.forbidden(mismatch);
}

/** `field` is the place of the spec. */
export function validateSeccompAnnotations(meta: DraftMeta, spec: PodSpec, field: FieldAt): void {
  const { annotations } = meta;
  if (annotations === undefined) return;
  const check = (profile: SeccompProfile | undefined, key: string, at: FieldAt): void => {
    const annotation = annotations[key];
    if (profile !== undefined && annotation !== undefined)
      validateSameProfile(annotation, profile, 'seccomp', at);
  };
  check(
    spec.securityContext?.seccompProfile,
    podSeccompAnnotation,
    field.child('securityContext', 'seccompProfile'),
  );
  for (const { container, path } of placedContainers(spec, field.path))
    check(
      container.securityContext?.seccompProfile,
      containerSeccompPrefix + container.name,
      new FieldAt(path, field.causes).child('securityContext', 'seccompProfile'),
    );
}

/** `field` is the place of the spec. Windows has no AppArmor, so its pods are not judged. */
export function validateAppArmorAnnotations(meta: DraftMeta, spec: PodSpec, field: FieldAt): void {
  const { annotations } = meta;
  if (annotations === undefined || spec.os?.name === 'windows') return;
  for (const { container, path } of placedContainers(spec, field.path)) {
    const profile: AppArmorProfile | undefined =
      container.securityContext?.appArmorProfile ?? spec.securityContext?.appArmorProfile;
    const annotation = annotations[appArmorPrefix + container.name];
    if (profile !== undefined && annotation !== undefined)
      validateSameProfile(
        annotation,
        profile,
        'apparmor',
        new FieldAt(path, field.causes).child('securityContext', 'appArmorProfile'),
      );
  }
}

/** An update may not touch what was decided when the pod was made. */
export function validateAnnotationUpdate(meta: DraftMeta, old: DraftMeta, field: FieldAt): void {
  const before = old.annotations ?? {};
  const after = meta.annotations ?? {};
  for (const key of Object.keys(before).sort()) {
    if (after[key] === before[key]) continue;
    if (key.startsWith(appArmorPrefix))
      field.key(key).forbidden('may not remove or update AppArmor annotations');
    if (key === mirrorPodAnnotation)
      field.key(key).forbidden('may not remove or update mirror pod annotation');
  }
  for (const key of Object.keys(after).sort()) {
    if (before[key] !== undefined) continue;
    if (key.startsWith(appArmorPrefix)) field.key(key).forbidden('may not add AppArmor annotations');
    if (key === mirrorPodAnnotation) field.key(key).forbidden('may not add mirror pod annotation');
  }
}
