// Several servers on a fake clock: which one calls go to, when it is left, and what becomes of what was under way.
import { PassThrough, type Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { FakeClock, settle, silentLog } from '../../base/index.ts';
import { ConnectionError, type HttpsAnswer, type HttpsCall, type HttpsClient } from '../../http/index.ts';
import { createServersClient } from './servers-client.ts';

type Mood = 'well' | 'refuses' | 'hangs' | 'unready' | 'resets';

/** The fake of a client of one server, which does as it is told. */
class FakeServer implements HttpsClient {
  mood: Mood = 'well';
  /** For its answers to take. */
  delayMs = 0;
  readonly calls: string[] = [];
  readonly streams: PassThrough[] = [];
  readonly certificates: string[] = [];
  closed = false;
  readonly #name: string;
  readonly #clock: FakeClock;

  constructor(name: string, clock: FakeClock) {
    this.#name = name;
    this.#clock = clock;
  }

  #answer(call: HttpsCall): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.closed) return reject(new ConnectionError('closed', `${this.#name}: closed`));
      if (this.mood === 'refuses') return reject(new ConnectionError('refused', `${this.#name}: refused`));
      if (this.mood === 'resets' && call.path !== '/readyz')
        return reject(new ConnectionError('reset', `${this.#name}: reset`));
      const timeoutMs = call.timeoutMs ?? 15_000;
      const waitMs = this.mood === 'hangs' ? Number.POSITIVE_INFINITY : this.delayMs;
      const timer = this.#clock.after(Math.min(timeoutMs, waitMs), () => {
        if (waitMs >= timeoutMs) reject(new ConnectionError('timeout', `${this.#name}: timeout`));
        else resolve(this.mood === 'unready' ? (call.path === '/readyz' ? 500 : 503) : 200);
      });
      call.signal?.addEventListener('abort', () => {
        timer.cancel();
        reject(call.signal?.reason);
      });
    });
  }

  async request(call: HttpsCall): Promise<HttpsAnswer<Buffer>> {
    this.calls.push(`${call.method} ${call.path}`);
    return { status: await this.#answer(call), headers: {}, body: Buffer.from(this.#name) };
  }

  async stream(call: HttpsCall): Promise<HttpsAnswer<Readable>> {
    this.calls.push(`${call.method} ${call.path}`);
    const status = await this.#answer(call);
    const body = new PassThrough();
    if (call.path === '/readyz') body.end('ok');
    else this.streams.push(body);
    return { status, headers: {}, body };
  }

  upgrade = () => Promise.reject(new Error('not asked for'));

  setCertificate(cert: string): void {
    this.certificates.push(cert);
  }

  close(): void {
    this.closed = true;
  }
}

function begin(given: string[], learnt: string[] = []) {
  const clock = new FakeClock();
  const opened = new Map<string, FakeServer>();
  const server = (name: string): FakeServer => {
    let one = opened.get(name);
    if (one === undefined || one.closed) opened.set(name, (one = new FakeServer(name, clock)));
    return one;
  };
  const client = createServersClient({ servers: given, learnt, open: server, clock, log: silentLog });
  /** What a call ends with, when it does. */
  const ask = (method = 'GET') => {
    const entry = { end: 'waits' };
    client.request({ method, path: '/x' }).then(
      ({ status, body }) => (entry.end = `${status} ${body}`),
      (error: Error) => (entry.end = error.message),
    );
    return entry;
  };
  return { clock, server, client, ask };
}

/** Two servers, of which a is in use. */
async function inUse() {
  const all = begin(['a', 'b']);
  all.server('b').mood = 'refuses';
  const first = all.ask();
  await all.clock.advance(0);
  expect(first.end).toBe('200 a');
  all.server('b').mood = 'well';
  return all;
}

describe('one server', () => {
  it('is not asked how it is: all is as without', async () => {
    const { clock, server, ask, client } = begin(['a']);
    expect(ask()).toBeDefined();
    await clock.advance(0);
    server('a').mood = 'hangs';
    const slow = ask();
    await clock.advance(14_000);
    expect(slow.end).toBe('waits');
    await clock.advance(1000);
    expect(slow.end).toBe('a: timeout');
    server('a').mood = 'refuses';
    const refused = ask();
    await clock.advance(0);
    expect(refused.end).toBe('a: refused');
    expect(server('a').calls).toEqual(['GET /x', 'GET /x', 'GET /x']);
    expect([client.server, clock.waiting]).toEqual(['a', 0]);
  });
});

