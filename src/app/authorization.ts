// Who may do what on this server: the order of its authorizers, and what they look up in its store.
import {
  CertificateSigningRequest,
  keeperOf,
  PersistentVolume,
  Pod,
  Secret,
  VolumeAttachment,
} from '../api/index.ts';
import {
  type Authorize,
  bootstrapTokens,
  createAuthorizer,
  createBootstrapAuthorizer,
  createIngressSecrets,
  createNodeAuthorizer,
  createRbacAuthorizer,
  everyoneAuthorizer,
  Grants,
  mastersAuthorizer,
  NodeRelations,
  objectOf,
  type TokenAuthenticator,
} from '../apiserver/index.ts';
import type { Clock } from '../base/index.ts';
import { type KindDef, type KubeObject, storageKey } from '../machinery/index.ts';
import type { Store } from '../storage/index.ts';

/** `hasIngress`: nodes answer for ingresses. */
export function createAuthorization(store: Store, { hasIngress }: { hasIngress: boolean }): Authorize {
  const find = finder(store);
  const relations = new NodeRelations(store);
  const isNamedByIngress = createIngressSecrets(store);
  return createAuthorizer([
    mastersAuthorizer,
    createNodeAuthorizer({
      nodeOfPod(namespace, name) {
        const pod = find(Pod, { namespace, name });
        return pod === undefined ? undefined : (pod.spec.nodeName ?? '');
      },
      nodeOfVolume(name) {
        const volume = find(PersistentVolume, { name });
        return volume === undefined ? undefined : keeperOf(volume);
      },
      nodeOfAttachment: (name) => find(VolumeAttachment, { name })?.spec.nodeName,
      isRelated: (node, kind, at) =>
        relations.isRelated(node, kind, at) || (hasIngress && kind === 'secrets' && isNamedByIngress(at)),
    }),
    createBootstrapAuthorizer({
      requesterOf(name) {
        const request = find(CertificateSigningRequest, { name });
        return request === undefined ? undefined : (request.spec.username ?? '');
      },
    }),
    createRbacAuthorizer(new Grants(store)),
    everyoneAuthorizer,
  ]);
}

/** The tokens by which machines join. */
export function joinTokens(store: Store, clock: Clock): TokenAuthenticator {
  const find = finder(store);
  return bootstrapTokens({ secret: (name) => find(Secret, { namespace: 'kube-system', name }), clock });
}

const finder =
  (store: Store) =>
  <T extends KubeObject>(
    kind: KindDef<T>,
    at: { readonly namespace?: string; readonly name: string },
  ): T | undefined => {
    const entry = store.get(storageKey(kind as unknown as KindDef, at));
    return entry === undefined ? undefined : objectOf<T>(entry);
  };
