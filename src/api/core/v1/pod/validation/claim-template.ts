// Rules of the claim inside an ephemeral volume.
import {
  checkDns1123Subdomain,
  type FieldAt,
  validateAnnotations,
  validateLabelSelector,
  validateLabels,
} from '../../../../../machinery/index.ts';
import type { PersistentVolumeClaimTemplate } from '../../../../generated/core-v1.ts';
import { compareQuantities } from '../quantities.ts';

const accessModes = ['ReadOnlyMany', 'ReadWriteMany', 'ReadWriteOnce', 'ReadWriteOncePod'];

/** Its metadata may hold labels and annotations only: the server makes the rest. */
export function validateClaimTemplate(template: PersistentVolumeClaimTemplate, field: FieldAt): void {
  const { metadata = {}, spec } = template;
  const meta = field.child('metadata');
  validateAnnotations(metadata.annotations, meta.child('annotations').path, field.causes);
  validateLabels(metadata.labels, meta.child('labels').path, field.causes);
  for (const [name, value] of Object.entries(metadata))
    if (name !== 'labels' && name !== 'annotations' && value !== undefined && value !== null)
      meta.child(name).forbidden('cannot be set for an ephemeral volume');

  const here = field.child('spec');
  const modes = spec.accessModes ?? [];
  if (modes.length === 0) here.child('accessModes').required('at least 1 access mode is required');
  validateLabelSelector(spec.selector, here.child('selector').path, field.causes);
  for (const mode of modes) here.child('accessModes').oneOf(mode, accessModes);
  if (modes.includes('ReadWriteOncePod') && modes.length > 1)
    here.child('accessModes').forbidden('may not use ReadWriteOncePod with other access modes');
  const storage = spec.resources?.requests?.['storage'];
  const storageAt = here.child('resources').key('storage');
  if (storage === undefined) storageAt.required();
  else if (compareQuantities(storage, '0') <= 0) storageAt.invalid(storage, 'must be greater than zero');
  if (spec.storageClassName)
    here
      .child('storageClassName')
      .refuse(spec.storageClassName, checkDns1123Subdomain(spec.storageClassName));
  here.child('volumeMode').oneOf(spec.volumeMode, ['Block', 'Filesystem']);
  for (const name of ['dataSource', 'dataSourceRef'] as const) {
    const source = spec[name];
    if (source === undefined) continue;
    here.child(name, 'name').requiredText(source.name);
    here.child(name, 'kind').requiredText(source.kind);
    if (!source.apiGroup && source.kind !== 'PersistentVolumeClaim')
      here
        .child(name)
        .invalid(source.kind, "must be 'PersistentVolumeClaim' when referencing the default apiGroup");
  }
}
