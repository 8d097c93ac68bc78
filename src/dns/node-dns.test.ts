// The whole of it on real sockets of the loopback, asked by the resolver that comes with node (c-ares, which others wrote): informers over a
// fake API server, other servers as plain sockets here.
import { createSocket } from 'node:dgram';
import { promises as dns } from 'node:dns';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { EndpointSlice, Service } from '../api/index.ts';
import { FakeClock, MetricRegistry, Scope, seededRandom, silentLog, systemClock } from '../base/index.ts';
import { createClient, createInformers } from '../client/index.ts';
import { FakeTransport } from '../testkit/index.ts';
import { classIn, decodeMessage, flag, type Message, type Question, rcode, type } from './message.ts';
import { nameOf } from './name.ts';
import { type NodeDns, startNodeDns } from './node-dns.ts';
import { encode, FakeUpstream } from './testdata/fake-upstream.ts';
import { networkExchange } from './upstream.ts';

const q = (name: string, of: number = type.A): Question => ({ name: nameOf(name), type: of, class: classIn });

let scope: Scope;
let server: NodeDns;
let resolver: dns.Resolver;
let upstream: FakeUpstream;
let transport: FakeTransport;
/** Of the limit of a question to others: one that is answered does not run out of time because this process got none. */
let patience: FakeClock;
const patienceMs = 1_000;
const registry = () => metrics.text();
let metrics: MetricRegistry;

beforeEach(async () => {
  scope = new Scope(silentLog);
  const random = seededRandom(4);
  transport = new FakeTransport({ clock: systemClock, random });
  patience = new FakeClock();
  upstream = await new FakeUpstream().start();
  metrics = new MetricRegistry();
  const client = createClient(transport, 'test');
  await client(Service).create({
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      clusterIP: '10.96.0.20',
      clusterIPs: ['10.96.0.20'],
      ports: [{ name: 'http', port: 80, protocol: 'TCP' }],
    },
  } as never);
  await client(Service).create({
    metadata: { name: 'pets', namespace: 'default' },
    spec: { clusterIP: 'None', clusterIPs: ['None'], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
  } as never);
  for (const [name, externalName] of [
    ['outside', 'www.example.com'],
    ['inside', 'web.default.svc.cluster.local'],
    ['circle', 'circle.default.svc.cluster.local'],
  ])
    await client(Service).create({
      metadata: { name, namespace: 'default' },
      spec: { type: 'ExternalName', externalName },
    } as never);
  const informers = createInformers(client, { scope, log: silentLog, clock: systemClock, random });
  server = await startNodeDns({
    informers,
    addresses: ['127.0.0.1', '::1'],
    port: 0,
    clusterDomain: 'cluster.local',
    ranges: ['10.244.0.0/16'],
    upstreams: () => [upstream.server],
    exchange: networkExchange({ clock: patience, random, timeoutMs: patienceMs }),
    clock: systemClock,
    random,
    log: silentLog,
    metrics,
  });
  await server.synced;
  resolver = new dns.Resolver({ timeout: 60_000, tries: 1 });
  resolver.setServers([`127.0.0.1:${server.port}`]);
});
afterEach(async () => {
  resolver.cancel();
  upstream.stop();
  await server.stop();
  await scope.stop();
});

const slice = (addresses: readonly string[], ports = [{ name: 'http', port: 8080, protocol: 'TCP' }]) => ({
  metadata: { name: 'pets-1', namespace: 'default', labels: { 'kubernetes.io/service-name': 'pets' } },
  addressType: 'IPv4',
  endpoints: addresses.map((address, i) => ({
    addresses: [address],
    hostname: `pet-${i}`,
    conditions: { ready: true },
  })),
  ports,
});
const slices = () => createClient(transport, 'test')(EndpointSlice);
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'answered',
    (error: NodeJS.ErrnoException) => error.code,
  );

/** One packet to the server, one back. */
function askUdp(packet: Buffer, waitMs = 60_000): Promise<Message | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (message: Message | undefined) => {
      clearTimeout(timer);
      socket.close();
      resolve(message);
    };
    const timer = setTimeout(() => end(undefined), waitMs);
    socket.on('message', (bytes) => end(decodeMessage(bytes)));
    socket.send(packet, server.port, '127.0.0.1');
  });
}

