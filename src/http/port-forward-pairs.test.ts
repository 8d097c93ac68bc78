// Pairing with streams that carry nothing but their headers.
import { Duplex } from 'node:stream';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FakeClock, settle } from '../base/index.ts';
import { type ForwardPair, ForwardPairs, type ForwardStream, parsePort } from './port-forward-pairs.ts';

class FakeStream extends Duplex implements ForwardStream {
  readonly id: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly endedBy = undefined;
  said = '';
  constructor(id: number, headers: Record<string, string>) {
    super();
    this.id = id;
    this.headers = new Map(Object.entries(headers));
  }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.said += chunk;
    done();
  }
}

const stream = (id: number, streamtype: string, more: Record<string, string> = {}) =>
  new FakeStream(id, { streamtype, port: '80', ...more });

function pairing() {
  const clock = new FakeClock();
  const found: ForwardPair<FakeStream>[] = [];
  const pairs = new ForwardPairs<FakeStream>({
    clock,
    timeoutMs: 30_000,
    onPair: (pair) => found.push(pair),
  });
  return { clock, pairs, found, ids: () => found.map((one) => [one.requestId, one.data.id, one.error.id]) };
}

describe('pairs', () => {
  test('a data and an error stream of one request, in either order', async () => {
    const { pairs, found, ids } = pairing();
    expect(pairs.add(stream(1, 'error', { requestid: '0' }))).toBe(true);
    expect(pairs.add(stream(3, 'data', { requestid: '1', port: '8080' }))).toBe(true);
    expect(found).toEqual([]);
    expect(pairs.add(stream(5, 'data', { requestid: '0' }))).toBe(true);
    // The stream's reply goes out before anything is written to it.
    expect(found).toEqual([]);
    await settle();
    expect(ids()).toEqual([['0', 5, 1]]);
    pairs.add(stream(7, 'error', { requestid: '1', port: '8080' }));
    await settle();
    expect(found[1]).toMatchObject({ port: 8080, requestId: '1' });
  });

  test('without request ids neighbours belong together', async () => {
    const { pairs, ids } = pairing();
    for (const id of [1, 5]) {
      pairs.add(stream(id, 'error'));
      pairs.add(stream(id + 2, 'data'));
    }
    await settle();
    expect(ids()).toEqual([
      ['1', 3, 1],
      ['5', 7, 5],
    ]);
  });

  test.each([
    ['no port', { streamtype: 'data' }],
    ['port 0', { streamtype: 'data', port: '0' }],
    ['a port that is none', { streamtype: 'data', port: 'http' }],
    ['a port that is too high', { streamtype: 'data', port: '65536' }],
    ['no type', { port: '80' }],
    ['another type', { streamtype: 'stdin', port: '80' }],
  ])('%s is refused', (_, headers) => {
    expect(pairing().pairs.add(new FakeStream(1, { requestid: '0', ...headers } as never))).toBe(false);
  });

  test('the same kind twice is refused, and the first is told', async () => {
    const { pairs } = pairing();
    const first = stream(1, 'error', { requestid: '4' });
    pairs.add(first);
    expect(pairs.add(stream(3, 'error', { requestid: '4' }))).toBe(false);
    await settle();
    expect(first.said).toBe('error processing stream for request 4: error stream already assigned');
  });

  test('half a pair waits its time', async () => {
    const { clock, pairs, found } = pairing();
    const [error, data] = [stream(1, 'error', { requestid: '4' }), stream(3, 'data', { requestid: '5' })];
    pairs.add(error);
    pairs.add(data);
    await clock.advance(29_999);
    expect([error.said, data.destroyed]).toEqual(['', false]);
    await clock.advance(1);
    expect(error.said).toBe('(request=4) timed out waiting for streams');
    expect([error.writableEnded, data.destroyed]).toEqual([true, true]);
    pairs.add(stream(5, 'data', { requestid: '4' }));
    await settle();
    expect(found).toEqual([]);
    pairs.close();
    await clock.advance(60_000);
  });

  test('any order of any number of streams pairs each with its own', async () => {
    const plan = fc.uniqueArray(fc.nat(1000), { minLength: 1, maxLength: 40 }).chain((ids) =>
      fc.shuffledSubarray(
        ids.flatMap((id) => [`data ${id}`, `error ${id}`]),
        { minLength: ids.length * 2, maxLength: ids.length * 2 },
      ),
    );
    await fc.assert(
      fc.asyncProperty(plan, async (order) => {
        const { pairs, found } = pairing();
        for (const [i, one] of order.entries()) {
          const [type, id] = one.split(' ') as [string, string];
          expect(pairs.add(stream(2 * i + 1, type, { requestid: id, port: String(Number(id) + 1) }))).toBe(
            true,
          );
        }
        await settle();
        expect(found.length * 2).toBe(order.length);
        for (const { requestId, port, data, error } of found) {
          expect(port).toBe(Number(requestId) + 1);
          expect(order[(data.id - 1) / 2]).toBe(`data ${requestId}`);
          expect(order[(error.id - 1) / 2]).toBe(`error ${requestId}`);
        }
      }),
      { numRuns: 50 },
    );
  });
});

test.each([
  ['1', 1],
  ['65535', 65535],
  ['0080', 80],
  ['65536', undefined],
  ['0', undefined],
  ['-1', undefined],
  ['8e1', undefined],
  ['', undefined],
  [undefined, undefined],
])('port %j', (text, port) => expect(parsePort(text)).toBe(port));
