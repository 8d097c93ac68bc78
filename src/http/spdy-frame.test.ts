// The framer against itself over random frames and chunk borders, and against zlib as other implementations use it.
import { constants, createDeflate, createInflate } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SpdyDecoder, SpdyEncoder, type SpdyFrame } from './spdy-frame.ts';
import { HeaderReader, HeaderWriter, SpdyError, spdyDictionary, spdyDictionaryId } from './spdy-headers.ts';

const streamId = fc.integer({ min: 1, max: 0x7fffffff });
const word = fc.integer({ min: 0, max: 0xffffffff });
const fin = fc.boolean();
const headers = fc
  .uniqueArray(
    fc.tuple(fc.stringMatching(/^[a-z][a-z-]{0,20}$/), fc.string({ unit: 'grapheme', maxLength: 40 })),
    {
      selector: ([name]) => name,
      maxLength: 6,
    },
  )
  .map((pairs) => new Map(pairs));
const frame: fc.Arbitrary<SpdyFrame> = fc.oneof(
  fc.record({
    type: fc.constant('data' as const),
    streamId,
    fin,
    data: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  }),
  fc.record({
    type: fc.constant('synStream' as const),
    streamId,
    associatedTo: fc.integer({ min: 0, max: 0x7fffffff }),
    priority: fc.integer({ min: 0, max: 7 }),
    fin,
    unidirectional: fc.boolean(),
    headers,
  }),
  fc.record({ type: fc.constantFrom('synReply' as const, 'headers' as const), streamId, fin, headers }),
  fc.record({ type: fc.constant('rstStream' as const), streamId, status: word }),
  fc.record({
    type: fc.constant('settings' as const),
    clear: fc.boolean(),
    settings: fc.array(
      fc.record({
        flags: fc.integer({ min: 0, max: 255 }),
        id: fc.integer({ min: 0, max: 0xffffff }),
        value: word,
      }),
      { maxLength: 5 },
    ),
  }),
  fc.record({ type: fc.constant('ping' as const), id: word }),
  fc.record({ type: fc.constant('goAway' as const), lastGoodStreamId: streamId, status: word }),
  fc.record({
    type: fc.constant('windowUpdate' as const),
    streamId: fc.integer({ min: 0, max: 0x7fffffff }),
    delta: fc.integer({ min: 0, max: 0x7fffffff }),
  }),
);

/** DATA pieces joined again: a frame's end is not visible in its pieces unless it is the last of its stream. */
function joined(frames: readonly SpdyFrame[]): SpdyFrame[] {
  const out: SpdyFrame[] = [];
  for (const one of frames) {
    const last = out.at(-1);
    if (one.type === 'data' && last?.type === 'data' && last.streamId === one.streamId && !last.fin)
      out[out.length - 1] = { ...one, data: Buffer.concat([last.data, one.data]) };
    else out.push(one);
  }
  return out;
}

function decode(chunks: readonly Buffer[]): SpdyFrame[] {
  const decoder = new SpdyDecoder();
  const out: SpdyFrame[] = [];
  for (const chunk of chunks) decoder.push(chunk, (one) => out.push(one));
  return out;
}

describe('frames', () => {
  test('what is encoded is decoded, wherever the chunks end', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.nat()), (frames, cuts) => {
        const encoder = new SpdyEncoder();
        const bytes = Buffer.concat(frames.flatMap((one) => encoder.encode(one)));
        const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
        const chunks = [...ends, bytes.length].map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
        expect(joined(decode(chunks))).toEqual(joined(frames));
      }),
    );
  });

  test('byte by byte', () => {
    const encoder = new SpdyEncoder();
    const sent: SpdyFrame[] = [
      { type: 'synReply', streamId: 3, fin: false, headers: new Map([['a', 'b\0c']]) },
      { type: 'data', streamId: 3, fin: true, data: Buffer.from('hello') },
      { type: 'headers', streamId: 3, fin: true, headers: new Map() },
    ];
    const bytes = Buffer.concat(sent.flatMap((one) => encoder.encode(one)));
    expect(joined(decode([...bytes].map((byte) => Buffer.from([byte]))))).toEqual(sent);
  });

  test('an unknown control frame is skipped', () => {
    const unknown = Buffer.from([0x80, 3, 0, 99, 0, 0, 0, 2, 1, 2]);
    const ping = Buffer.concat(new SpdyEncoder().encode({ type: 'ping', id: 5 }));
    expect(decode([Buffer.concat([unknown, ping])])).toEqual([{ type: 'ping', id: 5 }]);
  });

  test.each([
    ['another version', [0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]],
    ['a ping of 5 bytes', [0x80, 3, 0, 6, 0, 0, 0, 5, 0, 0, 0, 1, 0]],
    ['a reset of stream 0', [0x80, 3, 0, 3, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1]],
    ['data for stream 0', [0, 0, 0, 0, 0, 0, 0, 1, 65]],
    ['settings that promise more than they hold', [0x80, 3, 0, 4, 0, 0, 0, 4, 0, 0, 0, 9]],
    ['a control frame of 16 MB', [0x80, 3, 0, 1, 0, 255, 255, 255]],
    ['headers that are not compressed', [0x80, 3, 0, 2, 0, 0, 0, 8, 0, 0, 0, 1, 1, 2, 3, 4]],
    ['plain HTTP', [...Buffer.from('HTTP/1.1 200 OK\r\n\r\n')]],
  ])('%s', (name, bytes) => {
    if (name === 'plain HTTP') expect(decode([Buffer.from(bytes)])).toMatchObject([{ type: 'data' }]);
    else expect(() => decode([Buffer.from(bytes)])).toThrow(SpdyError);
  });

  test('random bytes are frames or a SpdyError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decode([Buffer.from(bytes)]);
        } catch (error) {
          expect(error).toBeInstanceOf(SpdyError);
        }
      }),
    );
  });
});

