// ServiceAccount: a pod that names no account runs as its namespace's default one; the account must exist, and lends its pull secrets.
//
// Kubernetes waits up to two seconds for a default account that is not there yet. Here such a pod is let in at once: the account
// follows a new namespace within moments, and a pod needs it only when it asks for a token.
import { type Pod, ServiceAccount } from '../../api/index.ts';
import { nameSuffix, type Random } from '../../base/index.ts';
import { forbidden, notFound } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { refOf } from '../registry/core.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';

const defaultAccount = 'default';
const mirrorAnnotation = 'kubernetes.io/config.mirror';

export function serviceAccount(store: Store, random: Random): AdmissionPlugin {
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
        if (wanted === defaultAccount) {
          mountToken(spec, undefined, random);
          return;
        }
        const why = notFound({ group: '', resource: 'serviceaccount' }, wanted).message;
        throw forbidden(refOf(kind), name, `error looking up service account ${namespace}/${wanted}: ${why}`);
      }
      const { imagePullSecrets = [], automountServiceAccountToken } = objectOf<ServiceAccount>(entry);
      if ((spec.imagePullSecrets?.length ?? 0) === 0 && imagePullSecrets.length > 0)
        spec.imagePullSecrets = imagePullSecrets.map((secret) => ({ name: secret.name ?? '' }));
      mountToken(spec, automountServiceAccountToken, random);
    },
  };
}

const tokenPath = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Gives each container the account's token, the cluster's CA and its namespace, unless pod or account say no, or the container mounts
 * something there itself.
 */
function mountToken(spec: Pod['spec'], ofAccount: boolean | undefined, random: Random): void {
  if (!(spec.automountServiceAccountToken ?? ofAccount ?? true)) return;
  let volume: string | null = null;
  for (const containers of [spec.initContainers, spec.containers])
    for (const container of containers ?? []) {
      if (container.volumeMounts?.some(({ mountPath }) => mountPath === tokenPath)) continue;
      volume ??= tokenVolume(spec, random);
      (container.volumeMounts ??= []).push({ name: volume, mountPath: tokenPath, readOnly: true });
    }
}

/** The name of the volume, which is added unless the author has brought one by this prefix. */
function tokenVolume(spec: Pod['spec'], random: Random): string {
  const prefix = 'kube-api-access-';
  const own = spec.volumes?.find(({ name }) => name.startsWith(prefix));
  if (own !== undefined) return own.name;
  const name = prefix + nameSuffix(random);
  (spec.volumes ??= []).push({
    name,
    projected: {
      defaultMode: 0o644,
      sources: [
        { serviceAccountToken: { path: 'token', expirationSeconds: 3607 } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
    },
  });
  return name;
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
