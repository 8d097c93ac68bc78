// What counting costs a request: the series of a GET found and counted, its user and its right noted, the clock read; in the order of
// the handler, with nothing else.
//
//   node --import tsx bench/metrics.ts
import { Service } from '../src/api/index.ts';
import { InFlight } from '../src/apiserver/endpoints/in-flight.ts';
import { ApiMetrics } from '../src/apiserver/endpoints/metrics.ts';
import { splitTarget } from '../src/apiserver/endpoints/query.ts';
import { parseRoute } from '../src/apiserver/endpoints/route.ts';
import { systemClock as clock, MetricRegistry } from '../src/base/index.ts';

const registry = new MetricRegistry();
const metrics = new ApiMetrics(registry);
const lanes = new InFlight({ reads: 400, writes: 200 }, clock);
metrics.showInFlight((lane) => lanes.peak(lane));
const user = { name: 'bench', uid: '', groups: ['system:masters'] };
const { path, query } = splitTarget('/api/v1/namespaces/default/services/kubernetes');
const route = parseRoute(path)!;

function requests(count: number): void {
  for (let i = 0; i < count; i++) {
    const startedMs = clock.monotonicMs();
    metrics.authenticated(user);
    metrics.authorized(true);
    const series = metrics.requests.ofResource(Service, route, {
      verb: 'get',
      query,
      contentType: undefined,
    })!;
    // The reading of the clock for the peak of requests in flight.
    clock.monotonicMs();
    series.finished(200, clock.monotonicMs() - startedMs);
    series.sent(500 + (i & 1023));
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
const before = performance.now();
const text = registry.text();
console.log(
  `${text.length} bytes of text in ${(performance.now() - before).toFixed(2)} ms, ${lanes.peak('reads')} in flight`,
);
