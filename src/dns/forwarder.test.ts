// Forwarding on a fake clock and without a network: who is asked, for how long, and what is kept.
import { expect, test } from 'vitest';
import { FakeClock, seededRandom, settle, silentLog } from '../base/index.ts';
import { AnswerCache } from './answer-cache.ts';
import { Forwarder, keepMs } from './forwarder.ts';
import { classIn, flag, type Message, type Question, type ResourceRecord, rcode, type } from './message.ts';
import type { Answer } from './message-writer.ts';
import { nameOf } from './name.ts';
import { type Exchange, UpstreamError, type UpstreamServer } from './upstream.ts';

const plain = { dnssecOk: false, checkingDisabled: false };
const question = (name: string, of: number = type.A): Question => ({
  name: nameOf(name),
  type: of,
  class: classIn,
});
const a = (name: string, ttl: number, last = 1): ResourceRecord => ({
  name: nameOf(name),
  type: type.A,
  class: classIn,
  ttl,
  data: Buffer.from([192, 0, 2, last]),
});
const soa = (ttl: number, minimum: number): ResourceRecord => {
  const data = Buffer.alloc(22);
  data.writeUInt32BE(minimum, 18);
  return { name: nameOf('com'), type: type.SOA, class: classIn, ttl, data };
};
const cname = (from: string, to: string): ResourceRecord => ({
  name: nameOf(from),
  type: type.CNAME,
  class: classIn,
  ttl: 60,
  data: Buffer.from(nameOf(to), 'latin1'),
});
const message = (of: Question, answers: readonly ResourceRecord[], more: Partial<Message> = {}): Message => ({
  id: 1,
  flags: flag.qr,
  questions: [of],
  answers,
  authorities: [],
  additionals: [],
  edns: undefined,
  ...more,
});

interface Asked {
  readonly server: string;
  readonly question: Question;
  answer(message: Message): void;
  fail(): void;
}

class Fixture {
  readonly clock = new FakeClock();
  servers: UpstreamServer[] = ['192.0.2.1', '192.0.2.2'].map((address) => ({ address, port: 53 }));
  readonly asked: Asked[] = [];
  readonly exchange: Exchange = ({ address }, of, signal) =>
    new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error));
      this.asked.push({
        server: address,
        question: of,
        answer: resolve,
        fail: () => reject(new UpstreamError('no answer')),
      });
    });
  readonly forwarder = new Forwarder({
    servers: () => this.servers,
    exchange: this.exchange,
    clock: this.clock,
    random: seededRandom(1),
    log: silentLog,
    signal: new AbortController().signal,
  });
  ask(name: string, of?: number): Promise<Answer> {
    return Promise.resolve(this.forwarder.resolve(question(name, of), plain));
  }
  get who(): string[] {
    return this.asked.map(({ server }) => server);
  }
}

test('one exchange for all who wait, then the cache, whose times run down', async () => {
  const f = new Fixture();
  const waiting = [f.ask('x.com'), f.ask('x.com'), f.ask('x.com')];
  expect(f.asked.length).toBe(1);
  f.asked[0]!.answer(message(f.asked[0]!.question, [a('x.com', 20)]));
  expect((await Promise.all(waiting)).map((got) => got.answers[0]?.ttl)).toEqual([20, 20, 20]);
  await f.clock.advance(5_500);
  expect((await f.ask('x.com')).answers[0]?.ttl).toBe(15);
  expect(f.asked.length).toBe(1);
  await f.clock.advance(14_500);
  void f.ask('x.com');
  expect(f.asked.length).toBe(2);
});

test('type, DO and CD are other questions', async () => {
  const f = new Fixture();
  void f.ask('x.com');
  void f.ask('x.com', type.AAAA);
  for (const flags of [
    { dnssecOk: true, checkingDisabled: false },
    { dnssecOk: false, checkingDisabled: true },
  ])
    void f.forwarder.resolve(question('x.com'), flags);
  expect(f.asked.length).toBe(4);
});

test('a server that fails: the next one, and it is asked last for a while', async () => {
  const f = new Fixture();
  const first = f.ask('x.com');
  f.asked[0]!.fail();
  await settle();
  f.asked[1]!.answer(message(f.asked[1]!.question, [a('x.com', 1)]));
  await first;
  void f.ask('y.com');
  expect(f.who).toEqual(['192.0.2.1', '192.0.2.2', '192.0.2.2']);
  await f.clock.advance(10_000);
  void f.ask('z.com');
  expect(f.who.at(-1)).toBe('192.0.2.1');
});

test('all fail: SERVFAIL, told to everybody for a second, then tried again', async () => {
  const f = new Fixture();
  const first = f.ask('x.com');
  f.asked[0]!.fail();
  await settle();
  f.asked[1]!.fail();
  expect((await first).rcode).toBe(rcode.servFail);
  expect((await f.ask('x.com')).rcode).toBe(rcode.servFail);
  expect(f.asked.length).toBe(2);
  await f.clock.advance(1_000);
  void f.ask('x.com');
  expect(f.asked.length).toBe(3);
});

