// What a node may do: one table of resources and verbs, narrowed to itself where an object is one node's own. After Kubernetes'
// node authorizer and its NodeRestriction admission plugin.
// HOT (bench/authorize.ts): every request of every node passes here; two map look-ups, no allocation when the answer is yes.
//
// What a kubelet needs is what Kubernetes gives it. Beyond that a node of ours runs the service proxy, the DNS server and the pod network,
// which elsewhere have credentials of their own: so it also lists and watches Services, EndpointSlices, Nodes, Pods, Namespaces and
// NetworkPolicies of the whole cluster, Ingresses and their classes too, and the secrets with certificates that ingresses of the nodes'
// own class name: each node answers for them (ingress-secrets.ts). It sees all volumes and marks those whose directory it keeps. What it
// writes is looked at once more by admission/node-restriction.ts; that a token is for a pod of the node is checked where it is made (subresources/token.ts).
import { isClusterSettings, type RequestAttributes, wellKnown } from './attributes.ts';
import { type Authorizer, allowed, noOpinion, noOpinionBecause, noRules, type Verdict } from './authorize.ts';
import type { ReferenceKind } from './pod-references.ts';

export interface NodeAuthorizerOptions {
  /** The node a pod is bound to, '' = none yet; undefined = no such pod, which is for the storage to say. From memory. */
  readonly nodeOfPod: (namespace: string, name: string) => string | undefined;
  /** The node that keeps what is behind a volume, undefined = none does. From memory. */
  readonly nodeOfVolume: (name: string) => string | undefined;
  /** Whether a pod of the node refers to the object. From memory. */
  readonly isRelated: (
    node: string,
    kind: ReferenceKind,
    at: { readonly namespace: string; readonly name: string },
  ) => boolean;
  /** The node that a VolumeAttachment is for; undefined = no such attachment. From memory. */
  readonly nodeOfAttachment: (name: string) => string | undefined;
}

type Check = (attributes: RequestAttributes, node: string, options: NodeAuthorizerOptions) => Verdict;

const any: Check = () => allowed;

const related =
  (kind: ReferenceKind): Check =>
  (a, node, { isRelated }) => {
    if (a.namespace === '') return noOpinionBecause('can only read namespaced object of this type');
    if (a.name === '') return noOpinionBecause('No Object name found');
    return isRelated(node, kind, a) ? allowed : unrelated(node);
  };

const relatedMap = related('configmaps');
const readConfigMap: Check = (a, node, options) =>
  isClusterSettings(a) ? allowed : relatedMap(a, node, options);

const unrelated = (node: string): Verdict =>
  noOpinionBecause(`no relationship found between node '${node}' and this object`);

const ownAttachment: Check = (a, node, { nodeOfAttachment }) => {
  const bound = nodeOfAttachment(a.name);
  return bound === undefined || bound === node ? allowed : unrelated(node);
};

/** On create the name is not known yet; admission compares it. */
const sameName =
  (what: string): Check =>
  (a, node) =>
    a.verb === 'create' || a.name === node
      ? allowed
      : noOpinionBecause(`can only access ${what} with the same name as the requesting node`);

const ownLease: Check = (a, node, options) =>
  a.namespace === 'kube-node-lease'
    ? sameName('node lease')(a, node, options)
    : noOpinionBecause('can only access leases in the "kube-node-lease" system namespace');

const ownNode: Check = (a, node) =>
  a.verb === 'create' || a.name === node
    ? allowed
    : noOpinionBecause(
        `node ${JSON.stringify(node)} is not allowed to modify node ${JSON.stringify(a.name)}`,
      );

const ownPod: Check = (a, node, { nodeOfPod }) => {
  const bound = nodeOfPod(a.namespace, a.name);
  return bound === undefined || bound === node
    ? allowed
    : noOpinionBecause(
        `node ${JSON.stringify(node)} can only ${a.verb} pods with spec.nodeName set to itself`,
      );
};

