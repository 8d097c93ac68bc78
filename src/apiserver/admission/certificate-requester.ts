// A certificate signing request says who asked for it: the caller, never what the author wrote.
import type { certificatesV1 } from '../../api/index.ts';
import type { KubeObject } from '../../machinery/index.ts';
import type { AdmissionPlugin } from './admission.ts';

type Request = KubeObject & { spec: certificatesV1.CertificateSigningRequestSpec };

export const certificateRequester: AdmissionPlugin = {
  name: 'CertificateRequester',
  mutate({ operation, kind, subresource, object, old, context }) {
    if (
      kind.group !== 'certificates.k8s.io' ||
      kind.kind !== 'CertificateSigningRequest' ||
      subresource !== ''
    )
      return;
    const { spec } = object as Request;
    if (operation === 'create') {
      const { name, uid, groups, extra } = context.user;
      spec.username = name;
      spec.groups = [...groups];
      setOrDrop(spec, 'uid', uid === '' ? undefined : uid);
      setOrDrop(spec, 'extra', extra === undefined ? undefined : structuredClone(extra));
    } else if (operation === 'update') {
      // Who asked does not change, whoever edits the request.
      const before = (old as Request).spec;
      for (const field of ['username', 'uid', 'groups', 'extra'] as const)
        setOrDrop(spec, field, before[field]);
    }
  },
};

function setOrDrop(spec: object, field: string, value: unknown): void {
  const loose = spec as Record<string, unknown>;
  if (value === undefined) delete loose[field];
  else loose[field] = value;
}
