// What the runtime has, pod by pod, kept up to date by listing (PLEG), by the runtime's own exits, and by the agent's own acts,
// whose results it is told at once. Only what changed is asked for in detail, so an idle node costs two lists a period.
import { type Clock, type Log, type Scope, sleep } from '../base/index.ts';
import {
  type ContainerRuntime,
  type ContainerStatus,
  RuntimeError,
  type SandboxStatus,
} from '../os/index.ts';
import { annotation, label } from './container/names.ts';
import type { PodRuntime } from './plan/pod-runtime.ts';

export interface RuntimeCacheOptions {
  readonly runtime: Pick<
    ContainerRuntime,
    'containerStatus' | 'listContainers' | 'listPodSandbox' | 'podSandboxStatus' | 'watchExits'
  >;
  /** Only what this node's agent made counts. */
  readonly nodeName: string;
  /** Of the node; a pod's first address is of the family of the first of them. */
  readonly nodeIps?: readonly string[] | undefined;
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
  /** How often everything is listed while the runtime tells of exits. */
  readonly relistMs: number;
  /** How often while it does not. */
  readonly fastRelistMs: number;
  /** Whether the kernel killed a process of this container for want of memory, which the runtime may have missed. */
  readonly oomKilled?: ((containerId: string) => boolean) | undefined;
  /** Called before everything is listed; what it returns, afterwards. */
  readonly timeRelist?: (() => () => void) | undefined;
  /** A pod's containers are not what they were. */
  readonly onChange: (podUid: string) => void;
}

interface CachedPod {
  readonly sandboxes: Map<string, SandboxStatus>;
  readonly containers: Map<string, ContainerStatus>;
  snapshot: PodRuntime | undefined;
}

/** How long after an exit the runtime's own record may lag behind, on a machine with much else to do. */
const exitLagMs = [5, 25, 100, 400, 1_000, 2_000, 4_000];

/** What somebody else runs there is never known. */
const earlyExitsKept = 256;

/** A runtime that has not answered for this long makes the node not ready. */
const silenceMs = 30_000;

/** Runtimes mostly name IPv4 first; Kubernetes wants what the node has first. Pure. */
export function orderIps(ips: readonly string[], [first]: readonly string[] = []): readonly string[] {
  if (ips.length < 2 || first === undefined) return ips;
  const isFirst = (ip: string): boolean => ip.includes(':') === first.includes(':');
  return [...ips.filter(isFirst), ...ips.filter((ip) => !isFirst(ip))];
}

export class RuntimeCache {
  readonly #options: RuntimeCacheOptions;
  readonly #pods = new Map<string, CachedPod>();
  readonly #owner = new Map<string, string>();
  /** Exits of what was not known yet, the oldest first: a process may end before whoever starts it has heard that it began. */
  readonly #earlyExits = new Set<string>();
  #lastListMs = 0;
  #listing: Promise<void> | undefined;
  #watching = false;
  #healthError: string | undefined = 'the container runtime has not been listed yet';

  constructor(options: RuntimeCacheOptions) {
    this.#options = options;
  }

  /** The last list failed; undefined = healthy. */
  get healthError(): string | undefined {
    return this.#healthError;
  }

