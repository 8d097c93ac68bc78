// Asks the cluster for a certificate: makes a key, sends a request for it, and waits for what becomes of it. The key never leaves the
// machine.
import { CertificateSigningRequest } from '../../api/index.ts';
import { type Clock, type Log, sleep } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import {
  ConnectionError,
  createCertificateRequest,
  createKeyPair,
  type KeyPairPem,
} from '../../http/index.ts';

export interface Wanted {
  readonly signerName: string;
  readonly usages: readonly string[];
  readonly commonName: string;
  readonly organizations: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ips?: readonly string[];
}

/** The request was denied, failed, went away, or nobody decided in time. `reason` is that of the condition, else ''. */
export class CertificateRefused extends Error {
  readonly reason: string;
  constructor(reason: string, message: string) {
    super(message);
    this.name = 'CertificateRefused';
    this.reason = reason;
  }
}

/** A node's certificate towards the API server. */
export const nodeClient = (nodeName: string): Wanted => ({
  signerName: 'kubernetes.io/kube-apiserver-client-kubelet',
  usages: ['digital signature', 'client auth'],
  commonName: `system:node:${nodeName}`,
  organizations: ['system:nodes'],
});

/** For a node's own HTTPS server. */
export const nodeServing = (nodeName: string, ips: readonly string[]): Wanted => ({
  signerName: 'kubernetes.io/kubelet-serving',
  usages: ['digital signature', 'server auth'],
  commonName: `system:node:${nodeName}`,
  organizations: ['system:nodes'],
  dnsNames: [nodeName],
  ips,
});

const firstLookMs = 50;
const slowestLookMs = 2_000;
/** After this long somebody is told that a person must decide. */
const patienceMs = 5_000;
const waitMs = 15 * 60_000;

export interface Asking {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
}

/** Rejects with CertificateRefused, with what the server said to the request itself (StatusError, ConnectionError), or the signal's reason. */
export async function requestCertificate(
  wanted: Wanted,
  { client, clock, log, signal }: Asking,
): Promise<KeyPairPem> {
  const { privateKey } = createKeyPair();
  const pem = await createCertificateRequest(privateKey, wanted);
  const requests = client(CertificateSigningRequest);
  const { metadata } = await requests.create({
    metadata: { name: '', generateName: 'csr-' },
    spec: {
      request: Buffer.from(pem).toString('base64'),
      signerName: wanted.signerName,
      usages: [...wanted.usages],
    },
  });
  const { name } = metadata;
  const beganMs = clock.monotonicMs();
  let told = false;
  for (let pauseMs = firstLookMs; ; pauseMs = Math.min(slowestLookMs, pauseMs * 1.3)) {
    await sleep(clock, pauseMs, signal);
    const waitedMs = clock.monotonicMs() - beganMs;
    try {
      const { status } = await requests.get(name);
      for (const { type, reason = '', message = '' } of status?.conditions ?? [])
        if (type === 'Denied' || type === 'Failed') throw new CertificateRefused(reason, message || type);
      if (status?.certificate)
        return { cert: Buffer.from(status.certificate, 'base64').toString('utf8'), key: privateKey };
    } catch (error) {
      // The server may start again meanwhile.
      if (!(error instanceof ConnectionError)) throw error;
    }
    if (waitedMs > waitMs)
      throw new CertificateRefused(
        '',
        `nobody has approved request ${name} within ${waitMs / 60_000} minutes`,
      );
    if (waitedMs > patienceMs && !told) {
      told = true;
      log.warn('a request for a certificate waits for approval', {
        request: name,
        signer: wanted.signerName,
        approve: `kubectl certificate approve ${name}`,
      });
    }
  }
}
