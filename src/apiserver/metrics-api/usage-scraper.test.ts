// Looks at nodes become usage: two of them, of the same container, with time in between.
import { expect, it } from 'vitest';
import { FakeClock, silentLog } from '../../base/index.ts';
import { buildNode } from '../../testkit/index.ts';
import { UsageScraper } from './usage-scraper.ts';

const text = (atMs: number, cpu: number, { start = 100, memory = 2 ** 20 } = {}) =>
  [
    '# TYPE container_cpu_usage_seconds_total counter',
    `container_cpu_usage_seconds_total{container="c",namespace="default",pod="p"} ${cpu} ${atMs}`,
    `container_memory_working_set_bytes{container="c",namespace="default",pod="p"} ${memory} ${atMs}`,
    `container_start_time_seconds{container="c",namespace="default",pod="p"} ${start}`,
    `node_cpu_usage_seconds_total ${cpu} ${atMs}`,
    `node_memory_working_set_bytes 1.5e+06 ${atMs}`,
    'scrape_error 0',
    '',
  ].join('\n');

const { signal } = new AbortController();

function scraper(...answers: readonly (string | Error)[]) {
  let at = 0;
  return new UsageScraper({
    clock: new FakeClock(),
    log: silentLog,
    nodes: () => [buildNode('n')],
    fetch: async () => {
      const answer = answers[at++]!;
      if (answer instanceof Error) throw answer;
      return answer;
    },
  });
}

it('two looks make a rate', async () => {
  const usage = scraper(text(1000, 10), text(16_000, 13, { memory: 4096 }));
  await usage.look(signal);
  expect([usage.ready, usage.node('n'), usage.pod('default', 'p')]).toEqual([false, undefined, undefined]);
  await usage.look(signal);
  expect(usage.ready).toBe(true);
  const window = { timeMs: 16_000, windowMs: 15_000 };
  expect(usage.node('n')).toEqual({ ...window, cpuNanoCores: 200_000_000, memoryBytes: 1_500_000 });
  expect(usage.pod('default', 'p')).toEqual({
    ...window,
    containers: [{ name: 'c', cpuNanoCores: 200_000_000, memoryBytes: 4096 }],
  });
});

it.each<[string, string | Error]>([
  ['another container of the name', text(16_000, 13, { start: 15 })],
  ['a counter that began anew', text(16_000, 1)],
  ['no answer', new Error('refused')],
])('%s is not known', async (_, second) => {
  const usage = scraper(text(1000, 10), second);
  await usage.look(signal);
  await usage.look(signal);
  expect(usage.pod('default', 'p')).toBeUndefined();
});

it('the same numbers again change nothing', async () => {
  const usage = scraper(text(1000, 10), text(16_000, 13), text(16_000, 13));
  for (let i = 0; i < 3; i++) await usage.look(signal);
  expect(usage.node('n')?.windowMs).toBe(15_000);
});
