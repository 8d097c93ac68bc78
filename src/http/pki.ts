// Makes certificates: ECDSA P-256, PEM in and PEM out. The library that does it costs hundreds of milliseconds to load, so it is
// loaded when one must be made and never when they exist already; reading them needs node alone.
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomBytes,
  webcrypto,
  X509Certificate,
} from 'node:crypto';
import type { Extension as X509Extension } from '@peculiar/x509';

export interface KeyPairPem {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  /** Kubernetes reads them as groups. */
  readonly organizations?: readonly string[] | undefined;
  readonly dnsNames?: readonly string[] | undefined;
  readonly ips?: readonly string[] | undefined;
  readonly usage: 'server' | 'client' | 'both';
  readonly days: number;
}

const dayMs = 86_400_000;
/** Clocks of two machines differ: a certificate is valid a little before it was made. */
const backdateMs = 5 * 60_000;
export const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** @internal The library for certificates is none of the types that other programs get. */
export async function loadX509() {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto);
  return x509;
}

/** A P-256 key pair in PEM: PKCS #8 and SubjectPublicKeyInfo. */
export function createKeyPair(): { readonly publicKey: string; readonly privateKey: string } {
  return generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
}

export async function signingKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
}

export async function verifyingKey(privatePem: string): Promise<webcrypto.CryptoKey> {
  const der = createPublicKey(privatePem).export({ type: 'spki', format: 'der' });
  return webcrypto.subtle.importKey('spki', der, algorithm, true, ['verify']);
}

/** As it is: in a plain string the library reads quotes, `#` and escapes as notation. */
export const exactly = (utf8String: string) => ({ utf8String });

/** 126 random bits, well above the 64 the CA/Browser rules ask for; positive, and never shorter than 16 bytes. */
export function serialNumber(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return bytes.toString('hex');
}

export async function createCa(options: {
  readonly commonName: string;
  readonly days: number;
  readonly nowMs: number;
}): Promise<KeyPairPem> {
  const x509 = await loadX509();
  const { privateKey } = createKeyPair();
  const publicKey = await verifyingKey(privateKey);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: new x509.Name([{ CN: [exactly(options.commonName)] }]),
    notBefore: new Date(options.nowMs - backdateMs),
    notAfter: new Date(options.nowMs + options.days * dayMs),
    keys: { privateKey: await signingKey(privateKey), publicKey },
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return { cert: certificate.toString('pem') + '\n', key: privateKey };
}

/** Makes a key and a certificate for it. Never valid for longer than the CA's own. */
export async function issueCertificate(
  ca: KeyPairPem,
  request: CertificateRequest,
  nowMs: number,
): Promise<KeyPairPem> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(ca.cert);
  const { privateKey } = createKeyPair();
  const publicKey = await verifyingKey(privateKey);
  const extensions: X509Extension[] = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([
      ...(request.usage === 'client' ? [] : [x509.ExtendedKeyUsage.serverAuth]),
      ...(request.usage === 'server' ? [] : [x509.ExtendedKeyUsage.clientAuth]),
    ]),
    await x509.AuthorityKeyIdentifierExtension.create(issuer),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ];
  const names = [
    ...(request.dnsNames ?? []).map((value) => ({ type: 'dns' as const, value })),
    ...(request.ips ?? []).map((value) => ({ type: 'ip' as const, value })),
  ];
  if (names.length > 0) extensions.push(new x509.SubjectAlternativeNameExtension(names));
  const certificate = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: new x509.Name([
      ...(request.organizations ?? []).map((o) => ({ O: [exactly(o)] })),
      { CN: [exactly(request.commonName)] },
    ]),
    issuer: issuer.subjectName,
    notBefore: new Date(Math.max(nowMs - backdateMs, issuer.notBefore.getTime())),
    notAfter: new Date(Math.min(nowMs + request.days * dayMs, issuer.notAfter.getTime())),
    publicKey,
    signingKey: await signingKey(ca.key),
    signingAlgorithm: algorithm,
    extensions,
  });
  return { cert: certificate.toString('pem') + '\n', key: privateKey };
}

/** What is wrong with a certificate and its key as a pair, or undefined. */
export function pairProblem(pair: KeyPairPem): string | undefined {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pair.cert);
  } catch {
    return 'the certificate cannot be read';
  }
  try {
    return certificate.checkPrivateKey(createPrivateKey(pair.key))
      ? undefined
      : 'the key is not that of the certificate';
  } catch {
    return 'the key cannot be read';
  }
}