  /** Why a node of this runtime is not ready: it failed, or has not answered for too long. undefined = nothing. */
  get problem(): string | undefined {
    const { clock, relistMs } = this.#options;
    if (this.#healthError !== undefined) return this.#healthError;
    return clock.nowMs() - this.#lastListMs > silenceMs + relistMs
      ? 'PLEG is not healthy: pleg was last seen active too long ago'
      : undefined;
  }

  get(podUid: string): PodRuntime {
    const pod = this.#pods.get(podUid);
    if (pod === undefined) return { sandboxes: [], containers: [] };
    return (pod.snapshot ??= {
      sandboxes: [...pod.sandboxes.values()].sort(
        (a, b) => b.metadata.attempt - a.metadata.attempt || b.createdAtMs - a.createdAtMs,
      ),
      containers: [...pod.containers.values()].sort(
        (a, b) => b.attempt - a.attempt || b.createdAtMs - a.createdAtMs,
      ),
    });
  }

  podUids(): string[] {
    return [...this.#pods.keys()];
  }

  /** The pod a container or sandbox belongs to. */
  ownerOf(id: string): string | undefined {
    return this.#owner.get(id);
  }

  putSandbox(uid: string, sandbox: SandboxStatus): void {
    this.#pod(uid).sandboxes.set(sandbox.id, sandbox);
    this.#owner.set(sandbox.id, uid);
    this.#changed(uid);
  }

  putContainer(uid: string, container: ContainerStatus): void {
    this.#pod(uid).containers.set(container.id, container);
    this.#owner.set(container.id, uid);
    this.#changed(uid);
  }

  removeContainer(uid: string, id: string): void {
    this.#pods.get(uid)?.containers.delete(id);
    this.#owner.delete(id);
    this.#changed(uid);
  }

  removeSandbox(uid: string, id: string): void {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    pod.sandboxes.delete(id);
    this.#owner.delete(id);
    for (const [key, c] of pod.containers)
      if (c.sandboxId === id) {
        pod.containers.delete(key);
        this.#owner.delete(key);
      }
    if (pod.sandboxes.size === 0 && pod.containers.size === 0) this.#pods.delete(uid);
    else this.#changed(uid);
  }

  /** Asks the runtime about one container now. Resolves to undefined when it is gone. */
  async inspect(uid: string, id: string, sandboxId: string): Promise<ContainerStatus | undefined> {
    try {
      const found = await this.#options.runtime.containerStatus(id);
      const status = { ...found, sandboxId, reason: this.#reason(found) };
      this.putContainer(uid, status);
      if (this.#earlyExits.delete(id) && status.state === 'running')
        this.#options.scope.run('exit', (signal) => this.#exited(id, signal));
      return status;
    } catch (error) {
      if (!(error instanceof RuntimeError && error.code === 'notFound')) throw error;
      this.removeContainer(uid, id);
      return undefined;
    }
  }

  /**
   * Looks at a container that was stopped until the runtime's record says so too: a process that ends at the very moment it is
   * stopped is over before its record is. Rejects when it still runs after all.
   */
  async inspectStopped(uid: string, id: string, sandboxId: string): Promise<void> {
    const { clock, scope } = this.#options;
    for (const lagMs of exitLagMs) {
      if ((await this.inspect(uid, id, sandboxId))?.state !== 'running') return;
      await sleep(clock, lagMs, scope.signal);
    }
    if ((await this.inspect(uid, id, sandboxId))?.state === 'running')
      throw new Error(`container ${id} runs although the runtime has stopped it`);
  }

  async inspectSandbox(uid: string, id: string): Promise<SandboxStatus | undefined> {
    try {
      const found = await this.#options.runtime.podSandboxStatus(id);
      const status = { ...found, ips: orderIps(found.ips, this.#options.nodeIps) };
      this.putSandbox(uid, status);
      return status;
    } catch (error) {
      if (!(error instanceof RuntimeError && error.code === 'notFound')) throw error;
      this.removeSandbox(uid, id);
      return undefined;
    }
  }

  /** Lists everything, then starts following. Rejects when the runtime does not answer. */
  async start(): Promise<void> {
    await this.relist();
    const { scope, clock } = this.#options;
    scope.run('runtime exits', (signal) => this.#follow(signal));
    scope.run('runtime list', async (signal) => {
      while (!signal.aborted) {
        const { relistMs, fastRelistMs } = this.#options;
        await sleep(clock, this.#watching ? relistMs : fastRelistMs, signal).catch(() => {});
        if (signal.aborted) return;
        await this.relist().catch((error: unknown) => {
          this.#healthError = `container runtime does not answer: ${(error as Error).message}`;
          this.#options.log.warn('cannot list containers', { error });
        });
      }
    });
  }

  relist(): Promise<void> {
    if (this.#listing !== undefined) return this.#listing;
    const listed = this.#options.timeRelist?.();
    this.#listing = this.#relist().finally(() => {
      this.#listing = undefined;
      listed?.();
    });
    return this.#listing;
  }

  async #relist(): Promise<void> {
    const { runtime, clock, nodeName } = this.#options;
    const startedMs = clock.nowMs();
    const known = new Set(this.#owner.keys());
    const [sandboxes, containers] = await Promise.all([runtime.listPodSandbox(), runtime.listContainers()]);
    const changed = new Set<string>();
    const mine = new Map<string, string>();
    const work: Promise<unknown>[] = [];
    for (const sandbox of sandboxes) {
      const maker = sandbox.annotations[annotation.node];
      const uid = sandbox.metadata.uid;
      if (uid === '' || maker !== nodeName) continue;
      mine.set(sandbox.id, uid);
      known.delete(sandbox.id);
      const cached = this.#pods.get(uid)?.sandboxes.get(sandbox.id);
      if (cached !== undefined && cached.ready === sandbox.ready) continue;
      changed.add(uid);
      work.push(this.inspectSandbox(uid, sandbox.id));
    }
    for (const container of containers) {
      known.delete(container.id);
      const uid = mine.get(container.sandboxId) ?? container.labels[label.podUid];
      if (uid === undefined || (!mine.has(container.sandboxId) && !this.#owner.has(container.id))) continue;
      const cached = this.#pods.get(uid)?.containers.get(container.id);
      if (cached !== undefined && cached.state === container.state) continue;
      changed.add(uid);
      work.push(this.inspect(uid, container.id, container.sandboxId));
    }
    await Promise.all(work);
    // What was known before the list and is not in it has gone.
    for (const id of known) {
      const uid = this.#owner.get(id);
      if (uid === undefined) continue;
      changed.add(uid);
      if (this.#pods.get(uid)?.sandboxes.has(id)) this.removeSandbox(uid, id);
      else this.removeContainer(uid, id);
    }
    this.#lastListMs = startedMs;
    this.#healthError = undefined;
    for (const uid of changed) this.#options.onChange(uid);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { runtime, clock, scope } = this.#options;
    while (!signal.aborted) {
      this.#watching = true;
      await runtime
        .watchExits((id) => scope.run('exit', (ending) => this.#exited(id, ending)), signal)
        .catch(() => {});
      this.#watching = false;
      await sleep(clock, 1_000, signal).catch(() => {});
    }
  }

  async #exited(id: string, signal: AbortSignal): Promise<void> {
    const uid = this.#owner.get(id);
    if (uid === undefined) {
      this.#noteEarly(id);
      return;
    }
    for (const lagMs of exitLagMs) {
      const pod = this.#pods.get(uid);
      const container = pod?.containers.get(id);
      const sandbox = pod?.sandboxes.get(id);
      const over =
        container !== undefined
          ? container.state === 'exited' ||
            (await this.inspect(uid, id, container.sandboxId))?.state !== 'running'
          : sandbox === undefined || !sandbox.ready || (await this.inspectSandbox(uid, id))?.ready !== true;
      if (over) {
        this.#options.onChange(uid);
        return;
      }
      await sleep(this.#options.clock, lagMs, signal);
    }
  }

  #noteEarly(id: string): void {
    this.#earlyExits.add(id);
    const [oldest] = this.#earlyExits;
    if (this.#earlyExits.size > earlyExitsKept && oldest !== undefined) this.#earlyExits.delete(oldest);
  }

  /** Why a container ended, as the runtime says, unless it does not know what the kernel does. */
  #reason({ id, state, reason, exitCode }: ContainerStatus): string {
    const unexplained = state === 'exited' && exitCode !== 0 && (reason === '' || reason === 'Error');
    return unexplained && this.#options.oomKilled?.(id) === true ? 'OOMKilled' : reason;
  }

  #pod(uid: string): CachedPod {
    let pod = this.#pods.get(uid);
    if (pod === undefined) {
      pod = { sandboxes: new Map(), containers: new Map(), snapshot: undefined };
      this.#pods.set(uid, pod);
    }
    return pod;
  }

  #changed(uid: string): void {
    const pod = this.#pods.get(uid);
    if (pod === undefined) return;
    pod.snapshot = undefined;
    if (pod.sandboxes.size === 0 && pod.containers.size === 0) this.#pods.delete(uid);
  }
}
