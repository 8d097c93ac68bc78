import { defineConfig } from 'vitest/config';

// Four kinds of test, from fast and pure to slow and real; tools/test.mjs decides which can run on this machine. How long something
// may take is no test's matter unless it says so: these limits only end what hangs, on a machine with much else to do too.
const limits = { expect: { poll: { timeout: 60_000 } }, testTimeout: 240_000, hookTimeout: 240_000 };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...limits,
          name: 'unit',
          include: ['src/**/*.test.ts', 'tools/**/*.test.ts'],
        },
      },
      {
        test: {
          ...limits,
          name: 'scenario',
          include: ['test/scenario/**/*.test.ts'],
        },
      },
      {
        test: {
          ...limits,
          name: 'client',
          include: ['test/client/**/*.test.ts'],
          fileParallelism: false,
        },
      },
      {
        test: {
          ...limits,
          name: 'node',
          include: ['test/node/**/*.test.ts'],
          fileParallelism: false,
        },
      },
    ],
  },
});
