// Reads a PKCS #10 request: its frame, whose name it carries, and whether it is signed with its own key. By hand, because rules are
// synchronous and the certificate library takes hundreds of milliseconds to load; node checks the signature.
import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';

/** Worded as Go words it: what a person with a broken request is told. */
export class CertificateRequestError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CertificateRequestError';
  }
}

export interface CertificateRequest {
  readonly commonName: string;
  /** Kubernetes reads them as groups. */
  readonly organizations: readonly string[];
}

const block = /-----BEGIN ([^\n]*?)-----[ \t]*\r?\n([A-Za-z0-9+/=\s]*?)-----END \1-----/;

/** Reads a request in PEM and checks its signature. Throws CertificateRequestError and nothing else. */
export function readCertificateRequest(pem: string): CertificateRequest {
  const [, type, base64 = ''] = block.exec(pem) ?? [];
  if (type !== 'CERTIFICATE REQUEST')
    throw new CertificateRequestError('PEM block type must be CERTIFICATE REQUEST');
  const der = Buffer.from(base64, 'base64');
  const outer = readElement(der, 0, tag.sequence);
  if (outer.to !== der.length) throw trailing();
  const [info, algorithm, signature] = children(outer, [tag.sequence, tag.sequence, tag.bitString]);
  const [, subject, key] = children(info!, [tag.integer, tag.sequence, tag.sequence]);
  if (signature!.content[0] !== 0)
    throw new CertificateRequestError('asn1: syntax error: invalid padding bits in BIT STRING');
  checkSignature(key!.whole, algorithm!, { signed: info!.whole, signature: signature!.content.subarray(1) });
  return {
    commonName: namesIn(subject!, oids.commonName).at(-1) ?? '',
    organizations: namesIn(subject!, oids.organization),
  };
}

const tag = { integer: 0x02, bitString: 0x03, oid: 0x06, sequence: 0x30, set: 0x31 } as const;

interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** With its header. */
  readonly whole: Buffer;
  /** Where it ends in the buffer that it was read from. */
  readonly to: number;
}

const truncated = () => new CertificateRequestError('asn1: syntax error: data truncated');
const trailing = () => new CertificateRequestError('asn1: syntax error: trailing data');
const mismatch = () => new CertificateRequestError("asn1: structure error: tags don't match");

/** One element in DER. `wanted` undefined = of any tag. */
function readElement(bytes: Buffer, from: number, wanted: number | undefined): Element {
  if (from + 2 > bytes.length) throw truncated();
  const found = bytes[from]!;
  let length = bytes[from + 1]!;
  let at = from + 2;
  if (length >= 0x80) {
    const count = length & 0x7f;
    if (count === 0 || count > 4)
      throw new CertificateRequestError('asn1: structure error: length too large');
    if (at + count > bytes.length) throw truncated();
    length = bytes.readUIntBE(at, count);
    at += count;
  }
  if (wanted !== undefined && found !== wanted) throw mismatch();
  const to = at + length;
  if (to > bytes.length) throw truncated();
  return { tag: found, content: bytes.subarray(at, to), whole: bytes.subarray(from, to), to };
}

/** The first elements of a sequence, which must be of these tags. More may follow. */
function children({ content }: Element, tags: readonly number[]): Element[] {
  const out: Element[] = [];
  let at = 0;
  for (const wanted of tags) {
    const element = readElement(content, at, wanted);
    out.push(element);
    at = element.to;
  }
  return out;
}

function every({ content }: Element): Element[] {
  const out: Element[] = [];
  for (let at = 0; at < content.length; ) {
    const element = readElement(content, at, undefined);
    out.push(element);
    at = element.to;
  }
  return out;
}

const oids = {
  commonName: '550403',
  organization: '55040a',
  pss: '2a864886f70d01010a',
  ed25519: '2b6570',
} as const;

/** What is signed with RSA or ECDSA, and the hash. PSS and Ed25519 say it otherwise. */
const hashes: Readonly<Record<string, string>> = {
  '2a864886f70d01010b': 'sha256',
  '2a864886f70d01010c': 'sha384',
  '2a864886f70d01010d': 'sha512',
  '2a8648ce3d040302': 'sha256',
  '2a8648ce3d040303': 'sha384',
  '2a8648ce3d040304': 'sha512',
};
const weak: Readonly<Record<string, string>> = {
  '2a864886f70d010104': 'MD5-RSA',
  '2a864886f70d010105': 'SHA1-RSA',
  '2a8648ce3d0401': 'ECDSA-SHA1',
};
const pssHashes: Readonly<Record<string, string>> = {
  '608648016503040201': 'sha256',
  '608648016503040202': 'sha384',
  '608648016503040203': 'sha512',
};

const unimplemented = () =>
  new CertificateRequestError('x509: cannot verify signature: algorithm unimplemented');

function checkSignature(
  keyInfo: Buffer,
  algorithm: Element,
  { signed, signature }: { signed: Buffer; signature: Buffer },
): void {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: keyInfo, format: 'der', type: 'spki' });
  } catch {
    throw new CertificateRequestError('x509: unsupported public key');
  }
  const [oid] = children(algorithm, [tag.oid]);
  const name = oid!.content.toString('hex');
  const insecure = weak[name];
  if (insecure !== undefined)
    throw new CertificateRequestError(`x509: cannot verify signature: insecure algorithm ${insecure}`);
  let good: boolean;
  try {
    if (name === oids.ed25519) good = verify(null, signed, key, signature);
    else if (name === oids.pss) {
      const hash = pssHash(algorithm);
      good = verify(hash, signed, { key, padding: constants.RSA_PKCS1_PSS_PADDING }, signature);
    } else {
      const hash = hashes[name];
      if (hash === undefined) throw unimplemented();
      good = verify(hash, signed, key, signature);
    }
  } catch (error) {
    if (error instanceof CertificateRequestError) throw error;
    good = false;
  }
  if (!good)
    throw new CertificateRequestError(failures[key.asymmetricKeyType ?? ''] ?? 'x509: verification failure');
}

const failures: Readonly<Record<string, string>> = {
  ec: 'x509: ECDSA verification failure',
  ed25519: 'x509: Ed25519 verification failure',
  rsa: 'crypto/rsa: verification error',
};

/** The hash that the parameters of an RSA-PSS signature name. */
function pssHash(algorithm: Element): string {
  for (const [oid, hash] of Object.entries(pssHashes))
    if (algorithm.content.includes(Buffer.from(oid, 'hex'))) return hash;
  throw unimplemented();
}

/** The values of one attribute of a distinguished name, in order. */
function namesIn(subject: Element, attribute: string): string[] {
  const out: string[] = [];
  for (const set of every(subject))
    for (const pair of every(set)) {
      const [oid] = children(pair, [tag.oid]);
      if (oid!.content.toString('hex') !== attribute) continue;
      out.push(textOf(readElement(pair.content, oid!.to, undefined)));
    }
  return out;
}

const bmpString = 0x1e;

function textOf({ tag: found, content }: Element): string {
  if (found !== bmpString) return content.toString('utf8');
  return Buffer.from(content.subarray(0, content.length & ~1))
    .swap16()
    .toString('utf16le');
}
