// Messages written and read: what is written reads as it was, in fewer bytes, and nothing that a stranger sends does any harm.
import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  classIn,
  decodeMessage,
  flag,
  MalformedMessage,
  type Message,
  type ResourceRecord,
  rcode,
  type,
} from './message.ts';
import { type Answer, MessageWriter } from './message-writer.ts';
import { addressBytes, labelsOf, labelsToWire, lowerCase, nameOf, reverseAddress, textOf } from './name.ts';
import { readQuery } from './query.ts';

const label = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'web', 'default', 'svc', 'cluster', 'local', 'com') },
  fc.string({
    unit: fc.integer({ min: 0, max: 255 }).map((n) => String.fromCharCode(n)),
    minLength: 1,
    maxLength: 63,
  }),
);
const name = fc.array(label, { maxLength: 4 }).map((labels) => {
  let used = 1;
  const fitting = labels.filter((one) => (used += one.length + 1) <= 255);
  return `${labelsToWire(fitting)}\0`;
});
const bytes = (max: number) => fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));
const wire = (text: string) => Buffer.from(text, 'latin1');
const record: fc.Arbitrary<ResourceRecord> = fc
  .record({
    name,
    ttl: fc.nat(0x7fffffff),
    rdata: fc.oneof(
      fc.record({
        type: fc.constant(type.A),
        data: fc.uint8Array({ minLength: 4, maxLength: 4 }).map((a) => Buffer.from(a)),
      }),
      fc.record({ type: fc.constantFrom(type.CNAME, type.NS, type.PTR, type.DNAME), data: name.map(wire) }),
      fc.tuple(bytes(2), name).map(([, target]) => ({ type: type.MX, data: wire(`\0\x0a${target}`) })),
      name.map((target) => ({ type: type.SRV, data: wire(`\0\0\0d\0P${target}`) })),
      fc.tuple(name, name).map(([a, b]) => ({ type: type.SOA, data: wire(`${a}${b}${'\x01'.repeat(20)}`) })),
      fc.record({ type: fc.constantFrom(type.TXT, 65, 999), data: bytes(300) }),
    ),
  })
  .map(({ name: owner, ttl, rdata }) => ({ name: owner, ttl, class: classIn, ...rdata }));
const message: fc.Arbitrary<Message> = fc.record({
  id: fc.nat(0xffff),
  flags: fc.nat(0xffff),
  questions: fc.array(fc.record({ name, type: fc.nat(0xffff), class: fc.nat(0xffff) }), { maxLength: 2 }),
  answers: fc.array(record, { maxLength: 8 }),
  authorities: fc.array(record, { maxLength: 3 }),
  additionals: fc.array(record, { maxLength: 3 }),
  edns: fc.option(
    fc.record({
      version: fc.nat(255),
      udpPayload: fc.nat(0xffff),
      dnssecOk: fc.boolean(),
      extendedRcode: fc.nat(255),
    }),
    { nil: undefined },
  ),
});
const writer = new MessageWriter();
const written = (what: Message) => Buffer.from(writer.buffer.subarray(0, writer.writeMessage(what)));

