// A line for each request, when its answer has ended.
import type { Writable } from 'node:stream';
import type { Clock, Log } from '../../base/index.ts';
import { connectionOf, type HttpRequest } from '../../http/index.ts';

/** `ending`: the response, or the socket of an upgrade. */
export function logWhenEnded(
  log: Log,
  { request, ending, clock }: { request: HttpRequest; ending: Writable; clock: Clock },
): void {
  const { method, url, headers } = request;
  const from = connectionOf(request).remoteAddress;
  const began = clock.monotonicMs();
  ending.once('close', () => {
    log.info('request', {
      verb: method,
      uri: url,
      ms: Math.round(clock.monotonicMs() - began),
      code: 'statusCode' in ending ? ending.statusCode : 101,
      userAgent: headers['user-agent'],
      from,
    });
  });
}
