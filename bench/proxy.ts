// How fast services reach the kernel, and what they cost a connection: 5,000 services and 50,000 endpoints in a network namespace of its
// own, never this machine's. CPU is that of this process and of the programs it ran (nft).
//
//   node --import tsx bench/proxy.ts          # as root
import { fork, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { EndpointSlice, Service } from '../src/api/index.ts';
import {
  systemClock as clock,
  Scope,
  type Scope as ScopeType,
  seededRandom,
  silentLog,
} from '../src/base/index.ts';
import { createClient, createInformers } from '../src/client/index.ts';
import type { Draft } from '../src/machinery/index.ts';
import { type Exec, systemExec } from '../src/os/index.ts';
import { probeProtocols, startServiceProxy } from '../src/proxy/index.ts';
import { FakeTransport } from '../src/testkit/index.ts';

const file = fileURLToPath(import.meta.url);
const endpointsEach = 10;
const serverPort = 8080;
const nodeIp = '192.0.2.1';
const addressOf = (n: number): string => `10.96.${n >> 8}.${n & 255}`;

function drafts(n: number, generation: number): [Draft<Service>, Draft<EndpointSlice>] {
  const name = `svc-${n}`;
  const metadata = { name, namespace: `ns-${n % 50}` };
  const port = { name: 'http', port: 80, protocol: 'TCP' };
  const spec = { type: 'ClusterIP', clusterIP: addressOf(n), clusterIPs: [addressOf(n)], ports: [port] };
  // Service 1 is served by the bench itself; the others by nobody.
  const endpoint = (i: number): string =>
    n === 1
      ? `192.0.2.${i + 1}`
      : `10.244.${(n * endpointsEach + i) >> 8}.${(n * endpointsEach + i + generation) & 255}`;
  return [
    { metadata, spec } as Draft<Service>,
    {
      metadata: { ...metadata, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ name: 'http', port: serverPort, protocol: 'TCP' }],
      endpoints: Array.from({ length: endpointsEach }, (_, i) => ({
        addresses: [endpoint(i)],
        nodeName: `node-${i}`,
        conditions: { ready: true, serving: true, terminating: false },
      })),
    } as unknown as Draft<EndpointSlice>,
  ];
}

/** Milliseconds of processor time of this process and of its children that have ended. */
function cpuMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!.split(' ');
  // Of children: fields 16 and 17 of proc(5), in hundredths of a second; too coarse for one, good enough for many.
  const children = (Number(fields[13]) + Number(fields[14])) * 10;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000 + children;
}

const quantile = (sorted: readonly number[], q: number): string =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))]!.toFixed(2);

interface World {
  readonly client: ReturnType<typeof createClient>;
  readonly proxy: ReturnType<typeof startServiceProxy>;
  /** Resolves when the next transaction has been made. */
  nextTransaction(): Promise<void>;
  readonly scope: ScopeType;
}

async function startWorld(services: number): Promise<World> {
  const scope = new Scope(silentLog);
  const client = createClient(new FakeTransport({ clock, random: seededRandom(1) }));
  for (let n = 1; n <= services; n++) {
    const [service, slice] = drafts(n, 0);
    await client(Service).create(service);
    await client(EndpointSlice).create(slice);
  }
  let waiters: (() => void)[] = [];
  const exec: Exec = {
    ...systemExec,
    run: async (argv, options) => {
      const output = await systemExec.run(argv, options);
      if (argv.join(' ') === 'nft -f -') for (const wake of waiters.splice(0)) wake();
      return output;
    },
  };
  const startedMs = clock.monotonicMs();
  const before = cpuMs();
  const proxy = startServiceProxy({
    informers: createInformers(client, { scope, log: silentLog, clock }),
    nodeName: 'node-0',
    nodeIps: [nodeIp],
    podCidrs: ['10.244.0.0/16'],
    presentAddresses: () => [nodeIp],
    kernel: {
      probeProtocols: (family) => probeProtocols(systemExec, family, silentLog),
      ensureBridgeSeen: async () => true,
      prepareConntrack: () => ({ dropInvalid: true }),
    },
    exec,
    clock,
    log: silentLog,
  });
  await proxy.ready;
  console.log(
    `${services} services, ${services * endpointsEach} endpoints: all rules made after ${(clock.monotonicMs() - startedMs).toFixed(0)} ms, ${(cpuMs() - before).toFixed(0)} ms of CPU, informers included`,
  );
  waiters = [];
  return { client, proxy, scope, nextTransaction: () => new Promise((resolve) => waiters.push(resolve)) };
}

