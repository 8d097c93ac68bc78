// An agent that starts while its runtime comes and goes.
import { describe, test } from 'vitest';
import { RuntimeError } from '../os/index.ts';
import { isReady, world } from './testdata/agent-world.ts';

const killed = () => new RuntimeError('unavailable', 'connection dropped');

describe('an agent that starts', () => {
  test.each(['status', 'version', 'listPodSandbox', 'listContainers'] as const)(
    'waits again for a runtime that is killed when it is asked for: %s',
    async (method) => {
      const w = await world();
      w.runtime.failNext(method, killed());
      await w.start();
      await w.create('web', {});
      await w.until('a pod is ready', async () => isReady(await w.pod('web')));
    },
  );
});
