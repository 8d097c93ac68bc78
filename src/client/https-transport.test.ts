// What the contract suite does not reach: bytes cut anywhere, answers without a Status, silence, and what is sent.
import { PassThrough, type Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigMap, Deployment, Pod } from '../api/index.ts';
import { FakeClock, settle } from '../base/index.ts';
import type { HttpsAnswer, HttpsCall, HttpsClient } from '../http/index.ts';
import { StatusError } from '../machinery/index.ts';
import { createClient } from './client.ts';
import { createHttpsTransport } from './https-transport.ts';
import { LineSplitter } from './line-splitter.ts';
import { resourcePath } from './resource-path.ts';
import type { WatchEvent } from './transport.ts';

const json = (value: unknown, status = 200, headers = {}): HttpsAnswer<Buffer> => ({
  status,
  headers,
  body: Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)),
});

/** The fake of HttpsClient: answers from a list, remembers what was asked. */
function begin(...answers: HttpsAnswer<Buffer>[]) {
  const clock = new FakeClock();
  const calls: HttpsCall[] = [];
  const streams: PassThrough[] = [];
  const http: HttpsClient = {
    async request(call) {
      calls.push(call);
      return answers.shift() ?? json({ metadata: {} });
    },
    async stream(call) {
      calls.push(call);
      const body = new PassThrough();
      streams.push(body);
      return { status: 200, headers: {}, body: body as Readable };
    },
    upgrade: () => Promise.reject(new Error('not asked for')),
    setCertificate() {},
    close() {},
  };
  const transport = createHttpsTransport({ http, clock });
  return { clock, calls, streams, transport, client: createClient(transport) };
}

describe('LineSplitter', () => {
  it('gives the lines, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary', maxLength: 20 }).map((s) => s.replaceAll('\n', ''))),
        fc.array(fc.nat(7), { minLength: 1 }),
        (lines, cuts) => {
          const bytes = Buffer.from(lines.map((l) => `${l}\n`).join(''));
          const splitter = new LineSplitter();
          const out: string[] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = 1 + cuts[i % cuts.length]!;
            out.push(...splitter.push(bytes.subarray(at, at + size)));
            at += size;
          }
          expect(out).toEqual(lines.filter((l) => l !== '').map((l) => Buffer.from(l).toString()));
          expect(splitter.rest).toBe('');
        },
      ),
    );
  });
});

describe('resourcePath', () => {
  const at = (kind: typeof Pod | typeof Deployment, namespace?: string, name = '', subresource = '') =>
    resourcePath({ kind, namespace, name, subresource } as Parameters<typeof resourcePath>[0]);

  it.each([
    [at(Pod as never), '/api/v1/pods'],
    [at(Pod as never, 'x'), '/api/v1/namespaces/x/pods'],
    [at(Pod as never, 'x', 'y', 'binding'), '/api/v1/namespaces/x/pods/y/binding'],
    [at(Deployment as never, 'x', 'a:b'), '/apis/apps/v1/namespaces/x/deployments/a%3Ab'],
  ])('%s', (path, expected) => expect(path).toBe(expected));

  it('refuses a name without its namespace', () => {
    expect(() => at(Pod as never, undefined, 'y')).toThrow('an empty namespace');
  });
});

