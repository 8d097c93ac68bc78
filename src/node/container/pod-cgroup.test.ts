import { describe, expect, test } from 'vitest';
import type { coreV1, Pod } from '../../api/index.ts';
import type { CgroupLayout } from '../../os/index.ts';
import { buildPod } from '../../testkit/index.ts';
import { burstableShares, groupFiles, podCgroup, podCgroups, podGroupValues } from './pod-cgroup.ts';

const pod = (...resources: coreV1.ResourceRequirements[]): Pod =>
  buildPod('p', {
    spec: { containers: resources.map((r, i) => ({ name: `c${i}`, resources: r })) as coreV1.Container[] },
  });
const both = (cpu: string, memory: string) => ({ requests: { cpu, memory }, limits: { cpu, memory } });
const v1: CgroupLayout = {
  mode: 'v1',
  legacy: [
    { path: '/c/cpu', controllers: ['cpu'] },
    { path: '/c/memory', controllers: ['memory'] },
    { path: '/c/pids', controllers: ['pids'] },
  ],
  unified: undefined,
};
const v2: CgroupLayout = { mode: 'v2', legacy: [], unified: '/c' };
const write = (layout: CgroupLayout, of: Pod, pids?: number) =>
  groupFiles(layout, '/n/p', podGroupValues(of, pids)).map(({ file, value }) => `${file}=${value}`);

describe('the control group of a pod', () => {
  test.each<[string, Pod, string]>([
    ['guaranteed', pod(both('1', '1Gi')), '/n/poduid-p'],
    ['burstable', pod({ requests: { cpu: '1' } }), '/n/burstable/poduid-p'],
    ['best effort', pod({}), '/n/besteffort/poduid-p'],
  ])('lies by its quality of service: %s', (_, of, place) => {
    expect(podCgroup('/n/', of)).toBe(place);
    expect(podCgroups('/n', of.metadata.uid)).toContain(place);
  });

  test('is limited to what its containers may use together', () =>
    expect(podGroupValues(pod(both('500m', '1Gi'), both('250m', '1Gi')))).toEqual({
      cpuShares: 768,
      cpuQuotaUs: 75_000,
      memoryBytes: 2 ** 31,
    }));

  test('has no limit when one of them has none', () =>
    expect(podGroupValues(pod(both('500m', '1Gi'), { requests: { cpu: '250m' } }))).toEqual({
      cpuShares: 768,
    }));

  test('of who asks for nothing weighs nothing', () =>
    expect(podGroupValues(pod({}), 100)).toEqual({ cpuShares: 2, pids: 100 }));

  test('is written for version 1', () =>
    expect(write(v1, pod(both('500m', '1Gi')), 50)).toEqual([
      '/c/cpu/n/p/cpu.shares=512',
      '/c/cpu/n/p/cpu.cfs_period_us=100000',
      '/c/cpu/n/p/cpu.cfs_quota_us=50000',
      '/c/memory/n/p/memory.limit_in_bytes=1073741824',
      '/c/pids/n/p/pids.max=50',
    ]));

  test('is written for version 2', () => {
    expect(write(v2, pod(both('500m', '1Gi')), 50)).toEqual([
      '/c/n/p/cpu.weight=20',
      '/c/n/p/cpu.max=50000 100000',
      '/c/n/p/memory.max=1073741824',
      '/c/n/p/pids.max=50',
    ]);
    expect(write(v2, pod({}))).toEqual([
      '/c/n/p/cpu.weight=1',
      '/c/n/p/cpu.max=max 100000',
      '/c/n/p/memory.max=max',
      '/c/n/p/pids.max=max',
    ]);
  });

  test('burstable pods weigh together what they ask for', () =>
    expect(burstableShares([pod({ requests: { cpu: '1' } }), pod(both('1', '1Gi')), pod({})])).toBe(1024));
});
