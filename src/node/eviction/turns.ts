// Nodes that share a machine run short together, and one pod less helps all of them. So they take turns: each says in a file which pod it
// would evict, the one whose pod should go first does it, and the others look again (docs/design/0013-node-pressure.md).
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { Clock } from '../../base/index.ts';
import { identifyProcess, isAlive, type ProcessIdentity } from '../../os/index.ts';
import { compareRanks, type Rank } from './ranking.ts';

export interface Turns {
  /** May this node act now? `rank` is that of the pod that would go; undefined = none could, but other things can be freed. */
  ask(rank: Rank | undefined): 'go' | 'wait';
  /** What was done after `go` has had its effect. */
  done(): void;
  /** This node is not short of anything, or ends. */
  withdraw(): void;
}

/** A machine of its own. */
export const soloTurns: Turns = { ask: () => 'go', done: () => {}, withdraw: () => {} };

export interface Bid {
  readonly node: string;
  readonly rank: Rank | undefined;
  /** Wall clock: one machine has one. */
  readonly sinceMs: number;
  readonly atMs: number;
}

/** A bid that was not renewed for this long is of a node that found another way, or died. */
const freshMs = 15_000;
/** So long the others have to say what they would do. */
const standMs = 2_000;

/** Whether the bid of `node` is the one to act on. Pure. */
export function isFirst(
  node: string,
  bids: readonly Bid[],
  time: { readonly nowMs: number; readonly alone: boolean },
): boolean {
  const own = bids.find((one) => one.node === node);
  if (own === undefined) return false;
  if (!time.alone && time.nowMs - own.sinceMs < standMs) return false;
  return bids
    .filter(({ atMs }) => time.nowMs - atMs < freshMs)
    .every((other) => other.node === node || before(own, other));
}

/** Who has no pod to give comes last; equals go by their names. */
function before(a: Bid, b: Bid): boolean {
  const order =
    a.rank === undefined || b.rank === undefined
      ? Number(a.rank === undefined) - Number(b.rank === undefined)
      : compareRanks(a.rank, b.rank);
  return order < 0 || (order === 0 && a.node < b.node);
}

interface Turn {
  readonly node: string;
  readonly process: ProcessIdentity;
  readonly atMs: number;
}

/** A turn that takes longer is given up. */
const longestTurnMs = 60_000;

export interface SharedTurnsOptions {
  /** The same for all nodes of the machine. */
  readonly directory: string;
  readonly node: string;
  readonly clock: Clock;
}

/** Rejects nothing: where the directory cannot be written, as on a disk that is full, everybody acts for itself. */
export class SharedTurns implements Turns {
  readonly #options: SharedTurnsOptions;
  readonly #self: ProcessIdentity;
  #since: number | undefined;

  constructor(options: SharedTurnsOptions) {
    this.#options = options;
    const self = identifyProcess(process.pid);
    if (self === undefined) throw new Error('cannot tell which process this is: /proc is not mounted');
    this.#self = self;
    fs.mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.#write('node', this.#self);
  }

  ask(rank: Rank | undefined): 'go' | 'wait' {
    const { node, clock } = this.#options;
    const nowMs = clock.nowMs();
    this.#since ??= nowMs;
    try {
      this.#write('bid', { node, rank, sinceMs: this.#since, atMs: nowMs } satisfies Bid);
      if (!isFirst(node, this.#bids(), { nowMs, alone: !this.#othersLive() })) return 'wait';
      return this.#take(nowMs) ? 'go' : 'wait';
    } catch {
      return 'go';
    }
  }

  done(): void {
    this.#since = undefined;
    this.#remove(this.#file('bid'));
    const turn = this.#read<Turn>(this.#turnFile);
    if (turn?.node === this.#options.node) this.#remove(this.#turnFile);
  }

  withdraw(): void {
    if (this.#since !== undefined) this.done();
  }

  /** The node no longer takes part. */
  close(): void {
    this.done();
    this.#remove(this.#file('node'));
    try {
      fs.rmdirSync(this.#options.directory);
    } catch {
      // Others are still there.
    }
  }

  get #turnFile(): string {
    return path.join(this.#options.directory, 'turn.json');
  }

  #file(kind: 'bid' | 'node', node = this.#options.node): string {
    return path.join(this.#options.directory, `${node}.${kind}.json`);
  }

  #take(nowMs: number): boolean {
    const turn: Turn = { node: this.#options.node, process: this.#self, atMs: nowMs };
    const held = this.#read<Turn>(this.#turnFile);
    if (held !== undefined) {
      if (held.node !== turn.node && isAlive(held.process) && nowMs - held.atMs < longestTurnMs) return false;
      this.#remove(this.#turnFile);
    }
    try {
      // Who comes second finds it there.
      fs.writeFileSync(this.#turnFile, JSON.stringify(turn), { flag: 'wx', mode: 0o600 });
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
      throw error;
    }
  }

  #bids(): Bid[] {
    return this.#names('.bid.json').flatMap((name) => this.#read<Bid>(name) ?? []);
  }

  #othersLive(): boolean {
    return this.#names('.node.json')
      .filter((file) => file !== this.#file('node'))
      .some((file) => {
        const identity = this.#read<ProcessIdentity>(file);
        return identity !== undefined && isAlive(identity);
      });
  }

  #names(end: string): string[] {
    const { directory } = this.#options;
    return fs
      .readdirSync(directory)
      .filter((name) => name.endsWith(end))
      .map((name) => path.join(directory, name));
  }

  #read<T>(file: string): T | undefined {
    try {
      return JSON.parse(fs.readFileSync(file, 'utf8')) as T;
    } catch {
      // Not there, or just being written.
      return undefined;
    }
  }

  #write(kind: 'bid' | 'node', value: unknown): void {
    const file = this.#file(kind);
    fs.writeFileSync(`${file}.new`, JSON.stringify(value), { mode: 0o600 });
    fs.renameSync(`${file}.new`, file);
  }

  #remove(file: string): void {
    fs.rmSync(file, { force: true });
  }
}
