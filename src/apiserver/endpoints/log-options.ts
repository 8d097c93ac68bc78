// What of a log is asked for: the query of pods/log, checked as Kubernetes checks PodLogOptions before any node is asked, and written
// down for the node. Pure.
import { badRequest, Causes, parseTime } from '../../machinery/index.ts';
import { flag, integer, type Query } from './query.ts';

const streams = ['All', 'Stderr', 'Stdout'];
const flags = ['follow', 'previous', 'timestamps'];
const numbers = ['sinceSeconds', 'tailLines', 'limitBytes'];

/** The query for the node. Throws 400 for what is no number or time, 422 with every fault; `pod` is the pod's name. */
export function logQuery(query: Query, pod: string): Query {
  const out = new URLSearchParams();
  for (const name of flags) if (flag(query, name) === true) out.set(name, 'true');
  for (const name of numbers) {
    const value = integer(query, name);
    if (value !== undefined) out.set(name, String(value));
  }
  const sinceTime = query.get('sinceTime') ?? '';
  if (sinceTime !== '') {
    if (parseTime(sinceTime) === undefined)
      throw badRequest(
        `parsing time ${JSON.stringify(sinceTime)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(sinceTime)} as "2006"`,
      );
    out.set('sinceTime', sinceTime);
  }
  const stream = query.get('stream') ?? '';
  if (stream !== '') out.set('stream', stream);
  const causes = new Causes();
  check(out, causes);
  const error = causes.toError('', 'PodLogOptions', pod);
  if (error !== undefined) throw error;
  return out;
}

function check(asked: Query, causes: Causes): void {
  const { tailLines, limitBytes, sinceSeconds, sinceTime, stream } = Object.fromEntries(asked);
  if (tailLines !== undefined && Number(tailLines) < 0)
    causes.invalid('tailLines', Number(tailLines), 'must be greater than or equal to 0');
  if (limitBytes !== undefined && Number(limitBytes) < 1)
    causes.invalid('limitBytes', Number(limitBytes), 'must be greater than 0');
  if (sinceSeconds !== undefined && sinceTime !== undefined)
    causes.forbidden('[]', 'at most one of `sinceTime` or `sinceSeconds` may be specified');
  else if (sinceSeconds !== undefined && Number(sinceSeconds) < 1)
    causes.invalid('sinceSeconds', Number(sinceSeconds), 'must be greater than 0');
  if (stream === undefined) return;
  if (!streams.includes(stream)) causes.notSupported('stream', stream, streams);
  if (stream !== 'All' && tailLines !== undefined)
    causes.forbidden('[]', '`tailLines` and specific `stream` are mutually exclusive for now');
}
