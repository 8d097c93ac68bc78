// Keeps the certificates of a node that joined good while it runs: each is replaced at a random moment late in its life, as the kubelet
// does, so that nodes that joined together do not all come back together. Nothing restarts: new connections show the new one, and
// watches and calls under way go on.
import { X509Certificate } from 'node:crypto';
import { Backoff, type Clock, type Log, type Random, sleep } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import type { KeyPairPem } from '../../http/index.ts';
import type { CertificateName, CertificateStore } from './certificate-store.ts';
import { requestCertificate, type Wanted } from './request-certificate.ts';

export interface Life {
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

const earliest = 0.7;
const latest = 0.9;

/** When to replace: between 70 and 90 % of its life. `chance` is from 0 to 1. Pure. */
export const planReplacement = ({ notBeforeMs, notAfterMs }: Life, chance: number): number =>
  notBeforeMs + (notAfterMs - notBeforeMs) * (earliest + (latest - earliest) * chance);

const lifeOf = ({ cert }: KeyPairPem): Life => {
  const { validFrom, validTo } = new X509Certificate(cert);
  return { notBeforeMs: Date.parse(validFrom), notAfterMs: Date.parse(validTo) };
};

/** Whether a stored certificate is good for all of these, and not at its end. Pure but for parsing. */
export function covers(pair: KeyPairPem, { dnsNames = [], ips = [] }: Wanted, nowMs: number): boolean {
  const certificate = new X509Certificate(pair.cert);
  return (
    lifeOf(pair).notAfterMs > nowMs &&
    dnsNames.every((name) => certificate.checkHost(name) !== undefined) &&
    ips.every((ip) => certificate.checkIP(ip) !== undefined)
  );
}

export interface KeepOptions {
  readonly name: CertificateName;
  readonly wanted: Wanted;
  /** undefined = there is none yet: it is asked for at once. */
  readonly current: KeyPairPem | undefined;
  /** Whose certificate is the node's own. */
  readonly client: Client;
  readonly store: CertificateStore;
  /** Called when the new one is on disk. */
  readonly onReplaced: (pair: KeyPairPem) => void;
  /** Called each time that one could not be had. */
  readonly onFailed: () => void;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Timers reach 24 days; a clock that was set right is noticed sooner. */
const longestSleepMs = 3_600_000;
/** Between two requests, whatever the times in a certificate say. */
const leastMs = 1000;

/** Runs until the signal aborts. What fails is logged and tried again, more slowly each time. */
export async function keepCertificate(options: KeepOptions, signal: AbortSignal): Promise<void> {
  const { name, wanted, store, clock, random, log } = options;
  let { current } = options;
  const backoff = new Backoff({ initialMs: leastMs, maxMs: 300_000, jitter: 0.2, random });
  while (!signal.aborted) {
    if (current !== undefined) {
      const atMs = planReplacement(lifeOf(current), random.next());
      await sleep(clock, leastMs, signal);
      for (let leftMs = atMs - clock.nowMs(); leftMs > 0; leftMs = atMs - clock.nowMs())
        await sleep(clock, Math.min(leftMs, longestSleepMs), signal);
    }
    for (;;) {
      try {
        const pair = await requestCertificate(wanted, { ...options, signal });
        store.write(name, pair);
        options.onReplaced(pair);
        log.info('a certificate was replaced', {
          certificate: name,
          notAfter: new X509Certificate(pair.cert).validTo,
        });
        current = pair;
        backoff.reset();
        break;
      } catch (error) {
        signal.throwIfAborted();
        options.onFailed();
        const isOver = current !== undefined && lifeOf(current).notAfterMs <= clock.nowMs();
        log[isOver ? 'error' : 'warn'](
          isOver ? 'a certificate has ended and cannot be replaced' : 'cannot replace a certificate yet',
          { certificate: name, error },
        );
        await sleep(clock, backoff.nextMs(), signal);
      }
    }
  }
}
