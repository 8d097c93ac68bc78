// Processes that the kernel killed for want of memory, from its log: those of the whole machine become events, those that met the limit
// of their container tell why it ended. Containerd tells the latter too, but loses it when the container's control group is gone before
// it looks. Where the log may not be read nothing is told.
import { KernelLog } from './kernel-log.ts';

export interface OomKill {
  readonly pid: number;
  readonly process: string;
  /** The control group of the killed process, when it is that of a limit that was met and not the whole machine. */
  readonly limited: string | undefined;
}

/** One record of the kernel's log; undefined = about something else. Pure. */
export function parseOom(record: string): OomKill | undefined {
  const [, constraint, cgroup, process, pid] =
    /oom-kill:constraint=(\w+),.*?task_memcg=(.*?),task=(.*?),pid=(\d+),uid=\d+/.exec(record) ?? [];
  if (constraint === undefined || process === undefined) return undefined;
  return { pid: Number(pid), process, limited: constraint === 'CONSTRAINT_MEMCG' ? cgroup : undefined };
}

/** As much of the kernel's log as is needed here: its new records, each once. */
interface Records {
  records(): Iterable<string>;
  close(): void;
}

/** Kills for want of memory of the whole machine. */
export class SystemOomWatcher {
  readonly #log: Records;

  /** Only what happens from now on counts. */
  constructor(log: Records = new KernelLog()) {
    this.#log = log;
    for (const _ of this.#log.records());
  }

  /** Since the last call. */
  read(): OomKill[] {
    return [...this.#log.records()].flatMap((record) => {
      const kill = parseOom(record);
      return kill !== undefined && kill.limited === undefined ? kill : [];
    });
  }

  close(): void {
    this.#log.close();
  }
}

const containersKept = 1000;
const containerId = /[0-9a-f]{64}/g;

/** Containers of which the kernel killed a process because it met a limit of its memory, as far back as the kernel's log goes. */
export class OomKilledContainers {
  readonly #log: Records;
  readonly #killed = new Set<string>();

  constructor(log: Records = new KernelLog()) {
    this.#log = log;
  }

  has(id: string): boolean {
    for (const record of this.#log.records())
      for (const [found] of parseOom(record)?.limited?.matchAll(containerId) ?? []) this.#note(found);
    return this.#killed.has(id);
  }

  close(): void {
    this.#log.close();
  }

  #note(id: string): void {
    this.#killed.delete(id);
    this.#killed.add(id);
    const [oldest] = this.#killed;
    if (this.#killed.size > containersKept && oldest !== undefined) this.#killed.delete(oldest);
  }
}
