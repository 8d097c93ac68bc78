// Rules of events. Those written through core/v1 are checked loosely, as old clients write them; through events.k8s.io an
// event must be complete, and only its series may change.
import {
  type Causes,
  checkDns1123Subdomain,
  checkQualifiedName,
  immutableMessage,
  semanticEqual,
} from '../../../machinery/index.ts';
import type { Event } from '../../generated/core-v1.ts';

const shortLimit = 128;
const messageLimit = 1024;

const tooLong = (text: string, limit: number): boolean => Buffer.byteLength(text) > limit;
const limitMessage = (limit: number): string => `can have at most ${limit} characters`;

/** What every event must be. One with an eventTime comes from a new client and has all fields. */
export function validateEvent(event: Event, causes: Causes): void {
  const namespace = event.metadata.namespace ?? '';
  const about = event.involvedObject?.namespace ?? '';
  const stray = (): void =>
    causes.invalid('involvedObject.namespace', about, 'does not match event.namespace');
  if (!event.eventTime) {
    if (about === '' ? namespace !== '' && namespace !== 'default' : namespace !== about) stray();
  } else {
    if (about === '' && namespace !== 'default' && namespace !== 'kube-system') stray();
    validateNewEvent(event, causes);
  }
  for (const message of checkDns1123Subdomain(namespace)) causes.invalid('namespace', namespace, message);
}

function validateNewEvent(event: Event, causes: Causes): void {
  const { reportingComponent = '', message = '' } = event;
  if (reportingComponent === '') causes.required('reportingController');
  for (const text of checkQualifiedName(reportingComponent))
    causes.invalid('reportingController', reportingComponent, text);
  for (const field of ['reportingInstance', 'action', 'reason'] as const) {
    const value = event[field] ?? '';
    if (value === '') causes.required(field);
    if (tooLong(value, shortLimit)) causes.invalid(field, '', limitMessage(shortLimit));
  }
  if (tooLong(message, messageLimit)) causes.invalid('message', '', limitMessage(messageLimit));
}

/** The strict rules of events.k8s.io/v1, on the stored form. */
export function validateStrictEvent(event: Event, old: Event | undefined, causes: Causes): void {
  if (old !== undefined) {
    if (!semanticEqual(event.series, old.series)) validateSeries(event, causes);
    for (const [field, path] of fixedFields)
      if (!semanticEqual(event[field], old[field]))
        causes.invalid(path, event[field] ?? null, immutableMessage);
    return;
  }
  validateSeries(event, causes);
  if (!event.eventTime) causes.required('eventTime');
  if (event.type !== 'Normal' && event.type !== 'Warning')
    causes.invalid('type', '', `has invalid value: ${event.type ?? ''}`);
  const unset = 'needs to be unset';
  if (event.firstTimestamp) causes.invalid('firstTimestamp', '', unset);
  if (event.lastTimestamp) causes.invalid('lastTimestamp', '', unset);
  if (event.count) causes.invalid('count', '', unset);
  if (event.source?.component || event.source?.host) causes.invalid('source', '', unset);
}

const fixedFields: readonly (readonly [keyof Event, string])[] = [
  ['involvedObject', 'involvedObject'],
  ['reason', 'reason'],
  ['message', 'message'],
  ['source', 'source'],
  ['firstTimestamp', 'firstTimestamp'],
  ['lastTimestamp', 'lastTimestamp'],
  ['count', 'count'],
  ['type', 'type'],
  ['eventTime', 'eventTime'],
  ['action', 'action'],
  ['related', 'related'],
  ['reportingComponent', 'reportingController'],
  ['reportingInstance', 'reportingInstance'],
];

function validateSeries({ series }: Event, causes: Causes): void {
  if (!series) return;
  if ((series.count ?? 0) < 2) causes.invalid('series.count', '', 'should be at least 2');
  if (!series.lastObservedTime) causes.required('series.lastObservedTime');
}
