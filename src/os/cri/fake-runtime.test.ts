import { beforeAll, describe, expect, test } from 'vitest';
import { FakeClock } from '../../base/index.ts';
import { FakeRuntime } from './fake-runtime.ts';
import { type RuntimeUnderTest, runtimeContract } from './runtime-suite.ts';

describe('the fake runtime', () => {
  let under: RuntimeUnderTest;
  beforeAll(() => {
    const clock = new FakeClock();
    const image = 'docker.io/library/busybox:1.36';
    const runtime = new FakeRuntime({
      clock,
      images: [image],
      process: ({ command }) =>
        command[0] === 'exits'
          ? { exitAfterMs: 50, exitCode: 3 }
          : command[0] === 'ignores'
            ? {}
            : { stopAfterMs: 0, stopExitCode: 0, exec: ([what]) => ({ exitCode: what === 'false' ? 1 : 0 }) },
    });
    under = {
      runtime,
      image,
      commands: { obeys: ['obeys'], ignores: ['ignores'], exits: ['exits'] },
      logDir: '/logs',
      cgroupParent: '/contract',
      settled: async () => {},
      async until(look) {
        for (let i = 0; i < 200 && !(await look()); i++) await clock.advance(50);
      },
    };
  });
  runtimeContract(() => under, { expect, test });
});
