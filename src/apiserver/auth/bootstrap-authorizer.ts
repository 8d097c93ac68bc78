// What a machine may do that shows a bootstrap token: ask for a node's certificate, look what becomes of its own request, and read
// what it must know of the cluster. The rights
// of Kubernetes' role system:node-bootstrapper and of kubeadm's kubeadm:node-autoapprove-bootstrap, narrowed: there it sees the requests
// of all others too.
import { isClusterSettings, type RequestAttributes, type UserInfo, wellKnown } from './attributes.ts';
import { type Authorizer, allowed, noOpinion, noOpinionBecause, noRules, type Verdict } from './authorize.ts';

export interface BootstrapAuthorizerOptions {
  /** Who made a CertificateSigningRequest; undefined = there is none of this name. From memory. */
  readonly requesterOf: (name: string) => string | undefined;
}

const group = 'certificates.k8s.io';
const resource = 'certificatesigningrequests';
const isBootstrapper = ({ groups }: UserInfo): boolean => groups.includes(wellKnown.bootstrappers);

export function createBootstrapAuthorizer({ requesterOf }: BootstrapAuthorizerOptions): Authorizer {
  const mayBootstrapper = (a: RequestAttributes): Verdict => {
    if (!isBootstrapper(a.user)) return noOpinion;
    if (a.verb === 'get' && a.group === '' && a.resource === 'configmaps' && isClusterSettings(a))
      return allowed;
    if (a.resource !== resource || a.group !== group) return noOpinion;
    if (a.verb === 'create')
      // nodeclient: its requests for certificates of nodes are approved by themselves.
      return a.subresource === '' || a.subresource === 'nodeclient' ? allowed : noOpinion;
    if (a.subresource !== '' || (a.verb !== 'get' && a.verb !== 'watch' && a.verb !== 'list'))
      return noOpinion;
    if (a.name === '') return noOpinionBecause('No Object name found');
    const requester = requesterOf(a.name);
    return requester === undefined || requester === a.user.name
      ? allowed
      : noOpinionBecause('can only read certificate signing requests of its own');
  };
  const rulesFor = (user: UserInfo) =>
    isBootstrapper(user)
      ? {
          ...noRules,
          resources: [
            { verbs: ['create'], apiGroups: [group], resources: [resource, `${resource}/nodeclient`] },
          ],
          incomplete: true,
        }
      : noRules;
  return Object.assign(mayBootstrapper, { rulesFor });
}
