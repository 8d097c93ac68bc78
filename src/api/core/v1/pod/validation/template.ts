// The rules of pod templates, for every kind that makes pods from one.
import { type Causes, FieldAt, validateAnnotations, validateLabels } from '../../../../../machinery/index.ts';
import type { PodTemplateSpec } from '../../../../generated/core-v1.ts';
import { validatePodAnnotations, validateSeccompAnnotations } from './annotations.ts';
import { validatePodSpec } from './spec.ts';

/** Pure; the template must have its defaults. `path` is where it stands: `spec.template`. */
export function validatePodTemplate(
  template: PodTemplateSpec | undefined,
  path: string,
  causes: Causes,
): void {
  const field = new FieldAt(path, causes);
  const { metadata = {}, spec } = template ?? {};
  const annotationsAt = field.child('annotations');
  validateLabels(metadata.labels, field.child('labels').path, causes);
  validateAnnotations(metadata.annotations, annotationsAt.path, causes);
  if (spec === undefined) {
    field.child('spec', 'containers').required();
    return;
  }
  validatePodAnnotations(metadata, spec, annotationsAt);
  const specAt = field.child('spec');
  validatePodSpec(spec, specAt.path, causes);
  validateSeccompAnnotations(metadata, spec, specAt);
  if ((spec.ephemeralContainers ?? []).length > 0)
    specAt.child('ephemeralContainers').forbidden('ephemeral containers not allowed in pod template');
}
