// A container runtime in memory, on a clock: the fake of ContainerRuntime, for plans, agents and whole simulated clusters. It
// keeps the rules a real one has (a container needs a ready sandbox, an exited one never runs again, a stop waits for the grace
// period unless the process ends on SIGTERM), and what processes do is scripted per image.
import type { Clock, Timer } from '../../base/index.ts';
import {
  type ContainerConfig,
  type ContainerInfo,
  type ContainerRuntime,
  type ContainerStatus,
  type ExecResult,
  type ImageInfo,
  RuntimeError,
  type RuntimeFilter,
  type SandboxConfig,
  type SandboxStatus,
} from './container-runtime.ts';
import { FakeImages } from './fake-images.ts';

/** What the process of a container does. */
export interface FakeProcess {
  /** Ends by itself after this long; undefined = runs for ever. */
  readonly exitAfterMs?: number | undefined;
  readonly exitCode?: number | undefined;
  /** How long it takes to end on SIGTERM; undefined = it ignores the signal. */
  readonly stopAfterMs?: number | undefined;
  /** Exit code after SIGTERM. Default 143. */
  readonly stopExitCode?: number | undefined;
  readonly exec?: ((command: readonly string[]) => Partial<ExecResult>) | undefined;
}

export interface FakeRuntimeOptions {
  readonly clock: Clock;
  /** Decides what each start does; the default runs for ever and ends at once on SIGTERM. */
  readonly process?: ((config: ContainerConfig, sandbox: SandboxConfig) => FakeProcess) | undefined;
  /** Images that are there, or can be pulled when `pullable` says so. */
  readonly images?: readonly string[] | undefined;
  readonly pullable?: ((image: string) => boolean) | undefined;
  /** The address of a new pod. */
  readonly nextIp?: (() => string) | undefined;
  /** How long starting takes. Default 0: calls resolve without a timer. */
  readonly startMs?: number | undefined;
}

interface Sandbox {
  status: SandboxStatus;
  readonly config: SandboxConfig;
}

interface FakeContainer {
  status: ContainerStatus;
  readonly config: ContainerConfig;
  readonly sandbox: Sandbox;
  process: FakeProcess | undefined;
  timer: Timer | undefined;
  readonly ended: (() => void)[];
}

/** Every mutating call by name, in order: tests read what was done. */
export interface FakeCall {
  readonly method: string;
  readonly detail: string;
}

export class FakeRuntime implements ContainerRuntime {
  readonly calls: FakeCall[] = [];
  readonly #options: FakeRuntimeOptions;
  readonly #clock: Clock;
  readonly #sandboxes = new Map<string, Sandbox>();
  readonly #containers = new Map<string, FakeContainer>();
  readonly #images = new FakeImages();
  readonly #watchers = new Set<(id: string) => void>();
  #failures = new Map<string, RuntimeError[]>();
  #nextId = 1;
  #nextHost = 1;

  constructor(options: FakeRuntimeOptions) {
    this.#options = options;
    this.#clock = options.clock;
    for (const image of options.images ?? []) this.addImage(image);
  }

  addImage(image: string): void {
    this.#images.add(image);
  }

  /** The next call of `method` rejects with this. */
  failNext(method: keyof ContainerRuntime, error: RuntimeError): void {
    this.#failures.set(method, [...(this.#failures.get(method) ?? []), error]);
  }

  /** Ends a running container's process as if by itself. */
  exit(containerId: string, exitCode: number, reason = ''): void {
    this.#end(this.#container(containerId), exitCode, reason);
  }

