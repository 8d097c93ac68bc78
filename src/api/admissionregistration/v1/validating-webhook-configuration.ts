// ValidatingWebhookConfiguration: whom to ask whether objects may be written.
import { defineKind, FieldAt } from '../../../machinery/index.ts';
import { ageColumn, integerColumn, nameColumn } from '../../columns.ts';
import type { ValidatingWebhookConfiguration as ValidatingWebhookConfigurationObject } from '../../generated/admissionregistration-v1.ts';
import { shape } from '../../shape.ts';
import { defaultWebhook, validateWebhooks } from './rules.ts';

export type ValidatingWebhookConfiguration = ValidatingWebhookConfigurationObject;

export const ValidatingWebhookConfiguration = defineKind<ValidatingWebhookConfigurationObject>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  categories: ['api-extensions'],
  scope: 'Cluster',
  unconditionalUpdate: false,
  schema: shape('admissionregistration.v1.ValidatingWebhookConfiguration'),
  generationFields: ['webhooks'],
  columns: [
    nameColumn,
    integerColumn('Webhooks', 'How many it has.', ({ webhooks }) => webhooks?.length ?? 0),
    ageColumn,
  ],
  defaults({ webhooks }) {
    for (const webhook of webhooks ?? []) {
      defaultWebhook(webhook);
    }
  },
  validate({ webhooks }, old, causes) {
    validateWebhooks(
      webhooks ?? [],
      old === undefined ? undefined : (old.webhooks ?? []),
      new FieldAt('webhooks', causes),
    );
  },
});
