// ServiceAccount: a pod that names no account runs as its namespace's default one; the account must exist, and lends its pull secrets.
//
// Kubernetes waits up to two seconds for a default account that is not there yet. Here such a pod is let in at once: the account
// follows a new namespace within moments, and a pod needs it only when it asks for a token.
import { type Pod, ServiceAccount } from '../../api/index.ts';
import { forbidden, notFound } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { refOf } from '../registry/core.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';

const defaultAccount = 'default';
const mirrorAnnotation = 'kubernetes.io/config.mirror';

export function serviceAccount(store: Store): AdmissionPlugin {
  return {
    name: 'ServiceAccount',

    mutate(request) {
      const { operation, kind, subresource, object, namespace, name } = request;
      if (operation !== 'create' || kind.kind !== 'Pod' || kind.group !== '' || subresource !== '') return;
      const pod = object as Pod;
      if (pod.metadata.annotations?.[mirrorAnnotation] !== undefined) {
        checkMirror(request, pod);
        return;
      }
      const { spec } = pod;
      // The kind keeps the old name of the field in step.
      spec.serviceAccountName ||= defaultAccount;
      const wanted = spec.serviceAccountName;
      const entry = store.get(keyFor(ServiceAccount, namespace, wanted));
      if (entry === undefined) {
        if (wanted === defaultAccount) return;
        const why = notFound({ group: '', resource: 'serviceaccount' }, wanted).message;
        throw forbidden(refOf(kind), name, `error looking up service account ${namespace}/${wanted}: ${why}`);
      }
      const { imagePullSecrets = [] } = objectOf<ServiceAccount>(entry);
      if ((spec.imagePullSecrets?.length ?? 0) === 0 && imagePullSecrets.length > 0)
        spec.imagePullSecrets = imagePullSecrets.map((secret) => ({ name: secret.name ?? '' }));
    },
  };
}

/** Mirror pods show what a node runs by itself: they borrow no identity and no secret of the cluster. */
function checkMirror({ kind, name }: AdmissionRequest, { spec }: Pod): void {
  const refuse = (why: string) => forbidden(refOf(kind), name, why);
  if (spec.serviceAccountName) throw refuse('a mirror pod may not reference service accounts');
  if (namesSecret(spec)) throw refuse('a mirror pod may not reference secrets');
  for (const { projected } of spec.volumes ?? [])
    if (projected?.sources?.some((source) => source.serviceAccountToken !== undefined))
      throw refuse('a mirror pod may not use ServiceAccountToken volume projections');
}

function namesSecret(spec: Pod['spec']): boolean {
  const containers = [
    ...(spec.initContainers ?? []),
    ...spec.containers,
    ...(spec.ephemeralContainers ?? []),
  ];
  return (
    (spec.imagePullSecrets?.length ?? 0) > 0 ||
    containers.some(
      ({ env, envFrom }) =>
        env?.some(({ valueFrom }) => valueFrom?.secretKeyRef !== undefined) === true ||
        envFrom?.some(({ secretRef }) => secretRef !== undefined) === true,
    ) ||
    (spec.volumes ?? []).some(
      ({ secret, projected }) =>
        secret !== undefined || projected?.sources?.some((source) => source.secret !== undefined) === true,
    )
  );
}
