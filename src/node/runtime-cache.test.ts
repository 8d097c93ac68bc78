import { describe, expect, it, test } from 'vitest';
import { FakeClock, Scope, settle, silentLog } from '../base/index.ts';
import type { ContainerStatus } from '../os/index.ts';
import { RuntimeCache } from './runtime-cache.ts';

const exited: ContainerStatus = {
  id: 'c1',
  sandboxId: 's1',
  name: 'main',
  attempt: 0,
  image: 'busybox',
  imageRef: 'busybox',
  state: 'exited',
  createdAtMs: 1,
  startedAtMs: 2,
  finishedAtMs: 3,
  exitCode: 0,
  reason: '',
  message: '',
  logPath: '/logs/c1',
  labels: {},
  annotations: {},
};

/** Of a runtime that answers this; `killed` is what the kernel says. */
function cacheOf(answer: () => ContainerStatus, killed: boolean, clock = new FakeClock()): RuntimeCache {
  return new RuntimeCache({
    runtime: {
      containerStatus: async () => answer(),
      listContainers: async () => [answer()],
      listPodSandbox: async () => [],
      podSandboxStatus: () => Promise.reject(new Error('not asked for')),
      watchExits: () => new Promise(() => {}),
    },
    nodeName: 'n1',
    clock,
    log: silentLog,
    scope: new Scope(silentLog),
    relistMs: 1000,
    fastRelistMs: 100,
    oomKilled: (id) => killed && id === exited.id,
    onChange: () => {},
  });
}

/** What the cache says of a container of which the runtime says this, and the kernel whether it killed it. */
async function reasonOf(status: Partial<ContainerStatus>, killed: boolean): Promise<string | undefined> {
  const container = { ...exited, ...status };
  const cache = cacheOf(() => container, killed);
  await cache.inspect('u1', container.id, container.sandboxId);
  return cache.get('u1').containers[0]?.reason;
}

describe('why a container ended', () => {
  it.each<[string, Partial<ContainerStatus>, boolean, string]>([
    ['the kernel knows what the runtime missed', { exitCode: 137, reason: 'Error' }, true, 'OOMKilled'],
    ['a child was killed, so it failed', { exitCode: 1, reason: '' }, true, 'OOMKilled'],
    ['killed by somebody else', { exitCode: 137, reason: 'Error' }, false, 'Error'],
    ['it ended well all the same', { exitCode: 0, reason: 'Completed' }, true, 'Completed'],
    ['the runtime has a reason', { exitCode: 128, reason: 'StartError' }, true, 'StartError'],
    ['it still runs', { state: 'running' }, true, ''],
  ])('%s', async (_, status, killed, reason) => {
    expect(await reasonOf(status, killed)).toBe(reason);
  });
});

describe('a container that was stopped', () => {
  /** What becomes of it when the runtime's record says `running` so many times. */
  async function stopped(times: number): Promise<string | undefined> {
    let left = times;
    const clock = new FakeClock();
    const cache = cacheOf(() => (left-- > 0 ? { ...exited, state: 'running' } : exited), false, clock);
    let result: string | undefined;
    const over = cache.inspectStopped('u1', 'c1', 's1').then(
      () => {
        result = cache.get('u1').containers[0]?.state;
      },
      (error: Error) => {
        result = error.message;
      },
    );
    for (let i = 0; i < 20 && result === undefined; i++) await clock.advance(500);
    await over;
    return result;
  }

  it.each([
    [0, 'exited'],
    [1, 'exited'],
    [4, 'exited'],
    [9, 'container c1 runs although the runtime has stopped it'],
  ])('is looked at until its record says so: %d times too early', async (times, wanted) =>
    expect(await stopped(times)).toBe(wanted),
  );
});

test('an exit that is told before the container is known is followed up when it is', async () => {
  const clock = new FakeClock();
  const scope = new Scope(silentLog);
  let tell: (id: string) => void = () => {};
  let answer: ContainerStatus = { ...exited, state: 'running' };
  const woken: string[] = [];
  const cache = new RuntimeCache({
    runtime: {
      containerStatus: async () => answer,
      listContainers: async () => [],
      listPodSandbox: async () => [],
      podSandboxStatus: () => Promise.reject(new Error('not asked for')),
      watchExits: (onExit, signal) => {
        tell = onExit;
        return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      },
    },
    nodeName: 'n1',
    clock,
    log: silentLog,
    scope,
    relistMs: 10_000,
    fastRelistMs: 1_000,
    onChange: (uid) => woken.push(uid),
  });
  await cache.start();
  tell('c1');
  await settle();
  // The runtime's own record lags behind what it has told.
  await cache.inspect('u1', 'c1', 's1');
  expect(cache.get('u1').containers[0]?.state).toBe('running');
  await settle();
  answer = exited;
  await clock.advance(500);
  expect(cache.get('u1').containers[0]?.state).toBe('exited');
  expect(woken).toContain('u1');
  await scope.stop();
});