const ownVolume: Check = (a, node, { nodeOfVolume }) =>
  nodeOfVolume(a.name) === node
    ? allowed
    : noOpinionBecause(`node ${JSON.stringify(node)} can only patch volumes that it keeps`);

const read = 'get list watch';
const write = 'create update patch';

/** group/resource[/subresource], verbs, what else must hold. Core has an empty group. */
const table: readonly (readonly [string, string, Check])[] = [
  ['/nodes', read, any],
  ['/nodes', write, ownNode],
  ['/nodes/status', 'update patch', ownNode],
  ['/pods', read, any],
  // Mirror pods of static ones; admission sees that they are.
  ['/pods', 'create', any],
  ['/pods', 'delete', ownPod],
  ['/pods/status', 'update patch', ownPod],
  ['/pods/eviction', 'create', ownPod],
  ['/serviceaccounts/token', 'create', related('serviceaccounts')],
  ['/namespaces', read, any],
  ['/services', read, any],
  ['/endpoints', read, any],
  ['discovery.k8s.io/endpointslices', read, any],
  ['/secrets', read, related('secrets')],
  ['/configmaps', read, readConfigMap],
  ['/persistentvolumeclaims', 'get', related('persistentvolumeclaims')],
  ['resource.k8s.io/resourceclaims', 'get', related('resourceclaims')],
  ['/persistentvolumes', read, any],
  ['/persistentvolumes', 'patch', ownVolume],
  ['/events', write, any],
  ['events.k8s.io/events', write, any],
  ['coordination.k8s.io/leases', 'get create update patch delete', ownLease],
  ['storage.k8s.io/csinodes', 'get create update patch delete', sameName('CSINode')],
  ['storage.k8s.io/csidrivers', read, any],
  ['storage.k8s.io/volumeattachments', 'get', ownAttachment],
  ['node.k8s.io/runtimeclasses', read, any],
  ['networking.k8s.io/networkpolicies', read, any],
  ['networking.k8s.io/servicecidrs', read, any],
  ['networking.k8s.io/ingresses', read, any],
  ['networking.k8s.io/ingressclasses', read, any],
  ['certificates.k8s.io/certificatesigningrequests', 'create get list watch', any],
  // Its requests for new certificates of its own are approved by themselves (controllers/certificate-approver).
  ['certificates.k8s.io/certificatesigningrequests/selfnodeclient', 'create', any],
  ['certificates.k8s.io/certificatesigningrequests/selfnodeserver', 'create', any],
  ['authentication.k8s.io/tokenreviews', 'create', any],
  ['authorization.k8s.io/subjectaccessreviews', 'create', any],
  ['authorization.k8s.io/localsubjectaccessreviews', 'create', any],
];

const checks = new Map<string, Check>();
for (const [resource, verbs, check] of table)
  for (const verb of verbs.split(' ')) checks.set(`${verb} ${resource}`, check);

/** The node a user is, or undefined: a user `system:node:NAME` of the group system:nodes. */
export function nodeOfUser(user: RequestAttributes['user']): string | undefined {
  if (!user.name.startsWith(wellKnown.nodeUserPrefix) || !user.groups.includes(wellKnown.nodes))
    return undefined;
  const name = user.name.slice(wellKnown.nodeUserPrefix.length);
  return name === '' ? undefined : name;
}

export function createNodeAuthorizer(options: NodeAuthorizerOptions): Authorizer {
  const mayNode = (a: RequestAttributes): Verdict => {
    const node = nodeOfUser(a.user);
    if (node === undefined || a.resource === '') return noOpinion;
    const resource = a.subresource === '' ? a.resource : `${a.resource}/${a.subresource}`;
    const check = checks.get(`${a.verb} ${a.group}/${resource}`);
    return check === undefined ? noOpinion : check(a, node, options);
  };
  const rulesFor = (user: RequestAttributes['user']) =>
    nodeOfUser(user) === undefined
      ? noRules
      : { ...noRules, error: 'node authorizer does not support user rule resolution' };
  return Object.assign(mayNode, { rulesFor });
}
