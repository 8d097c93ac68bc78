// Keeps the server's certificates good while it runs. The choice: renewing is loading again. The directory knows what is about to
// expire, so that what a start would reissue is reissued without one, and a certificate that a person put there is taken up too.
import { X509Certificate } from 'node:crypto';
import { type Clock, type Log, sleep } from '../base/index.ts';
import type { HttpsServer, Pki } from '../http/index.ts';

export interface RenewalOptions {
  /** Those that are in use now. */
  readonly pki: Pki;
  /** Reads the directory again and reissues what must be. */
  readonly load: () => Promise<Pki>;
  readonly https: Pick<HttpsServer, 'setCertificate'>;
  /** Called after the server has the new one; `pki` is now in use. */
  readonly onRenewed: (pki: Pki) => Promise<void>;
  readonly clock: Clock;
  readonly log: Log;
}

const dayMs = 86_400_000;
const leastMs = 60_000;

/** When to look next: daily, and oddly short-lived certificates three times in what is left of their life. */
export function planNextCheck(notAfterMs: number, nowMs: number): number {
  return Math.min(dayMs, Math.max(leastMs, (notAfterMs - nowMs) / 3));
}

/** Runs until the signal aborts. A directory that cannot be read is logged and looked at again; connections keep what they have. */
export async function keepCertificates(options: RenewalOptions, signal: AbortSignal): Promise<void> {
  const { clock, log, https } = options;
  let current = options.pki;
  let shunned: string | undefined;
  for (;;) {
    const notAfterMs = Date.parse(new X509Certificate(current.serving.cert).validTo);
    await sleep(clock, planNextCheck(notAfterMs, clock.nowMs()), signal);
    try {
      const next = await options.load();
      if (next.ca.cert !== current.ca.cert) {
        // Everything in this process that trusts the old one would have to change with it.
        if (shunned !== next.ca.cert)
          log.warn('the certificate authority on disk is another one: restart the server to use it');
        shunned = next.ca.cert;
        continue;
      }
      if (next.serving.cert !== current.serving.cert) {
        https.setCertificate(next.serving.cert, next.serving.key);
        log.info('serving with a new certificate', {
          notAfter: new X509Certificate(next.serving.cert).validTo,
        });
      }
      const others =
        next.admin.cert !== current.admin.cert ||
        next.kubeletClient.cert !== current.kubeletClient.cert ||
        next.frontProxy.client.cert !== current.frontProxy.client.cert;
      if (others || next.serving.cert !== current.serving.cert) await options.onRenewed(next);
      current = next;
    } catch (error) {
      log.error('cannot renew certificates', { error });
    }
  }
}
