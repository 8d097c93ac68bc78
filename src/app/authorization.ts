// Who may do what on this server: the order of its authorizers, and what they look up in its store.
import {
  CertificateSigningRequest,
  keeperOf,
  PersistentVolume,
  Pod,
  VolumeAttachment,
} from '../api/index.ts';
import {
  type Authorize,
  createAuthorizer,
  createBootstrapAuthorizer,
  createIngressSecrets,
  createNodeAuthorizer,
  createRbacAuthorizer,
  everyoneAuthorizer,
  Grants,
  mastersAuthorizer,
  NodeRelations,
} from '../apiserver/index.ts';
import type { Store } from '../storage/index.ts';
import { finder } from './stored-objects.ts';

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
