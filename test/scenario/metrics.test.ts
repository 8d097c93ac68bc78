import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Deployment } from '../../src/api/index.ts';
import type { Draft } from '../../src/machinery/index.ts';
import { buildTemplate, ControlPlane, readMetrics, sampleOf } from '../../src/testkit/index.ts';

let plane: ControlPlane;

beforeEach(async () => {
  plane = await ControlPlane.start();
});

afterEach(() => plane.stop());

const deploy = (name: string, replicas: number) =>
  plane.client(Deployment).create({
    metadata: { name, namespace: 'default' },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: buildTemplate({ app: name }),
    },
  } as Draft<Deployment>);

const value = (name: string, labels = {}) => sampleOf(plane.metrics, name, labels);

it('tells the way of pods from a deployment to their nodes', async () => {
  await deploy('web', 3);
  await plane.rest();
  // No nodes yet: each pod was tried once in vain.
  expect(value('scheduler_schedule_attempts_total', { result: 'unschedulable' })).toBe(3);
  expect(value('scheduler_pending_pods', { queue: 'unschedulable' })).toBe(3);
  expect(value('apiserver_resource_objects', { group: '', resource: 'pods' })).toBe(3);
  expect(value('workqueue_adds_total', { name: 'deployment' })).toBeGreaterThan(0);
  expect(value('workqueue_depth', { name: 'replicaset' })).toBe(0);

  await plane.advance(2000);
  await plane.addNode('n1');
  await plane.until('the pods run', async () =>
    (await plane.pods()).every((pod) => pod.status?.phase === 'Running'),
  );
  expect(value('scheduler_schedule_attempts_total', { result: 'scheduled' })).toBe(3);
  expect(value('scheduler_scheduling_attempt_duration_seconds_count', { result: 'scheduled' })).toBe(3);
  expect(value('scheduler_pending_pods', { queue: 'unschedulable' })).toBe(0);
  const unschedulable = value('scheduler_schedule_attempts_total', { result: 'unschedulable' }) ?? 0;
  expect(value('scheduler_pod_scheduling_attempts_count')).toBe(3);
  expect(value('scheduler_pod_scheduling_attempts_sum')).toBe(3 + unschedulable);
  const waits =
    readMetrics(plane.metrics).get('scheduler_pod_scheduling_sli_duration_seconds')?.samples ?? [];
  const sum = (part: string) =>
    waits.filter(({ name }) => name.endsWith(part)).reduce((total, sample) => total + sample.value, 0);
  expect(sum('_count')).toBe(3);
  expect(sum('_sum')).toBeGreaterThanOrEqual(6);
  expect(value('etcd_requests_total', { operation: 'create', group: 'apps', resource: 'replicasets' })).toBe(
    1,
  );
});

it('shows what docs/metrics.md lists, and nothing else', async () => {
  await plane.addNode('n1');
  await deploy('web', 2);
  await plane.advance(5000);
  const docs = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8');
  const rows = docs.split('\n').filter((line) => line.startsWith('| `'));
  const listed = rows.flatMap((row) => [...row.split('|')[1]!.matchAll(/`(\w+)`/g)].map(([, name]) => name));
  for (const [name, { samples }] of readMetrics(plane.metrics)) {
    expect(listed, name).toContain(name);
    const row = rows.find((line) => line.includes(`\`${name}\``)) ?? '';
    // Labels that a row takes from the one above it are not repeated.
    for (const label of Object.keys(samples[0]?.labels ?? {}))
      if (label !== 'le' && !/the same|as the gauge|…/.test(row)) expect(row, name).toContain(label);
  }
});

it('is well-formed and of bounded size after hours of work', async () => {
  await plane.addNode('n1');
  await deploy('web', 2);
  await plane.advance(20_000);
  const series = () =>
    [...readMetrics(plane.metrics).values()].reduce((sum, { samples }) => sum + samples.length, 0);
  const before = series();
  for (let i = 0; i < 5; i++) {
    await deploy(`web-${i}`, 2);
    await plane.advance(5000);
  }
  expect(series()).toBe(before);
});
