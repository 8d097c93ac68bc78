// What counting costs a GET, once its series are found: two counters of who asks, one of the request, four histograms and four looks
// at clocks, as the handler of requests has them.
//
//   node --import tsx bench/metrics.ts
import { systemClock as clock, exponentialBuckets, MetricRegistry } from '../src/base/index.ts';

const registry = new MetricRegistry();
const counter = (name: string) => registry.counter({ name, help: 'h', labels: ['a', 'b'] }).of('a', 'b');
const histogram = (name: string, buckets: number[]) =>
  registry.histogram({ name, help: 'h', labels: ['a', 'b'], buckets }).of('a', 'b');
const user = counter('user_total');
const right = counter('right_total');
const total = counter('request_total');
const duration = histogram('duration_seconds', exponentialBuckets(0.005, 1.5, 23));
const sli = histogram('sli_duration_seconds', exponentialBuckets(0.05, 1.5, 21));
const certificates = histogram(
  'certificates',
  [0, 0.5, 1, 2, 6, 12, 24, 48, 96, 168, 720, 2160, 4320, 8640].map((hours) => hours * 3600),
);
const notAfterMs = clock.nowMs() + 360 * 86_400_000;
const sizes = histogram('sizes', exponentialBuckets(1000, 10, 7));

function requests(count: number): void {
  for (let i = 0; i < count; i++) {
    const startedMs = clock.monotonicMs();
    user.increment();
    certificates.observe((notAfterMs - clock.nowMs()) / 1000);
    right.increment();
    clock.monotonicMs();
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    total.increment();
    duration.observe(seconds);
    sli.observe(seconds);
    sizes.observe(500 + (i & 1023));
  }
}

requests(100_000);
const count = 3_000_000;
for (let round = 0; round < 3; round++) {
  const before = process.cpuUsage();
  requests(count);
  const { user: ours, system } = process.cpuUsage(before);
  console.log(`${Math.round(((ours + system) * 1000) / count)} ns CPU a request`);
}
