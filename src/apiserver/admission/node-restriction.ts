// NodeRestriction: what a node may write of the objects that it may write at all. A node that has been taken over must not draw the pods
// of others to itself, nor hide from those who keep them away. Kubernetes' plugin of this name, with its words. What needs no look at
// the object is settled by the node authorizer already (auth/node-authorizer.ts), tokens where they are made (subresources/token.ts).
import { Node, type Pod } from '../../api/index.ts';
import { forbidden, type KubeObject, notFound } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { nodeOfUser } from '../auth/node-authorizer.ts';
import { referencesOfPod } from '../auth/pod-references.ts';
import { refOf } from '../registry/core.ts';
import { keyFor, objectOf, sameJson } from '../registry/objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';

const mirrorAnnotation = 'kubernetes.io/config.mirror';
const leaseNamespace = 'kube-node-lease';

/** Why not, or undefined. */
type Restriction = (node: string, request: AdmissionRequest, store: Store) => string | undefined;

const quote = JSON.stringify;

const podCreate: Restriction = (node, { object }, store) => {
  const pod = object as Pod;
  if (pod.metadata.annotations?.[mirrorAnnotation] === undefined)
    return `pod does not have ${quote(mirrorAnnotation)} annotation, node ${quote(node)} can only create mirror pods`;
  if (pod.spec.nodeName !== node)
    return `node ${quote(node)} can only create pods with spec.nodeName set to itself`;
  const owners = pod.metadata.ownerReferences ?? [];
  const [owner] = owners;
  const only = `node ${quote(node)} can only create pods with`;
  if (owners.length > 1) return `${only} a single owner reference set to itself`;
  if (owner === undefined || owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== node)
    return `${only} an owner reference set to itself`;
  if (owner.controller !== true) return `${only} a controller owner reference set to itself`;
  if (owner.blockOwnerDeletion === true)
    return `node ${quote(node)} must not set blockOwnerDeletion on an owner reference`;
  const entry = store.get(keyFor(Node, undefined, node));
  if (entry === undefined) throw notFound({ group: '', resource: 'nodes' }, node);
  const { uid } = objectOf(entry).metadata;
  if (owner.uid !== uid) return `node ${node} UID mismatch: expected ${owner.uid} got ${uid}`;
  const kinds = new Set([...referencesOfPod(pod)].map((reference) => reference.split('/')[0]));
  if (kinds.has('serviceaccounts'))
    return `node ${quote(node)} can not create pods that reference a service account`;
  for (const kind of ['secrets', 'configmaps', 'persistentvolumeclaims', 'resourceclaims'])
    if (kinds.has(kind)) return `node ${quote(node)} can not create pods that reference ${kind}`;
  return undefined;
};

const podStatus: Restriction = (node, { object, old }) => {
  if ((old as Pod).spec.nodeName !== node)
    return `node ${quote(node)} can only update pod status for pods with spec.nodeName set to itself`;
  return sameJson(old!.metadata.labels ?? {}, object!.metadata.labels ?? {})
    ? undefined
    : `node ${quote(node)} cannot update labels through pod status`;
};

const ownNode: Restriction = (node, { operation, object, old, name }) => {
  if (name !== node) return `node ${quote(node)} is not allowed to modify node ${quote(name)}`;
  if (operation === 'delete') return undefined;
  const wrong = forbiddenLabels(object!.metadata.labels, old?.metadata.labels).join(', ');
  if (operation === 'create')
    return wrong === ''
      ? undefined
      : `node ${quote(node)} is not allowed to set the following labels: ${wrong}`;
  const [before, after] = [old as Node, object as Node];
  if (!sameJson(before.spec?.taints ?? [], after.spec?.taints ?? []))
    return `node ${quote(node)} is not allowed to modify taints`;
  if (!sameJson(before.metadata.ownerReferences ?? [], after.metadata.ownerReferences ?? []))
    return `node ${quote(node)} is not allowed to modify ownerReferences`;
  return wrong === '' ? undefined : `is not allowed to modify labels: ${wrong}`;
};

const sameName =
  (what: string): Restriction =>
  (node, { name }) =>
    name === node ? undefined : `can only access ${what} with the same name as the requesting node`;

const ownLease: Restriction = (node, request, store) =>
  request.namespace === leaseNamespace
    ? sameName('node lease')(node, request, store)
    : `can only access leases in the ${quote(leaseNamespace)} system namespace`;

/** By `operation group/Kind/subresource`. What is not here needs no look at the object. */
const restrictions: ReadonlyMap<string, Restriction> = new Map([
  ['create /Pod/', podCreate],
  ['update /Pod/status', podStatus],
  ['create /Node/', ownNode],
  ['update /Node/', ownNode],
  ['update /Node/status', ownNode],
  ['create coordination.k8s.io/Lease/', ownLease],
  ['update coordination.k8s.io/Lease/', ownLease],
  ['create storage.k8s.io/CSINode/', sameName('CSINode')],
  ['update storage.k8s.io/CSINode/', sameName('CSINode')],
]);

export const nodeRestriction = (store: Store): AdmissionPlugin => ({
  name: 'NodeRestriction',
  validate(request) {
    const { operation, kind, subresource, name, context } = request;
    const node = nodeOfUser(context.user);
    if (node === undefined) return;
    const restriction = restrictions.get(`${operation} ${kind.group}/${kind.kind}/${subresource}`);
    const why = restriction?.(node, request, store);
    if (why !== undefined) throw forbidden(refOf(kind), name, why);
  },
});

/** What a kubelet says of itself: k8s.io/kubelet/pkg/apis/well_known_labels.go. */
const ownLabels = new Set([
  'kubernetes.io/hostname',
  'topology.kubernetes.io/zone',
  'topology.kubernetes.io/region',
  'failure-domain.beta.kubernetes.io/zone',
  'failure-domain.beta.kubernetes.io/region',
  'beta.kubernetes.io/instance-type',
  'node.kubernetes.io/instance-type',
  'kubernetes.io/os',
  'kubernetes.io/arch',
  'beta.kubernetes.io/os',
  'beta.kubernetes.io/arch',
]);
const isWithin = (namespace: string, domain: string): boolean =>
  namespace === domain || namespace.endsWith(`.${domain}`);

/** Changed labels that a node may not change, sorted. Pure. */
export function forbiddenLabels(
  after: KubeObject['metadata']['labels'] = {},
  before: KubeObject['metadata']['labels'] = {},
): string[] {
  return [...new Set([...Object.keys(after), ...Object.keys(before)])]
    .filter((key) => after[key] !== before[key])
    .filter((key) => {
      const slash = key.indexOf('/');
      const namespace = slash < 0 ? '' : key.slice(0, slash);
      if (isWithin(namespace, 'node-restriction.kubernetes.io')) return true;
      if (!isWithin(namespace, 'kubernetes.io') && !isWithin(namespace, 'k8s.io')) return false;
      return !(
        ownLabels.has(key) ||
        isWithin(namespace, 'kubelet.kubernetes.io') ||
        isWithin(namespace, 'node.kubernetes.io')
      );
    })
    .sort();
}
