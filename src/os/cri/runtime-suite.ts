// The contract suite of ContainerRuntime: the fake and the real one must both pass. It makes sandboxes on the machine's own network,
// so that no CNI is needed. Exported as the fake is, for tests of the real one in test/node; the test framework is an argument.
import { existsSync } from 'node:fs';
import type * as vitest from 'vitest';
import {
  type ContainerConfig,
  type ContainerRuntime,
  type ContainerStatus,
  RuntimeError,
  type SandboxConfig,
} from './container-runtime.ts';

export interface RuntimeUnderTest {
  readonly runtime: ContainerRuntime;
  /** An image that is there. */
  readonly image: string;
  /** Commands whose processes behave so. */
  readonly commands: {
    /** Runs for ever; ends with code 0 on SIGTERM. */
    readonly obeys: readonly string[];
    /** Runs for ever and ignores SIGTERM. */
    readonly ignores: readonly string[];
    /** Ends with code 3 after a moment. */
    readonly exits: readonly string[];
  };
  readonly logDir: string;
  readonly cgroupParent: string;
  /** What was started has got so far that it obeys, or ignores, signals. */
  settled(): Promise<void>;
  /** Lets time pass until it is so. */
  until(look: () => Promise<boolean>): Promise<void>;
}

let made = 0;

