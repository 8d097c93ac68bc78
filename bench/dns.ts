// How many names a node answers: 5,000 services and 50,000 endpoints, asked over UDP from another process with a fixed number of questions
// on their way, a hundred endpoints changing a second. CPU is that of the answering process alone.
//
//   node --import tsx bench/dns.ts            # all of it
//   node --import tsx bench/dns.ts load PORT OUTSTANDING SECONDS   # the asking side
import { fork } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { fileURLToPath } from 'node:url';
import { EndpointSlice, Service } from '../src/api/index.ts';
import { systemClock as clock, Scope, seededRandom, silentLog } from '../src/base/index.ts';
import { createClient, createInformers } from '../src/client/index.ts';
import { startNodeDns } from '../src/dns/index.ts';
import { FakeTransport } from '../src/testkit/index.ts';

const services = 5_000;
const endpointsEach = 10;
const cluster = 'svc.cluster.local';

/** As pods ask: mostly addresses, half of them along a search path or for a family that there is none of. */
const mix: readonly (readonly [share: number, name: (n: number) => string, type: number])[] = [
  [40, (n) => `svc-${n % services}.ns-${n % 50}.${cluster}`, 1],
  [20, (n) => `svc-${n % services}.ns-${n % 50}.${cluster}`, 28],
  [20, (n) => `www-${n % 997}.example.com.ns-${n % 50}.${cluster}`, 1],
  [10, (n) => `headless-${n % 50}.ns-${n % 50}.${cluster}`, 1],
  [5, (n) => `pod-${n % endpointsEach}.headless-${n % 50}.ns-${n % 50}.${cluster}`, 1],
  [5, (n) => `_http._tcp.headless-${n % 50}.ns-${n % 50}.${cluster}`, 33],
];

function packetOf(name: string, type: number): Buffer {
  const labels = name.split('.').map((label) => String.fromCharCode(label.length) + label);
  return Buffer.from(
    `\0\0\x01\0\0\x01\0\0\0\0\0\0${labels.join('')}\0\0${String.fromCharCode(type)}\0\x01`,
    'latin1',
  );
}

function packets(): Buffer[] {
  const random = seededRandom(1);
  return Array.from({ length: 20_000 }, () => {
    let at = random.next() * 100;
    const [, name, type] = mix.find(([share]) => (at -= share) < 0) ?? mix[0]!;
    return packetOf(name(Math.floor(random.next() * 1e6)), type);
  });
}

/** Prints what it saw as one line of JSON. A question without an answer for a second counts as lost and is replaced. */
async function load(port: number, outstanding: number, seconds: number): Promise<void> {
  const all = packets();
  const slots = Math.min(outstanding, 65_000);
  const sentMs = new Float64Array(slots);
  const took: number[] = [];
  const lookup = (host: string, _: unknown, done: (error: null, address: string, family: number) => void) =>
    done(null, host, 4);
  const sockets = Array.from({ length: 4 }, () => createSocket({ type: 'udp4', lookup: lookup as never }));
  let next = 0;
  let lost = 0;
  let running = true;
  const ask = (slot: number) => {
    const packet = Buffer.from(all[next++ % all.length]!);
    packet.writeUInt16BE(slot, 0);
    sentMs[slot] = performance.now();
    sockets[slot % sockets.length]!.send(packet, port, '127.0.0.1');
  };
  for (const socket of sockets)
    socket.on('message', (bytes) => {
      const slot = bytes.readUInt16BE(0);
      took.push(performance.now() - sentMs[slot]!);
      if (running) ask(slot);
    });
  await Promise.all(sockets.map((socket) => new Promise<void>((done) => socket.bind(0, '127.0.0.1', done))));
  const startedMs = performance.now();
  for (let slot = 0; slot < slots; slot++) ask(slot);
  const timer = setInterval(() => {
    for (let slot = 0; slot < slots; slot++)
      if (performance.now() - sentMs[slot]! > 1_000) {
        lost++;
        ask(slot);
      }
  }, 500);
  await new Promise((done) => setTimeout(done, seconds * 1000));
  running = false;
  clearInterval(timer);
  const elapsed = (performance.now() - startedMs) / 1000;
  took.sort((a, b) => a - b);
  const at = (share: number) => Number(took[Math.floor(share * (took.length - 1))]!.toFixed(2));
  process.send!({
    perSecond: Math.round(took.length / elapsed),
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    lost,
  });
  for (const socket of sockets) socket.close();
  process.disconnect();
}

