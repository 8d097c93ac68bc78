// CertificateSigningRequest: a wish for a certificate. Who asks is written by the server; the wish itself never changes. Approving and
// denying go through a subresource of their own. Of the request only the frame is checked here: its signature is the signer's to check.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  defineKind,
  FieldAt,
  humanDuration,
  semanticEqual,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import type {
  CertificateSigningRequestCondition,
  CertificateSigningRequest as CertificateSigningRequestObject,
} from '../../generated/certificates-v1.ts';
import { shape } from '../../shape.ts';

export type CertificateSigningRequest = CertificateSigningRequestObject;

const usages = [
  'any',
  'cert sign',
  'client auth',
  'code signing',
  'content commitment',
  'crl sign',
  'data encipherment',
  'decipher only',
  'digital signature',
  'email protection',
  'encipher only',
  'ipsec end system',
  'ipsec tunnel',
  'ipsec user',
  'key agreement',
  'key encipherment',
  'microsoft sgc',
  'netscape sgc',
  'ocsp signing',
  's/mime',
  'server auth',
  'signing',
  'timestamping',
];
const minSeconds = 600;
/** Only the approval subresource may touch these. */
const decisions = ['Approved', 'Denied'];

export const isDecided = ({ status }: CertificateSigningRequestObject, type: string): boolean =>
  status?.conditions?.some((condition) => condition.type === type) ?? false;

export const CertificateSigningRequest = defineKind<CertificateSigningRequestObject>({
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  shortNames: ['csr'],
  scope: 'Cluster',
  schema: shape('certificates.v1.CertificateSigningRequest'),
  subresources: { status: true },
  // what people call their requests is their affair
  nameRule: () => [],
  columns: [
    nameColumn,
    ageColumn,
    textColumn('SignerName', 'Who is to sign.', ({ spec }) => spec?.signerName || '<none>'),
    textColumn('Requestor', 'Who asks.', ({ spec }) => spec?.username ?? ''),
    textColumn('RequestedDuration', 'For how long.', ({ spec }) =>
      spec?.expirationSeconds === undefined ? '<none>' : humanDuration(spec.expirationSeconds * 1000),
    ),
    textColumn('Condition', 'How far it has come.', (csr) => {
      const decided = isDecided(csr, 'Denied')
        ? 'Denied'
        : isDecided(csr, 'Approved')
          ? 'Approved'
          : 'Pending';
      const failed = isDecided(csr, 'Failed') ? ',Failed' : '';
      return `${decided}${failed}${csr.status?.certificate ? ',Issued' : ''}`;
    }),
  ],
  selectableFields: { 'spec.signerName': ({ spec }) => spec?.signerName ?? '' },

  prepareUpdate(csr, old) {
    csr.spec = structuredClone(old.spec);
  },

  validate({ spec }, _old, causes) {
    const field = new FieldAt('spec', causes);
    const pem = Buffer.from(spec.request ?? '', 'base64').toString('latin1');
    if (!/-----BEGIN CERTIFICATE REQUEST-----\s[^-]*-----END CERTIFICATE REQUEST-----/.test(pem))
      field.child('request').invalid(spec.request, 'PEM block type must be CERTIFICATE REQUEST');
    const given = spec.usages ?? [];
    const here = field.child('usages');
    if (given.length === 0) here.required('usages must be provided');
    for (const [i, usage] of given.entries()) here.index(i).oneOf(usage, usages);
    for (const [i, usage] of given.entries()) if (given.indexOf(usage) < i) here.index(i).duplicate(usage);
    validateSignerName(spec.signerName ?? '', field.child('signerName'));
    const seconds = spec.expirationSeconds;
    if (seconds !== undefined && seconds < minSeconds)
      field
        .child('expirationSeconds')
        .invalid(seconds, `may not specify a duration less than ${minSeconds} seconds (10 minutes)`);
  },

  validateStatus(csr, old, causes) {
    const field = new FieldAt('status', causes);
    const conditions = csr.status?.conditions ?? [];
    validateConditionSet(conditions, field.child('conditions'));
    for (const type of decisions)
      if (!semanticEqual(ofType(conditions, type), ofType(old.status?.conditions ?? [], type)))
        field
          .child('conditions')
          .forbidden(`updates may not add, remove or modify a condition of type "${type}"`);
    if (old.status?.certificate && old.status.certificate !== csr.status?.certificate)
      field.child('certificate').forbidden('updates may not modify certificate content');
  },
});

const ofType = (
  conditions: readonly CertificateSigningRequestCondition[],
  type: string,
): readonly CertificateSigningRequestCondition[] => conditions.filter((condition) => condition.type === type);

function validateConditionSet(
  conditions: readonly CertificateSigningRequestCondition[],
  field: FieldAt,
): void {
  const seen = new Set<string>();
  for (const [i, { type, status }] of conditions.entries()) {
    const here = field.index(i);
    if (type === '') here.child('type').required();
    const certain = type === 'Approved' || type === 'Denied' || type === 'Failed';
    here.child('status').requiredOneOf(status, certain ? ['True'] : ['False', 'True', 'Unknown']);
    if ((type === 'Approved' && seen.has('Denied')) || (type === 'Denied' && seen.has('Approved')))
      here.child('type').invalid(type, 'Approved and Denied conditions are mutually exclusive');
    if (seen.has(type)) here.child('type').duplicate(type);
    seen.add(type);
  }
}

/** `example.com/name`, where the name may be `namespace.name`. */
function validateSignerName(name: string, field: FieldAt): void {
  if (name === '') {
    field.required('signerName must be provided');
    return;
  }
  if (name === 'kubernetes.io/legacy-unknown') {
    field.invalid(name, 'the legacy signerName is not allowed via this API version');
    return;
  }
  const [domain = '', path = '', ...more] = name.split('/');
  if (more.length > 0 || !name.includes('/')) {
    field.invalid(name, "must be a fully qualified domain and path of the form 'example.com/signer-name'");
    return;
  }
  if (domain.length > 253) field.tooLong(253);
  const labels = domain.split('.');
  refuseFirst(labels, checkDns1123Label, (detail) => field.invalid(domain, detail));
  if (labels.length < 2)
    field.invalid(domain, 'should be a domain with at least two segments separated by dots');
  refuseFirst(path.split('.'), checkDns1123Subdomain, (detail) => field.invalid(path, detail));
}

function refuseFirst(
  labels: readonly string[],
  check: (label: string) => readonly string[],
  refuse: (detail: string) => void,
): void {
  const bad = labels.find((label) => check(label).length > 0);
  if (bad === undefined) return;
  for (const message of check(bad)) refuse(`validating label ${JSON.stringify(bad)}: ${message}`);
}
