// Runs of the plan that end after any of their writes.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { buildJob } from '../../testkit/index.ts';
import { World } from './simulation.ts';

/** A world in which every write of a plan happens, in which only some do, or none; and pods that end as they like. */
test('over random states: no write that the server would refuse, never too many pods, each counted once, then silence', () => {
  const step = fc.record({
    crashAfter: fc.nat(14),
    ends: fc.array(fc.nat(60), { maxLength: 4 }),
    passMs: fc.constantFrom(0, 5000, 30_000),
    rests: fc.boolean(),
  });
  const spec = fc.record({
    parallelism: fc.integer({ min: 1, max: 4 }),
    completions: fc.integer({ min: 0, max: 6 }),
    completionMode: fc.constantFrom('Indexed', 'NonIndexed'),
    backoffLimit: fc.constantFrom(0, 1, 4, 100),
    podReplacementPolicy: fc.constantFrom('Failed', 'TerminatingOrFailed'),
    limitPerIndex: fc.boolean(),
  });
  fc.assert(
    fc.property(spec, fc.array(step, { maxLength: 40 }), ({ limitPerIndex, ...rest }, steps) => {
      const perIndex = limitPerIndex && rest.completionMode === 'Indexed';
      const world = new World(buildJob('work', { ...rest, ...(perIndex && { backoffLimitPerIndex: 1 }) }));
      for (const { crashAfter, ends, passMs, rests } of steps) {
        world.nowMs += passMs;
        world.run(crashAfter);
        for (const n of ends) world.end(n);
        if (rests) expect(world.comesToRest()).toBe(true);
      }
      for (let i = 0; i < 600 && !world.finished; i++) {
        world.nowMs += 60_000;
        world.run(1000);
        world.endAll();
      }
      expect(world.finished).toBe(true);
      expect(world.job.status?.succeeded ?? 0).toBe(world.succeeded.size);
      expect(world.job.status?.failed ?? 0).toBe(world.failed.size);
      expect(world.pods.filter(({ metadata }) => metadata.finalizers?.length)).toEqual([]);
    }),
    { numRuns: 300 },
  );
});
