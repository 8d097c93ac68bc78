// LimitRanger: what containers leave out they get from the limit ranges of their namespace, and what they and claims say must lie
// within them.
import { LimitRange, type PersistentVolumeClaim, type Pod } from '../../api/index.ts';
import { forbidden } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { refOf } from '../registry/core.ts';
import { objectOf } from '../registry/objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { claimComplaints, giveDefaults, podComplaints } from './limit-range-rules.ts';

const isPod = ({ kind }: AdmissionRequest): boolean => kind.kind === 'Pod' && kind.group === '';
const isClaim = ({ kind }: AdmissionRequest): boolean =>
  kind.kind === 'PersistentVolumeClaim' && kind.group === '';

/** What an update may change of a pod is none of a limit range's business, but for a resize. */
function isAbout(request: AdmissionRequest): boolean {
  const { operation, subresource, old } = request;
  if (operation === 'delete' || old?.metadata.deletionTimestamp !== undefined) return false;
  if (isPod(request)) return operation === 'create' ? subresource === '' : subresource === 'resize';
  return isClaim(request) && subresource === '';
}

export function limitRanger(store: Store): AdmissionPlugin {
  const rangesOf = (namespace: string | undefined): readonly LimitRange[] =>
    store.list(`${LimitRange.storagePrefix}${namespace}/`).map((entry) => objectOf<LimitRange>(entry));
  return {
    name: 'LimitRanger',
    mutate(request) {
      if (request.operation !== 'create' || !isPod(request) || request.subresource !== '') return;
      for (const range of rangesOf(request.namespace)) giveDefaults(request.object as Pod, range);
    },
    validate(request) {
      if (!isAbout(request)) return;
      const { kind, name, object, namespace } = request;
      for (const range of rangesOf(namespace)) {
        const complaints = isPod(request)
          ? podComplaints(object as Pod, range)
          : claimComplaints(object as PersistentVolumeClaim, range);
        const all = [...new Set(complaints)];
        if (all.length === 0) continue;
        throw forbidden(refOf(kind), name, all.length === 1 ? all[0]! : `[${all.join(', ')}]`);
      }
    },
  };
}
