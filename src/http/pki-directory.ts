// The directory that holds a cluster's certificates and keys, under the names kubeadm gives them. What is there and still good
// is used as it is; what is missing, about to expire or made for other names is made anew. Only the CA is never replaced
// silently: everything out in the world trusts it.
import { createPrivateKey, createPublicKey, randomBytes, X509Certificate } from 'node:crypto';
import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { Log } from '../base/index.ts';
import {
  type CertificateRequest,
  createCa,
  createKeyPair,
  issueCertificate,
  type KeyPairPem,
  pairProblem,
} from './pki.ts';

export interface PkiOptions {
  readonly clusterDomain: string;
  /** The first address of the service network: that of the `kubernetes` service. */
  readonly firstServiceIp: string;
  /** Further names and addresses under which clients reach the API server. */
  readonly hosts: readonly string[];
  readonly nowMs: number;
  readonly log: Log;
}

export interface Pki {
  readonly ca: KeyPairPem;
  /** The API server's own certificate. */
  readonly serving: KeyPairPem;
  /** kubernetes-admin of system:masters: for the administrator's kubeconfig. */
  readonly admin: KeyPairPem;
  /** What the API server shows to nodes. */
  readonly kubeletClient: KeyPairPem;
  /** By what other API servers know that a request comes from this one: a CA of its own, which is trusted with nothing else. */
  readonly frontProxy: { readonly ca: string; readonly client: KeyPairPem };
  /** Signs service account tokens (ES256). */
  readonly serviceAccount: { readonly publicKey: string; readonly privateKey: string };
  /** A further certificate of this CA, kept as `NAME.crt` and `NAME.key` and reissued by the same rules. */
  ensure(name: string, request: CertificateRequest): Promise<KeyPairPem>;
}

/** The directory cannot be used as it is; the message says what a person can do. */
export class PkiError extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PkiError';
  }
}

/** Other API servers believe what a holder of this name says of users. */
export const frontProxyClientName = 'front-proxy-client';

const caDays = 3650;
const leafDays = 365;
/** A certificate with less left is reissued. */
const renewMs = 30 * 86_400_000;

export async function loadOrCreatePki(directory: string, options: PkiOptions): Promise<Pki> {
  usePrivateDirectory(directory);
  const { nowMs, log } = options;
  const ca = await loadOrCreateCa(directory, options);
  const ensureOf = async (
    authority: KeyPairPem,
    name: string,
    request: CertificateRequest,
  ): Promise<KeyPairPem> => {
    const found = readPair(directory, name);
    const why = found === undefined ? 'missing' : reissueReason(authority, found, request, nowMs);
    if (found !== undefined && why === undefined) return found;
    if (found !== undefined) log.info('reissuing a certificate', { name, why });
    const made = await issueCertificate(authority, request, nowMs);
    writePair(directory, name, made);
    return made;
  };
  const ensure = (name: string, request: CertificateRequest) => ensureOf(ca, name, request);
  const frontProxyCa = await ensureFrontProxyCa(directory, options);
  return {
    ca,
    serving: await ensure('apiserver', servingRequest(options)),
    admin: await ensure('admin', client('kubernetes-admin')),
    kubeletClient: await ensure('apiserver-kubelet-client', client('kube-apiserver-kubelet-client')),
    frontProxy: {
      ca: frontProxyCa.cert,
      client: await ensureOf(frontProxyCa, 'front-proxy-client', {
        commonName: frontProxyClientName,
        usage: 'client',
        days: leafDays,
      }),
    },
    serviceAccount: loadOrCreateServiceAccountKey(directory),
    ensure,
  };
}

const client = (commonName: string): CertificateRequest => ({
  commonName,
  organizations: ['system:masters'],
  usage: 'client',
  days: leafDays,
});

const isIp = (host: string): boolean => host.includes(':') || /^\d+(\.\d+){3}$/.test(host);

function servingRequest(options: PkiOptions): CertificateRequest {
  const dnsNames = new Set([
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    `kubernetes.default.svc.${options.clusterDomain}`,
    'localhost',
  ]);
  const ips = new Set(['127.0.0.1', '::1', options.firstServiceIp]);
  for (const host of options.hosts) (isIp(host) ? ips : dnsNames).add(host);
  return {
    commonName: 'kube-apiserver',
    dnsNames: [...dnsNames],
    ips: [...ips],
    usage: 'server',
    days: leafDays,
  };
}