describe('the cluster', () => {
  it('is told by each kind of record', async () => {
    await slices().create(slice(['10.244.0.1', '10.244.0.2']) as never);
    await expect
      .poll(() => resolver.resolve4('pets.default.svc.cluster.local').catch(() => []))
      .toHaveLength(2);
    expect(await resolver.resolve4('web.default.svc.cluster.local', { ttl: true })).toEqual([
      { address: '10.96.0.20', ttl: 5 },
    ]);
    expect(await failureOf(resolver.resolve6('web.default.svc.cluster.local'))).toBe('ENODATA');
    expect(await failureOf(resolver.resolve4('nothing.default.svc.cluster.local'))).toBe('ENOTFOUND');
    expect(await resolver.resolveTxt('dns-version.cluster.local')).toEqual([['1.1.0']]);
    expect(await resolver.reverse('10.96.0.20')).toEqual(['web.default.svc.cluster.local']);
    expect(await resolver.reverse('10.244.0.2')).toEqual(['pet-1.pets.default.svc.cluster.local']);
    expect(
      (await resolver.resolveSrv('_http._tcp.pets.default.svc.cluster.local')).sort((x, y) =>
        x.name < y.name ? -1 : 1,
      ),
    ).toEqual(
      [0, 1].map((i) => ({
        name: `pet-${i}.pets.default.svc.cluster.local`,
        port: 8080,
        priority: 0,
        weight: 50,
      })),
    );
    expect(await resolver.resolveSoa('cluster.local')).toMatchObject({
      nsname: 'ns.dns.cluster.local',
      minttl: 5,
    });
    expect(await resolver.resolveNs('cluster.local')).toEqual(['ns.dns.cluster.local']);
    expect(await resolver.resolve4('inside.default.svc.cluster.local')).toEqual(['10.96.0.20']);
    expect(await failureOf(resolver.resolve4('circle.default.svc.cluster.local'))).toBe('ESERVFAIL');
    expect(upstream.asked).toEqual([]);
  });

  it('is told over IPv6 too', async () => {
    const six = new dns.Resolver({ timeout: 60_000, tries: 1 });
    six.setServers([`[::1]:${server.port}`]);
    expect(await six.resolve4('web.default.svc.cluster.local')).toEqual(['10.96.0.20']);
  });

  it('shows a change within a second, and another record first each time', async () => {
    const made = await slices().create(slice(['10.244.0.1']) as never);
    const get = () => resolver.resolve4('pets.default.svc.cluster.local').catch(() => []);
    await expect.poll(get).toEqual(['10.244.0.1']);
    const changedMs = Date.now();
    await slices().update({
      ...made,
      ...slice(['10.244.0.1', '10.244.0.3', '10.244.0.4']),
      metadata: made.metadata,
    } as never);
    await expect.poll(get, { interval: 5 }).toHaveLength(3);
    // A hundredth of that second is seen; a machine with much else to do gets more than the whole.
    expect(Date.now() - changedMs).toBeLessThan(5_000);
    const firsts = new Set<string>();
    for (let i = 0; i < 6; i++) firsts.add((await get())[0]!);
    expect(firsts.size).toBe(3);
  });

  it('more than fits into a datagram comes over TCP', async () => {
    const addresses = Array.from({ length: 300 }, (_, i) => `10.244.${i >> 8}.${i & 255}`);
    await slices().create(slice(addresses) as never);
    const get = () => resolver.resolve4('pets.default.svc.cluster.local').catch(() => []);
    await expect.poll(get).toHaveLength(300);
    const cut = await askUdp(encode({ questions: [q('pets.default.svc.cluster.local')] }));
    expect([cut!.flags & flag.tc, cut!.answers.length > 10]).toEqual([flag.tc, true]);
  });
});

describe('everything else', () => {
  const address = (question: Question, last: number, ttl = 60) => ({
    answers: [
      { name: question.name, type: type.A, class: classIn, ttl, data: Buffer.from([192, 0, 2, last]) },
    ],
  });

  it('is asked once and kept', async () => {
    upstream.reply = (question) => address(question, 7);
    expect(await resolver.resolve4('www.example.com')).toEqual(['192.0.2.7']);
    expect(await resolver.resolve4('WWW.example.com', { ttl: true })).toEqual([
      { address: '192.0.2.7', ttl: expect.any(Number) },
    ]);
    expect(upstream.asked).toEqual(['udp']);
    expect(registry()).toContain('coredns_cache_hits_total{server="dns://:53",type="success"} 1');
    expect(registry()).toContain(
      'coredns_dns_responses_total{server="dns://:53",zone=".",rcode="NOERROR"} 2',
    );
  });

  it('comes after the CNAME of an external name, denial included', async () => {
    upstream.reply = (question) => address(question, 8);
    expect(await resolver.resolve4('outside.default.svc.cluster.local')).toEqual(['192.0.2.8']);
    expect(await resolver.resolveCname('outside.default.svc.cluster.local')).toEqual(['www.example.com']);
    upstream.reply = () => ({ flags: flag.qr | rcode.nxDomain });
    expect(await failureOf(resolver.resolve6('outside.default.svc.cluster.local'))).toBe('ENOTFOUND');
  });

  it('is asked over TCP when it did not fit', async () => {
    upstream.reply = (question, over) =>
      over === 'udp' ? { flags: flag.qr | flag.tc } : address(question, 9);
    expect(await resolver.resolve4('big.example.com')).toEqual(['192.0.2.9']);
    expect(upstream.asked).toEqual(['udp', 'tcp']);
  });

  it('an answer to another question, or garbage, is not taken', async () => {
    let sent = 0;
    upstream.reply = (question) => {
      sent++;
      return sent === 1
        ? { ...address(question, 6), questions: [q('other.example.com')] }
        : address(question, 5);
    };
    const right = resolver.resolve4('right.example.com');
    await expect.poll(() => sent).toBe(1);
    await patience.advance(patienceMs);
    expect(await right).toEqual(['192.0.2.5']);
    upstream.reply = () => Buffer.from('garbage that is no message');
    upstream.asked.length = 0;
    const got = askUdp(encode({ questions: [q('x.example.com')] }));
    for (const times of [1, 2]) {
      await expect.poll(() => upstream.asked.length).toBe(times);
      await patience.advance(patienceMs);
    }
    expect((await got)!.flags & 15).toBe(rcode.servFail);
  });

  it('names for addresses of the cluster are not asked for', async () => {
    expect(await failureOf(resolver.reverse('10.244.9.9'))).toBe('ENOTFOUND');
    expect(upstream.asked).toEqual([]);
    upstream.reply = () => ({ flags: flag.qr | rcode.nxDomain });
    expect(await failureOf(resolver.reverse('198.51.100.1'))).toBe('ENOTFOUND');
    expect(upstream.asked).toEqual(['udp']);
  });
});

