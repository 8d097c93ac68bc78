// events.k8s.io/v1 Event: the new names for the objects that core/v1 stores. Hooks and field selectors of this kind see the
// stored form, as those of every kind do; columns see the served one.
import { type Column, defineKind, type KubeObject } from '../../../machinery/index.ts';
import { eventColumns, eventLifeSeconds, eventPrefix } from '../../core/v1/event.ts';
import { validateEvent, validateStrictEvent } from '../../core/v1/event-rules.ts';
import type { Event as StoredEvent } from '../../generated/core-v1.ts';
import type { Event as EventObject } from '../../generated/events-v1.ts';
import { shape } from '../../shape.ts';

export type EventsEvent = EventObject;

type Loose = Record<string, unknown>;

/** Served name → stored name, where they differ. */
const renamed: Readonly<Record<string, string>> = {
  regarding: 'involvedObject',
  note: 'message',
  reportingController: 'reportingComponent',
  deprecatedSource: 'source',
  deprecatedFirstTimestamp: 'firstTimestamp',
  deprecatedLastTimestamp: 'lastTimestamp',
  deprecatedCount: 'count',
};
const renamedBack = Object.fromEntries(Object.entries(renamed).map(([served, stored]) => [stored, served]));

function convert(object: KubeObject, names: Readonly<Record<string, string>>, apiVersion: string): Loose {
  // First, as everywhere: people read the beginning.
  const out: Loose = { kind: 'Event', apiVersion, metadata: object.metadata };
  for (const [key, value] of Object.entries(object)) if (!(key in out)) out[names[key] ?? key] = value;
  return out;
}

export function storedEvent(event: KubeObject): StoredEvent {
  const out = convert(event, renamed, 'v1');
  // what core/v1 always writes and events.k8s.io leaves out when empty
  out['reportingComponent'] ??= '';
  out['reportingInstance'] ??= '';
  const series = out['series'] as Loose | undefined;
  if (series?.['count'] === 0) {
    const { count: _, ...rest } = series;
    out['series'] = rest;
  }
  return out as unknown as StoredEvent;
}

export function servedEvent(event: KubeObject): EventObject {
  const out = convert(event, renamedBack, 'events.k8s.io/v1');
  for (const field of ['reportingController', 'reportingInstance']) if (out[field] === '') delete out[field];
  const series = out['series'] as Loose | undefined;
  if (series !== undefined && series['count'] === undefined) out['series'] = { ...series, count: 0 };
  return out as unknown as EventObject;
}

const servedColumns: readonly Column<EventObject>[] = eventColumns.map((column) => ({
  ...column,
  cell: (event, now) => column.cell(storedEvent(event), now),
}));

const stored = (event: KubeObject): StoredEvent => event as StoredEvent;

export const EventsEvent = defineKind<EventObject>({
  group: 'events.k8s.io',
  version: 'v1',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  scope: 'Namespaced',
  dependents: 'none',
  schema: shape('events.v1.Event'),
  storagePrefix: eventPrefix,
  createOnUpdate: true,
  ttlSeconds: eventLifeSeconds,
  conversion: { toStored: storedEvent, fromStored: servedEvent },
  columns: servedColumns,
  selectableFields: {
    reason: (event) => stored(event).reason ?? '',
    'regarding.kind': (event) => stored(event).involvedObject?.kind ?? '',
    'regarding.namespace': (event) => stored(event).involvedObject?.namespace ?? '',
    'regarding.name': (event) => stored(event).involvedObject?.name ?? '',
    'regarding.uid': (event) => stored(event).involvedObject?.uid ?? '',
    'regarding.apiVersion': (event) => stored(event).involvedObject?.apiVersion ?? '',
    'regarding.resourceVersion': (event) => stored(event).involvedObject?.resourceVersion ?? '',
    'regarding.fieldPath': (event) => stored(event).involvedObject?.fieldPath ?? '',
    reportingController: (event) => stored(event).reportingComponent ?? '',
    type: (event) => stored(event).type ?? '',
  },
  validate(event, old, causes) {
    validateEvent(stored(event), causes);
    validateStrictEvent(stored(event), old === undefined ? undefined : stored(old), causes);
  },
});
