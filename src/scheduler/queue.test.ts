import { beforeEach, expect, test } from 'vitest';
import { Node } from '../api/index.ts';
import { FakeClock } from '../base/index.ts';
import { buildNode, buildPod, type PodParts } from '../testkit/index.ts';
import { definePlugin, type Plugin, wakeOn } from './plugin.ts';
import { prioritySort } from './plugins/priority-sort.ts';
import { podInfo } from './pod-info.ts';
import { SchedulingQueue } from './queue.ts';

const picky = definePlugin<object>({
  name: 'Picky',
  wakeOn: [
    wakeOn(Node, 'add'),
    wakeOn(Node, 'update', (waiting, node) => node.metadata.labels?.for === waiting.pod.metadata.name),
  ],
  preFilter: () => ({}),
}) as unknown as Plugin;
const pod = (name: string, parts: PodParts = {}) => podInfo(buildPod(name, parts));
const priority = (value: number): PodParts => ({ spec: { priority: value } });
const changeOf = (on: 'add' | 'update' | 'delete', labels = {}) => ({
  kind: Node,
  on,
  object: buildNode('n', { labels }),
  old: undefined,
});
const nodeAdded = changeOf('add');

let clock: FakeClock;
let queue: SchedulingQueue;
let ready: number;
beforeEach(() => {
  clock = new FakeClock();
  ready = 0;
  queue = new SchedulingQueue(clock, { onReady: () => ready++, before: prioritySort.before! });
});
const pop = () => queue.pop()?.pod.metadata.name;
const failOnce = (name: string) => {
  expect(pop()).toBe(name);
  queue.failed(`uid-${name}`, new Set([picky]));
};

test('by priority, then by age', () => {
  queue.set(pod('a'));
  queue.set(pod('b', priority(10)));
  queue.set(pod('c'));
  queue.set(pod('d', priority(10)));
  expect([pop(), pop(), pop(), pop(), pop()]).toEqual(['b', 'd', 'a', 'c', undefined]);
  expect(ready).toBe(4);
});

test('a change of priority moves a pod', () => {
  queue.set(pod('a'));
  queue.set(pod('b'));
  queue.set(pod('b', priority(1)));
  expect([pop(), pop(), pop()]).toEqual(['b', 'a', undefined]);
});

test('what was removed is not popped, and comes again at the end of the line', () => {
  queue.set(pod('a'));
  queue.set(pod('b'));
  queue.remove('uid-a');
  queue.set(pod('a'));
  expect([pop(), pop(), pop()]).toEqual(['b', 'a', undefined]);
  expect(queue.size).toBe(2);
});

test('a failed pod sleeps until a change that it waits for, and not before its back-off', async () => {
  queue.set(pod('a'));
  failOnce('a');
  queue.changed(changeOf('delete'));
  queue.changed(changeOf('update', { for: 'b' }));
  await clock.advance(5000);
  expect(pop()).toBeUndefined();
  queue.changed(changeOf('update', { for: 'a' }));
  failOnce('a');
  await clock.advance(5000);
  queue.changed(nodeAdded);
  failOnce('a');
  queue.changed(nodeAdded);
  await clock.advance(3999);
  expect(pop()).toBeUndefined();
  await clock.advance(1);
  expect(pop()).toBe('a');
});

test('the back-off grows to ten seconds', async () => {
  queue.set(pod('a'));
  const waited: number[] = [];
  for (let i = 0; i < 6; i++) {
    failOnce('a');
    queue.changed(nodeAdded);
    let ms = 0;
    for (const before = ready; ready === before; ms += 500) await clock.advance(500);
    waited.push(ms);
  }
  expect(waited).toEqual([1000, 2000, 4000, 8000, 10_000, 10_000]);
});

test('a sleeping pod wakes when its author changes it, not when its status does', async () => {
  queue.set(pod('a'));
  failOnce('a');
  await clock.advance(2000);
  queue.set(pod('a', { phase: 'Unknown', ready: false }));
  expect(pop()).toBeUndefined();
  queue.set(pod('a', { labels: { app: 'x' } }));
  expect(pop()).toBe('a');
});

test('a sleeping pod is tried again after minutes without any change', async () => {
  queue.set(pod('a'));
  failOnce('a');
  await clock.advance(299_000);
  expect(pop()).toBeUndefined();
  await clock.advance(31_000);
  expect(pop()).toBe('a');
});

test('a pod whose binding failed comes again after its back-off; the latest of it counts', async () => {
  queue.set(pod('a'));
  expect(pop()).toBe('a');
  queue.set(pod('a', { labels: { v: '2' } }));
  queue.retry('uid-a');
  await clock.advance(1000);
  expect(queue.pop()?.pod.metadata.labels).toEqual({ v: '2' });
});

test('failures of pods that are gone are forgotten', async () => {
  queue.set(pod('a'));
  pop();
  queue.remove('uid-a');
  queue.failed('uid-a', new Set([picky]));
  queue.retry('uid-a');
  queue.changed(nodeAdded);
  await clock.advance(60_000);
  expect(pop()).toBeUndefined();
  expect(clock.waiting).toBe(0);
});

test('stopping leaves no timer', () => {
  queue.set(pod('a'));
  failOnce('a');
  expect(clock.waiting).toBe(1);
  queue.stop();
  expect(clock.waiting).toBe(0);
});

test('who must not be tried yet is looked at again when something happens that the one who said so waits for', () => {
  const asked: string[] = [];
  const gated = new SchedulingQueue(clock, {
    onReady: () => ready++,
    onGate: (info) => {
      asked.push(info.pod.metadata.name);
      if (asked.length > 1) gated.set(info);
      else gated.gate(info, picky);
    },
  });
  gated.set(pod('a'));
  gated.gate(pod('a'), picky);
  gated.gate(pod('b'), definePlugin({ name: 'Stubborn' }) as Plugin);
  gated.changed(changeOf('delete'));
  gated.changed(changeOf('update', { for: 'c' }));
  expect(asked).toEqual([]);
  gated.changed(nodeAdded);
  expect([asked, gated.counts().gated, gated.pop()]).toEqual([['a'], 2, undefined]);
  gated.changed(changeOf('update', { for: 'a' }));
  expect([asked, gated.counts().gated]).toEqual([['a', 'a'], 1]);
  expect(gated.pop()?.pod.metadata.name).toBe('a');
});