describe('what is not answered as asked', () => {
  const own = 'web.default.svc.cluster.local';
  test.each<[string, Partial<Message>, number]>([
    ['another class', { questions: [{ ...q(own), class: 3 }] }, rcode.refused],
    ['a transfer', { questions: [q('cluster.local', type.AXFR)] }, rcode.refused],
    ['an update', { flags: 5 << 11, questions: [q(own)] }, rcode.notImp],
    ['two questions', { questions: [q(own), q(own)] }, rcode.formErr],
  ])('%s', async (_, message, code) => {
    const got = await askUdp(encode({ id: 99, ...message }));
    expect([got!.id, got!.flags & 15, got!.answers]).toEqual([99, code, []]);
  });

  test('EDNS of another version', async () => {
    const edns = { version: 3, udpPayload: 4096, dnssecOk: false, extendedRcode: 0 };
    const got = await askUdp(encode({ questions: [q(own)], edns }));
    expect(got!.edns).toMatchObject({ version: 0, extendedRcode: 1 });
  });

  test('rubbish of any kind leaves it answering', async () => {
    const random = seededRandom(9);
    const socket = createSocket('udp4');
    const good = encode({ questions: [q(own)] });
    for (let i = 0; i < 500; i++) {
      const packet = Buffer.from(good);
      for (let n = 0; n < 5; n++)
        packet[Math.floor(random.next() * packet.length)] = Math.floor(random.next() * 256);
      socket.send(packet.subarray(0, Math.floor(random.next() * packet.length)), server.port, '127.0.0.1');
    }
    await new Promise<void>((done) => socket.send('', server.port, '127.0.0.1', () => done()));
    socket.close();
    expect(await resolver.resolve4(own)).toEqual(['10.96.0.20']);
  });
});

describe('TCP', () => {
  const framed = (packet: Buffer) =>
    Buffer.concat([Buffer.from([packet.length >> 8, packet.length & 255]), packet]);
  function open() {
    const socket = connect({ port: server.port, host: '127.0.0.1' });
    let got = Buffer.alloc(0);
    const answers: Message[] = [];
    socket.on('data', (bytes) => {
      got = Buffer.concat([got, bytes]);
      while (got.length >= 2 && got.length >= 2 + got.readUInt16BE(0)) {
        answers.push(decodeMessage(got.subarray(2, 2 + got.readUInt16BE(0))));
        got = got.subarray(2 + got.readUInt16BE(0));
      }
    });
    socket.on('error', () => {});
    const closed = new Promise<void>((done) => socket.once('close', () => done()));
    return { socket, answers, closed };
  }

  test('many questions at once on one connection, in pieces, and the end of it', async () => {
    const { socket, answers, closed } = open();
    const all = Buffer.concat(
      Array.from({ length: 250 }, (_, id) =>
        framed(encode({ id, questions: [q('web.default.svc.cluster.local')] })),
      ),
    );
    for (let at = 0; at < all.length; at += 1_001) socket.write(all.subarray(at, at + 1_001));
    socket.end();
    await closed;
    expect(new Set(answers.map(({ id }) => id)).size).toBe(250);
    expect(answers.every((one) => one.answers.length === 1)).toBe(true);
  });

  test('a quick answer does not wait for a slow one', async () => {
    upstream.reply = () => undefined;
    const { socket, answers } = open();
    socket.write(framed(encode({ id: 1, questions: [q('slow.example.com')] })));
    socket.write(framed(encode({ id: 2, questions: [q('web.default.svc.cluster.local')] })));
    await expect.poll(() => answers.map(({ id }) => id)).toEqual([2]);
    socket.destroy();
  });
});
