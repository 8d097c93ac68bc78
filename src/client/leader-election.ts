// Leader election by Lease: of all processes that want a role, one has it. The rules are those of client-go's leaderelection, so that
// its programs and ours can stand for the same Lease.
//
// A candidate never compares its clock with the holder's. It notes when, by its own clock, it saw the Lease change last, and takes
// the Lease when nothing has changed for the duration that the holder wrote down. The holder gives up the role when it has not
// been able to renew for `renewDeadlineMs`, which is shorter: it has stopped before anybody else can start.
import { Lease } from '../api/index.ts';
import { type Clock, type Log, type Random, Scope, sleep } from '../base/index.ts';
import { formatMicroTime, isAlreadyExists, isConflict, isNotFound } from '../machinery/index.ts';
import type { Client } from './client.ts';
import type { RecordEvent } from './events.ts';

export interface ElectionTiming {
  /** How long candidates wait after the last renewal that they saw. */
  readonly leaseDurationMs: number;
  /** How long the holder tries to renew before it gives up the role. Less than `leaseDurationMs`. */
  readonly renewDeadlineMs: number;
  /** Between two looks or renewals. Less than `renewDeadlineMs`. */
  readonly retryPeriodMs: number;
}

export interface ElectionOptions extends ElectionTiming {
  readonly client: Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Says who leads: `NAME became leader` about the Lease. */
  readonly event: RecordEvent;
  readonly namespace: string;
  readonly name: string;
  /** Different for every process. */
  readonly identity: string;
}

export class ElectionTimingError extends Error {}

/** Hands the timing back. Throws ElectionTimingError when a holder could still act while the next one starts. */
export function checkElectionTiming(timing: ElectionTiming): ElectionTiming {
  const { leaseDurationMs, renewDeadlineMs, retryPeriodMs } = timing;
  if (leaseDurationMs <= renewDeadlineMs)
    throw new ElectionTimingError('the lease duration must be greater than the renew deadline');
  // Retries are up to a fifth longer.
  if (renewDeadlineMs <= retryPeriodMs * 1.2)
    throw new ElectionTimingError('the renew deadline must be greater than 1.2 times the retry period');
  return timing;
}

/** What a candidate has seen of the Lease: it counts from when it changed last, by the candidate's own monotonic clock. */
interface Observed {
  readonly resourceVersion: string;
  readonly atMs: number;
}

export type LeaseMove = 'create' | 'renew' | 'take' | 'wait';

/** What to do about a Lease; `unchangedMs`: for how long nobody has changed it. */
export function planLease(
  lease: Lease | undefined,
  { identity, unchangedMs }: { identity: string; unchangedMs: number },
): LeaseMove {
  if (lease === undefined) return 'create';
  const { holderIdentity = '', leaseDurationSeconds = 0 } = lease.spec;
  if (holderIdentity === identity) return 'renew';
  if (holderIdentity === '' || unchangedMs >= leaseDurationSeconds * 1000) return 'take';
  return 'wait';
}

/** What a Lease says after the move: a new holder counts one transition more. */
export function leaseSpec(
  move: Exclude<LeaseMove, 'wait'>,
  before: Lease['spec'] | undefined,
  holder: { readonly identity: string; readonly leaseDurationMs: number; readonly nowMs: number },
): Lease['spec'] {
  const now = formatMicroTime(holder.nowMs);
  const same = move === 'renew' && before !== undefined;
  return {
    ...before,
    holderIdentity: holder.identity,
    leaseDurationSeconds: Math.ceil(holder.leaseDurationMs / 1000),
    acquireTime: same ? (before.acquireTime ?? now) : now,
    renewTime: now,
    leaseTransitions: same
      ? (before.leaseTransitions ?? 0)
      : move === 'create'
        ? 0
        : (before?.leaseTransitions ?? 0) + 1,
  };
}

/**
 * Stands for election until `signal` aborts. Whenever the role is won, `lead` is called with a scope of its own, which is stopped (and
 * waited for) when the role is lost; then it stands again. On abort the role is handed back, so that the next one need not
 * wait. Failures of `lead` are logged and give up the role.
 */
export async function standForElection(
  options: ElectionOptions,
  lead: (scope: Scope) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  if (options.renewDeadlineMs >= options.leaseDurationMs || options.retryPeriodMs >= options.renewDeadlineMs)
    throw new RangeError(
      'leaseDuration must be greater than renewDeadline, and that greater than retryPeriod',
    );
  const candidate = new Candidate(options);
  while (!signal.aborted) {
    if (!(await candidate.acquire(signal))) return;
    const scope = new Scope(options.log, signal);
    let failed = false;
    scope.run('lead', async () => {
      try {
        await lead(scope);
      } catch (error) {
        failed = true;
        throw error;
      }
    });
    await candidate.hold(signal, () => failed);
    await scope.stop();
    await candidate.release();
    // Whoever could not do the work lets the others try first.
    await sleep(options.clock, options.leaseDurationMs, signal).catch(() => {});
  }
}

