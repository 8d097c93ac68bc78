// Who may decide on a certificate signing request, and who may sign it: whoever may `approve` or `sign` for its signer. And what no
// request may ask for: membership of system:masters. Kubernetes' plugins CertificateApproval, CertificateSigning and
// CertificateSubjectRestriction.
import { type CertificateSigningRequest, readCertificateRequest } from '../../api/index.ts';
import { forbidden } from '../../machinery/index.ts';
import { wellKnown } from '../auth/attributes.ts';
import type { Authorize } from '../auth/authorize.ts';
import type { UserInfo } from '../registry/context.ts';
import { refOf } from '../registry/core.ts';
import type { AdmissionPlugin } from './admission.ts';

const clientSigner = 'kubernetes.io/kube-apiserver-client';

export function certificateSigners(authorize: Authorize): AdmissionPlugin {
  /** For the signer itself, or for all signers of its domain. */
  const may = (user: UserInfo, verb: string, signer: string): boolean =>
    [signer, `${signer.split('/')[0]}/*`].some(
      (name) =>
        authorize({
          user,
          verb,
          group: 'certificates.k8s.io',
          version: '',
          resource: 'signers',
          subresource: '',
          namespace: '',
          name,
          path: '',
        }) === undefined,
    );

  return {
    name: 'CertificateSigners',
    validate({ operation, kind, subresource, name, object, old, context }) {
      if (kind.group !== 'certificates.k8s.io' || kind.kind !== 'CertificateSigningRequest') return;
      const refuse = (why: string) => forbidden(refOf(kind), name, why);
      if (operation === 'create' && subresource === '') {
        const { spec } = object as CertificateSigningRequest;
        if (spec.signerName === clientSigner && asksForMasters(spec.request))
          throw refuse(`use of ${clientSigner} signer with ${wellKnown.masters} group is not allowed`);
      }
      if (operation !== 'update') return;
      const before = old as CertificateSigningRequest;
      const { signerName } = before.spec;
      if (subresource === 'approval' && !may(context.user, 'approve', signerName))
        throw refuse(`user not permitted to approve requests with signerName ${JSON.stringify(signerName)}`);
      if (
        subresource === 'status' &&
        signs(before, object as CertificateSigningRequest) &&
        !may(context.user, 'sign', signerName)
      )
        throw refuse(`user not permitted to sign requests with signerName ${JSON.stringify(signerName)}`);
    },
  };
}

const asksForMasters = (request: string): boolean =>
  readCertificateRequest(Buffer.from(request, 'base64').toString('latin1')).organizations.includes(
    wellKnown.masters,
  );

/** To issue a certificate and to say that none will be are both the signer's. */
const signs = (before: CertificateSigningRequest, after: CertificateSigningRequest): boolean =>
  (before.status?.certificate ?? '') !== (after.status?.certificate ?? '') ||
  hasFailed(before) !== hasFailed(after);

const hasFailed = ({ status }: CertificateSigningRequest): boolean =>
  status?.conditions?.some(({ type }) => type === 'Failed') ?? false;
