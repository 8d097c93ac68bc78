// The rules of a new pod. Metadata is judged by the registry, as for every kind.
import { type Causes, FieldAt } from '../../../../../machinery/index.ts';
import type { Pod } from '../../../../generated/core-v1.ts';
import {
  validateAppArmorAnnotations,
  validatePodAnnotations,
  validateSeccompAnnotations,
} from './annotations.ts';
import { validateImageSpacing } from './containers.ts';
import { validateSpecIn } from './spec.ts';

export function validatePodCreate(pod: Pod, causes: Causes): void {
  validatePodAsWhole(pod, causes);
  const { spec, metadata } = pod;
  const field = new FieldAt('spec', causes);
  if ((spec.ephemeralContainers ?? []).length > 0)
    field.child('ephemeralContainers').forbidden('cannot be set on create');
  if (spec.nodeName && (spec.schedulingGates ?? []).length > 0)
    field.child('nodeName').forbidden('cannot be set until all schedulingGates have been cleared');
  validateSeccompAnnotations(metadata, spec, field);
  validateAppArmorAnnotations(metadata, spec, field);
}

/** What holds for a pod at every moment. */
export function validatePodAsWhole(pod: Pod, causes: Causes): void {
  const { spec, metadata } = pod;
  validatePodAnnotations(metadata, spec, new FieldAt('metadata.annotations', causes));
  validateSpecIn({ spec, path: 'spec', causes, isPod: true, podName: metadata.name ?? '' });
  const field = new FieldAt('spec', causes);
  if (!spec.serviceAccountName)
    for (const [i, volume] of (spec.volumes ?? []).entries())
      for (const [j, source] of (volume.projected?.sources ?? []).entries())
        if (source.serviceAccountToken !== undefined)
          field
            .child('volumes')
            .index(i)
            .child('projected', 'sources')
            .index(j)
            .child('serviceAccountToken')
            .forbidden('must not be specified when serviceAccountName is not set');
  for (const name of ['containers', 'initContainers'] as const)
    for (const [i, container] of (spec[name] ?? []).entries())
      validateImageSpacing(container, field.child(name).index(i));
}
