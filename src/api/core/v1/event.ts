// Event: something that happened to an object. Kept for an hour. This is the stored form; events.k8s.io serves the same
// objects with other field names (api/events/v1/event.ts).
import {
  type Column,
  defineKind,
  nameIsPathSegment,
  translateTimestampSince,
} from '../../../machinery/index.ts';
import { nameColumn } from '../../columns.ts';
import type { Event as EventObject } from '../../generated/core-v1.ts';
import { shape } from '../../shape.ts';
import { validateEvent } from './event-rules.ts';

export type Event = EventObject;

export const eventLifeSeconds = 3600;
export const eventPrefix = '/core/events/';

const firstSeen = (event: EventObject, nowMs: number): string =>
  translateTimestampSince(event.firstTimestamp || event.eventTime || undefined, nowMs);

const lastSeen = (event: EventObject, nowMs: number): string => {
  if (event.series) return translateTimestampSince(event.series.lastObservedTime || undefined, nowMs);
  return event.lastTimestamp ? translateTimestampSince(event.lastTimestamp, nowMs) : firstSeen(event, nowMs);
};

/** A series began with an event of its own, which its count does not hold. */
const timesSeen = (event: EventObject): number =>
  event.series ? (event.series.count ?? 0) + 1 : event.count || 1;

function target({ involvedObject }: EventObject): string {
  const kind = (involvedObject?.kind ?? '').toLowerCase();
  return involvedObject?.name ? `${kind}/${involvedObject.name}` : kind;
}

function source(event: EventObject): string {
  const component = event.source?.component || event.reportingComponent || '';
  const host = event.source?.host || event.reportingInstance || '';
  return host === '' ? component : `${component}, ${host}`;
}

export const eventColumns: readonly Column<EventObject>[] = [
  {
    name: 'Last Seen',
    type: 'string',
    description: 'How long ago it happened last.',
    cell: (event, { nowMs }) => lastSeen(event, nowMs),
  },
  { name: 'Type', type: 'string', description: 'Normal or Warning.', cell: (event) => event.type ?? '' },
  { name: 'Reason', type: 'string', description: 'Why, in one word.', cell: (event) => event.reason ?? '' },
  { name: 'Object', type: 'string', description: 'The object it is about.', cell: target },
  {
    name: 'Subobject',
    type: 'string',
    priority: 1,
    description: 'The part of the object it is about.',
    cell: (event) => event.involvedObject?.fieldPath ?? '',
  },
  { name: 'Source', type: 'string', priority: 1, description: 'Who reported it.', cell: source },
  {
    name: 'Message',
    type: 'string',
    description: 'What happened.',
    cell: (event) => (event.message ?? '').trim(),
  },
  {
    name: 'First Seen',
    type: 'string',
    priority: 1,
    description: 'How long ago it happened first.',
    cell: (event, { nowMs }) => firstSeen(event, nowMs),
  },
  { name: 'Count', type: 'string', priority: 1, description: 'How often it happened.', cell: timesSeen },
  { ...nameColumn, priority: 1 },
];

export const Event = defineKind<EventObject>({
  group: '',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  scope: 'Namespaced',
  dependents: 'none',
  schema: shape('core.v1.Event'),
  storagePrefix: eventPrefix,
  // clients build these names from names of any kind
  nameRule: nameIsPathSegment,
  createOnUpdate: true,
  ttlSeconds: eventLifeSeconds,
  columns: eventColumns,
  selectableFields: {
    'involvedObject.kind': (event) => event.involvedObject?.kind ?? '',
    'involvedObject.namespace': (event) => event.involvedObject?.namespace ?? '',
    'involvedObject.name': (event) => event.involvedObject?.name ?? '',
    'involvedObject.uid': (event) => event.involvedObject?.uid ?? '',
    'involvedObject.apiVersion': (event) => event.involvedObject?.apiVersion ?? '',
    'involvedObject.resourceVersion': (event) => event.involvedObject?.resourceVersion ?? '',
    'involvedObject.fieldPath': (event) => event.involvedObject?.fieldPath ?? '',
    reason: (event) => event.reason ?? '',
    reportingComponent: (event) => event.reportingComponent ?? '',
    source: (event) => event.source?.component || event.reportingComponent || '',
    type: (event) => event.type ?? '',
  },
  validate: (event, _old, causes) => validateEvent(event, causes),
});
