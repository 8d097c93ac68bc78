// The small parts: agenda, addresses, heartbeats, machines, outbox.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FakeClock, Scope, seededRandom, settle, silentLog } from '../base/index.ts';
import { buildPod } from '../testkit/index.ts';
import { Agenda } from './agenda.ts';
import { heartbeatFor } from './heartbeat.ts';
import { addressOf, machineOf } from './node-object.ts';
import { Message, Outbox } from './outbox.ts';
import { PodAddresses } from './pod-addresses.ts';
import { PodRun } from './pod-run.ts';
import { defaultPark, stageOf } from './script.ts';
import { parseScript } from './script-file.ts';

test('an agenda runs what is due in order of time, at ticks, and nothing that was cancelled', async () => {
  const clock = new FakeClock(0);
  const agenda = new Agenda(clock, { tickMs: 50 });
  const ran: string[] = [];
  agenda.after(120, () => ran.push(`c ${clock.nowMs()}`));
  agenda.after(10, () => {
    ran.push(`a ${clock.nowMs()}`);
    agenda.after(0, () => ran.push(`then ${clock.nowMs()}`));
  });
  agenda.after(49, () => ran.push(`b ${clock.nowMs()}`));
  agenda.after(60, () => ran.push('never')).cancel();
  await clock.advance(1000);
  expect(ran).toEqual(['a 50', 'b 50', 'then 50', 'c 150']);
  expect(clock.waiting).toBe(0);
  agenda.after(10, () => ran.push('never'));
  agenda.close();
  await clock.advance(1000);
  expect(ran).toHaveLength(4);
  expect(clock.waiting).toBe(0);
});

test('addresses are of the range, and no two pods have the same one', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 24, max: 29 }),
      fc.array(fc.boolean(), { maxLength: 300 }),
      (bits, steps) => {
        const addresses = new PodAddresses(`100.64.8.0/${bits}`);
        const held: string[] = [];
        const room = 2 ** (32 - bits) - 3;
        for (const take of steps) {
          if (!take) {
            const freed = held.shift();
            if (freed !== undefined) addresses.free(freed);
            continue;
          }
          const ip = addresses.take();
          expect(ip === undefined).toBe(held.length === room);
          if (ip === undefined) continue;
          expect(held).not.toContain(ip);
          const last = Number(ip.split('.')[3]);
          expect(last >= 2 && last < 2 ** (32 - bits) - 1).toBe(true);
          held.push(ip);
        }
      },
    ),
  );
});

test.each([
  ['fd00:10:244:1::/64', 'fd00:10:244:1::2', 'fd00:10:244:1::3', 'fd00:10:244:1::4'],
  ['fd00:1:2:3:4:5:6:8/125', 'fd00:1:2:3:4:5:6:a', 'fd00:1:2:3:4:5:6:b', 'fd00:1:2:3:4:5:6:c'],
])('addresses of IPv6: %s', (cidr, first, second, third) => {
  const addresses = new PodAddresses(cidr);
  addresses.occupy(second);
  expect([addresses.take(), addresses.take()]).toEqual([first, third]);
  addresses.free(second);
  const rest = Array.from({ length: 2 ** 12 }, () => addresses.take());
  expect(rest).toContain(cidr.endsWith('/64') ? 'fd00:10:244:1::1000' : second);
});

test('an address that a pod has already is not given', () => {
  const addresses = new PodAddresses('10.0.0.0/29');
  addresses.occupy('10.0.0.3');
  expect([addresses.take(), addresses.take(), addresses.take()]).toEqual([
    '10.0.0.2',
    '10.0.0.4',
    '10.0.0.5',
  ]);
});

test.each([
  [0, 500, 2],
  [1000, 1000, 2],
  [2000, 1000, 2],
  [10_000, 2858, 4],
  [16_000, 4572, 7],
])('%i nodes renew every %i ms a lease of %i s', (nodes, renewMs, leaseSeconds) => {
  expect(heartbeatFor(nodes)).toEqual({ renewMs, leaseSeconds });
});

test('a lease outlives its renewal, and renewals a second are bounded', () => {
  fc.assert(
    fc.property(fc.nat(20_000), (nodes) => {
      const { renewMs, leaseSeconds } = heartbeatFor(nodes);
      expect(leaseSeconds * 1000).toBeGreaterThanOrEqual(1.35 * renewMs);
      expect((nodes * 1000) / renewMs).toBeLessThanOrEqual(3500);
    }),
  );
});

test('machines are dealt out by their shares, zones in turn, and addresses are unique', () => {
  const type = defaultPark.types[0]!;
  const park = {
    ...defaultPark,
    types: [
      { ...type, name: 'small', share: 3 },
      { ...type, name: 'big', share: 1 },
    ],
  };
  const dealt = Array.from({ length: 100 }, (_, i) => machineOf(park, i + 1));
  expect(dealt.slice(0, 4).map(({ zone }) => zone)).toEqual(['sim-a', 'sim-b', 'sim-c', 'sim-a']);
  expect(dealt.filter(({ type: { name } }) => name === 'big')).toHaveLength(25);
  expect(new Set(Array.from({ length: 16_000 }, (_, i) => addressOf(i + 1))).size).toBe(16_000);
});

test('what would hold up the event loop waits for its next turn', async () => {
  const scope = new Scope(silentLog);
  let nowMs = 0;
  const slow = Object.assign(new FakeClock(0), { monotonicMs: () => nowMs });
  const outbox = new Outbox({ limit: 100, scope, clock: slow, log: silentLog });
  let sent = 0;
  class Slow extends Message {
    async send() {
      sent++;
      nowMs += 3;
    }
  }
  for (let i = 0; i < 7; i++) outbox.put(new Slow());
  expect(sent).toBe(3);
  await settle();
  expect(sent).toBe(7);
  await scope.stop();
});

