// Removes certificate signing requests that nobody needs any more: pkg/controller/certificates/cleaner.
import { X509Certificate } from 'node:crypto';
import { CertificateSigningRequest } from '../../api/index.ts';
import { isNotFound, parseTime } from '../../machinery/index.ts';
import { defineController } from '../framework/index.ts';

const hourMs = 3_600_000;
const decidedMs = hourMs;
const pendingMs = 24 * hourMs;

/** From when on it may go: an hour after its end, a day after it was made when nobody decided. undefined = not by time. Pure. */
export function expiresAtMs(csr: CertificateSigningRequest): number | undefined {
  const { conditions = [], certificate } = csr.status ?? {};
  const times: number[] = [];
  const note = (text: string | undefined, afterMs: number) => {
    const atMs = parseTime(text);
    if (atMs !== undefined) times.push(atMs + afterMs);
  };
  for (const { type, lastUpdateTime } of conditions)
    if (type === 'Denied' || type === 'Failed' || (type === 'Approved' && certificate))
      note(lastUpdateTime, decidedMs);
  if (conditions.length === 0) note(csr.metadata.creationTimestamp, pendingMs);
  if (certificate && conditions.some(({ type }) => type === 'Approved')) times.push(endOf(certificate));
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Never, when it cannot be read: then its hour counts. */
function endOf(certificate: string): number {
  try {
    return Date.parse(new X509Certificate(Buffer.from(certificate, 'base64')).validTo);
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}

/** Timers of the queue are for what is near. */
const longestWaitMs = hourMs;

export const certificateCleanerController = defineController({
  name: 'csrcleaner',
  reconciles: CertificateSigningRequest,

  build({ clock, lister, client }) {
    const requests = lister(CertificateSigningRequest);

    return async function reconcile(key) {
      const csr = requests.get(key);
      if (csr === undefined || csr.metadata.deletionTimestamp !== undefined) return;
      const atMs = expiresAtMs(csr);
      if (atMs === undefined) return;
      const leftMs = atMs - clock.nowMs();
      if (leftMs > 0) return { requeueAfterMs: Math.min(leftMs, longestWaitMs) };
      const { name, uid } = csr.metadata;
      try {
        await client(CertificateSigningRequest).delete(name, undefined, { preconditions: { uid } });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    };
  },
});
