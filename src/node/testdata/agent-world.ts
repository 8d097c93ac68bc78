// The whole agent over fakes, for tests: a runtime in memory, an API in memory, a clock that is moved. Files are real, in a temporary
// folder.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach } from 'vitest';
import { Event, Pod } from '../../api/index.ts';
import { FakeClock, seededRandom, settle, silentLog } from '../../base/index.ts';
import { type Client, createClient } from '../../client/index.ts';
import { FakeExec, type FakeProcess, FakeRuntime } from '../../os/index.ts';
import { FakeTransport } from '../../testkit/index.ts';
import { type Agent, startAgent } from '../agent.ts';
import type { AgentOptions } from '../agent-options.ts';
import type { MachineUsage } from '../stats/machine-usage.ts';
import { noCgroups } from '../worker/pod-cgroups.ts';
import { fourCpuMachine } from './machine.ts';

export const image = 'docker.io/library/busybox:1.36';

export interface World {
  readonly clock: FakeClock;
  readonly client: Client;
  readonly runtime: FakeRuntime;
  readonly transport: FakeTransport;
  readonly stateDir: string;
  /** What the machine has free: a test may take it away. */
  readonly free: { memoryBytes: number; diskBytes: number };
  agent: Agent;
  start(): Promise<void>;
  /** Moves time in small steps until it is so. */
  until<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T>;
  pod(name: string): Promise<Pod | undefined>;
  create(name: string, spec: Partial<Pod['spec']>): Promise<Pod>;
  events(name: string): Promise<string[]>;
}

const worlds: World[] = [];

const capacity = { memoryBytes: 8 * 2 ** 30, diskBytes: 100_000_000_000 };

function fakeUsage(free: World['free']): MachineUsage {
  return {
    memory: () => ({
      totalBytes: capacity.memoryBytes,
      usageBytes: capacity.memoryBytes - free.memoryBytes,
      workingSetBytes: capacity.memoryBytes - free.memoryBytes,
      availableBytes: free.memoryBytes,
      rssBytes: 0,
    }),
    cpuNanoseconds: () => 0,
    processes: () => ({ running: 100, max: 32_768 }),
    disk: () => ({
      device: 1,
      capacityBytes: capacity.diskBytes,
      availableBytes: free.diskBytes,
      usedBytes: capacity.diskBytes - free.diskBytes,
      inodes: 1_000_000,
      inodesFree: 900_000,
    }),
    network: () => [],
    bootedAtMs: () => 0,
  };
}

export async function world(
  process: (name: string, attempt: number) => FakeProcess = () => ({ stopAfterMs: 0 }),
  more: Partial<AgentOptions> = {},
): Promise<World> {
  const clock = new FakeClock();
  const random = seededRandom(7);
  const transport = new FakeTransport({ clock, random });
  const client = createClient(transport);
  const stateDir = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-agent-'));
  const runtime = new FakeRuntime({
    clock,
    images: [image],
    pullable: (name) => name.includes('pullable'),
    process: (config) => process(config.metadata.name, config.metadata.attempt),
  });
  const free = { memoryBytes: 4 * 2 ** 30, diskBytes: 50_000_000_000 };
  const launch = () =>
    startAgent({
      client,
      nodeName: 'n1',
      nodeIps: ['10.0.0.1'],
      runtime,
      exec: new FakeExec(),
      stateDir,
      logDir: path.join(stateDir, 'logs'),
      cgroupParent: '/jotasu/n1',
      cgroups: noCgroups,
      version: 'v1.35.0',
      machine: fourCpuMachine,
      usage: fakeUsage(free),
      clock,
      random,
      log: silentLog,
      ...more,
    });
  const self: World = {
    clock,
    client,
    runtime,
    transport,
    stateDir,
    free,
    agent: undefined as unknown as Agent,
    async start() {
      self.agent = await launch();
      let ready = false;
      void self.agent.ready.then(() => (ready = true));
      await self.until('the agent is ready', async () => ready);
    },
    async until(what, look) {
      // It only ends what hangs: minutes of the fake clock take seconds of a machine with much else to do.
      const giveUp = Date.now() + 60_000;
      for (;;) {
        const found = await look();
        if (found) return found;
        if (Date.now() > giveUp) throw new Error(`never came: ${what}`);
        await clock.advance(50);
        // Sockets are real: they need a moment that the fake clock does not give them.
        await new Promise((resolve) => setTimeout(resolve, 1));
        await diskIsQuiet();
      }
    },
    pod: (name) =>
      client(Pod)
        .get(name, 'default')
        .catch(() => undefined),
    create: (name, spec) =>
      client(Pod).create({
        metadata: { name, namespace: 'default', labels: { app: name } },
        spec: {
          nodeName: 'n1',
          restartPolicy: 'Always',
          terminationGracePeriodSeconds: 30,
          containers: [container('main')],
          ...spec,
        } as Pod['spec'],
      }),
    async events(name) {
      const { items } = await client(Event).list({ namespace: 'default' });
      return items
        .filter((e) => e.involvedObject.name === name)
        .map((e) => `${e.type} ${e.reason}: ${e.message}`);
    },
  };
  worlds.push(self);
  return self;
}

/** Files are real, and no time passes for who waits for them: what a step has begun on the disk ends before the next. */
async function diskIsQuiet(): Promise<void> {
  // Calls, and the closing of what they opened.
  const isOnDisk = (what: string): boolean => what.startsWith('FSReq') || what === 'CloseReq';
  do await settle();
  while (process.getActiveResourcesInfo().some(isOnDisk));
}

export const container = (name: string, more: object = {}) => ({
  name,
  image,
  imagePullPolicy: 'IfNotPresent',
  terminationMessagePath: '/dev/termination-log',
  terminationMessagePolicy: 'File',
  ...more,
});

export const condition = (pod: Pod | undefined, type: string) =>
  pod?.status?.conditions?.find((c) => c.type === type);
export const isReady = (pod: Pod | undefined) => condition(pod, 'Ready')?.status === 'True' && pod;

afterEach(async () => {
  for (const w of worlds.splice(0)) {
    await w.agent?.stop();
    fs.rmSync(w.stateDir, { recursive: true, force: true });
  }
});