  /** The running container of a pod, by names. */
  find(podName: string, containerName: string): ContainerStatus | undefined {
    let newest: ContainerStatus | undefined;
    for (const { status, sandbox } of this.#containers.values())
      if (sandbox.config.metadata.name === podName && status.name === containerName)
        if (newest === undefined || status.attempt >= newest.attempt) newest = status;
    return newest;
  }

  configOf(containerId: string): ContainerConfig {
    return this.#container(containerId).config;
  }

  async version() {
    this.#enter('version', '');
    return { name: 'fake', version: '1.0', apiVersion: 'v1' };
  }

  async status() {
    this.#enter('status', '');
    return { runtimeReady: true, networkReady: true, message: '' };
  }

  async runPodSandbox(config: SandboxConfig): Promise<string> {
    this.#enter('runPodSandbox', config.metadata.name);
    await this.#startDelay();
    const id = this.#id('sandbox');
    const onNode = config.namespaces.network === 'node';
    const ip = this.#options.nextIp?.() ?? `10.244.0.${this.#nextHost++}`;
    this.#sandboxes.set(id, {
      config,
      status: {
        id,
        metadata: config.metadata,
        ready: true,
        createdAtMs: this.#clock.nowMs(),
        labels: config.labels,
        annotations: config.annotations,
        ips: onNode ? [] : [ip],
      },
    });
    return id;
  }

  async stopPodSandbox(id: string): Promise<void> {
    this.#enter('stopPodSandbox', id);
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) return;
    for (const c of this.#containers.values())
      if (c.sandbox === sandbox && c.status.state === 'running') this.#end(c, 137, '');
    if (sandbox.status.ready) {
      sandbox.status = { ...sandbox.status, ready: false, ips: [] };
      for (const watcher of this.#watchers) watcher(id);
    }
  }

  async removePodSandbox(id: string): Promise<void> {
    await this.stopPodSandbox(id);
    this.#enter('removePodSandbox', id);
    for (const [key, c] of this.#containers) if (c.sandbox.status.id === id) this.#containers.delete(key);
    this.#sandboxes.delete(id);
  }

  async podSandboxStatus(id: string): Promise<SandboxStatus> {
    this.#enter('podSandboxStatus', '');
    const sandbox = this.#sandboxes.get(id);
    if (sandbox === undefined) throw new RuntimeError('notFound', `sandbox ${id} not found`);
    return sandbox.status;
  }

  async listPodSandbox(filter: RuntimeFilter = {}) {
    this.#enter('listPodSandbox', '');
    return [...this.#sandboxes.values()].map((s) => s.status).filter((s) => matches(s, filter));
  }

  async createContainer(sandboxId: string, config: ContainerConfig): Promise<string> {
    this.#enter('createContainer', config.metadata.name);
    const sandbox = this.#sandboxes.get(sandboxId);
    if (sandbox === undefined) throw new RuntimeError('notFound', `sandbox ${sandboxId} not found`);
    const image = this.#images.find(config.image);
    if (image === undefined) throw new RuntimeError('notFound', `image ${config.image} not found`);
    const id = this.#id('container');
    this.#containers.set(id, {
      config,
      sandbox,
      process: undefined,
      timer: undefined,
      ended: [],
      status: {
        id,
        sandboxId,
        name: config.metadata.name,
        attempt: config.metadata.attempt,
        state: 'created',
        createdAtMs: this.#clock.nowMs(),
        image: image.repoTags[0] ?? config.image,
        imageRef: image.id,
        labels: config.labels,
        annotations: config.annotations,
        startedAtMs: 0,
        finishedAtMs: 0,
        exitCode: 0,
        reason: '',
        message: '',
        logPath: `${sandbox.config.logDirectory}/${config.logPath}`,
      },
    });
    return id;
  }

  async startContainer(id: string): Promise<void> {
    this.#enter('startContainer', this.#container(id).config.metadata.name);
    await this.#startDelay();
    const c = this.#container(id);
    if (c.status.state !== 'created')
      throw new RuntimeError('failed', `container ${id} is in state ${c.status.state}`);
    if (!c.sandbox.status.ready)
      throw new RuntimeError('failed', `sandbox of container ${id} is not running`);
    const process = this.#options.process?.(c.config, c.sandbox.config) ?? { stopAfterMs: 0 };
    c.process = process;
    c.status = { ...c.status, state: 'running', startedAtMs: this.#clock.nowMs() };
    if (process.exitAfterMs === undefined) return;
    if (process.exitAfterMs === 0) this.#end(c, process.exitCode ?? 0, '');
    else c.timer = this.#clock.after(process.exitAfterMs, () => this.#end(c, process.exitCode ?? 0, ''));
  }

  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    const c = this.#containers.get(id);
    this.#enter('stopContainer', c?.config.metadata.name ?? id);
    if (c === undefined || c.status.state !== 'running') return;
    const ended = new Promise<void>((resolve) => c.ended.push(resolve));
    const graceMs = graceSeconds * 1000;
    const { stopAfterMs, stopExitCode = 143 } = c.process ?? {};
    const obeys = stopAfterMs !== undefined && stopAfterMs <= graceMs;
    const delayMs = obeys ? stopAfterMs : graceMs;
    const end = () => this.#end(c, obeys ? stopExitCode : 137, '');
    if (delayMs === 0) end();
    else this.#clock.after(delayMs, end);
    await ended;
  }

  async signalContainer(id: string, signal: number): Promise<void> {
    this.#enter('signalContainer', String(signal));
    const c = this.#containers.get(id);
    if (c === undefined || c.status.state !== 'running' || c.process?.stopAfterMs === undefined) return;
    const { stopAfterMs } = c.process;
    this.#clock.after(stopAfterMs, () => this.#end(c, 128 + signal, ''));
  }

  async removeContainer(id: string): Promise<void> {
    this.#enter('removeContainer', id);
    const c = this.#containers.get(id);
    if (c === undefined) return;
    if (c.status.state === 'running') this.#end(c, 137, '');
    this.#containers.delete(id);
  }

  async listContainers(filter: RuntimeFilter = {}): Promise<readonly ContainerInfo[]> {
    this.#enter('listContainers', '');
    return [...this.#containers.values()]
      .map((c) => c.status)
      .filter((c) => matches(c, filter) && (filter.sandboxId ?? c.sandboxId) === c.sandboxId);
  }

  async containerStatus(id: string): Promise<ContainerStatus> {
    this.#enter('containerStatus', '');
    return this.#container(id).status;
  }

  async updateContainerResources(id: string): Promise<void> {
    this.#enter('updateContainerResources', id);
    this.#container(id);
  }

  async reopenContainerLog(id: string): Promise<void> {
    this.#enter('reopenContainerLog', id);
    this.#container(id);
  }

  async containerStats() {
    return [...this.#containers.values()].map((c) => ({
      containerId: c.status.id,
      cpuNanoseconds: 0,
      memoryWorkingSetBytes: 0,
      writableLayerBytes: 0,
      atMs: this.#clock.nowMs(),
    }));
  }

  async execSync(id: string, command: readonly string[]): Promise<ExecResult> {
    this.#enter('execSync', command.join(' '));
    const c = this.#container(id);
    if (c.status.state !== 'running') throw new RuntimeError('failed', `container ${id} is not running`);
    const result = c.process?.exec?.(command) ?? {};
    return {
      stdout: result.stdout ?? Buffer.alloc(0),
      stderr: result.stderr ?? Buffer.alloc(0),
      exitCode: result.exitCode ?? 0,
    };
  }

  exec(): Promise<string> {
    return Promise.reject(new RuntimeError('failed', 'the fake runtime streams no sessions'));
  }

  attach(): Promise<string> {
    return this.exec();
  }

  async sandboxPid(id: string): Promise<number | undefined> {
    await this.podSandboxStatus(id);
    return undefined;
  }

  async imageStatus(image: string): Promise<ImageInfo | undefined> {
    this.#enter('imageStatus', '');
    return this.#images.find(image);
  }

  async pullImage(image: string): Promise<string> {
    this.#enter('pullImage', image);
    if (this.#options.pullable?.(image) !== true)
      throw new RuntimeError('notFound', `failed to resolve reference "${image}": ${image}: not found`);
    return this.#images.add(image).id;
  }

  async listImages(): Promise<readonly ImageInfo[]> {
    return this.#images.list();
  }

  async removeImage(image: string): Promise<void> {
    this.#images.remove(image);
  }

  async imageFsInfo() {
    return [{ mountpoint: '/', usedBytes: 0, inodesUsed: 0 }];
  }

  watchExits(onExit: (id: string) => void, signal: AbortSignal): Promise<void> {
    this.#watchers.add(onExit);
    return new Promise((resolve) => {
      const end = () => {
        this.#watchers.delete(onExit);
        resolve();
      };
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
    });
  }

  close(): void {
    for (const c of this.#containers.values()) c.timer?.cancel();
  }

  #enter(method: keyof ContainerRuntime, detail: string): void {
    if (detail !== '') this.calls.push({ method, detail });
    const failure = this.#failures.get(method)?.shift();
    if (failure !== undefined) throw failure;
  }

  #startDelay(): Promise<void> {
    const ms = this.#options.startMs ?? 0;
    return ms === 0 ? Promise.resolve() : new Promise((resolve) => void this.#clock.after(ms, resolve));
  }

  #id(kind: string): string {
    return `${kind}-${this.#nextId++}`.padEnd(16, '0');
  }

  #container(id: string): FakeContainer {
    const c = this.#containers.get(id);
    if (c === undefined) throw new RuntimeError('notFound', `container ${id} not found`);
    return c;
  }

  #end(c: FakeContainer, exitCode: number, reason: string): void {
    if (c.status.state !== 'running') return;
    c.timer?.cancel();
    c.status = {
      ...c.status,
      state: 'exited',
      exitCode,
      reason: reason !== '' ? reason : exitCode === 0 ? 'Completed' : 'Error',
      finishedAtMs: this.#clock.nowMs(),
    };
    for (const done of c.ended.splice(0)) done();
    for (const watcher of this.#watchers) watcher(c.status.id);
  }
}

function matches(
  item: { readonly id: string; readonly labels: Readonly<Record<string, string>> },
  filter: RuntimeFilter,
): boolean {
  if (filter.id !== undefined && filter.id !== item.id) return false;
  return Object.entries(filter.labels ?? {}).every(([key, value]) => item.labels[key] === value);
}
