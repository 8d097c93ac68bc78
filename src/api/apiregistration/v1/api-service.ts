// APIService: a version of a group, and who serves it: this server, or another behind a service.
import {
  checkDns1035Label,
  checkDns1123Subdomain,
  checkPortNumber,
  defineKind,
  FieldAt,
  formatTime,
  nameIsPathSegment,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import type { APIService as APIServiceObject, APIServiceSpec } from '../../generated/apiregistration-v1.ts';
import { shape } from '../../shape.ts';

export type APIService = APIServiceObject;

/** Versions of these groups are never handed on: who took them could not be got rid of. */
const keptGroups: readonly string[] = ['', 'apiregistration.k8s.io'];

export const APIService = defineKind<APIServiceObject>({
  group: 'apiregistration.k8s.io',
  version: 'v1',
  kind: 'APIService',
  plural: 'apiservices',
  categories: ['api-extensions'],
  scope: 'Cluster',
  unconditionalUpdate: false,
  schema: shape('apiregistration.v1.APIService'),
  subresources: { status: true },
  nameRule: nameIsPathSegment,
  columns: [
    nameColumn,
    textColumn('Service', 'Who serves it.', ({ spec }) =>
      spec?.service === undefined ? 'Local' : `${spec.service.namespace ?? ''}/${spec.service.name ?? ''}`,
    ),
    textColumn('Available', 'Whether it answers.', ({ status }) => {
      const found = status?.conditions?.find((condition) => condition.type === 'Available');
      if (found === undefined) return 'Unknown';
      return found.status === 'True' ? 'True' : `${found.status} (${found.reason ?? ''})`;
    }),
    ageColumn,
  ],

  defaults({ spec }) {
    if (spec.service !== undefined) spec.service.port ??= 443;
  },

  prepareCreate(service, { nowMs }) {
    // Whether another server answers is found out soon.
    if (service.spec.service !== undefined) service.status = {};
    else
      service.status = {
        conditions: [
          {
            type: 'Available',
            status: 'True',
            reason: 'Local',
            message: 'Local APIServices are always available',
            lastTransitionTime: formatTime(nowMs),
          },
        ],
      };
  },

  warn: ({ spec }) =>
    spec?.service !== undefined && keptGroups.includes(spec.group ?? '')
      ? [
          `spec.service is not used: this server always answers for ${spec.group ? spec.group : 'the core group'} itself`,
        ]
      : [],

  validate({ metadata, spec }, _old, causes) {
    const { group = '', version = '' } = spec;
    const wanted = `${version}.${group}`;
    if (metadata.name && metadata.name !== wanted && nameIsPathSegment(metadata.name, false).length === 0)
      causes.invalid(
        'metadata.name',
        metadata.name,
        `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`,
      );
    const field = new FieldAt('spec', causes);
    if (group === '' && version !== 'v1')
      field.child('group').required('only v1 may have an empty group and it better be legacy kube');
    if (group !== '') field.child('group').refuse(group, checkDns1123Subdomain(group));
    field.child('version').refuse(version, checkDns1035Label(version));
    for (const [name, most] of [
      ['groupPriorityMinimum', 20000],
      ['versionPriority', 1000],
    ] as const)
      if (spec[name] <= 0 || spec[name] > most)
        field.child(name).invalid(spec[name], `must be positive and less than ${most}`);
    validateBackend(spec, field);
  },

  validateStatus({ status }, _old, causes) {
    const field = new FieldAt('status', causes).child('conditions');
    for (const [i, condition] of (status?.conditions ?? []).entries())
      field.index(i).child('status').oneOf(condition.status, ['True', 'False', 'Unknown']);
  },
});

function validateBackend(spec: APIServiceSpec, field: FieldAt): void {
  const { service, caBundle = '', insecureSkipTLSVerify: insecure = false } = spec;
  const skip = field.child('insecureSkipTLSVerify');
  if (service === undefined) {
    if (caBundle !== '')
      field
        .child('caBundle')
        .invalid(
          `${Buffer.from(caBundle, 'base64').length} bytes`,
          'local APIServices may not have a caBundle',
        );
    if (insecure) skip.invalid(insecure, 'local APIServices may not have insecureSkipTLSVerify');
    return;
  }
  const here = field.child('service');
  here.child('namespace').requiredText(service.namespace);
  here.child('name').requiredText(service.name);
  const port = service.port ?? 0;
  const found = checkPortNumber(port);
  if (found.length > 0) here.child('port').invalid(port, `port is not valid: ${found.join(', ')}`);
  if (insecure && caBundle !== '') skip.invalid(insecure, 'may not be true if caBundle is present');
}