test('a refusal of one server is not the last word; when all refuse, it is', async () => {
  const f = new Fixture();
  const first = f.ask('x.com');
  f.asked[0]!.answer(message(f.asked[0]!.question, [], { flags: flag.qr | rcode.refused }));
  await settle();
  f.asked[1]!.answer(message(f.asked[1]!.question, [], { flags: flag.qr | rcode.refused }));
  expect((await first).rcode).toBe(rcode.refused);
});

test('the only server is asked twice', async () => {
  const f = new Fixture();
  f.servers = f.servers.slice(0, 1);
  const first = f.ask('x.com');
  f.asked[0]!.fail();
  await settle();
  f.asked[1]!.answer(message(f.asked[1]!.question, [a('x.com', 1)]));
  expect((await first).answers).toHaveLength(1);
});

test('nobody to ask is SERVFAIL at once', async () => {
  const f = new Fixture();
  f.servers = [];
  expect((await f.ask('x.com')).rcode).toBe(rcode.servFail);
});

test('no more than the deadline is spent, however many servers there are', async () => {
  const f = new Fixture();
  f.servers = Array.from({ length: 9 }, (_, i) => ({ address: `192.0.2.${i + 1}`, port: 53 }));
  const answer = f.ask('x.com');
  for (let i = 0; i < 2; i++) {
    await f.clock.advance(2_000);
    f.asked[i]!.fail();
    await settle();
  }
  await f.clock.advance(499);
  expect(f.asked.length).toBe(3);
  await f.clock.advance(1);
  expect((await answer).rcode).toBe(rcode.servFail);
  expect([f.asked.length, f.clock.waiting]).toEqual([3, 0]);
});

test('records that the question does not lead to are thrown away', async () => {
  const f = new Fixture();
  const answer = f.ask('x.com');
  f.asked[0]!.answer(
    message(f.asked[0]!.question, [cname('x.com', 'Y.com'), a('y.com', 60), a('bank.com', 60)], {
      additionals: [a('bank.com', 60)],
      authorities: [a('bank.com', 60)],
    }),
  );
  const got = await answer;
  expect(got.answers.map(({ name }) => name)).toEqual([nameOf('x.com'), nameOf('y.com')]);
  expect([got.authorities, got.additionals]).toEqual([[], []]);
  // A chain ends in its shortest time, and in thirty seconds at most.
  expect(got.answers.map(({ ttl }) => ttl)).toEqual([30, 30]);
});

test.each<[string, Partial<Answer>, number]>([
  ['an address', { answers: [a('x', 7)] }, 7_000],
  ['an address for days', { answers: [a('x', 86_400)] }, 30_000],
  ['an address for no time', { answers: [a('x', 0)] }, 0],
  ['a denial', { rcode: rcode.nxDomain, authorities: [soa(20, 9)] }, 9_000],
  ['no data', { authorities: [soa(6, 900)] }, 6_000],
  ['a denial without SOA', { rcode: rcode.nxDomain }, 0],
  [
    'a chain that ends in nothing',
    { rcode: rcode.nxDomain, answers: [a('x', 3)], authorities: [soa(20, 9)] },
    3_000,
  ],
  ['a failure', { rcode: rcode.servFail }, 1_000],
])('%s is kept', (_, answer, ms) => {
  expect(
    keepMs({ rcode: 0, authoritative: false, answers: [], authorities: [], additionals: [], ...answer }),
  ).toBe(ms);
});

test('a server that brings our question back is left alone for a minute', async () => {
  const f = new Fixture();
  const probing = f.forwarder.probeLoops();
  expect(f.who).toEqual(['192.0.2.1']);
  // The first one asks us what we asked it.
  void f.forwarder.resolve(f.asked[0]!.question, plain);
  await settle();
  // Which we ask nobody but the other one.
  expect(f.who).toEqual(['192.0.2.1', '192.0.2.2']);
  f.asked[0]!.fail();
  await f.clock.advance(100);
  f.asked[2]!.answer(message(f.asked[2]!.question, []));
  await f.clock.advance(100);
  await probing;
  void f.ask('x.com');
  expect(f.who.slice(2)).toEqual(['192.0.2.2', '192.0.2.2']);
  await f.clock.advance(60_000);
  void f.ask('y.com');
  expect(f.who.at(-1)).toBe('192.0.2.1');
});

test('the cache is bounded; what was used last stays', () => {
  const clock = new FakeClock();
  const cache = new AnswerCache({ clock, maxBytes: 10_000 });
  const answer: Answer = {
    rcode: 0,
    authoritative: false,
    answers: [a('x', 30)],
    authorities: [],
    additionals: [],
  };
  for (let i = 0; i < 100; i++) {
    cache.put(`k${i}`, answer, 30_000);
    cache.get('k0');
    expect(cache.bytes).toBeLessThanOrEqual(10_000);
  }
  expect(cache.get('k0')).toBeDefined();
  expect(cache.get('k1')).toBeUndefined();
  expect(cache.get('k99')).toBeDefined();
  expect(cache.size).toBeGreaterThan(10);
  cache.put('big', { ...answer, answers: [{ ...a('x', 30), data: Buffer.alloc(20_000) }] }, 30_000);
  expect(cache.get('big')).toBeUndefined();
  cache.clear();
  expect([cache.size, cache.bytes]).toEqual([0, 0]);
});
