// CertificateSigningRequest: a wish for a certificate. Who asks is written by the server; the wish itself never changes. Approving and
// denying go through a subresource of their own; the signature of the request is checked when it is made.
import { X509Certificate } from 'node:crypto';
import {
  type Causes,
  checkDns1123Label,
  checkDns1123Subdomain,
  defineKind,
  FieldAt,
  formatTime,
  humanDuration,
} from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import type {
  CertificateSigningRequestCondition,
  CertificateSigningRequest as CertificateSigningRequestObject,
} from '../../generated/certificates-v1.ts';
import { shape } from '../../shape.ts';
import { CertificateRequestError, readCertificateRequest } from './certificate-request.ts';

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
/** A domain, a slash, a namespace, a dot and a name. */
const maxNameLength = 253 + 1 + 63 + 1 + 253;
/** Only the approval subresource may touch these. */
const decisions = ['Approved', 'Denied'];
/** True for ever once they are there. */
const lasting = [...decisions, 'Failed'];

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
    const fault = requestFault(spec.request ?? '');
    if (fault !== undefined) field.child('request').invalid(spec.request, fault);
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

  /** A report cannot touch a decision; what it leaves undated is dated. */
  prepareStatus(csr, old, { nowMs }) {
    for (const type of decisions) keepConditions(csr, old, type);
    dateConditions(csr, old, nowMs);
  },

  validateStatus(csr, old, causes) {
    validateReport(csr, old, causes);
    const conditions = new FieldAt('status', causes).child('conditions');
    for (const type of decisions)
      if (count(csr, type) > count(old, type))
        conditions.forbidden(`updates may not add a condition of type "${type}"`);
    const certificate = new FieldAt('status', causes).child('certificate');
    if (old.status?.certificate && old.status.certificate !== csr.status?.certificate)
      certificate.forbidden('updates may not modify existing certificate content');
  },
});

/** For the approval subresource: of the status only the conditions change, and they are dated. Mutates `csr`. */
export function prepareApproval(
  csr: CertificateSigningRequestObject,
  old: CertificateSigningRequestObject,
  { nowMs }: { nowMs: number },
): void {
  dateConditions(csr, old, nowMs);
  const conditions = csr.status?.conditions;
  csr.spec = old.spec;
  csr.status = { ...old.status, ...(conditions !== undefined && { conditions }) };
  if (conditions === undefined) delete csr.status.conditions;
}

/** For the approval subresource. A decision stays once it is made. */
export const validateApproval = (
  csr: CertificateSigningRequestObject,
  old: CertificateSigningRequestObject,
  causes: Causes,
): void => validateReport(csr, old, causes);

/** What holds for every report: the form of the conditions and of the certificate, and that what was said stays said. */
function validateReport(
  csr: CertificateSigningRequestObject,
  old: CertificateSigningRequestObject,
  causes: Causes,
): void {
  const field = new FieldAt('status', causes);
  const conditions = csr.status?.conditions ?? [];
  const before = old.status?.conditions ?? [];
  validateConditionSet(conditions, {
    field: field.child('conditions'),
    bothAllowed: decisions.every((type) => before.some((condition) => condition.type === type)),
    repeatsAllowed: before.some(({ type }, i) => before.findIndex((other) => other.type === type) < i),
  });
  const fault = certificateFault(csr.status?.certificate ?? '');
  if (fault !== undefined && csr.status?.certificate !== old.status?.certificate)
    field.child('certificate').invalid('<certificate data>', fault);
  for (const type of lasting)
    if (count(csr, type) < count(old, type))
      field.child('conditions').forbidden(`updates may not remove a condition of type "${type}"`);
}

const count = ({ status }: CertificateSigningRequestObject, type: string): number =>
  status?.conditions?.filter((condition) => condition.type === type).length ?? 0;

function requestFault(base64: string): string | undefined {
  try {
    readCertificateRequest(Buffer.from(base64, 'base64').toString('latin1'));
    return undefined;
  } catch (error) {
    if (error instanceof CertificateRequestError) return error.message;
    throw error;
  }
}

/** What is wrong with an issued certificate: PEM blocks of certificates, without headers. '' is none yet. */
function certificateFault(base64: string): string | undefined {
  if (base64 === '') return undefined;
  const pem = Buffer.from(base64, 'base64').toString('latin1');
  const blocks = [...pem.matchAll(/-----BEGIN ([^\n]*?)-----\r?\n([\s\S]*?)-----END \1-----/g)];
  for (const [whole, type, body = ''] of blocks) {
    if (type !== 'CERTIFICATE')
      return `only CERTIFICATE PEM blocks are allowed, found ${JSON.stringify(type)}`;
    if (body.includes(':')) return 'no PEM block headers are permitted';
    try {
      new X509Certificate(whole);
    } catch {
      return 'x509: malformed certificate';
    }
  }
  return blocks.length === 0 ? 'must contain at least one CERTIFICATE PEM block' : undefined;
}

/** Conditions of a type that are as many as before stay what they were. */
function keepConditions(
  csr: CertificateSigningRequestObject,
  old: CertificateSigningRequestObject,
  type: string,
): void {
  if (count(csr, type) !== count(old, type)) return;
  const before = old.status?.conditions?.filter((condition) => condition.type === type) ?? [];
  const conditions = csr.status?.conditions ?? [];
  let next = 0;
  for (const [i, condition] of conditions.entries())
    if (condition.type === type) conditions[i] = structuredClone(before[next++]!);
}

/** Dates what says no time. A condition whose status did not change keeps the time of its last change. */
function dateConditions(
  csr: CertificateSigningRequestObject,
  old: CertificateSigningRequestObject,
  nowMs: number,
): void {
  const now = formatTime(nowMs);
  for (const condition of csr.status?.conditions ?? []) {
    condition.lastUpdateTime ||= now;
    if (condition.lastTransitionTime) continue;
    const same = old.status?.conditions?.find(
      ({ type, status, lastTransitionTime }) =>
        type === condition.type && status === condition.status && !!lastTransitionTime,
    );
    condition.lastTransitionTime = same?.lastTransitionTime ?? now;
  }
}

/** Faults that were there before are not held against an update. */
function validateConditionSet(
  conditions: readonly CertificateSigningRequestCondition[],
  { field, bothAllowed, repeatsAllowed }: { field: FieldAt; bothAllowed: boolean; repeatsAllowed: boolean },
): void {
  const seen = new Set<string>();
  for (const [i, { type, status }] of conditions.entries()) {
    const here = field.index(i);
    if (type === '') here.child('type').required();
    const certain = lasting.includes(type);
    here.child('status').requiredOneOf(status, certain ? ['True'] : ['False', 'True', 'Unknown']);
    const other = type === 'Approved' ? 'Denied' : type === 'Denied' ? 'Approved' : undefined;
    if (!bothAllowed && other !== undefined && seen.has(other))
      here.child('type').invalid(type, 'Approved and Denied conditions are mutually exclusive');
    if (!repeatsAllowed && seen.has(type)) here.child('type').duplicate(type);
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
  if (name.length > maxNameLength) field.tooLong(maxNameLength);
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
