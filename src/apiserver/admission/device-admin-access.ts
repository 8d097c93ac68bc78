// Claims that want devices of others: only namespaces whose label says so may hold them. kube-apiserver asks this among the rules of
// the kinds; here it is admission, since rules look at no other object.
import { Namespace, type ResourceClaim, type ResourceClaimTemplate } from '../../api/index.ts';
import { Causes } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import type { AdmissionPlugin } from './admission.ts';

const label = 'resource.kubernetes.io/admin-access';

export const deviceAdminAccess = (store: Store): AdmissionPlugin => ({
  name: 'DeviceAdminAccess',
  // Specs do not change, so a create is all there is to ask.
  validate({ operation, kind, subresource, object, namespace = '', name }) {
    if (operation !== 'create' || kind.group !== 'resource.k8s.io' || subresource !== '') return;
    const spec =
      kind.kind === 'ResourceClaim'
        ? (object as ResourceClaim).spec
        : kind.kind === 'ResourceClaimTemplate'
          ? (object as ResourceClaimTemplate).spec.spec
          : undefined;
    if (!spec?.devices?.requests?.some(({ exactly }) => exactly?.adminAccess === true)) return;
    const entry = store.get(keyFor(Namespace, undefined, namespace));
    if (entry !== undefined && objectOf<Namespace>(entry).metadata.labels?.[label] === 'true') return;
    const causes = new Causes();
    causes.forbidden(
      '',
      `admin access to devices requires the \`${label}: true\` label on the containing namespace`,
    );
    const refusal = causes.toError(kind.group, kind.kind, name);
    if (refusal !== undefined) throw refusal;
  },
});
