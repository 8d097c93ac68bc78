// certificatesigningrequests/approval: a request is approved or denied by its conditions, and nothing else of it changes.
import { type CertificateSigningRequest, prepareApproval, validateApproval } from '../../api/index.ts';
import type { UpdateRules } from '../registry/update-rules.ts';
import { partOf } from './part.ts';

const rules: UpdateRules = {
  subresource: 'approval',
  prepare: (_, csr, old, context) =>
    prepareApproval(csr as CertificateSigningRequest, old as CertificateSigningRequest, context),
  validate: (_, csr, old, causes) =>
    validateApproval(csr as CertificateSigningRequest, old as CertificateSigningRequest, causes),
  owns: 'status',
  desired: false,
};

export const approval = partOf(
  rules,
  (kind) => kind.group === 'certificates.k8s.io' && kind.kind === 'CertificateSigningRequest',
);