async function serve(): Promise<void> {
  const scope = new Scope(silentLog);
  const random = seededRandom(2);
  const transport = new FakeTransport({ clock, random });
  const client = createClient(transport, 'bench');
  const ports = [{ name: 'http', port: 80, protocol: 'TCP' }];
  const slice = (name: string, namespace: string, n: number) => ({
    metadata: { name: `${name}-x`, namespace, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    ports,
    endpoints: Array.from({ length: endpointsEach }, (_, i) => ({
      addresses: [`10.${128 + (n >> 12)}.${(n >> 4) & 255}.${((n & 15) << 4) + i}`],
      hostname: name.startsWith('headless') ? `pod-${i}` : undefined,
      conditions: { ready: true, serving: true, terminating: false },
    })),
  });
  for (let n = 0; n < services; n++) {
    const namespace = `ns-${n % 50}`;
    const names = n < 50 ? [`svc-${n}`, `headless-${n}`] : [`svc-${n}`];
    for (const name of names) {
      const clusterIP = name.startsWith('headless') ? 'None' : `10.96.${n >> 8}.${n & 255}`;
      await client(Service).create({
        metadata: { name, namespace },
        spec: { clusterIP, clusterIPs: [clusterIP], ports },
      } as never);
      await client(EndpointSlice).create(slice(name, namespace, n) as never);
    }
  }
  const informers = createInformers(client, { scope, log: silentLog, clock, random });
  const dns = await startNodeDns({
    informers,
    addresses: ['127.0.0.1'],
    port: 0,
    clusterDomain: 'cluster.local',
    ranges: [],
    upstreams: () => [],
    clock,
    random,
    log: silentLog,
  });
  await dns.synced;
  const self = fileURLToPath(import.meta.url);
  const run = (outstanding: number, seconds: number) =>
    new Promise<object>((resolve, reject) => {
      const child = fork(self, ['load', String(dns.port), String(outstanding), String(seconds)], {
        execArgv: process.execArgv,
      });
      let said: object = {};
      child.on('message', (message) => (said = message as object));
      child.on('exit', (code) =>
        code === 0 ? resolve(said) : reject(new Error(`the load ended with ${code}`)),
      );
    });
  const measured = async (what: string, outstanding: number, seconds: number) => {
    const cpu = process.cpuUsage();
    const said = (await run(outstanding, seconds)) as { perSecond: number };
    const { user, system } = process.cpuUsage(cpu);
    const perAnswer = (user + system) / (said.perSecond * seconds);
    console.log(
      `${what}: ${JSON.stringify(said)}, ${perAnswer.toFixed(1)} µs CPU an answer (${Math.round(1e6 / perAnswer)}/s a core)`,
    );
  };
  await measured('warming', 64, 3);
  await measured('16 on their way', 16, 6);
  await measured('64 on their way', 64, 6);
  await measured('256 on their way', 256, 6);
  let changes = 0;
  const changing = setInterval(() => {
    for (let i = 0; i < 10; i++) {
      const n = changes++ % services;
      const changed = { endpoints: slice(`svc-${n}`, `ns-${n % 50}`, n).endpoints.slice(changes % 3) };
      void client(EndpointSlice).patch(
        { name: `svc-${n}-x`, namespace: `ns-${n % 50}` },
        'merge',
        changed as never,
      );
    }
  }, 100);
  await measured('64 on their way, 100 slices changing a second', 64, 6);
  clearInterval(changing);
  console.log(`memory: ${Math.round(process.memoryUsage().rss / 2 ** 20)} MB with the fake API server in it`);
  await dns.stop();
  await scope.stop();
}

const [mode, port, outstanding, seconds] = process.argv.slice(2);
if (mode === 'load') await load(Number(port), Number(outstanding), Number(seconds));
else await serve();