export function runtimeContract(
  get: () => RuntimeUnderTest,
  { expect, test }: Pick<typeof vitest, 'expect' | 'test'>,
): void {
  const sandboxConfig = (name: string): SandboxConfig => ({
    metadata: { name, namespace: 'contract', uid: `uid-${name}`, attempt: 0 },
    hostname: '',
    logDirectory: `${get().logDir}/${name}`,
    portMappings: [],
    labels: { contract: name },
    annotations: { note: 'kept' },
    cgroupParent: get().cgroupParent,
    sysctls: {},
    namespaces: { network: 'node', pid: 'container', ipc: 'pod' },
    privileged: false,
    supplementalGroups: [],
  });
  const containerConfig = (name: string, command: readonly string[]): ContainerConfig => ({
    metadata: { name, attempt: 0 },
    image: get().image,
    command,
    args: [],
    workingDir: '',
    env: [],
    mounts: [],
    labels: { container: name },
    annotations: {},
    logPath: `${name}/0.log`,
    stdin: false,
    stdinOnce: false,
    tty: false,
    resources: {},
    security: {
      addCapabilities: [],
      dropCapabilities: [],
      privileged: false,
      namespaces: { network: 'node', pid: 'container', ipc: 'pod' },
      readOnlyRootfs: false,
      supplementalGroups: [],
      noNewPrivs: false,
      maskedPaths: [],
      readonlyPaths: [],
    },
  });

  /** A sandbox for one test, gone after it. */
  async function inSandbox(
    work: (at: {
      readonly id: string;
      readonly name: string;
      create(name: string, command: readonly string[]): Promise<string>;
      status(id: string): Promise<ContainerStatus>;
    }) => Promise<void>,
  ): Promise<void> {
    const { runtime } = get();
    const name = `pod-${++made}`;
    const config = sandboxConfig(name);
    const id = await runtime.runPodSandbox(config);
    try {
      await work({
        id,
        name,
        create: (container, command) =>
          runtime.createContainer(id, containerConfig(container, command), config),
        status: (container) => runtime.containerStatus(container),
      });
    } finally {
      await runtime.removePodSandbox(id);
    }
  }

  const codeOf = (promise: Promise<unknown>) =>
    promise.then(
      () => 'resolved',
      (error: unknown) => (error instanceof RuntimeError ? error.code : `not a RuntimeError: ${error}`),
    );

  test('says what it is, and that it is ready', async () => {
    const { runtime } = get();
    expect((await runtime.version()).name).not.toBe('');
    expect((await runtime.status()).runtimeReady).toBe(true);
  });

  test('a sandbox is listed as it was made, stops, and is removed; both more than once', async () => {
    const { runtime } = get();
    const name = `pod-${++made}`;
    const id = await runtime.runPodSandbox(sandboxConfig(name));
    expect(await runtime.podSandboxStatus(id)).toMatchObject({
      id,
      ready: true,
      metadata: { name, namespace: 'contract', uid: `uid-${name}`, attempt: 0 },
      labels: { contract: name },
      annotations: { note: 'kept' },
      ips: [],
    });
    expect((await runtime.listPodSandbox({ labels: { contract: name } })).map((s) => s.id)).toEqual([id]);
    expect(await runtime.listPodSandbox({ labels: { contract: 'other' } })).toEqual([]);
    await runtime.stopPodSandbox(id);
    await runtime.stopPodSandbox(id);
    expect((await runtime.podSandboxStatus(id)).ready).toBe(false);
    await runtime.removePodSandbox(id);
    await runtime.removePodSandbox(id);
    expect(await codeOf(runtime.podSandboxStatus(id))).toBe('notFound');
  });

  test('a container is created, runs, and ends with its code', () =>
    inSandbox(async (at) => {
      const { runtime, commands, until } = get();
      const id = await at.create('main', commands.exits);
      expect(await at.status(id)).toMatchObject({
        id,
        name: 'main',
        attempt: 0,
        state: 'created',
        labels: { container: 'main' },
      });
      await runtime.startContainer(id);
      await until(async () => (await at.status(id)).state === 'exited');
      const ended = await at.status(id);
      expect(ended).toMatchObject({ exitCode: 3, reason: 'Error' });
      expect(ended.startedAtMs).toBeGreaterThan(0);
      expect(ended.finishedAtMs).toBeGreaterThanOrEqual(ended.startedAtMs);
      expect(ended.logPath).toBe(`${get().logDir}/${at.name}/main/0.log`);
      // What has ended never runs again.
      expect(await codeOf(runtime.startContainer(id))).toBe('failed');
      expect((await runtime.listContainers({ sandboxId: at.id })).map((c) => [c.id, c.state])).toEqual([
        [id, 'exited'],
      ]);
    }));

  test('a process that obeys ends at once, one that does not after its grace period', () =>
    inSandbox(async (at) => {
      const { runtime, commands } = get();
      const obeys = await at.create('obeys', commands.obeys);
      const ignores = await at.create('ignores', commands.ignores);
      await runtime.startContainer(obeys);
      await runtime.startContainer(ignores);
      await get().settled();
      await runtime.stopContainer(obeys, 30);
      expect(await at.status(obeys)).toMatchObject({ state: 'exited', exitCode: 0, reason: 'Completed' });
      const stopping = runtime.stopContainer(ignores, 1);
      await get().until(async () => (await at.status(ignores)).state === 'exited');
      await stopping;
      expect((await at.status(ignores)).exitCode).toBe(137);
      await runtime.stopContainer(ignores, 1);
    }));

  test('a signal reaches the first process', () =>
    inSandbox(async (at) => {
      const { runtime, commands, settled, until } = get();
      const id = await at.create('main', commands.obeys);
      await runtime.startContainer(id);
      await settled();
      await runtime.signalContainer(id, 15);
      await until(async () => (await at.status(id)).state === 'exited');
      await runtime.signalContainer(id, 15);
    }));

  test('an exit is told', () =>
    inSandbox(async (at) => {
      const { runtime, commands, until } = get();
      const told: string[] = [];
      const abort = new AbortController();
      const watching = runtime.watchExits((id) => told.push(id), abort.signal);
      const id = await at.create('main', commands.exits);
      await runtime.startContainer(id);
      await until(async () => told.includes(id));
      abort.abort();
      await watching;
    }));

  test('a stopped sandbox ends its containers and takes no new ones', () =>
    inSandbox(async (at) => {
      const { runtime, commands } = get();
      const id = await at.create('main', commands.obeys);
      await runtime.startContainer(id);
      await runtime.stopPodSandbox(at.id);
      expect((await at.status(id)).state).toBe('exited');
      expect(
        await codeOf(at.create('late', commands.obeys).then((late) => runtime.startContainer(late))),
      ).not.toBe('resolved');
    }));

  test('a command in a container answers with its code', () =>
    inSandbox(async (at) => {
      const { runtime, commands } = get();
      const id = await at.create('main', commands.obeys);
      await runtime.startContainer(id);
      expect((await runtime.execSync(id, ['true'], 5_000)).exitCode).toBe(0);
      expect((await runtime.execSync(id, ['false'], 5_000)).exitCode).toBe(1);
    }));

  test('a sandbox names a process in its network only while it runs', () =>
    inSandbox(async (at) => {
      const { runtime } = get();
      const pid = await runtime.sandboxPid(at.id);
      expect(pid === undefined || existsSync(`/proc/${pid}/ns/net`)).toBe(true);
      await runtime.stopPodSandbox(at.id);
      expect(await runtime.sandboxPid(at.id)).toBeUndefined();
      expect(await codeOf(runtime.sandboxPid('nothing'))).toBe('notFound');
    }));

  test('what is not there is notFound, and gone for those who remove', async () => {
    const { runtime } = get();
    expect(await codeOf(runtime.containerStatus('nothing'))).toBe('notFound');
    expect(await codeOf(runtime.startContainer('nothing'))).toBe('notFound');
    expect(await codeOf(runtime.stopContainer('nothing', 0))).toBe('resolved');
    expect(await codeOf(runtime.signalContainer('nothing', 15))).toBe('resolved');
    expect(await codeOf(runtime.removeContainer('nothing'))).toBe('resolved');
    expect(await codeOf(runtime.stopPodSandbox('nothing'))).toBe('resolved');
    expect(await codeOf(runtime.removePodSandbox('nothing'))).toBe('resolved');
    expect(await runtime.imageStatus('localhost/nothing:1')).toBeUndefined();
  });

  test('an image is known by its name and its id', async () => {
    const { runtime, image } = get();
    const found = await runtime.imageStatus(image);
    expect(found?.repoTags).toContain(image);
    expect((await runtime.imageStatus(found!.id))?.id).toBe(found!.id);
    expect((await runtime.listImages()).some((i) => i.id === found!.id)).toBe(true);
  });
}
