// The secrets that every node may read because it answers for ingresses: those that an ingress of the nodes' own class names in spec.tls.
// Whoever may write an ingress in a namespace hands its certificate, but no other secret's keys, to the nodes: what is read is a name that
// the ingress says, in its own namespace. Asked seldom (once a watch), so the namespace's ingresses are looked through.
import { Ingress, IngressClass, ingressClassOf, ownIngressClasses } from '../../api/index.ts';
import { storageKey } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { objectOf } from '../registry/objects.ts';

/** Whether an ingress that nodes serve names the secret. */
export const createIngressSecrets =
  (store: Store) =>
  ({ namespace, name }: { readonly namespace: string; readonly name: string }): boolean => {
    const classes = store.list(IngressClass.storagePrefix).map((entry) => objectOf<IngressClass>(entry));
    const ours = ownIngressClasses(classes);
    if (ours.size === 0) return false;
    const folder = storageKey(Ingress, { namespace, name: '' });
    return store.list(folder).some((entry) => {
      const ingress = objectOf<Ingress>(entry);
      return (
        ours.has(ingressClassOf(ingress) ?? '') &&
        (ingress.spec.tls ?? []).some(({ secretName }) => secretName === name)
      );
    });
  };
