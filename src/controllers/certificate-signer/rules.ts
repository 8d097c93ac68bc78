// What each signer of Kubernetes demands of a request, and in which words it says so: pkg/apis/certificates/helpers.go and
// pkg/controller/certificates/signer. Pure.
import type { ReadRequest } from '../../http/index.ts';

export const signers = {
  client: 'kubernetes.io/kube-apiserver-client',
  kubeletClient: 'kubernetes.io/kube-apiserver-client-kubelet',
  kubeletServing: 'kubernetes.io/kubelet-serving',
  legacyUnknown: 'kubernetes.io/legacy-unknown',
} as const;

export const nodeUserPrefix = 'system:node:';
const nodeGroup = 'system:nodes';

/** undefined = it is one; else why not. */
export type Rule = (request: ReadRequest, usages: readonly string[]) => string | undefined;

const sorted = (list: readonly string[]): string => [...new Set(list)].sort().join(',');

/** Those with `key encipherment` are for RSA; other keys have no use for it. */
function usagesFault(usages: readonly string[], purpose: string): string | undefined {
  const whole = ['digital signature', 'key encipherment', purpose];
  const given = sorted(usages);
  if (given === sorted(whole) || given === sorted(['digital signature', purpose])) return undefined;
  return `usages did not match [${whole.sort().join(' ')}]`;
}

const isOfNodes = ({ organizations }: ReadRequest): boolean =>
  organizations.length === 1 && organizations[0] === nodeGroup;
const nameFault = ({ commonName }: ReadRequest): string | undefined =>
  commonName.startsWith(nodeUserPrefix)
    ? undefined
    : `subject common name does not begin with ${nodeUserPrefix}`;
const groupFault = `subject organization is not ${nodeGroup}`;

/** A node's certificate towards the API server. */
export const kubeletClientFault: Rule = (request, usages) => {
  if (!isOfNodes(request)) return groupFault;
  if (request.dnsNames.length > 0) return 'DNS subjectAltNames are not allowed';
  if (request.emails.length > 0) return 'Email subjectAltNames are not allowed';
  if (request.ips.length > 0) return 'IP subjectAltNames are not allowed';
  if (request.uris.length > 0) return 'URI subjectAltNames are not allowed';
  return nameFault(request) ?? usagesFault(usages, 'client auth');
};

/** A node's certificate for its own HTTPS server. */
export const kubeletServingFault: Rule = (request, usages) => {
  if (!isOfNodes(request)) return groupFault;
  if (request.dnsNames.length === 0 && request.ips.length === 0)
    return 'DNS or IP subjectAltName is required';
  if (request.emails.length > 0) return 'Email subjectAltNames are not allowed';
  if (request.uris.length > 0) return 'URI subjectAltNames are not allowed';
  return usagesFault(usages, 'server auth') ?? nameFault(request);
};

/** Anybody's certificate towards the API server. */
const clientFault: Rule = (_, usages) => {
  const optional = ['digital signature', 'key encipherment'];
  const other = usages.find((usage) => usage !== 'client auth' && !optional.includes(usage));
  if (other !== undefined) return `invalid usage for client certificate: ${other}`;
  return usages.includes('client auth')
    ? undefined
    : 'missing required usage for client certificate: client auth';
};

/** By signer. What is not here is somebody else's to sign. */
export const ruleOf: ReadonlyMap<string, Rule> = new Map([
  [signers.client, clientFault],
  [signers.kubeletClient, kubeletClientFault],
  [signers.kubeletServing, kubeletServingFault],
  // It has never made any demands.
  [signers.legacyUnknown, () => undefined],
]);
