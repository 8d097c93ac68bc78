// ResourceQuota: a namespace gets no more than its quotas allow. Runs last, so that nothing is charged for what others refuse.
import { updatesUseQuota } from '../../../api/index.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../admission.ts';
import type { QuotaLedger } from './ledger.ts';

/** Objects that come and go without anybody's wish are not counted. */
const isUncounted = ({ kind }: AdmissionRequest): boolean => kind.kind === 'Event';

/** Making an object counts, and of some kinds changing one. */
function mayTake({ operation, kind, subresource }: AdmissionRequest): boolean {
  if (operation === 'delete') return false;
  if (subresource === 'resize') return kind.kind === 'Pod' && kind.group === '';
  return subresource === '' && (operation === 'create' || updatesUseQuota(kind));
}

export const resourceQuota = (ledger: QuotaLedger): AdmissionPlugin => ({
  name: 'ResourceQuota',
  validate(request) {
    const { namespace } = request;
    if (namespace === undefined || ledger.quotasOf(namespace).length === 0) return;
    if (!mayTake(request) || isUncounted(request)) return;
    return ledger.charge(request, namespace);
  },
});
