import { describe, expect, it } from 'vitest';
import { FakeClock, Scope, silentLog } from '../base/index.ts';
import type { ContainerStatus } from '../os/index.ts';
import { RuntimeCache } from './runtime-cache.ts';

/** What the cache says of a container of which the runtime says this, and the kernel whether it killed it. */
async function reasonOf(status: Partial<ContainerStatus>, killed: boolean): Promise<string | undefined> {
  const container: ContainerStatus = {
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
    ...status,
  };
  const cache = new RuntimeCache({
    runtime: {
      containerStatus: async () => container,
      listContainers: async () => [container],
      listPodSandbox: async () => [],
      podSandboxStatus: () => Promise.reject(new Error('not asked for')),
      watchExits: () => new Promise(() => {}),
    },
    nodeName: 'n1',
    clock: new FakeClock(),
    log: silentLog,
    scope: new Scope(silentLog),
    relistMs: 1000,
    fastRelistMs: 100,
    oomKilled: (id) => killed && id === container.id,
    onChange: () => {},
  });
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
