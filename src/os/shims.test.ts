// Which command lines are those of shims that serve, and which of these are nobody's.
import { expect, test } from 'vitest';
import { FakeClock, silentLog } from '../base/index.ts';
import { parseShim, type RunningShim, StrayShims } from './shims.ts';

const serving = ['-namespace', 'k8s.io', '-id', 'abc', '-address', '/run/c.sock', ''];
const shim = { namespace: 'k8s.io', id: 'abc', address: '/run/c.sock' };

test.each([
  [['/usr/bin/containerd-shim-runc-v2', ...serving], shim],
  [['containerd-shim-runc-v2', ...serving], shim],
  [['/usr/bin/containerd-shim-runc-v2', ...serving.slice(0, -1), 'start', ''], undefined],
  [['/usr/bin/containerd-shim-runc-v2', ...serving.slice(0, -1), 'delete', ''], undefined],
  [['/usr/bin/containerd-shim-runc-v2', '-id', 'abc', ''], undefined],
  [['/usr/bin/containerd', '--config', 'x', ''], undefined],
  [['vi', '/usr/bin/containerd-shim-runc-v2', ...serving], undefined],
  [[''], undefined],
])('%j', (args, expected) => {
  expect(parseShim(args)).toEqual(expected);
});

const running = (pid: number, id: string): RunningShim => ({ ...shim, id, pid, startTicks: 1, bootId: 'b' });
const world = (shims: RunningShim[], sandboxes: string[], records: string[]) => {
  const ended: string[] = [];
  const strays = new StrayShims({
    clock: new FakeClock(),
    log: silentLog,
    shims: () => shims,
    sandboxes: async () => new Set(sandboxes),
    records: async () => new Set(records),
    end: ({ id }) => ended.push(id) > 0,
  });
  return { strays, ended, shims, sandboxes, records };
};

test('a shim without a record is ended when it is seen again', async () => {
  const w = world([running(1, 'kept'), running(2, 'made'), running(3, 'stray')], ['kept'], ['kept', 'made']);
  await w.strays.look();
  expect(w.ended).toEqual([]);
  await w.strays.look();
  expect(w.ended).toEqual(['stray']);
});

test('a shim that ends with its record is left alone, and so is another of the same number', async () => {
  const w = world([running(1, 'ending')], [], []);
  await w.strays.look();
  w.shims.splice(0);
  await w.strays.look();
  w.shims.push(running(1, 'new'));
  await w.strays.look();
  expect(w.ended).toEqual([]);
});

test('nothing is ended while containerd does not answer', async () => {
  const away = new StrayShims({
    clock: new FakeClock(),
    log: silentLog,
    shims: () => [running(1, 'stray')],
    sandboxes: () => Promise.reject(new Error('connection refused')),
    records: async () => new Set(),
    end: () => expect.fail('ended'),
  });
  await expect(away.look()).rejects.toThrow('refused');
  await expect(away.look()).rejects.toThrow('refused');
});

test('it is looked for soon after a start of containerd, and later now and then', async () => {
  const clock = new FakeClock();
  const looks: number[] = [];
  const strays = new StrayShims({
    clock,
    log: silentLog,
    shims: () => {
      looks.push(clock.nowMs());
      return [];
    },
    sandboxes: async () => new Set(),
    records: async () => new Set(),
    end: () => true,
  });
  const end = new AbortController();
  const beganMs = clock.nowMs();
  const done = strays.run(end.signal);
  await clock.advance(30_000);
  strays.containerdStarted();
  await clock.advance(14_000);
  end.abort();
  await done;
  expect(looks.map((ms) => (ms - beganMs) / 1000)).toEqual([2, 4, 6, 8, 10, 20, 30, 40, 42, 44]);
});
