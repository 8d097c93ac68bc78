import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { coreV1 } from '../../api/index.ts';
import { planNodeEvents } from './node-events.ts';
import {
  defaultNodeSettings,
  type NodeSettingFlags,
  parseNodeSettings,
  reservedOf,
} from './node-settings.ts';

const Gi = 2 ** 30;
const machine = { cpus: 4, memoryBytes: 8 * Gi, storageBytes: 100 * Gi };

describe('settings', () => {
  it('are the kubelet’s by default', () => {
    expect(defaultNodeSettings).toMatchObject({
      eviction: { transitionMs: 300_000, maxGraceSeconds: 0 },
      imageGarbage: { highPercent: 85, lowPercent: 80, minAgeMs: 120_000 },
      logRotation: { maxBytes: 10 << 20, maxFiles: 5 },
      volumeStatsPeriodMs: 60_000,
    });
    expect(reservedOf(machine, defaultNodeSettings).allocatable).toEqual({
      cpuMilli: 0,
      memoryBytes: 100 * 2 ** 20,
      storageBytes: 10 * Gi,
    });
  });

  it('what is reserved adds up, and pods as a whole may use what only eviction keeps free', () => {
    const settings = parseNodeSettings({
      kubeReserved: 'cpu=100m,memory=1Gi',
      systemReserved: 'cpu=1,memory=512Mi,ephemeral-storage=5Gi',
      evictionHard: 'memory.available<5%',
    });
    expect(reservedOf(machine, settings)).toEqual({
      limits: { cpuMilli: 1100, memoryBytes: 1.5 * Gi, storageBytes: 5 * Gi },
      allocatable: {
        cpuMilli: 1100,
        memoryBytes: 1.5 * Gi + Math.trunc(8 * Gi * 0.05),
        storageBytes: 5 * Gi,
      },
    });
  });

  it.each<[NodeSettingFlags, string]>([
    [
      { imageGcHighThreshold: 70, imageGcLowThreshold: 70 },
      '(--image-gc-high-threshold) 70 must be greater than',
    ],
    [{ containerLogMaxFiles: 1 }, '--container-log-max-files: invalid MaxFiles 1, must be > 1'],
    [{ containerLogMaxSize: 'big' }, '--container-log-max-size: quantities must match'],
    [{ kubeReserved: 'gpu=1' }, '--kube-reserved: cannot reserve "gpu" resource'],
    [{ systemReserved: 'cpu' }, '--system-reserved: malformed pair, expect string=string'],
    [{ evictionHard: 'memory<1' }, '--eviction-hard and --eviction-soft: unsupported eviction signal memory'],
    [
      { evictionPressureTransitionPeriod: '5' },
      '--eviction-pressure-transition-period: time: invalid duration "5"',
    ],
    [{ minimumImageTtlDuration: '-1s' }, '--minimum-image-ttl-duration: must not be less than zero: -1s'],
  ])('refuses %j', (flags, why) => expect(() => parseNodeSettings(flags)).toThrow(why));

  it('no node gives away more than it has', () => {
    expect(() => reservedOf(machine, parseNodeSettings({ kubeReserved: 'memory=9Gi' }))).toThrow(
      'invalid Node Allocatable configuration. Resource "memory" has a reservation of',
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9000 }), fc.integer({ min: 0, max: 100 }), (mebi, percent) => {
        const settings = parseNodeSettings({
          kubeReserved: `memory=${mebi}Mi`,
          evictionHard: `memory.available<${percent}%`,
        });
        try {
          const { limits, allocatable } = reservedOf(machine, settings);
          expect(limits.memoryBytes).toBeLessThanOrEqual(allocatable.memoryBytes);
          expect(allocatable.memoryBytes).toBeLessThanOrEqual(machine.memoryBytes);
        } catch (error) {
          expect((error as Error).message).toContain('Expected capacity >= reservation');
        }
      }),
    );
  });

  it('an image threshold below the usual one takes the other along', () => {
    expect(parseNodeSettings({ imageGcHighThreshold: 50 }).imageGarbage).toMatchObject({ lowPercent: 49 });
  });
});

describe('events of a node', () => {
  const status = (conditions: Record<string, string>, bootID = 'b'): coreV1.NodeStatus =>
    ({
      conditions: Object.entries(conditions).map(([type, value]) => ({ type, status: value })),
      nodeInfo: { bootID },
    }) as unknown as coreV1.NodeStatus;
  const good = { MemoryPressure: 'False', DiskPressure: 'False', PIDPressure: 'False' };
  const bad = { MemoryPressure: 'True', DiskPressure: 'True', PIDPressure: 'True' };

  it.each<[string, coreV1.NodeStatus | undefined, coreV1.NodeStatus, string[]]>([
    [
      'a new node, not ready yet',
      undefined,
      status({ ...good, Ready: 'False' }),
      ['NodeHasSufficientMemory', 'NodeHasNoDiskPressure', 'NodeHasSufficientPID'],
    ],
    [
      'it becomes ready',
      status({ ...good, Ready: 'False' }),
      status({ ...good, Ready: 'True' }),
      ['NodeReady'],
    ],
    ['it was lost', status({ Ready: 'Unknown' }), status({ Ready: 'True' }), ['NodeReady']],
    ['its runtime is gone', status({ Ready: 'True' }), status({ Ready: 'False' }), ['NodeNotReady']],
    [
      'it runs short of everything',
      status(good),
      status(bad),
      ['NodeHasInsufficientMemory', 'NodeHasDiskPressure', 'NodeHasInsufficientPID'],
    ],
    ['nothing new', status({ ...bad, Ready: 'True' }), status({ ...bad, Ready: 'True' }), []],
    ['it was started again', status(good, 'a'), status(good, 'c'), ['Rebooted']],
    ['it is of an unknown boot', status(good, ''), status(good, 'c'), []],
  ])('%s', (_, before, after, reasons) => {
    expect(planNodeEvents('n', before, after).map(({ reason }) => reason)).toEqual(reasons);
  });

  it('say it as the kubelet does', () => {
    expect(planNodeEvents('n', status({ Ready: 'False' }, 'a'), status({ Ready: 'True' }, 'c'))).toEqual([
      { type: 'Warning', reason: 'Rebooted', message: 'Node n has been rebooted, boot id: c' },
      { type: 'Normal', reason: 'NodeReady', message: 'Node n status is now: NodeReady' },
    ]);
  });
});