class Candidate {
  readonly #options: ElectionOptions;
  #lease: Lease | undefined;
  #observed: Observed = { resourceVersion: '', atMs: 0 };
  #leading = false;

  constructor(options: ElectionOptions) {
    this.#options = options;
  }

  /** Resolves to true once the role is held, to false when the signal aborts first. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      if (await this.#try()) {
        this.#leading = true;
        const { event, identity, log, name } = this.#options;
        log.info('became leader', { lease: name });
        event(this.#lease!, 'Normal', 'LeaderElection', `${identity} became leader`);
        return true;
      }
      await this.#pause(signal);
    }
    return false;
  }

  /** Renews until the signal aborts, the work failed, or the role is lost. */
  async hold(signal: AbortSignal, failed: () => boolean): Promise<void> {
    const { clock, renewDeadlineMs, log, name } = this.#options;
    let renewedMs = clock.monotonicMs();
    while (true) {
      await this.#pause(signal);
      if (signal.aborted || failed()) return;
      const askedMs = clock.monotonicMs();
      if (await this.#withinMs(renewedMs + renewDeadlineMs - askedMs)) renewedMs = askedMs;
      else if (this.#lease?.spec.holderIdentity !== this.#options.identity) break;
      else if (clock.monotonicMs() - renewedMs >= renewDeadlineMs) break;
    }
    this.#leading = false;
    log.warn('lost the lead', { lease: name });
  }

  /** Hands the role back, if it is still held. */
  async release(): Promise<void> {
    const { client, clock, namespace } = this.#options;
    const held = this.#lease;
    if (!this.#leading || held === undefined) return;
    this.#leading = false;
    const now = formatMicroTime(clock.nowMs());
    const spec = {
      ...held.spec,
      holderIdentity: '',
      leaseDurationSeconds: 1,
      acquireTime: now,
      renewTime: now,
    };
    try {
      await client(Lease).update({ ...held, metadata: { ...held.metadata, namespace }, spec });
    } catch (error) {
      this.#options.log.debug('could not hand back the lead', { error });
    }
  }

  /** One try, given up after `ms`: a server that does not answer must not keep the role alive. An answer that comes late is a renewal
   * all the same: the Lease then says so, and waiting is all that others do about it. */
  async #withinMs(ms: number): Promise<boolean> {
    const giveUp = new AbortController();
    const late = sleep(this.#options.clock, Math.max(1, ms), giveUp.signal).then(
      () => false,
      () => false,
    );
    try {
      return await Promise.race([this.#try(), late]);
    } finally {
      giveUp.abort();
    }
  }

  async #try(): Promise<boolean> {
    const { client, clock, identity, leaseDurationMs, log, name, namespace } = this.#options;
    try {
      this.#see(await readLease(client, namespace, name));
      const move = planLease(this.#lease, {
        identity,
        unchangedMs: clock.monotonicMs() - this.#observed.atMs,
      });
      if (move === 'wait') return false;
      const spec = leaseSpec(move, this.#lease?.spec, { identity, leaseDurationMs, nowMs: clock.nowMs() });
      const lease =
        this.#lease === undefined
          ? await client(Lease).create({ metadata: { name, namespace }, spec })
          : await client(Lease).update({ ...this.#lease, spec });
      this.#see(lease);
      return true;
    } catch (error) {
      if (!isConflict(error) && !isAlreadyExists(error))
        log.warn('cannot reach the lease', { lease: name, error });
      return false;
    }
  }

  #see(lease: Lease | undefined): void {
    this.#lease = lease;
    const resourceVersion = lease?.metadata.resourceVersion ?? '';
    if (resourceVersion !== this.#observed.resourceVersion)
      this.#observed = { resourceVersion, atMs: this.#options.clock.monotonicMs() };
  }

  /** A little uneven, so that candidates do not meet every time. */
  async #pause(signal: AbortSignal): Promise<void> {
    const { clock, random, retryPeriodMs } = this.#options;
    await sleep(clock, retryPeriodMs * (1 + random.next() * 0.2), signal).catch(() => {});
  }
}

async function readLease(client: Client, namespace: string, name: string): Promise<Lease | undefined> {
  try {
    return await client(Lease).get(name, namespace);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
