// DefaultIngressClass: an ingress that names no class gets the default one; of several defaults the newest.
import {
  defaultIngressClassAnnotation,
  type Ingress,
  IngressClass,
  ingressClassAnnotation,
} from '../../api/index.ts';
import type { Store } from '../../storage/index.ts';
import { objectOf } from '../registry/objects.ts';
import type { AdmissionPlugin } from './admission.ts';

export const defaultIngressClass = (store: Store): AdmissionPlugin => ({
  name: 'DefaultIngressClass',
  mutate({ operation, kind, subresource, object }) {
    if (operation !== 'create' || kind.kind !== 'Ingress' || kind.group !== 'networking.k8s.io') return;
    const ingress = object as Ingress;
    if (subresource !== '' || ingress.spec?.ingressClassName !== undefined) return;
    if (ingress.metadata.annotations?.[ingressClassAnnotation] !== undefined) return;
    const [chosen] = store
      .list(IngressClass.storagePrefix)
      .map((entry) => objectOf<IngressClass>(entry).metadata)
      .filter(({ annotations }) => annotations?.[defaultIngressClassAnnotation] === 'true')
      .sort(
        (a, b) =>
          Date.parse(b.creationTimestamp ?? '') - Date.parse(a.creationTimestamp ?? '') ||
          (a.name < b.name ? -1 : 1),
      );
    if (chosen !== undefined) ingress.spec = { ...ingress.spec, ingressClassName: chosen.name };
  },
});