test('what has waited too long goes out in this turn, and no more than that', async () => {
  const scope = new Scope(silentLog);
  let nowMs = 0;
  const slow = Object.assign(new FakeClock(0), { monotonicMs: () => nowMs });
  const outbox = new Outbox({ limit: 100, patienceMs: 100, scope, clock: slow, log: silentLog });
  const sent: number[] = [];
  class Slow extends Message {
    async send() {
      sent.push(this.queuedMs);
      nowMs += 30;
    }
  }
  const put = (count: number) => {
    for (let i = 0; i < count; i++) outbox.put(new Slow());
  };
  put(4);
  expect(sent).toEqual([0]);
  nowMs = 101;
  put(3);
  // The three that are left of the beginning at once, those of now in turns of their own.
  await settle(1);
  expect(sent).toEqual([0, 30, 30, 30]);
  await settle(9);
  expect(sent).toEqual([0, 30, 30, 30, 101, 101, 101]);
  await scope.stop();
});

test('an agenda that is held up runs in one turn what is late by more than its patience, and the rest in others', () => {
  let nowMs = 0;
  let armed: (() => void) | null = null;
  const clock = {
    nowMs: () => nowMs,
    monotonicMs: () => nowMs,
    after(_ms: number, run: () => void) {
      armed = run;
      return { cancel: () => void (armed = null) };
    },
  };
  const agenda = new Agenda(clock, { tickMs: 50, patienceMs: 100 });
  const ran: number[] = [];
  for (const dueMs of [10, 20, 30, 160, 170])
    agenda.after(dueMs, () => {
      ran.push(dueMs);
      nowMs += 20;
    });
  nowMs = 190;
  armed!();
  expect(ran).toEqual([10, 20, 30]);
  armed!();
  expect(ran).toEqual([10, 20, 30]);
  nowMs = 280;
  armed!();
  expect(ran).toEqual([10, 20, 30, 160, 170]);
  agenda.close();
});

test('an outbox sends a bounded number at a time, each message one by one, and again what changed meanwhile', async () => {
  const scope = new Scope(silentLog);
  const outbox = new Outbox({ limit: 2, scope, clock: new FakeClock(0), log: silentLog });
  const sent: string[] = [];
  const open: (() => void)[] = [];
  class Said extends Message {
    readonly #what: string;
    constructor(what: string) {
      super();
      this.#what = what;
    }
    async send() {
      sent.push(this.#what);
      await new Promise<void>((resolve) => open.push(resolve));
    }
  }
  const [a, b, c] = ['a', 'b', 'c'].map((what) => new Said(what)) as [Said, Said, Said];
  for (const message of [a, b, c, c]) outbox.put(message);
  outbox.put(a);
  expect(sent).toEqual(['a', 'b']);
  open.shift()!();
  await settle();
  expect(sent).toEqual(['a', 'b', 'c']);
  open.shift()!();
  await settle();
  expect(sent).toEqual(['a', 'b', 'c', 'a']);
  for (const end of open) end();
  await settle();
  expect(sent).toEqual(['a', 'b', 'c', 'a']);
  await scope.stop();
});

test('a pod that is ready is reported so, also when the wall clock was set back meanwhile', async () => {
  const script = await parseScript('');
  const pod = buildPod('a', { node: 'sim-1', phase: 'Pending' });
  const world = {
    nowMs: 1_000_000,
    random: seededRandom(1),
    takeIp: () => '100.64.0.2',
    freeIp: () => {},
    whyNoDevices: () => undefined,
    event: () => {},
  };
  const run = PodRun.meet(pod, stageOf(script, pod), world);
  let { nextMs } = run.step(world);
  for (let i = 0; i < 10 && nextMs !== Number.POSITIVE_INFINITY; i++) {
    world.nowMs = nextMs;
    ({ nextMs } = run.step(world));
  }
  const ready = (nowMs: number) =>
    run.status({ nowMs, nodeIps: ['198.18.0.1'] }).conditions?.find(({ type }) => type === 'Ready')?.status;
  expect([ready(world.nowMs), ready(world.nowMs - 10)]).toEqual(['True', 'True']);
});

test('a pod starts when its claims on devices can be used, and says why not before; what is heard late is no news', async () => {
  const script = await parseScript('');
  const pod = buildPod('a', { node: 'sim-1', phase: 'Pending', spec: { resourceClaims: [{ name: 'g' }] } });
  const answers: (string | undefined)[] = ['late', 'why', undefined];
  const said: string[] = [];
  const world = {
    nowMs: 1_000_000,
    random: seededRandom(1),
    takeIp: () => '100.64.0.2',
    freeIp: () => {},
    whyNoDevices: () => answers.shift(),
    event: (type: string, reason: string, message: string) => void said.push(`${type} ${reason}: ${message}`),
  };
  const run = PodRun.meet(pod, stageOf(script, pod), world);
  for (let i = 0; i < 10 && run.runningContainers.length === 0; i++) world.nowMs = run.step(world).nextMs;
  expect(run.runningContainers).toEqual(['c']);
  expect(answers).toEqual([]);
  expect(said.filter((text) => text.startsWith('Warning'))).toEqual([
    'Warning FailedPrepareDynamicResources: Failed to prepare dynamic resources: prepare dynamic resources: why',
  ]);
});