describe('HTTPS transport', () => {
  it('sends each verb as the API wants it', async () => {
    const { client, calls } = begin();
    const options = { dryRun: true, fieldManager: 'me' };
    await client(ConfigMap).create({ metadata: { name: 'a', namespace: 'n' } }, options);
    await client(ConfigMap).patch({ name: 'a', namespace: 'n' }, 'apply', {}, { ...options, force: true });
    await client(ConfigMap).delete('a', 'n', {
      dryRun: true,
      gracePeriodSeconds: 0,
      preconditions: { uid: 'u' },
    });
    await client(ConfigMap).deleteCollection({ namespace: 'n', labelSelector: 'a in (b, c)' });
    expect(calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
      'POST /api/v1/namespaces/n/configmaps?dryRun=All&fieldManager=me',
      'PATCH /api/v1/namespaces/n/configmaps/a?dryRun=All&fieldManager=me&force=true',
      'DELETE /api/v1/namespaces/n/configmaps/a',
      'DELETE /api/v1/namespaces/n/configmaps?labelSelector=a+in+%28b%2C+c%29',
    ]);
    expect(calls[1]!.headers).toMatchObject({ 'content-type': 'application/apply-patch+yaml' });
    expect(JSON.parse(String(calls[2]!.body))).toEqual({
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      gracePeriodSeconds: 0,
      preconditions: { uid: 'u' },
      dryRun: ['All'],
    });
  });

  it.each([
    [json({ kind: 'Status', code: 404, reason: 'NotFound', message: 'gone' }, 404), 404, 'NotFound', 'gone'],
    [json('a proxy says no\n', 403), 403, 'Forbidden', 'a proxy says no'],
    [json('', 502), 502, 'Unknown', 'the server answered 502'],
    [json('{"kind":"Pod"}', 409), 409, 'Conflict', '{"kind":"Pod"}'],
  ])('turns a refusal into a StatusError', async (answer, code, reason, message) => {
    const { client } = begin(answer);
    const error = (await client(ConfigMap)
      .get('a', 'n')
      .catch((e: unknown) => e)) as StatusError;
    expect(error).toBeInstanceOf(StatusError);
    expect([error.code, error.reason, error.message]).toEqual([code, reason, message]);
  });

  it('keeps the Retry-After of an overloaded server', async () => {
    const { client } = begin(json('slow', 429, { 'retry-after': '3' }));
    const error = await client(ConfigMap)
      .get('a', 'n')
      .catch((e: unknown) => e);
    expect(error).toMatchObject({ reason: 'TooManyRequests', details: { retryAfterSeconds: 3 } });
  });

  it('lists page by page, and in one piece when the snapshot is lost between pages', async () => {
    const page = (names: string[], more?: string) =>
      json({
        metadata: { resourceVersion: '7', ...(more !== undefined && { continue: more }) },
        items: names.map((name) => ({ metadata: { name } })),
      });
    const { client, calls } = begin(page(['a'], 'next'), page(['b']));
    const whole = await client(ConfigMap).list({ labelSelector: 'x' });
    expect(whole).toMatchObject({ resourceVersion: '7', continue: undefined });
    expect(whole.items).toMatchObject([
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' } },
      { metadata: { name: 'b' } },
    ]);
    expect(calls[1]!.path).toBe('/api/v1/configmaps?labelSelector=x&limit=2000&continue=next');

    const lost = begin(
      page(['a'], 'next'),
      json({ kind: 'Status', reason: 'Expired', code: 410 }, 410),
      page(['a', 'b']),
    );
    expect((await lost.client(ConfigMap).list()).items).toHaveLength(2);
    expect(lost.calls[2]!.path).toBe('/api/v1/configmaps');
  });

  function watched() {
    const under = begin();
    const events: WatchEvent[] = [];
    const ends: unknown[] = [];
    const abort = new AbortController();
    const query = { resourceVersion: '5', allowBookmarks: true };
    under
      .client(ConfigMap)
      .watch(
        query,
        { onEvents: (e) => events.push(...(e as readonly WatchEvent[])), onEnd: (e) => ends.push(e) },
        abort.signal,
      );
    return { ...under, events, ends, abort };
  }
  const line = (type: string, object: object) => `${JSON.stringify({ type, object })}\n`;
  const added = (name: string) =>
    line('ADDED', { metadata: { name, resourceVersion: '6' }, data: { x: 'ü'.repeat(50) } });

  it('reads events from pieces of any size', async () => {
    const { streams, events, ends, calls } = watched();
    await settle();
    expect(calls[0]!.path).toBe(
      '/api/v1/configmaps?watch=true&resourceVersion=5&allowWatchBookmarks=true&timeoutSeconds=300',
    );
    const bytes = Buffer.from(
      added('a') + line('BOOKMARK', { metadata: { resourceVersion: '9' } }) + added('b'),
    );
    for (let i = 0; i < bytes.length; i += 3) streams[0]!.write(bytes.subarray(i, i + 3));
    streams[0]!.end();
    await settle();
    expect(events).toMatchObject([
      { type: 'ADDED', object: { data: { x: 'ü'.repeat(50) } } },
      { type: 'BOOKMARK', resourceVersion: '9' },
      { type: 'ADDED' },
    ]);
    expect(ends).toEqual([undefined]);
  });

  it('ends with the error that the server sends, after what came before it', async () => {
    const { streams, events, ends, clock } = watched();
    await settle();
    const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };
    streams[0]!.write(added('a') + line('ERROR', status) + added('b'));
    await settle();
    expect(events).toHaveLength(1);
    expect(ends).toMatchObject([{ code: 410, reason: 'Expired' }]);
    expect([streams[0]!.destroyed, clock.waiting]).toEqual([true, 0]);
  });

  it('ends with an error on bytes that are no event', async () => {
    const { streams, ends } = watched();
    await settle();
    streams[0]!.write('<html>\n');
    await settle();
    expect(String(ends[0])).toContain('not JSON');
  });

  it('takes silence for the end of the connection', async () => {
    const { streams, ends, clock } = watched();
    await settle();
    await clock.advance(80_000);
    streams[0]!.write(line('BOOKMARK', { metadata: { resourceVersion: '9' } }));
    await clock.advance(80_000);
    expect(ends).toEqual([]);
    await clock.advance(15_000);
    expect(ends).toMatchObject([{ name: 'ConnectionError', code: 'timeout' }]);
    expect([streams[0]!.destroyed, clock.waiting]).toEqual([true, 0]);
  });
});
