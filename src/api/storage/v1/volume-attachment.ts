// VolumeAttachment: that a volume is to be, or is, attached to a node.
import { type Causes, checkDns1123Subdomain, defineKind, FieldAt } from '../../../machinery/index.ts';
import { ageColumn, booleanColumn, nameColumn, textColumn } from '../../columns.ts';
import { defaultVolumeSpec } from '../../core/v1/persistent-volume.ts';
import { validateVolumeSpec } from '../../core/v1/persistent-volume-rules.ts';
import { validateDriverName } from '../../core/v1/pod.ts';
import type {
  VolumeAttachment as VolumeAttachmentObject,
  VolumeAttachmentSource,
} from '../../generated/storage-v1.ts';
import { shape } from '../../shape.ts';

export type VolumeAttachment = VolumeAttachmentObject;

const maxMetadataBytes = 256 * 1024;
const maxMessageBytes = 1024;

export const VolumeAttachment = defineKind<VolumeAttachmentObject>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'VolumeAttachment',
  plural: 'volumeattachments',
  scope: 'Cluster',
  unconditionalUpdate: false,
  schema: shape('storage.v1.VolumeAttachment'),
  subresources: { status: true },
  returnsDeleted: true,
  columns: [
    nameColumn,
    textColumn('Attacher', 'Who attaches it.', ({ spec }) => spec?.attacher ?? ''),
    textColumn('PV', 'The volume.', ({ spec }) => spec?.source?.persistentVolumeName ?? ''),
    textColumn('Node', 'The node.', ({ spec }) => spec?.nodeName ?? ''),
    booleanColumn('Attached', 'Whether it is attached.', ({ status }) => status?.attached ?? false),
    ageColumn,
  ],
  defaults({ spec }) {
    if (spec.source?.inlineVolumeSpec !== undefined) defaultVolumeSpec(spec.source.inlineVolumeSpec);
  },
  validate({ spec }, old, causes) {
    const field = new FieldAt('spec', causes);
    if (spec.attacher === '') field.child('attacher').required();
    validateSource(spec.source ?? {}, field.child('source'));
    field.child('nodeName').refuse(spec.nodeName, checkDns1123Subdomain(spec.nodeName));
    if (old !== undefined) {
      field.immutable(spec, old.spec);
      return;
    }
    validateDriverName(spec.attacher, field.child('attacher'));
    const name = spec.source?.persistentVolumeName;
    if (name !== undefined)
      field.child('source', 'persistentVolumeName').refuse(name, checkDns1123Subdomain(name));
  },
  validateStatus: (attachment, _old, causes) => validateStatus(attachment, causes),
});

function validateSource(source: VolumeAttachmentSource, field: FieldAt): void {
  const { inlineVolumeSpec, persistentVolumeName } = source;
  const one = 'must specify exactly one of inlineVolumeSpec and persistentVolumeName';
  if (inlineVolumeSpec === undefined && persistentVolumeName === undefined) field.required(one);
  else if (inlineVolumeSpec !== undefined && persistentVolumeName !== undefined) field.forbidden(one);
  else if (inlineVolumeSpec !== undefined)
    validateVolumeSpec(inlineVolumeSpec, { name: '', inline: true }, field.child('inlineVolumeSpec'));
  else if (persistentVolumeName === '')
    field.child('persistentVolumeName').required('must specify non empty persistentVolumeName');
}

function validateStatus({ status }: VolumeAttachmentObject, causes: Causes): void {
  const field = new FieldAt('status', causes);
  let bytes = 0;
  for (const [key, value] of Object.entries(status?.attachmentMetadata ?? {}))
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value);
  if (bytes > maxMetadataBytes) field.child('attachmentMetadata').tooLong(maxMetadataBytes);
  for (const name of ['attachError', 'detachError'] as const) {
    const error = status?.[name];
    if (Buffer.byteLength(error?.message ?? '') > maxMessageBytes)
      field.child(name, 'message').tooLong(maxMessageBytes);
    if (error?.errorCode !== undefined && error.errorCode < 0)
      field.child(name, 'errorCode').invalid(error.errorCode, 'must be greater than or equal to 0');
  }
}
