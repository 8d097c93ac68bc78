// CSIDriver: what a driver of storage can do, and wants to know of pods.
import { defineKind, FieldAt, immutableMessage, semanticEqual } from '../../../machinery/index.ts';
import { ageColumn, booleanColumn, nameColumn, textColumn } from '../../columns.ts';
import type { CSIDriver as CSIDriverObject, TokenRequest } from '../../generated/storage-v1.ts';
import { shape } from '../../shape.ts';

export type CSIDriver = CSIDriverObject;

export const CSIDriver = defineKind<CSIDriverObject>({
  group: 'storage.k8s.io',
  version: 'v1',
  kind: 'CSIDriver',
  plural: 'csidrivers',
  scope: 'Cluster',
  unconditionalUpdate: false,
  schema: shape('storage.v1.CSIDriver'),
  generationFields: ['spec'],
  returnsDeleted: true,
  columns: [
    nameColumn,
    booleanColumn(
      'AttachRequired',
      'Whether volumes are attached to nodes first.',
      ({ spec }) => spec?.attachRequired ?? true,
    ),
    booleanColumn(
      'PodInfoOnMount',
      'Whether it is told of the pod when it mounts.',
      ({ spec }) => spec?.podInfoOnMount ?? false,
    ),
    booleanColumn(
      'StorageCapacity',
      'Whether the scheduler asks how much room there is.',
      ({ spec }) => spec?.storageCapacity ?? false,
    ),
    textColumn(
      'TokenRequests',
      'The audiences of the tokens it gets.',
      ({ spec }) => spec?.tokenRequests?.map((request) => request.audience).join(',') ?? '<unset>',
    ),
    booleanColumn(
      'RequiresRepublish',
      'Whether mounts are renewed.',
      ({ spec }) => spec?.requiresRepublish ?? false,
    ),
    textColumn(
      'Modes',
      'Which kinds of volumes it offers.',
      ({ spec }) => (spec?.volumeLifecycleModes ?? []).join(',') || '<none>',
    ),
    ageColumn,
  ],

  defaults({ spec }) {
    spec.attachRequired ??= true;
    spec.podInfoOnMount ??= false;
    spec.storageCapacity ??= false;
    spec.fsGroupPolicy ??= 'ReadWriteOnceWithFSType';
    if ((spec.volumeLifecycleModes ?? []).length === 0) spec.volumeLifecycleModes = ['Persistent'];
    spec.requiresRepublish ??= false;
    spec.seLinuxMount ??= false;
  },

  validate({ spec }, old, causes) {
    const field = new FieldAt('spec', causes);
    field.child('fsGroupPolicy').oneOf(spec.fsGroupPolicy, ['File', 'None', 'ReadWriteOnceWithFSType']);
    validateTokenRequests(spec.tokenRequests ?? [], field.child('tokenRequests'));
    for (const mode of spec.volumeLifecycleModes ?? [])
      field.child('volumeLifecycleModes').oneOf(mode, ['Persistent', 'Ephemeral']);
    const period = spec.nodeAllocatableUpdatePeriodSeconds;
    if (period !== undefined && period < 10)
      field
        .child('nodeAllocatableUpdatePeriodSeconds')
        .invalid(period, 'must be greater than or equal to 10 seconds');
    if (spec.serviceAccountTokenInSecrets !== undefined && (spec.tokenRequests ?? []).length === 0)
      field
        .child('serviceAccountTokenInSecrets')
        .invalid(
          spec.serviceAccountTokenInSecrets,
          'serviceAccountTokenInSecrets must be nil when tokenRequests is empty',
        );
    if (old === undefined) return;
    // everything else may change
    for (const name of ['attachRequired', 'volumeLifecycleModes'] as const)
      if (!semanticEqual(spec[name], old.spec[name]))
        field
          .child(name === 'attachRequired' ? 'attachedRequired' : name)
          .invalid(spec[name], immutableMessage);
  },
});

function validateTokenRequests(requests: readonly TokenRequest[], field: FieldAt): void {
  const audiences = new Set<string>();
  for (const [i, { audience, expirationSeconds: seconds }] of requests.entries()) {
    const here = field.index(i);
    if (audiences.has(audience)) {
      here.child('audience').duplicate(audience);
      continue;
    }
    audiences.add(audience);
    if (seconds === undefined) continue;
    const expiration = here.child('expirationSeconds');
    if (seconds < 600) expiration.invalid(seconds, 'may not specify a duration less than 10 minutes');
    if (seconds > 2 ** 32) expiration.invalid(seconds, 'may not specify a duration larger than 2^32 seconds');
  }
}