async function loadOrCreateCa(directory: string, options: PkiOptions): Promise<KeyPairPem> {
  const { nowMs, log } = options;
  const cert = readIfThere(join(directory, 'ca.crt'));
  const key = readIfThere(join(directory, 'ca.key'));
  const startOver = `restore it from a backup, or remove ${directory} to start with new certificates (every kubeconfig and node then needs a new one)`;
  if (cert === undefined) {
    // The key is written first, so a crash in between leaves a key that nothing has been signed with: make both again.
    // Certificates without their CA mean something else: it was lost.
    const others = fs.readdirSync(directory).filter((name) => name.endsWith('.crt'));
    if (others.length > 0)
      throw new PkiError(`${directory}/ca.crt is missing, but ${others.join(', ')} are there: ${startOver}`);
    log.info('creating a certificate authority', { directory });
    const made = await createCa({ commonName: 'kubernetes', days: caDays, nowMs });
    writePair(directory, 'ca', made);
    return made;
  }
  if (key === undefined) throw new PkiError(`${directory}/ca.key is missing: ${startOver}`);
  const problem = pairProblem({ cert, key });
  if (problem !== undefined)
    throw new PkiError(`${directory}/ca.crt and ca.key cannot be used: ${problem}: ${startOver}`);
  const left = Date.parse(new X509Certificate(cert).validTo) - nowMs;
  if (left <= 0)
    throw new PkiError(`the certificate authority ${directory}/ca.crt has expired: ${startOver}`);
  if (left < renewMs)
    log.warn('the certificate authority expires soon', { directory, days: Math.floor(left / 86_400_000) });
  return { cert, key };
}

/** Those who trust it read it from the cluster again and again, so unlike the cluster's own CA it may be replaced. */
async function ensureFrontProxyCa(directory: string, { nowMs, log }: PkiOptions): Promise<KeyPairPem> {
  const name = 'front-proxy-ca';
  const found = readPair(directory, name);
  if (found !== undefined) {
    const problem =
      pairProblem(found) ??
      (Date.parse(new X509Certificate(found.cert).validTo) - nowMs < renewMs ? 'it expires soon' : undefined);
    if (problem === undefined) return found;
    log.info('making a new certificate authority', { name, why: problem });
  }
  const made = await createCa({ commonName: name, days: caDays, nowMs });
  writePair(directory, name, made);
  return made;
}

function reissueReason(
  ca: KeyPairPem,
  found: KeyPairPem,
  wanted: CertificateRequest,
  nowMs: number,
): string | undefined {
  const problem = pairProblem(found);
  if (problem !== undefined) return problem;
  const certificate = new X509Certificate(found.cert);
  const authority = new X509Certificate(ca.cert);
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey))
    return 'it was signed by another CA';
  const left = Date.parse(certificate.validTo) - nowMs;
  // At the end of the CA's own life a new one would live no longer.
  if (left < renewMs && certificate.validTo !== authority.validTo) return 'it expires soon';
  if (Date.parse(certificate.validFrom) > nowMs) return 'it is not valid yet';
  if (subjectOf(certificate) !== wantedSubject(wanted)) return 'its subject changed';
  if (namesOf(certificate) !== wantedNames(wanted)) return 'its names changed';
  const usages = (certificate.keyUsage ?? []).join(' ');
  if (wanted.usage !== 'client' && !usages.includes(serverAuth)) return 'it is not for servers';
  if (wanted.usage !== 'server' && !usages.includes(clientAuth)) return 'it is not for clients';
  return undefined;
}

const serverAuth = '1.3.6.1.5.5.7.3.1';
const clientAuth = '1.3.6.1.5.5.7.3.2';

// node prints a subject one attribute a line, and alternative names as `DNS:a, IP Address:b`.
const sorted = (list: readonly string[]): string => [...list].sort().join('\n');
const subjectOf = (certificate: X509Certificate): string => sorted(certificate.subject.split('\n'));
const wantedSubject = (wanted: CertificateRequest): string =>
  sorted([`CN=${wanted.commonName}`, ...(wanted.organizations ?? []).map((o) => `O=${o}`)]);
