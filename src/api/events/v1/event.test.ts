import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeObject, type KubeObject } from '../../../machinery/index.ts';
import { arbitraryObject, complaints, created, updated } from '../../../testkit/index.ts';
import { Event } from '../../core/v1/event.ts';
import type { Event as StoredEvent } from '../../generated/core-v1.ts';
import { EventsEvent, servedEvent, storedEvent } from './event.ts';

const decoded = (kind: { schema: typeof Event.schema; apiVersion: string }, body: object): KubeObject =>
  ({
    ...decodeObject(kind.schema, body, []),
    apiVersion: kind.apiVersion,
    kind: 'Event',
  }) as unknown as KubeObject;

const time = '2026-01-01T00:00:00.000001Z';
const body = {
  eventTime: time,
  reportingController: 'example.com/c',
  reportingInstance: 'c-1',
  action: 'Binding',
  reason: 'Scheduled',
  note: 'it fits',
  type: 'Normal',
  regarding: { kind: 'Pod', namespace: 'b', name: 'web' },
};

describe('the two versions', () => {
  it('hold the same under other names', () => {
    expect(storedEvent(decoded(EventsEvent, { metadata: {}, ...body }))).toMatchObject({
      apiVersion: 'v1',
      kind: 'Event',
      eventTime: time,
      reportingComponent: 'example.com/c',
      message: 'it fits',
      involvedObject: { kind: 'Pod', namespace: 'b', name: 'web' },
      source: {},
      firstTimestamp: null,
    });
  });
  it('begin with what they are', () => {
    const stored = decoded(Event, { metadata: {}, reason: 'r' });
    expect(Object.keys(servedEvent(stored)).slice(0, 3)).toEqual(['kind', 'apiVersion', 'metadata']);
    expect(Object.keys(storedEvent(servedEvent(stored))).slice(0, 3)).toEqual([
      'kind',
      'apiVersion',
      'metadata',
    ]);
  });
  it('turn into each other without loss', () => {
    fc.assert(
      fc.property(arbitraryObject(Event.schema, { fields: 8 }), (json) => {
        const stored = decoded(Event, json);
        const served = servedEvent(stored);
        expect(decoded(EventsEvent, served)).toEqual(served);
        expect(storedEvent(served)).toEqual(stored);
      }),
    );
    fc.assert(
      fc.property(arbitraryObject(EventsEvent.schema, { fields: 8 }), (json) => {
        const served = decoded(EventsEvent, json);
        const stored = storedEvent(served);
        expect(decoded(Event, stored)).toEqual(stored);
        expect(servedEvent(stored)).toEqual(served);
      }),
    );
  });
});

describe('rules', () => {
  it('are loose in core/v1', () => {
    expect(complaints(Event, created(Event, { involvedObject: { namespace: 'b' } }))).toEqual([]);
    expect(complaints(Event, created(Event, { involvedObject: { namespace: 'other' } }))).toEqual([
      'involvedObject.namespace: Invalid value: "other": does not match event.namespace',
    ]);
  });
  it('are strict in events.k8s.io', () => {
    expect(complaints(EventsEvent, created(EventsEvent, body))).toEqual([]);
    expect(
      complaints(EventsEvent, created(EventsEvent, { ...body, type: 'Odd', deprecatedCount: 1, action: '' })),
    ).toEqual([
      'action: Required value',
      'type: Invalid value: "": has invalid value: Odd',
      'count: Invalid value: "": needs to be unset',
    ]);
  });
  it('let a series grow and nothing else change', () => {
    const old = created(EventsEvent, body);
    const series = { count: 2, lastObservedTime: time };
    expect(complaints(EventsEvent, updated(EventsEvent, old, { ...body, series }), old)).toEqual([]);
    expect(complaints(EventsEvent, updated(EventsEvent, old, { ...body, note: 'x' }), old)).toEqual([
      'message: Invalid value: "x": field is immutable',
    ]);
  });
});

it('shows itself alike in both versions', () => {
  const stored = created(EventsEvent, {
    ...body,
    series: { count: 2, lastObservedTime: '2026-01-01T00:01:00Z' },
  });
  const now = { nowMs: Date.UTC(2026, 0, 1, 0, 2) };
  const wanted = ['60s', 'Normal', 'Scheduled', 'pod/web', '', 'example.com/c, c-1', 'it fits', '2m', 3, 'a'];
  expect(Event.columns.map((c) => c.cell(stored as unknown as StoredEvent, now))).toEqual(wanted);
  expect(EventsEvent.columns.map((c) => c.cell(servedEvent(stored), now))).toEqual(wanted);
});
