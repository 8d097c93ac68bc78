// What a program asks API servers for over HTTPS: how often, what they answer, how long it takes, under client-go's names. HOT in agents
// with many pods: the series of a method and a code are found once and kept.
import type { Clock, Counter, Histogram, MetricRegistry } from '../base/index.ts';
import type { HttpsClient } from '../http/index.ts';

/** In place of the code where there was no answer. */
const failed = '<error>';

/**
 * The same client of one server, counted in `registry`. Watches, logs and terminals are counted when their answer begins, and not timed,
 * as client-go does.
 */
export function countRequests(
  http: HttpsClient,
  {
    registry,
    clock,
    server,
  }: { readonly registry: MetricRegistry; readonly clock: Clock; readonly server: string },
): HttpsClient {
  const { host } = new URL(server);
  const totals = registry.counter({
    name: 'rest_client_requests_total',
    help: 'Requests to API servers, by the code of the answer; <error> = there was none.',
    labels: ['code', 'method', 'host'],
  });
  const durations = registry.histogram({
    name: 'rest_client_request_duration_seconds',
    help: 'Time from a request to an API server to the end of its answer.',
    labels: ['verb', 'host'],
    buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60],
  });
  const byMethod = new Map<
    string,
    { readonly codes: Map<number | string, Counter>; duration: Histogram | null }
  >();
  const seriesOf = (method: string) => {
    let series = byMethod.get(method);
    if (series === undefined) byMethod.set(method, (series = { codes: new Map(), duration: null }));
    return series;
  };
  const count = (method: string, code: number | string): void => {
    const { codes } = seriesOf(method);
    let counter = codes.get(code);
    if (counter === undefined) codes.set(code, (counter = totals.of(String(code), method, host)));
    counter.increment();
  };
  /** The code of an answer, or that there was none. */
  const counted = async <T>(
    method: string,
    answer: Promise<T>,
    codeOf: (answer: T) => number,
  ): Promise<T> => {
    try {
      const got = await answer;
      count(method, codeOf(got));
      return got;
    } catch (error) {
      count(method, failed);
      throw error;
    }
  };
  return {
    async request(call) {
      const { method } = call;
      const startedMs = clock.monotonicMs();
      try {
        return await counted(method, http.request(call), ({ status }) => status);
      } finally {
        const series = seriesOf(method);
        series.duration ??= durations.of(method, host);
        series.duration.observe((clock.monotonicMs() - startedMs) / 1000);
      }
    },
    stream: (call) => counted(call.method, http.stream(call), ({ status }) => status),
    upgrade: (call) =>
      counted(call.method, http.upgrade(call), (answer) => ('status' in answer ? answer.status : 101)),
    setCertificate: (cert, key) => http.setCertificate(cert, key),
    close: () => http.close(),
  };
}
