// Which certificates of nodes are granted without a person: those towards the API server for whoever may ask for a node's (a bootstrap
// token) or for its own (a node), as Kubernetes' csrapproving does; and, beyond Kubernetes, a node's serving certificate for its own name
// and addresses. Pure.
//
// The limits of the latter. A node says itself which addresses it has, so it is given none that another node or the API server has, and
// no name but its own: whoever holds one node must not be able to pose as another, or as the API server.
import type { CertificateSigningRequest, Lease, Node } from '../../api/index.ts';
import type { ReadRequest } from '../../http/index.ts';
import { parseIp, parseTime } from '../../machinery/index.ts';
import {
  kubeletClientFault,
  kubeletServingFault,
  nodeUserPrefix,
  signers,
} from '../certificate-signer/rules.ts';

export interface ClusterView {
  readonly nodes: readonly Node[];
  /** The Lease of a node. */
  leaseOf(node: string): Lease | undefined;
  /** Names and addresses under which the API server is reached. */
  readonly serverNames: readonly string[];
  readonly nowMs: number;
}

/** A way to be granted: whoever asks must be allowed to create this subresource of certificatesigningrequests. */
export interface Grant {
  readonly permission: 'selfnodeclient' | 'nodeclient' | 'selfnodeserver';
  readonly message: string;
  /** The node's name is taken: the request is denied for this, if who asks would be granted it otherwise. */
  readonly denial?: string;
}

export const isOpen = ({ status }: CertificateSigningRequest): boolean =>
  !status?.certificate &&
  !(status?.conditions ?? []).some(({ type }) => type === 'Approved' || type === 'Denied');

/** In the order in which they are tried. None: a person decides. */
export function planGrants(
  { spec }: CertificateSigningRequest,
  request: ReadRequest,
  view: ClusterView,
): readonly Grant[] {
  const { signerName, usages = [], username } = spec;
  const isOwn = username === request.commonName;
  if (signerName === signers.kubeletClient && kubeletClientFault(request, usages) === undefined) {
    const grants: Grant[] = [];
    if (isOwn)
      grants.push({
        permission: 'selfnodeclient',
        message: 'Auto approving self kubelet client certificate after SubjectAccessReview.',
      });
    const name = request.commonName.slice(nodeUserPrefix.length);
    grants.push({
      permission: 'nodeclient',
      message: 'Auto approving kubelet client certificate after SubjectAccessReview.',
      ...(isAlive(name, view) && {
        denial: `a node named ${JSON.stringify(name)} is part of the cluster and alive`,
      }),
    });
    return grants;
  }
  if (
    signerName === signers.kubeletServing &&
    isOwn &&
    kubeletServingFault(request, usages) === undefined &&
    servingFault(request, view) === undefined
  )
    return [
      {
        permission: 'selfnodeserver',
        message: 'Auto approving self kubelet serving certificate after SubjectAccessReview.',
      },
    ];
  return [];
}

/** Its agent has been heard of within the time that its Lease promises. */
function isAlive(name: string, { nodes, leaseOf, nowMs }: ClusterView): boolean {
  if (!nodes.some(({ metadata }) => metadata.name === name)) return false;
  const { renewTime, leaseDurationSeconds = 0 } = leaseOf(name)?.spec ?? {};
  const renewedMs = parseTime(renewTime);
  return renewedMs !== undefined && renewedMs + leaseDurationSeconds * 1000 > nowMs;
}

const canonical = (text: string): string => parseIp(text)?.text ?? text.toLowerCase();
const addressesOf = ({ status }: Node): readonly string[] =>
  (status?.addresses ?? [])
    .filter(({ type }) => type.endsWith('IP'))
    .map(({ address }) => canonical(address));

/** Why names and addresses are not the node's own; undefined = they are. */
export function servingFault(request: ReadRequest, view: ClusterView): string | undefined {
  const name = request.commonName.slice(nodeUserPrefix.length);
  const node = view.nodes.find(({ metadata }) => metadata.name === name);
  if (node === undefined) return `there is no node ${JSON.stringify(name)}`;
  const server = new Set(view.serverNames.map(canonical));
  const foreign = request.dnsNames.find((dns) => dns !== name);
  if (foreign !== undefined) return `${foreign} is not the name of the node`;
  // A node may be called what it likes, kubernetes.default.svc even.
  if (request.dnsNames.length > 0 && server.has(name)) return `${name} is a name of the API server`;
  const own = new Set(addressesOf(node));
  const others = new Set(view.nodes.filter((other) => other !== node).flatMap((other) => addressesOf(other)));
  for (const ip of request.ips.map(canonical)) {
    if (!own.has(ip)) return `${ip} is not an address of the node`;
    if (others.has(ip)) return `${ip} is the address of another node too`;
    if (server.has(ip)) return `${ip} is an address of the API server`;
  }
  return undefined;
}
