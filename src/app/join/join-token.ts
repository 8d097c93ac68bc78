// The token by which a machine joins: `K10HASH::ID.SECRET`, one string in the form that k3s made usual. HASH is that of the public key of
// the cluster's CA, as kubeadm takes it (--discovery-token-ca-cert-hash), so that it can be checked by hand; the rest is a bootstrap
// token as every Kubernetes knows it. Pure but for randomness, which is an argument.
import { createHash, X509Certificate } from 'node:crypto';

export interface JoinToken {
  /** sha256 of the CA's SubjectPublicKeyInfo, in lower-case hex. */
  readonly caHash: string;
  readonly id: string;
  readonly secret: string;
}

const form = /^K10([0-9a-f]{64})::([a-z0-9]{6})\.([a-z0-9]{16})$/;

export const formatJoinToken = ({ caHash, id, secret }: JoinToken): string => `K10${caHash}::${id}.${secret}`;

export function parseJoinToken(text: string): JoinToken | undefined {
  const [whole, caHash = '', id = '', secret = ''] = form.exec(text.trim()) ?? [];
  return whole === undefined ? undefined : { caHash, id, secret };
}

/** What the API server knows it by. */
export const bearerOf = ({ id, secret }: JoinToken): string => `${id}.${secret}`;

/** Throws when it is no certificate. */
export function authorityHash(certificate: X509Certificate | string): string {
  const { publicKey } = typeof certificate === 'string' ? new X509Certificate(certificate) : certificate;
  return createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

const letters = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** `below` gives a random whole number from 0 to less than what it is asked for; it must be unpredictable. */
export const randomWord = (length: number, below: (limit: number) => number): string =>
  Array.from({ length }, () => letters[below(letters.length)]).join('');