describe('messages', () => {
  test('read as they were written', () => {
    fc.assert(
      fc.property(message, (one) => {
        expect(decodeMessage(written(one))).toEqual(one);
      }),
      { numRuns: 300 },
    );
  });

  test('cut off or changed anywhere, they are read or refused, never worse', () => {
    fc.assert(
      fc.property(
        message,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
        fc.nat(),
        (one, changes, cut) => {
          const packet = written(one);
          for (const [at, value] of changes) packet[at % packet.length] = value;
          for (const part of [packet, packet.subarray(0, cut % (packet.length + 1))]) {
            try {
              decodeMessage(part);
            } catch (error) {
              expect(error).toBeInstanceOf(MalformedMessage);
            }
            readQuery(part);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test.each([
    ['a pointer to itself', 'c00c'],
    ['a pointer forward', 'c0100000'],
    ['a pointer into the header', 'c000'],
    ['a label of an unknown kind', '4061'],
    ['a label beyond the end', '3f61'],
    ['a name of 256 bytes', `${`3f${'61'.repeat(63)}`.repeat(4)}00`],
  ])('%s is malformed', (_, hex) => {
    const packet = Buffer.concat([
      Buffer.from('000100000001000000000000', 'hex'),
      Buffer.from(hex, 'hex'),
      Buffer.from('00010001', 'hex'),
    ]);
    expect(() => decodeMessage(packet)).toThrow(MalformedMessage);
  });

  test('a name that goes from pointer to pointer ends', () => {
    const chain = Buffer.concat([
      Buffer.from('000080000000000100000000', 'hex'),
      Buffer.from('0161c00c', 'hex'),
    ]);
    expect(() => decodeMessage(chain)).toThrow(MalformedMessage);
  });
});

describe('answers', () => {
  const query = (text: string, edns?: object) =>
    readQuery(
      written({
        id: 7,
        flags: flag.rd,
        questions: [{ name: nameOf(text), type: type.A, class: classIn }],
        answers: [],
        authorities: [],
        additionals: [],
        edns: edns as never,
      }),
    )!;
  const answer = (records: readonly ResourceRecord[], more: Partial<Answer> = {}): Answer => ({
    rcode: 0,
    authoritative: true,
    answers: records,
    authorities: [],
    additionals: [],
    ...more,
  });
  const a = (owner: string, last: number): ResourceRecord => ({
    name: nameOf(owner),
    type: type.A,
    class: classIn,
    ttl: 5,
    data: Buffer.from([10, 0, last >> 8, last & 255]),
  });
  const send = (asked: ReturnType<typeof query>, what: Answer, max = 512) => {
    const packet = Buffer.from(writer.buffer.subarray(0, writer.writeAnswer(asked, what, max)));
    return { size: packet.length, ...decodeMessage(packet) };
  };

  test('five addresses take sixteen bytes each', () => {
    const name = 'pets.default.svc.cluster.local';
    const records = [1, 2, 3, 4, 5].map((n) => a(name, n));
    expect(send(query(name), answer(records)).size).toBe(12 + name.length + 2 + 4 + 5 * 16);
  });

  test('the case of the question comes back', () => {
    const packet = written({
      id: 1,
      flags: 0,
      questions: [{ name: '\x03wEb\x00', type: 1, class: 1 }],
      answers: [],
      authorities: [],
      additionals: [],
      edns: undefined,
    });
    const asked = readQuery(packet)!;
    expect(asked.name).toBe('\x03web\x00');
    const length = writer.writeAnswer(asked, answer([a('web', 1)]), 512);
    expect(writer.buffer.toString('latin1', 12, 17)).toBe('\x03wEb\x00');
    expect(length).toBe(12 + 9 + 16);
  });

  test('what does not fit is left out and TC set; what is a courtesy is left out silently', () => {
    const name = 'a.example';
    const many = Array.from({ length: 100 }, (_, i) => a(name, i));
    const cut = send(query(name), answer(many));
    expect([cut.flags & flag.tc, cut.answers.length]).toEqual([flag.tc, Math.floor((512 - 27) / 16)]);
    expect(cut.size).toBeLessThanOrEqual(512);
    const extra = send(query(name), answer([a(name, 1)], { additionals: many }));
    expect(extra.flags & flag.tc).toBe(0);
    expect(extra.additionals.length).toBeGreaterThan(20);
    expect(send(query(name), answer(many), 65_535).answers.length).toBe(100);
  });

  test('answers turn in a circle', () => {
    const got = send(
      query('a'),
      answer(
        [1, 2, 3].map((n) => a('a', n)),
        { first: 2 },
      ),
    );
    expect(got.answers.map((r) => r.data[3])).toEqual([3, 1, 2]);
  });

  test('EDNS: its own record, the upper bits of the rcode, DO as it came', () => {
    const edns = { version: 0, udpPayload: 1232, dnssecOk: true, extendedRcode: 0 };
    const got = send(query('a', edns), answer([], { rcode: rcode.badVers }));
    expect(got.edns).toEqual({ version: 0, udpPayload: 1232, dnssecOk: true, extendedRcode: 1 });
    expect(got.flags & 15).toBe(0);
    expect(send(query('a'), answer([])).edns).toBeUndefined();
  });

  test('whatever the records, an answer keeps its limit and reads', () => {
    fc.assert(
      fc.property(
        fc.array(record, { maxLength: 12 }),
        fc.integer({ min: 512, max: 2000 }),
        fc.boolean(),
        (records, max, withEdns) => {
          const edns = withEdns
            ? { version: 0, udpPayload: max, dnssecOk: false, extendedRcode: 0 }
            : undefined;
          const got = send(query('web.default', edns), answer(records, { additionals: records }), max);
          expect(got.size).toBeLessThanOrEqual(max);
          expect(got.answers).toEqual(records.slice(0, got.answers.length));
          expect((got.flags & flag.tc) !== 0).toBe(got.answers.length < records.length);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('queries', () => {
  const packet = (change: Partial<Message> = {}) =>
    written({
      id: 7,
      flags: flag.rd,
      questions: [{ name: nameOf('a'), type: 1, class: 1 }],
      answers: [],
      authorities: [],
      additionals: [],
      edns: undefined,
      ...change,
    });
  const opt = { version: 0, udpPayload: 4096, dnssecOk: false, extendedRcode: 0 };
  it.each<[string, Buffer, number | undefined]>([
    ['a plain one', packet(), undefined],
    ['one with EDNS', packet({ edns: opt }), undefined],
    ['EDNS of tomorrow', packet({ edns: { ...opt, version: 1 } }), rcode.badVers],
    ['no question', packet({ questions: [] }), rcode.formErr],
    [
      'two questions',
      packet({ questions: [1, 2].map((n) => ({ name: nameOf('a'), type: n, class: 1 })) }),
      rcode.formErr,
    ],
    ['an update', packet({ flags: 5 << 11 }), rcode.notImp],
    ['a status', packet({ flags: 2 << 11 }), rcode.notImp],
    [
      'with an answer in it',
      packet({ answers: [{ name: '\0', type: 1, class: 1, ttl: 0, data: Buffer.alloc(4) }] }),
      rcode.formErr,
    ],
    ['cut off in its name', packet().subarray(0, 13), rcode.formErr],
    ['cut off behind its name', packet().subarray(0, 16), rcode.formErr],
    ['cut off in its OPT', packet({ edns: opt }).subarray(0, -3), rcode.formErr],
  ])('%s', (_, bytesOf, refusal) => expect(readQuery(bytesOf)?.refusal).toBe(refusal));

  it.each([
    ['an answer', packet({ flags: flag.qr })],
    ['nothing', Buffer.alloc(0)],
    ['less than a header', Buffer.alloc(11)],
  ])('%s is not answered', (_, bytesOf) => expect(readQuery(bytesOf)).toBeUndefined());

  test('two OPT records, or one with a name', () => {
    const twice = packet({ edns: opt });
    const both = Buffer.concat([twice, twice.subarray(-11)]);
    both.writeUInt16BE(2, 10);
    expect(readQuery(both)?.refusal).toBe(rcode.formErr);
  });
});

describe('names', () => {
  test('case is A to Z alone', () => {
    expect(lowerCase('\x04AZ\xc0\xdf\0')).toBe('\x04az\xc0\xdf\0');
    expect(textOf('\x03a.b\x02\xc0 \0')).toBe('a\\046b.\\192\\032.');
    expect(labelsOf(nameOf('Web.Default.'))).toEqual(['web', 'default']);
    expect(() => nameOf('a..b')).toThrow(RangeError);
    expect(() => nameOf('x'.repeat(64))).toThrow(RangeError);
  });

  it.each([
    ['10.0.0.1', '0a000001'],
    ['::', '0'.repeat(32)],
    ['fd00::1', 'fd000000000000000000000000000001'],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['::ffff:10.0.0.1', '00000000000000000000ffff0a000001'],
    ['10.0.0', undefined],
    ['x', undefined],
  ])('%s', (text, hex) => expect(addressBytes(text)?.toString('hex')).toBe(hex));

  test('reverse names lead back to every address', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (ip) => {
        const found = addressBytes(ip)!;
        const labels =
          found.length === 4
            ? [...[...found].reverse().map(String), 'in-addr', 'arpa']
            : [...[...found.toString('hex')].reverse(), 'ip6', 'arpa'];
        expect(reverseAddress(labels)).toEqual(found);
      }),
    );
  });
});
