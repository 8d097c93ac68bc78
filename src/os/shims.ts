// Shims that no containerd needs: one that is killed while it starts a shim knows nothing of what runs in it when it starts again,
// and removing the sandbox then leaves the process for ever. The choice: containerd writes a record before it starts a shim and
// removes it after the shim has ended, so a shim without a record, seen twice, is nobody's.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { type Clock, type Log, sleep } from '../base/index.ts';
import { identifyProcess, type ProcessIdentity } from './processes.ts';

export interface Shim {
  readonly id: string;
  readonly namespace: string;
  /** The socket of the containerd that started it. */
  readonly address: string;
}

/** What the command line of a shim tells; undefined when it is not one's that serves (`start` and `delete` are over soon). Pure. */
export function parseShim(args: readonly string[]): Shim | undefined {
  if (!/(^|\/)containerd-shim[^/]*$/.test(args[0] ?? '')) return undefined;
  if (args.includes('start') || args.includes('delete')) return undefined;
  const after = (flag: string) => args[args.indexOf(flag) + 1];
  if (!['-id', '-namespace', '-address'].every((flag) => args.includes(flag))) return undefined;
  return { id: after('-id')!, namespace: after('-namespace')!, address: after('-address')! };
}

export type RunningShim = Shim & ProcessIdentity;

/** Those of the containerd at this socket, in this mount namespace, that keep containers of this namespace. */
export function listShims(socketPath: string, namespace: string): RunningShim[] {
  const here = readlinkSync('/proc/self/ns/mnt');
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const shim = parseShim(readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0'));
      if (shim === undefined || shim.address !== socketPath || shim.namespace !== namespace) return [];
      if (readlinkSync(`/proc/${entry}/ns/mnt`) !== here) return [];
      const identity = identifyProcess(Number(entry));
      return identity === undefined ? [] : { ...shim, ...identity };
    } catch {
      // It has ended.
      return [];
    }
  });
}

export interface StrayShimsOptions {
  readonly clock: Clock;
  readonly log: Log;
  shims(): readonly RunningShim[];
  /** The sandboxes that the runtime tells of: cheap, but without those that are being made. Rejects while it is away. */
  sandboxes(): Promise<ReadonlySet<string>>;
  /** Everything that containerd has a record of. Rejects while it is away. */
  records(): Promise<ReadonlySet<string>>;
  end(shim: RunningShim): boolean;
}

const soonMs = 2_000;
const soonLooks = 5;
/** The sandbox of one may be removed at any later time. */
const periodMs = 10_000;

/** Looks for them often after containerd was started, now and then later, and ends them. */
export class StrayShims {
  readonly #options: StrayShimsOptions;
  #soon = soonLooks;
  #before: ReadonlySet<number> = new Set();

  constructor(options: StrayShimsOptions) {
    this.#options = options;
  }

  containerdStarted(): void {
    this.#soon = soonLooks;
  }

  async run(signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(this.#options.clock, this.#soon > 0 ? soonMs : periodMs, signal).catch(() => {});
      if (signal.aborted) return;
      if (this.#soon > 0) this.#soon--;
      // A containerd that does not answer is looked at again.
      await this.look().catch(() => {});
    }
  }

  async look(): Promise<void> {
    const { shims, sandboxes, records, end, log } = this.#options;
    const running = shims();
    const known = running.length === 0 ? new Set() : await sandboxes();
    let strays = running.filter(({ id }) => !known.has(id));
    if (strays.length > 0) {
      const recorded = await records();
      strays = strays.filter(({ id }) => !recorded.has(id));
    }
    for (const stray of strays)
      if (this.#before.has(stray.pid) && end(stray))
        log.warn('ended a shim that containerd does not need', { pid: stray.pid, id: stray.id });
    this.#before = new Set(strays.map(({ pid }) => pid));
  }
}
