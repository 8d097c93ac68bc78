// What a row of outcomes means: thresholds, initial values and periods of a probe. Pure.
import type { coreV1 } from '../../api/index.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';
export type Verdict = 'success' | 'failure' | 'unknown';

export interface ProbeCount {
  readonly ok: boolean | undefined;
  readonly inRow: number;
  readonly verdict: Verdict;
}

/** Before the first outcome: alive until proven dead, not ready until proven ready, starting until proven started. */
export const initialCount = (kind: ProbeKind): ProbeCount => ({
  ok: undefined,
  inRow: 0,
  verdict: kind === 'liveness' ? 'success' : kind === 'readiness' ? 'failure' : 'unknown',
});

export function countOutcome(count: ProbeCount, probe: coreV1.Probe, ok: boolean): ProbeCount {
  const inRow = count.ok === ok ? count.inRow + 1 : 1;
  const threshold = ok ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
  return { ok, inRow, verdict: inRow < threshold ? count.verdict : ok ? 'success' : 'failure' };
}

export interface ProbeTiming {
  readonly startedAtMs: number;
  readonly nowMs: number;
}

/** How long until the next try: not before the initial delay has passed since the container started. */
export function nextTryMs(probe: coreV1.Probe, timing: ProbeTiming): number {
  const delayMs = (probe.initialDelaySeconds ?? 0) * 1000;
  return Math.max(0, timing.startedAtMs + delayMs - timing.nowMs);
}
