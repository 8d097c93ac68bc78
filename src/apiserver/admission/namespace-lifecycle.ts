// NamespaceLifecycle: objects are made only in namespaces that exist and are not ending; some namespaces never end.
import type { Namespace } from '../../api/index.ts';
import { forbidden, type KindDef, notFound, StatusError } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { refOf } from '../registry/core.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import type { AdmissionPlugin } from './admission.ts';

const immortal = new Set(['default', 'kube-system', 'kube-public']);

export function namespaceLifecycle(store: Store, namespaces: KindDef): AdmissionPlugin {
  return {
    name: 'NamespaceLifecycle',

    mutate({ operation, kind, namespace, name, subresource }) {
      if (
        operation !== 'create' ||
        kind.scope !== 'Namespaced' ||
        subresource !== '' ||
        namespace === undefined
      )
        return;
      const entry = store.get(keyFor(namespaces, undefined, namespace));
      if (entry === undefined) throw notFound(refOf(namespaces), namespace);
      const found = objectOf<Namespace>(entry);
      if (found.metadata.deletionTimestamp === undefined) return;
      const message = `unable to create new content in namespace ${namespace} because it is being terminated`;
      const refused = forbidden(refOf(kind), name, message);
      throw new StatusError(403, 'Forbidden', refused.message, {
        ...refused.details,
        causes: [
          {
            reason: 'NamespaceTerminating',
            message: `namespace ${namespace} is being terminated`,
            field: 'metadata.namespace',
          },
        ],
      });
    },

    validate({ operation, kind, name }) {
      if (operation === 'delete' && kind === namespaces && immortal.has(name)) {
        throw forbidden(refOf(kind), name, 'this namespace may not be deleted');
      }
    },
  };
}
