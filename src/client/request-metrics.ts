// What a program asks API servers for over HTTPS: how often, what they answer, how long it takes, how much it is, under client-go's
// names. HOT in agents with many pods: the series of a method and a code are found once and kept.
import type { Clock, Counter, Histogram, MetricRegistry } from '../base/index.ts';
import type { HttpsClient } from '../http/index.ts';

/** In place of the code where there was no answer. */
const failed = '<error>';

const timeBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];
const sizeBuckets = [64, 256, 512, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304, 16_777_216];

/** What requests with one method are measured by, that have one answer. */
interface Measures {
  readonly durations: Histogram;
  readonly sent: Histogram;
  readonly received: Histogram;
}

export interface CountedServer {
  readonly registry: MetricRegistry;
  readonly clock: Clock;
  /** `https://HOST:PORT` */
  readonly server: string;
}

/**
 * The same client of one server, counted in `registry`. Watches, logs and terminals are counted when their answer begins, and neither
 * timed nor weighed, as client-go does.
 */
export function countRequests(http: HttpsClient, { registry, clock, server }: CountedServer): HttpsClient {
  const { host } = new URL(server);
  const totals = registry.counter({
    name: 'rest_client_requests_total',
    help: 'Requests to API servers, by the code of the answer; <error> = there was none.',
    labels: ['code', 'method', 'host'],
  });
  const histogram = (name: string, help: string, buckets: readonly number[]) =>
    registry.histogram({ name: `rest_client_${name}`, help, labels: ['verb', 'host'], buckets });
  const durations = histogram(
    'request_duration_seconds',
    'Time from a request to an API server to the end of its answer.',
    timeBuckets,
  );
  const sent = histogram(
    'request_size_bytes',
    'Bytes of the bodies of requests to API servers.',
    sizeBuckets,
  );
  const received = histogram('response_size_bytes', 'Bytes of the bodies of their answers.', sizeBuckets);

  const codes = new Map<string, Map<number | string, Counter>>();
  const count = (method: string, code: number | string): void => {
    let byCode = codes.get(method);
    if (byCode === undefined) codes.set(method, (byCode = new Map()));
    let counter = byCode.get(code);
    if (counter === undefined) byCode.set(code, (counter = totals.of(String(code), method, host)));
    counter.increment();
  };
  const measures = new Map<string, Measures>();
  const measuresOf = (method: string): Measures => {
    let found = measures.get(method);
    if (found === undefined) {
      const at = [method, host] as const;
      found = { durations: durations.of(...at), sent: sent.of(...at), received: received.of(...at) };
      measures.set(method, found);
    }
    return found;
  };
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
      const { method, body } = call;
      const measured = measuresOf(method);
      const startedMs = clock.monotonicMs();
      measured.sent.observe(body === undefined ? 0 : Buffer.byteLength(body));
      try {
        const answer = await counted(method, http.request(call), ({ status }) => status);
        measured.received.observe(answer.body.length);
        return answer;
      } finally {
        measured.durations.observe((clock.monotonicMs() - startedMs) / 1000);
      }
    },
    stream: (call) => counted(call.method, http.stream(call), ({ status }) => status),
    upgrade: (call) =>
      counted(call.method, http.upgrade(call), (answer) => ('status' in answer ? answer.status : 101)),
    setCertificate: (cert, key) => http.setCertificate(cert, key),
    close: () => http.close(),
  };
}
