// Certificate signing requests (PKCS #10): making one, reading what it asks for, and answering it with a certificate of a CA. The
// choice: a certificate takes the subject, the names and the key of its request and nothing else; everything further comes from the
// policy of whoever signs, so that a request cannot ask for more than its reader knows of.
import type { Extension as X509Extension } from '@peculiar/x509';
import {
  algorithm,
  exactly,
  type KeyPairPem,
  loadX509,
  serialNumber,
  signingKey,
  verifyingKey,
} from './pki.ts';

/** What a request asks for. */
export interface ReadRequest {
  readonly commonName: string;
  /** Kubernetes reads them as groups. */
  readonly organizations: readonly string[];
  readonly dnsNames: readonly string[];
  readonly ips: readonly string[];
  readonly emails: readonly string[];
  readonly uris: readonly string[];
}

export interface SigningPolicy {
  /** As certificates.k8s.io names them, e.g. `client auth`. */
  readonly usages: readonly string[];
  readonly notBeforeMs: number;
  /** Cut to the end of the CA's own life. */
  readonly notAfterMs: number;
}

/** A request in PEM for the key (PKCS #8, P-256), signed with it. */
export async function createCertificateRequest(
  privateKey: string,
  wanted: Partial<Pick<ReadRequest, 'organizations' | 'dnsNames' | 'ips'>> & Pick<ReadRequest, 'commonName'>,
): Promise<string> {
  const x509 = await loadX509();
  const names = [
    ...(wanted.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(wanted.ips ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: new x509.Name([
      ...(wanted.organizations ?? []).map((o) => ({ O: [exactly(o)] })),
      { CN: [exactly(wanted.commonName)] },
    ]),
    keys: { privateKey: await signingKey(privateKey), publicKey: await verifyingKey(privateKey) },
    signingAlgorithm: algorithm,
    extensions: names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : [],
  });
  return `${request.toString('pem')}\n`;
}

/** Does not check its signature. Throws an Error when it cannot be read, or when it has names of a kind that Go does not know. */
export async function readCertificateRequest(pem: string): Promise<ReadRequest> {
  const x509 = await loadX509();
  const request = new x509.Pkcs10CertificateRequest(pem);
  const alternative = request.extensions.find((one) => one instanceof x509.SubjectAlternativeNameExtension);
  const names = alternative?.names.items ?? [];
  const of = (wanted: string): string[] =>
    names.filter(({ type }) => type === wanted).map(({ value }) => value);
  const subject = request.subjectName;
  return {
    commonName: subject.getField('CN').at(-1) ?? '',
    organizations: subject.getField('O'),
    dnsNames: of('dns'),
    ips: of('ip'),
    emails: of('email'),
    uris: of('url'),
  };
}

const keyUsages: Readonly<Record<string, number>> = {
  signing: 1,
  'digital signature': 1,
  'content commitment': 2,
  'key encipherment': 4,
  'data encipherment': 8,
  'key agreement': 16,
  'cert sign': 32,
  'crl sign': 64,
  'encipher only': 128,
  'decipher only': 256,
};

const extendedUsages: Readonly<Record<string, string>> = {
  any: '2.5.29.37.0',
  'server auth': '1.3.6.1.5.5.7.3.1',
  'client auth': '1.3.6.1.5.5.7.3.2',
  'code signing': '1.3.6.1.5.5.7.3.3',
  'email protection': '1.3.6.1.5.5.7.3.4',
  's/mime': '1.3.6.1.5.5.7.3.4',
  'ipsec end system': '1.3.6.1.5.5.7.3.5',
  'ipsec tunnel': '1.3.6.1.5.5.7.3.6',
  'ipsec user': '1.3.6.1.5.5.7.3.7',
  timestamping: '1.3.6.1.5.5.7.3.8',
  'ocsp signing': '1.3.6.1.5.5.7.3.9',
  'microsoft sgc': '1.3.6.1.4.1.311.10.3.3',
  'netscape sgc': '2.16.840.1.113730.4.1',
};

/** The certificate in PEM. The signature of the request is checked. Throws an Error that says what cannot be signed. */
export async function signCertificateRequest(
  ca: KeyPairPem,
  pem: string,
  policy: SigningPolicy,
): Promise<string> {
  const unknown = policy.usages.filter((usage) => !(usage in keyUsages) && !(usage in extendedUsages));
  if (unknown.length > 0)
    throw new Error(
      `unrecognized usage values: [${unknown.map((usage) => JSON.stringify(usage)).join(' ')}]`,
    );
  const x509 = await loadX509();
  const request = new x509.Pkcs10CertificateRequest(pem);
  if (!(await request.verify())) throw new Error('unable to verify certificate request signature');
  const wanted = await readCertificateRequest(pem);
  const issuer = new x509.X509Certificate(ca.cert);
  const { publicKey } = request;
  const extensions: X509Extension[] = [new x509.BasicConstraintsExtension(false, undefined, true)];
  const keyUsage = policy.usages.reduce((all, usage) => all | (keyUsages[usage] ?? 0), 0);
  if (keyUsage !== 0) extensions.push(new x509.KeyUsagesExtension(keyUsage, true));
  const extended = [...new Set(policy.usages.flatMap((usage) => extendedUsages[usage] ?? []))];
  if (extended.length > 0) extensions.push(new x509.ExtendedKeyUsageExtension(extended));
  extensions.push(
    await x509.AuthorityKeyIdentifierExtension.create(issuer),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  );
  const names = [
    ...wanted.dnsNames.map((value) => ({ type: 'dns' as const, value })),
    ...wanted.emails.map((value) => ({ type: 'email' as const, value })),
    ...wanted.ips.map((value) => ({ type: 'ip' as const, value })),
    ...wanted.uris.map((value) => ({ type: 'url' as const, value })),
  ];
  // Critical when nothing else names the subject (RFC 5280, 4.2.1.6).
  if (names.length > 0)
    extensions.push(new x509.SubjectAlternativeNameExtension(names, request.subject === ''));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: request.subjectName,
    issuer: issuer.subjectName,
    notBefore: new Date(Math.max(policy.notBeforeMs, issuer.notBefore.getTime())),
    notAfter: new Date(Math.min(policy.notAfterMs, issuer.notAfter.getTime())),
    publicKey,
    signingKey: await signingKey(ca.key),
    signingAlgorithm: algorithm,
    extensions,
  });
  return `${certificate.toString('pem')}\n`;
}
