// MutatingWebhookConfiguration: whom to call to change objects before they are written.
import { defineKind, FieldAt } from '../../../machinery/index.ts';
import { ageColumn, integerColumn, nameColumn } from '../../columns.ts';
import type { MutatingWebhookConfiguration as MutatingWebhookConfigurationObject } from '../../generated/admissionregistration-v1.ts';
import { shape } from '../../shape.ts';
import { defaultWebhook, validateWebhooks } from './rules.ts';

export type MutatingWebhookConfiguration = MutatingWebhookConfigurationObject;

export const MutatingWebhookConfiguration = defineKind<MutatingWebhookConfigurationObject>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingWebhookConfiguration',
  plural: 'mutatingwebhookconfigurations',
  categories: ['api-extensions'],
  scope: 'Cluster',
  unconditionalUpdate: false,
  schema: shape('admissionregistration.v1.MutatingWebhookConfiguration'),
  generationFields: ['webhooks'],
  columns: [
    nameColumn,
    integerColumn('Webhooks', 'How many it has.', ({ webhooks }) => webhooks?.length ?? 0),
    ageColumn,
  ],
  defaults({ webhooks }) {
    for (const webhook of webhooks ?? []) {
      defaultWebhook(webhook);
      webhook.reinvocationPolicy ??= 'Never';
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
