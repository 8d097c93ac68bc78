// What the signer does with a request, and for how long a certificate lives. Pure.
import type { CertificateSigningRequest } from '../../api/index.ts';

const backdateMs = 5 * 60_000;
const leastMs = 10 * 60_000;
/** A certificate that lives for less gets all of the time it was asked for. */
const shortMs = 8 * 3_600_000;

const has = ({ status }: CertificateSigningRequest, type: string): boolean =>
  status?.conditions?.some((condition) => condition.type === type && condition.status === 'True') ?? false;

/** Approved, by somebody, and neither signed nor refused so far. A denial wins over an approval. */
export const isToSign = (csr: CertificateSigningRequest): boolean =>
  has(csr, 'Approved') && !has(csr, 'Denied') && !has(csr, 'Failed') && !csr.status?.certificate;

/**
 * From when to when a certificate is good. `maxMs` is what it gets when it asks for nothing or for more. It is valid a little before it
 * was made, since clocks differ. The time that it was asked for is counted from then, except for short ones.
 */
export function planValidity(
  expirationSeconds: number | undefined,
  maxMs: number,
  nowMs: number,
): { notBeforeMs: number; notAfterMs: number } {
  const wanted = expirationSeconds === undefined ? maxMs : Math.max(leastMs, expirationSeconds * 1000);
  const lifeMs = Math.min(wanted, maxMs);
  return {
    // Not more than the life itself: else a short-lived one would be due for renewal from the start.
    notBeforeMs: nowMs - Math.min(backdateMs, lifeMs),
    notAfterMs: nowMs + lifeMs - (lifeMs < shortMs ? 0 : backdateMs),
  };
}

/** The status of a request that its signer does not sign, and why. */
export function planFailure(
  { status }: CertificateSigningRequest,
  message: string,
): NonNullable<CertificateSigningRequest['status']> {
  const failed = { type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message };
  return { ...status, conditions: [...(status?.conditions ?? []), failed] };
}
