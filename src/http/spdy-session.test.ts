// Two sessions over a pair of streams in memory.
import { type Duplex, duplexPair, type Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { afterEach, describe, expect, test } from 'vitest';
import { SpdyDecoder, SpdyEncoder, type SpdyFrame } from './spdy-frame.ts';
import { SpdySession, type SpdyStream } from './spdy-session.ts';

const open: SpdySession[] = [];
afterEach(() => {
  for (const session of open.splice(0)) session.destroy();
});

/** Node's pair does not close the other side when one is destroyed; sockets do. */
function socketPair(): [Duplex, Duplex] {
  const [a, b] = duplexPair();
  a.once('close', () => b.push(null));
  b.once('close', () => a.push(null));
  return [a, b];
}

function pair(onStream: (stream: SpdyStream) => boolean = () => true) {
  const [a, b] = socketPair();
  const streams: SpdyStream[] = [];
  const client = new SpdySession({ role: 'client', socket: a });
  const server = new SpdySession({
    role: 'server',
    socket: b,
    onStream: (stream) => {
      const wanted = onStream(stream);
      if (wanted) streams.push(stream);
      return wanted;
    },
  });
  open.push(client, server);
  return { client, server, streams, sockets: [a, b] as const };
}

/** Reads to the end. (An async iterator would destroy the stream, and so its other half.) */
function whole(stream: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve) => stream.once('end', () => resolve(Buffer.concat(chunks))));
}

const headers = (type: string) => new Map([['streamtype', type]]);

describe('a session', () => {
  test('opens streams with headers, and carries bytes both ways with half-close', async () => {
    const { client, streams } = pair();
    const near = await client.openStream(headers('stdin'));
    const far = streams[0]!;
    expect([...far.headers]).toEqual([['streamtype', 'stdin']]);
    near.end('question');
    expect(String(await whole(far))).toBe('question');
    expect(far.endedBy).toBe('fin');
    far.end('answer');
    expect(String(await whole(near))).toBe('answer');
    await finished(near, { readable: false });
    await expect.poll(() => near.destroyed && far.destroyed).toBe(true);
  });

  test('a refused stream', async () => {
    const { client } = pair((stream) => stream.headers.get('streamtype') !== 'odd');
    await expect(client.openStream(headers('odd'))).rejects.toThrow('refused');
    await client.openStream(headers('stdin'));
  });

  test('both sides open streams', async () => {
    const [a, b] = socketPair();
    const seen: number[] = [];
    const onStream = (stream: SpdyStream) => seen.push(stream.id) > 0;
    const one = new SpdySession({ role: 'client', socket: a, onStream });
    const other = new SpdySession({ role: 'server', socket: b, onStream });
    open.push(one, other);
    await Promise.all([
      one.openStream(headers('a')),
      other.openStream(headers('b')),
      one.openStream(headers('c')),
    ]);
    expect(seen.sort()).toEqual([1, 2, 3]);
  });

  test('10 MB arrive whole, and a slow reader slows the writer down', async () => {
    const { client, streams } = pair();
    const near = await client.openStream(headers('stdout'));
    const far = streams[0]!;
    const chunk = Buffer.alloc(100_000, 'x');
    let written = 0;
    while (near.write(chunk)) written += chunk.length;
    for (let i = 0; i < 100; i++) {
      await new Promise(setImmediate);
      if (near.writableLength === 0) while (near.write(chunk)) written += chunk.length;
    }
    // Nobody reads: what lies between is bounded by the buffers.
    expect(written).toBeLessThan(1_000_000);
    const before = near.writableLength;
    expect(before).toBeGreaterThan(0);
    let got = 0;
    far.on('data', (data: Buffer) => (got += data.length));
    const total = 10_000_000;
    let sent = 0;
    while (sent < total) {
      sent += chunk.length;
      if (!near.write(chunk)) await new Promise((resolve) => near.once('drain', resolve));
    }
    near.end();
    await finished(far, { writable: false });
    expect(got).toBeGreaterThanOrEqual(total);
  });

  test('a reset delivers what came before it, and fails later writes', async () => {
    const { client, streams } = pair();
    const near = await client.openStream(headers('error'));
    const far = streams[0]!;
    far.write('status');
    await new Promise(setImmediate);
    far.destroy();
    expect(String(await whole(near))).toBe('status');
    expect(near.endedBy).toBe('reset');
    const failed = new Promise((resolve) => near.once('error', resolve));
    near.write('late');
    expect(await failed).toMatchObject({ message: expect.stringContaining('reset') });
  });

  test('close lets everything written before it arrive', async () => {
    const { client, server, streams } = pair();
    const near = await client.openStream(headers('stdout'));
    const far = streams[0]!;
    far.write(Buffer.alloc(200_000));
    far.end('end');
    const all = whole(near).then((bytes) => bytes.length);
    await finished(far, { readable: false });
    server.close();
    expect(await all).toBe(200_003);
    expect(near.endedBy).toBe('fin');
    await Promise.all([client.closed, server.closed]);
    await expect(client.openStream(headers('late'))).rejects.toThrow('closed');
  });

  test('when the connection is lost, streams end and writes fail', async () => {
    const { client, server, streams } = pair();
    const near = await client.openStream(headers('stdin'));
    near.write('x');
    await client.openStream(headers('another'));
    server.destroy();
    await Promise.all([client.closed, server.closed]);
    expect(String(await whole(near))).toBe('');
    expect(near.endedBy).toBe('lost');
    expect(String(await whole(streams[0]!))).toBe('x');
    expect(streams[0]!.endedBy).toBe('lost');
    const failed = new Promise((resolve) => near.once('error', resolve));
    near.write('late');
    expect(await failed).toBeInstanceOf(Error);
  });

  test('what is not SPDY ends it with the reason', async () => {
    const [a, b] = socketPair();
    const session = new SpdySession({ role: 'client', socket: a });
    b.write(Buffer.from([0x80, 9, 0, 1, 0, 0, 0, 0]));
    await session.closed;
    expect(session.error?.message).toContain('version 9');
  });

  test('bytes that came with the request come first', async () => {
    const [a, b] = socketPair();
    const encoder = new SpdyEncoder();
    const syn = Buffer.concat(
      encoder.encode({
        type: 'synStream',
        streamId: 1,
        associatedTo: 0,
        priority: 0,
        fin: false,
        unidirectional: false,
        headers: headers('stdin'),
      }),
    );
    const streams: SpdyStream[] = [];
    const onStream = (stream: SpdyStream) => streams.push(stream) > 0;
    open.push(new SpdySession({ role: 'server', socket: b, head: syn, onStream }));
    a.write(Buffer.concat(encoder.encode({ type: 'data', streamId: 1, fin: true, data: Buffer.from('hi') })));
    await expect.poll(() => streams.length).toBe(1);
    expect(String(await whole(streams[0]!))).toBe('hi');
  });
});