/** A header block as a peer that compresses makes it, and reads ours: one zlib stream, flushed after each block. */
class ZlibPeer {
  readonly #deflate = createDeflate({ dictionary: spdyDictionary, level: 9 });
  readonly #inflate = createInflate({ dictionary: spdyDictionary });

  compress(plain: Buffer): Promise<Buffer> {
    return new Promise((resolve) => {
      const out: Buffer[] = [];
      const collect = (chunk: Buffer) => out.push(chunk);
      this.#deflate.on('data', collect);
      this.#deflate.write(plain);
      this.#deflate.flush(constants.Z_SYNC_FLUSH, () => {
        this.#deflate.off('data', collect);
        resolve(Buffer.concat(out));
      });
    });
  }

  inflate(block: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#inflate.once('error', reject);
      this.#inflate.once('data', resolve);
      this.#inflate.write(block);
    });
  }
}

function plainBlock(pairs: readonly (readonly [string, string])[]): Buffer {
  const parts: Buffer[] = [];
  const number = (value: number) => {
    const out = Buffer.alloc(4);
    out.writeUInt32BE(value);
    parts.push(out);
  };
  number(pairs.length);
  for (const text of pairs.flat()) {
    number(Buffer.byteLength(text));
    parts.push(Buffer.from(text));
  }
  return Buffer.concat(parts);
}

describe('header blocks', () => {
  test('the dictionary is the one of the specification', () => {
    expect(spdyDictionary.length).toBe(1423);
    expect(spdyDictionaryId).toBe(0xe3c6a7c2);
  });

  const blocks = [
    [['streamtype', 'error']],
    [['streamtype', 'stdin']],
    [],
    [
      ['streamtype', 'stdout'],
      ['port', '8080'],
      ['requestid', '0'],
    ],
    // Longer than the 32 KiB of history, and than one stored block.
    [['long', Array.from({ length: 20_000 }, (_, i) => i).join()]],
    [['streamtype', 'stdout']],
  ] as [string, string][][];

  test('of a peer that compresses are read', async () => {
    const peer = new ZlibPeer();
    const reader = new HeaderReader();
    for (const pairs of blocks)
      expect([...reader.read(await peer.compress(plainBlock(pairs)))]).toEqual(pairs);
  });

  test('of ours are inflated by zlib', async () => {
    const peer = new ZlibPeer();
    const writer = new HeaderWriter();
    for (const pairs of blocks.slice(0, 4))
      expect(await peer.inflate(writer.write(new Map(pairs)))).toEqual(plainBlock(pairs));
  });

  test.each([
    ['upper case', [['A', 'b']]],
    [
      'twice',
      [
        ['a', 'b'],
        ['a', 'c'],
      ],
    ],
    ['without a name', [['', 'b']]],
  ] as [string, [string, string][]][])('%s', async (_, pairs) => {
    const block = await new ZlibPeer().compress(plainBlock(pairs));
    expect(() => new HeaderReader().read(block)).toThrow(SpdyError);
  });

  test('a block that inflates to much more is refused', async () => {
    const block = await new ZlibPeer().compress(plainBlock([['a', 'x'.repeat(1_000_000)]]));
    expect(() => new HeaderReader().read(block)).toThrow(SpdyError);
  });
});
