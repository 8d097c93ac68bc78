import { create } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Change, Compacted } from '../backend.ts';
import { ChangeStream } from './change-stream.ts';
import { EtcdError } from './client.ts';
import { Event_EventType, EventSchema, WatchResponseSchema } from './generated/etcd_pb.js';

const event = (key: string, revision: number, value?: string) =>
  create(EventSchema, {
    type: value === undefined ? Event_EventType.DELETE : Event_EventType.PUT,
    kv: { key: Buffer.from(key), modRevision: BigInt(revision), value: Buffer.from(value ?? '') },
  });
const response = (events: ReturnType<typeof event>[], more: { fragment?: boolean } = {}) =>
  create(WatchResponseSchema, { events, ...more });

function start(revision: number) {
  const seen: [string, number][] = [];
  const stream = new ChangeStream(
    revision,
    (key) => (key[0] === 47 ? Buffer.from(key).toString() : undefined),
    (changes: readonly Change[], reached) =>
      seen.push([
        changes.map((c) => `${c.key}@${c.revision}${c.value === undefined ? '-' : `=${c.value}`}`).join(' '),
        reached,
      ]),
  );
  return { stream, seen };
}

describe('the changes of a watch', () => {
  test('puts, deletes, and keys that are no records', () => {
    const { stream, seen } = start(4);
    stream.take(create(WatchResponseSchema, { created: true, header: { revision: 99n } }));
    stream.take(response([event('/a', 5, 'x'), event('/a', 6), event('meta', 7, '')]));
    stream.take(response([event('meta', 8, '')]));
    expect(seen).toEqual([
      ['/a@5=x /a@6-', 7],
      ['', 8],
    ]);
  });

  test('what was delivered before is left out', () => {
    const { stream, seen } = start(5);
    stream.take(response([event('/a', 5, 'x'), event('/b', 6, 'y')]));
    stream.take(response([event('/b', 6, 'y')]));
    expect(seen).toEqual([['/b@6=y', 6]]);
  });

  test('the end says why', () => {
    const { stream } = start(5);
    const canceled = { canceled: true, cancelReason: 'no leader' };
    expect(() => stream.take(create(WatchResponseSchema, canceled))).toThrow(EtcdError);
    expect(() => stream.take(create(WatchResponseSchema, { ...canceled, compactRevision: 9n }))).toThrow(
      Compacted,
    );
  });

  test('however it is cut into fragments, a commit comes whole', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 10 }),
        fc.infiniteStream(fc.boolean()),
        (sizes, cuts) => {
          const { stream, seen } = start(0);
          for (const [i, size] of sizes.entries()) {
            const events = Array.from({ length: size }, (_, j) => event(`/${j}`, i + 1, 'v'));
            let held: typeof events = [];
            for (const [j, one] of events.entries()) {
              held.push(one);
              const last = j === events.length - 1;
              if (!last && !cuts.next().value) continue;
              stream.take(response(held, { fragment: !last }));
              held = [];
            }
          }
          expect(seen.map(([changes, revision]) => [changes.split(' ').length, revision])).toEqual(
            sizes.map((size, i) => [size, i + 1]),
          );
        },
      ),
    );
  });
});
