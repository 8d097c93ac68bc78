// Approves certificates of nodes. Whether who asks may have one is asked of the API server as a SubjectAccessReview, so that roles can
// grant and the absence of a role can refuse it.
import { CertificateSigningRequest, Lease, Node, SubjectAccessReview } from '../../api/index.ts';
import { readCertificateRequest } from '../../http/index.ts';
import { signers } from '../certificate-signer/rules.ts';
import { type Controller, defineController, maps } from '../framework/index.ts';
import { type Grant, isOpen, planGrants } from './plan.ts';

export interface CertificateApproverOptions {
  /** Names and addresses under which the API server is reached: never granted to a node. */
  readonly serverNames: readonly string[];
}

const leaseNamespace = 'kube-node-lease';
const group = 'certificates.k8s.io';

export function certificateApproverController({ serverNames }: CertificateApproverOptions): Controller {
  return defineController({
    name: 'csrapproving',
    reconciles: CertificateSigningRequest,
    watches: [
      // A serving certificate is asked for when the node has just told its addresses.
      maps(
        Node,
        (node, lister) =>
          lister(CertificateSigningRequest)
            .list()
            .filter(
              (csr) =>
                csr.spec.signerName === signers.kubeletServing &&
                csr.spec.username === `system:node:${node.metadata.name}` &&
                isOpen(csr),
            )
            .map(({ metadata }) => metadata.name),
        {
          when: (old, node) =>
            JSON.stringify(old.status?.addresses) !== JSON.stringify(node.status?.addresses),
        },
      ),
    ],

    build({ clock, lister, client }) {
      const requests = lister(CertificateSigningRequest);
      const nodes = lister(Node);
      const leases = lister(Lease);

      const isAllowed = async (
        { spec }: CertificateSigningRequest,
        subresource: Grant['permission'],
      ): Promise<boolean> => {
        const { username, uid, groups, extra } = spec;
        const attributes = { group, resource: 'certificatesigningrequests', verb: 'create', subresource };
        const { status } = await client(SubjectAccessReview).create({
          metadata: { name: '' },
          spec: {
            ...(username !== undefined && { user: username }),
            ...(uid !== undefined && { uid }),
            ...(groups !== undefined && { groups: [...groups] }),
            ...(extra !== undefined && { extra: structuredClone(extra) }),
            resourceAttributes: attributes,
          },
        });
        return status?.allowed === true;
      };

      return async function reconcile(key) {
        const csr = requests.get(key);
        if (csr === undefined || !isOpen(csr)) return;
        const { signerName, request } = csr.spec;
        if (signerName !== signers.kubeletClient && signerName !== signers.kubeletServing) return;
        const read = await readCertificateRequest(Buffer.from(request, 'base64').toString('latin1'));
        const grants = planGrants(csr, read, {
          nodes: nodes.list(),
          leaseOf: (name) => leases.get(`${leaseNamespace}/${name}`),
          serverNames,
          nowMs: clock.nowMs(),
        });
        for (const { permission, message, denial } of grants) {
          if (!(await isAllowed(csr, permission))) continue;
          const condition =
            denial === undefined
              ? { type: 'Approved', status: 'True', reason: 'AutoApproved', message }
              : { type: 'Denied', status: 'True', reason: 'NodeNameInUse', message: denial };
          const { name, resourceVersion } = csr.metadata;
          await client(CertificateSigningRequest).patch({ name, subresource: 'approval' }, 'merge', {
            metadata: { resourceVersion },
            status: { conditions: [...(csr.status?.conditions ?? []), condition] },
          });
          return;
        }
      };
    },
  });
}