describe('of several servers', () => {
  it('the first that answers is taken, and kept', async () => {
    const { clock, server, ask, client } = begin(['a', 'b', 'c']);
    server('a').mood = 'hangs';
    server('b').delayMs = 30;
    server('c').delayMs = 20;
    const calls = [ask('POST'), ask()];
    await clock.advance(50);
    expect(calls.map(({ end }) => end)).toEqual(['200 c', '200 c']);
    const again = ask();
    await clock.advance(50);
    expect([again.end, client.server, clock.waiting]).toEqual(['200 c', 'c', 0]);
    expect(server('b').calls).toEqual(['GET /readyz']);
  });

  it.each(['GET', 'PUT'])('one that refuses is left at once, with the %s that it refused', async (method) => {
    const { clock, server, ask } = await inUse();
    server('a').mood = 'refuses';
    const calls = [ask(method), ask(method)];
    await clock.advance(0);
    expect(calls.map(({ end }) => end)).toEqual(['200 b', '200 b']);
  });

  it('a call that broke is repeated only where that changes nothing', async () => {
    const { clock, server, ask, client } = await inUse();
    server('a').mood = 'resets';
    const calls = [ask('GET'), ask('PUT'), ask('POST')];
    await settle();
    // It says that it is ready: nobody leaves it for one broken connection.
    server('a').mood = 'well';
    await clock.advance(0);
    expect(calls.map(({ end }) => end)).toEqual(['200 a', 'a: reset', 'a: reset']);
    expect(client.server).toBe('a');
  });

  it('one that hangs is left within a second, and writes under way end', async () => {
    const { clock, server, ask, client } = await inUse();
    server('a').mood = 'hangs';
    const calls = [ask('PUT'), ask('GET')];
    await clock.advance(950);
    expect(calls.map(({ end }) => end)).toEqual(['waits', 'waits']);
    await clock.advance(100);
    expect(calls.map(({ end }) => end)).toEqual(['a: left for b, which answers', '200 b']);
    const next = ask('PUT');
    await clock.advance(0);
    expect([next.end, client.server, clock.waiting]).toEqual(['200 b', 'b', 0]);
  });

  it('one that is only slow keeps its calls', async () => {
    const { clock, server, ask, client } = await inUse();
    server('a').delayMs = 250;
    const slow = ask('PUT');
    await clock.advance(240);
    server('b').mood = 'hangs';
    await clock.advance(20);
    expect(slow.end).toBe('200 a');
    server('a').delayMs = 2000;
    const slower = ask('PUT');
    await clock.advance(5000);
    expect([slower.end, client.server, clock.waiting]).toEqual(['200 a', 'a', 0]);
  });

  it('one whose store is away is left for one that is ready', async () => {
    const { clock, server, ask, client } = await inUse();
    server('a').mood = 'unready';
    const call = ask('PUT');
    await clock.advance(0);
    // It may have taken effect: that is for who asked.
    expect(call.end).toBe('503 a');
    expect(client.server).toBe('b');
    server('b').mood = 'unready';
    const both = ask('PUT');
    await clock.advance(0);
    expect([both.end, client.server]).toEqual(['503 b', 'b']);
  });

  it('watches end with the server that is left, and with no other', async () => {
    const { clock, server, client, ask } = await inUse();
    const ends: string[] = [];
    const watch = async () => {
      const { body } = await client.stream({ method: 'GET', path: '/watch' });
      body.on('error', (error) => ends.push(error.message));
      return body;
    };
    const opening = watch();
    await clock.advance(0);
    const first = await opening;
    server('a').mood = 'refuses';
    const call = ask();
    await clock.advance(0);
    expect(call.end).toBe('200 b');
    expect([ends, first.destroyed]).toEqual([['a: left for b, which answers'], true]);
    const again = watch();
    await clock.advance(0);
    const second = await again;
    server('a').mood = 'well';
    server('b').delayMs = 200;
    ask();
    await clock.advance(1000);
    expect([client.server, second.destroyed, ends.length]).toEqual(['b', false, 1]);
  });

  it('none that answers is said with all of them, and it goes on when one is back', async () => {
    const { clock, server, ask } = await inUse();
    server('a').mood = 'refuses';
    server('b').mood = 'refuses';
    const call = ask();
    await clock.advance(0);
    expect(call.end).toBe('a: refused; b: refused');
    server('b').mood = 'well';
    const next = ask('POST');
    await clock.advance(0);
    expect(next.end).toBe('200 b');
  });

  it('one that comes back is found although another hangs', async () => {
    const { clock, server, ask } = await inUse();
    server('a').mood = 'refuses';
    server('b').mood = 'hangs';
    const call = ask();
    await clock.advance(1000);
    server('a').mood = 'well';
    await clock.advance(3000);
    expect(call.end).toBe('200 a');
    expect(clock.waiting).toBe(0);
  });
});

describe('servers that are learnt', () => {
  it('are there when the one that was given is lost, and go when they are no more', async () => {
    const { clock, server, ask, client } = begin(['a'], []);
    ask();
    await clock.advance(0);
    client.learn(['a', 'b', 'c']);
    server('a').mood = 'refuses';
    server('c').delayMs = 10;
    const call = ask('PUT');
    await clock.advance(0);
    expect(call.end).toBe('200 b');
    await clock.advance(20);
    const c = server('c');
    client.learn(['a', 'b']);
    expect([c.closed, server('b').closed]).toEqual([true, false]);
    // The one in use is not taken away.
    client.learn([]);
    const last = ask('PUT');
    await clock.advance(0);
    expect(last.end).toBe('200 b');
  });

  it('are known from the start when somebody kept them', async () => {
    const { clock, server, ask } = begin(['a'], ['b']);
    server('a').mood = 'refuses';
    const call = ask('POST');
    await clock.advance(0);
    expect(call.end).toBe('200 b');
  });

  it('are shown the newest certificate', async () => {
    const { clock, server, ask, client } = begin(['a']);
    ask();
    await clock.advance(0);
    client.setCertificate('new', 'key');
    client.learn(['b']);
    server('a').mood = 'refuses';
    ask();
    await clock.advance(0);
    expect([server('a').certificates, server('b').certificates]).toEqual([['new'], ['new']]);
    const both = [server('a'), server('b')];
    client.close();
    expect(both.map(({ closed }) => closed)).toEqual([true, true]);
  });
});
