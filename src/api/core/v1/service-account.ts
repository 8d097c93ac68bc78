// ServiceAccount: the identity under which a pod talks to the API.
import { defineKind } from '../../../machinery/index.ts';
import { ageColumn, nameColumn } from '../../columns.ts';
import type { ServiceAccount as ServiceAccountObject } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';

export type ServiceAccount = ServiceAccountObject;

const mountableAnnotation = 'kubernetes.io/enforce-mountable-secrets';

export const ServiceAccount = defineKind<ServiceAccountObject>({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  scope: 'Namespaced',
  schema: shape('core.v1.ServiceAccount'),
  returnsDeleted: true,
  columns: [
    nameColumn,
    {
      name: 'Secrets',
      type: 'string',
      description: 'How many secrets it names.',
      cell: (account) => account.secrets?.length ?? 0,
    },
    ageColumn,
  ],
  warn({ metadata }, old) {
    const value = metadata.annotations?.[mountableAnnotation];
    if (value === undefined || value === old?.metadata.annotations?.[mountableAnnotation]) return [];
    return [
      `metadata.annotations[${mountableAnnotation}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
    ];
  },
});
