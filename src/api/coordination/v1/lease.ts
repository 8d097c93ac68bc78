// Lease: who holds a role, and until when. Node heartbeats and leader election write it often.
import { checkQualifiedName, defineKind, nonNegativeMessage } from '../../../machinery/index.ts';
import { ageColumn, nameColumn } from '../../columns.ts';
import type { Lease as LeaseObject } from '../../generated/coordination-v1.ts';
import { shape } from '../../shape.ts';

export type Lease = LeaseObject;

export const Lease = defineKind<LeaseObject>({
  group: 'coordination.k8s.io',
  version: 'v1',
  kind: 'Lease',
  plural: 'leases',
  scope: 'Namespaced',
  unconditionalUpdate: false,
  schema: shape('coordination.v1.Lease'),
  createOnUpdate: true,
  columns: [
    nameColumn,
    {
      name: 'Holder',
      type: 'string',
      description: 'Who holds it.',
      cell: (lease) => lease.spec?.holderIdentity ?? '',
    },
    ageColumn,
  ],
  // Leader election that the server coordinates is off by default: what is asked of it is dropped, as everywhere.
  prepareCreate({ spec }) {
    delete spec.strategy;
    delete spec.preferredHolder;
  },
  prepareUpdate({ spec }, old) {
    if (old.spec?.strategy === undefined) delete spec.strategy;
    if (old.spec?.preferredHolder === undefined) delete spec.preferredHolder;
  },
  validate({ spec }, _old, causes) {
    if (spec.leaseDurationSeconds !== undefined && spec.leaseDurationSeconds <= 0)
      causes.invalid('spec.leaseDurationSeconds', spec.leaseDurationSeconds, 'must be greater than 0');
    if (spec.leaseTransitions !== undefined && spec.leaseTransitions < 0)
      causes.invalid('spec.leaseTransitions', spec.leaseTransitions, nonNegativeMessage);
    if (spec.strategy !== undefined) {
      const path = 'spec.strategy.strategy';
      if (spec.strategy.includes('/'))
        for (const message of checkQualifiedName(spec.strategy)) causes.invalid(path, spec.strategy, message);
      else if (spec.strategy !== 'OldestEmulationVersion')
        causes.notSupported(path, spec.strategy, ['OldestEmulationVersion']);
    }
    if (spec.preferredHolder && !spec.strategy)
      causes.forbidden('spec.preferredHolder', 'may only be specified if `strategy` is defined');
  },
});