async function measureChanges({ client, nextTransaction }: World, services: number): Promise<void> {
  const took: number[] = [];
  const random = seededRandom(2);
  const times = 60;
  const before = cpuMs();
  for (let i = 0; i < times; i++) {
    const n = 2 + Math.floor(random.next() * (services - 2));
    const [, slice] = drafts(n, 0);
    // One endpoint fewer: a change of the service's number too, which is more than one that takes another's place.
    const endpoints = slice.endpoints!.slice(0, i % 2 === 0 ? -1 : undefined);
    const startedMs = clock.monotonicMs();
    const done = nextTransaction();
    const { name = '', namespace = '' } = slice.metadata ?? {};
    await client(EndpointSlice).patch({ name, namespace }, 'merge', {
      metadata: { labels: { round: String(i) } },
      endpoints:
        i % 2 === 0 ? endpoints : [...endpoints.slice(1), { ...endpoints[0]!, addresses: [`10.245.${i}.1`] }],
    });
    await done;
    took.push(clock.monotonicMs() - startedMs);
  }
  const cpu = (cpuMs() - before) / times;
  took.sort((a, b) => a - b);
  console.log(
    `one endpoint among ${services * endpointsEach}: in the kernel after ${quantile(took, 0.5)} ms, p99 ${quantile(took, 0.99)} ms (10 ms of it gathering), ${cpu.toFixed(1)} ms of CPU a change`,
  );
}

/**
 * Connections one after the other on each of some lanes, to each target in turn for a second, so that what else the machine does meets
 * all alike; prints how many a second, and how long one took.
 */
async function load(rounds: number, targets: readonly string[]): Promise<void> {
  const took = targets.map((): number[] => []);
  const one = (target: string, times: number[]): Promise<void> =>
    new Promise((resolve, reject) => {
      const [host = '', port] = target.split(':');
      const startedMs = performance.now();
      const socket = connect(Number(port), host);
      socket.on('error', reject);
      // The server's word makes sure that it was a whole connection.
      socket.on('data', () => {
        times.push(performance.now() - startedMs);
        socket.resetAndDestroy();
        resolve();
      });
    });
  for (let round = 0; round < rounds; round++)
    for (const [i, target] of targets.entries()) {
      const endMs = performance.now() + 1000;
      const lane = async (): Promise<void> => {
        while (performance.now() < endMs) await one(target, took[i]!);
      };
      await Promise.all(Array.from({ length: 8 }, lane));
    }
  for (const [i, target] of targets.entries()) {
    const sorted = took[i]!.sort((a, b) => a - b);
    console.log(
      `  ${target}: ${Math.round(sorted.length / rounds)} connections/s, p50 ${quantile(sorted, 0.5)} ms, p99 ${quantile(sorted, 0.99)} ms`,
    );
  }
}

function serve(): void {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write('x');
  });
  server.listen(serverPort, '0.0.0.0', () => process.send?.('listening'));
}

const child = (...args: string[]): Promise<number | null> =>
  new Promise((resolve) => fork(file, args).on('exit', resolve));

async function inside(): Promise<void> {
  for (const line of [
    'link set lo up',
    'link add bench0 type veth peer name bench1',
    'link set bench0 up',
    'link set bench1 up',
    ...Array.from({ length: endpointsEach }, (_, i) => `addr add 192.0.2.${i + 1}/24 dev bench0`),
    'route add default via 192.0.2.254',
  ])
    spawnSync('ip', line.split(' '), { stdio: 'inherit' });
  const server = fork(file, ['serve']);
  await new Promise((resolve) => server.once('message', resolve));
  for (const services of [10, 5_000]) {
    const world = await startWorld(services);
    // With rules in the kernel both ways; the first goes past the maps.
    await child('load', '8', `${nodeIp}:${serverPort}`, `${addressOf(1)}:80`);
    if (services > 10) {
      await measureChanges(world, services);
      globalThis.gc?.();
      console.log(
        `memory of the process: ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB, the fake API server's objects included`,
      );
    }
    await world.proxy.stop();
    await world.scope.stop();
  }
  server.kill();
}

const [mode, ...rest] = process.argv.slice(2);
if (mode === 'serve') serve();
else if (mode === 'load') await load(Number(rest[0]), rest.slice(1));
else if (mode === 'inside') await inside();
else {
  const { status } = spawnSync('unshare', ['--net', process.execPath, ...process.execArgv, file, 'inside'], {
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}