const namesOf = (certificate: X509Certificate): string =>
  sorted(
    (certificate.subjectAltName ?? '')
      .split(', ')
      .filter((n) => n !== '')
      .map(normalName),
  );
const wantedNames = (wanted: CertificateRequest): string =>
  sorted([
    ...(wanted.dnsNames ?? []).map((n) => normalName(`DNS:${n}`)),
    ...(wanted.ips ?? []).map((ip) => normalName(`IP Address:${ip}`)),
  ]);

/** node writes an IPv6 address in full (`FD00:0:0:0:0:0:0:1`), people write it short. */
function normalName(name: string): string {
  const lower = name.toLowerCase();
  if (!lower.startsWith('ip address:') || !lower.slice(11).includes(':')) return lower;
  return `ip address:${new URL(`http://[${lower.slice(11)}]`).hostname}`;
}

function loadOrCreateServiceAccountKey(directory: string): Pki['serviceAccount'] {
  const privateKey = readIfThere(join(directory, 'sa.key'));
  if (privateKey === undefined) {
    if (fs.existsSync(join(directory, 'sa.pub')))
      throw new PkiError(
        `${directory}/sa.key is missing: restore it from a backup, or remove sa.pub to make a new pair (tokens given out so far then stop working)`,
      );
    const made = createKeyPair();
    writeAtomically(join(directory, 'sa.key'), made.privateKey);
    writeAtomically(join(directory, 'sa.pub'), made.publicKey);
    return made;
  }
  let publicKey: string;
  try {
    publicKey = createPublicKey(createPrivateKey(privateKey)).export({
      type: 'spki',
      format: 'pem',
    }) as string;
  } catch (error) {
    throw new PkiError(`${directory}/sa.key cannot be read as a private key`, error);
  }
  // The public half follows from the private one, so it is put right whatever a crash left.
  if (readIfThere(join(directory, 'sa.pub')) !== publicKey)
    writeAtomically(join(directory, 'sa.pub'), publicKey);
  return { publicKey, privateKey };
}

/** Makes it (0700) when it is missing. Throws PkiError. */
export function usePrivateDirectory(directory: string): void {
  try {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    if ((fs.statSync(directory).mode & 0o077) !== 0) fs.chmodSync(directory, 0o700);
    removeLeftovers(directory);
  } catch (error) {
    throw new PkiError(`cannot use ${directory} for certificates: ${(error as Error).message}`, error);
  }
}

/** undefined = no such file. Throws PkiError. */
export function readIfThere(path: string): string | undefined {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new PkiError(`cannot read ${path}: ${(error as Error).message}`, error);
  }
}

function readPair(directory: string, name: string): KeyPairPem | undefined {
  const cert = readIfThere(join(directory, `${name}.crt`));
  const key = readIfThere(join(directory, `${name}.key`));
  return cert === undefined || key === undefined ? undefined : { cert, key };
}

/** The key first: a certificate is there only when its key is. */
function writePair(directory: string, name: string, pair: KeyPairPem): void {
  writeAtomically(join(directory, `${name}.key`), pair.key);
  writeAtomically(join(directory, `${name}.crt`), pair.cert);
}

const leftover = /\.tmp-[0-9a-f]{8}$/;

/** Mode 0600; after a crash the file is the old one or the new one. Throws PkiError. */
export function writeAtomically(path: string, text: string): void {
  const temporary = `${path}.tmp-${randomBytes(4).toString('hex')}`;
  try {
    const file = fs.openSync(temporary, 'wx', 0o600);
    try {
      fs.writeFileSync(file, text);
      fs.fsyncSync(file);
    } finally {
      fs.closeSync(file);
    }
    fs.renameSync(temporary, path);
    // The rename itself is on disk only when its directory is.
    const directory = fs.openSync(dirname(path), 'r');
    try {
      fs.fsyncSync(directory);
    } finally {
      fs.closeSync(directory);
    }
  } catch (error) {
    throw new PkiError(`cannot write ${path}: ${(error as Error).message}`, error);
  }
}

function removeLeftovers(directory: string): void {
  for (const name of fs.readdirSync(directory)) if (leftover.test(name)) fs.rmSync(join(directory, name));
}