describe('on the wire', () => {
  /** A session and the frames it sends to a peer that is written by hand. */
  function byHand(role: 'client' | 'server') {
    const [a, b] = socketPair();
    const session = new SpdySession({ role, socket: a, onStream: () => true });
    open.push(session);
    const encoder = new SpdyEncoder();
    const decoder = new SpdyDecoder();
    const got: SpdyFrame[] = [];
    b.on('data', (chunk: Buffer) => decoder.push(chunk, (frame) => got.push(frame)));
    const send = (frame: SpdyFrame) => b.write(Buffer.concat(encoder.encode(frame)));
    const nextOf = async (type: SpdyFrame['type']) => {
      await expect.poll(() => got.some((frame) => frame.type === type)).toBe(true);
      return got.find((frame) => frame.type === type);
    };
    return { session, send, got, nextOf };
  }

  const syn = (streamId: number): SpdyFrame => ({
    type: 'synStream',
    streamId,
    associatedTo: 0,
    priority: 0,
    fin: false,
    unidirectional: false,
    headers: headers('stdin'),
  });

  test('pings are answered, answers to our own are not', async () => {
    const { session, send, got, nextOf } = byHand('server');
    session.ping();
    expect(await nextOf('ping')).toEqual({ type: 'ping', id: 2 });
    got.length = 0;
    send({ type: 'ping', id: 2 });
    send({ type: 'ping', id: 7 });
    expect(await nextOf('ping')).toEqual({ type: 'ping', id: 7 });
  });

  test('a stream id that goes back, or is ours, is an error of its stream', async () => {
    const { send, got } = byHand('server');
    for (const id of [5, 3, 4]) send(syn(id));
    await expect
      .poll(() => got.flatMap((f) => (f.type === 'rstStream' ? [[f.streamId, f.status]] : [])))
      .toEqual([
        [3, 1],
        [4, 1],
      ]);
  });

  test('a destroyed stream is reset, and what still comes for it is dropped', async () => {
    const { session, send, nextOf } = byHand('client');
    const opening = session.openStream(headers('stdout'));
    expect(await nextOf('synStream')).toMatchObject({ streamId: 1 });
    send({ type: 'synReply', streamId: 1, fin: false, headers: new Map() });
    (await opening).destroy();
    expect(await nextOf('rstStream')).toEqual({ type: 'rstStream', streamId: 1, status: 5 });
    send({ type: 'data', streamId: 1, fin: false, data: Buffer.from('late') });
    send({ type: 'ping', id: 2 });
    expect(await nextOf('ping')).toEqual({ type: 'ping', id: 2 });
  });

  test('a stream that has ended unread does not stop the others', async () => {
    const [a, b] = socketPair();
    const streams: SpdyStream[] = [];
    open.push(new SpdySession({ role: 'server', socket: a, onStream: (stream) => streams.push(stream) > 0 }));
    const encoder = new SpdyEncoder();
    const frames: SpdyFrame[] = [
      syn(1),
      syn(3),
      { type: 'data', streamId: 1, fin: true, data: Buffer.alloc(300_000) },
    ];
    b.write(Buffer.concat(frames.flatMap((frame) => encoder.encode(frame))));
    await expect.poll(() => streams[0]?.endedBy).toBe('fin');
    b.write(
      Buffer.concat(encoder.encode({ type: 'data', streamId: 3, fin: true, data: Buffer.from('through') })),
    );
    expect(String(await whole(streams[1]!))).toBe('through');
    expect((await whole(streams[0]!)).length).toBe(300_000);
  });

  test('says that its windows are open', async () => {
    const { nextOf } = byHand('client');
    expect(await nextOf('settings')).toMatchObject({ settings: [{ id: 7, value: 0x7fffffff }] });
    expect(await nextOf('windowUpdate')).toMatchObject({ streamId: 0, delta: 0x7fffffff - 65536 });
  });
});
