import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Pod, StatefulSet } from '../../api/index.ts';
import { buildPod, buildTemplate, epochMs } from '../../testkit/index.ts';
import { rangeOf, revisionLabel, revisionOf } from './identity.ts';
import { maxUnavailable } from './plan.ts';
import { Simulation } from './simulation.ts';

const nowMs = epochMs + 3_600_000;
const labels = { app: 'web' };
const template = (image: string) => buildTemplate(labels, image);

const policy = fc.constantFrom('OrderedReady', 'Parallel');
const strategy = fc.oneof(
  fc.record({
    type: fc.constant('RollingUpdate'),
    rollingUpdate: fc.record({
      partition: fc.nat(3),
      maxUnavailable: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.constantFrom('30%', '60%', '100%')),
    }),
  }),
  fc.constant({ type: 'RollingUpdate' }),
  fc.constant({ type: 'OnDelete' }),
);
const retention = fc.record({
  whenDeleted: fc.constantFrom('Retain', 'Delete'),
  whenScaled: fc.constantFrom('Retain', 'Delete'),
});
const spec = fc.record({
  replicas: fc.nat(6),
  podManagementPolicy: policy,
  updateStrategy: strategy,
  ordinals: fc.record({ start: fc.nat(2) }),
  persistentVolumeClaimRetentionPolicy: retention,
  volumeClaimTemplates: fc.constantFrom([], [{ metadata: { name: 'data' }, spec: {} }]),
});

const build = (more: object): StatefulSet =>
  ({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'web', namespace: 'default', uid: 'uid-web', generation: 1, resourceVersion: '1' },
    spec: { selector: { matchLabels: labels }, template: template('i:1'), revisionHistoryLimit: 3, ...more },
  }) as unknown as StatefulSet;

const steps = fc.array(fc.tuple(fc.boolean(), fc.nat(9)), { maxLength: 80 });
const play = (simulation: Simulation, all: readonly [boolean, number][], check: () => void) => {
  for (const [isRun, turn] of all) {
    simulation.nowMs += 1000;
    // A run that ends after few writes is a crash.
    if (isRun) simulation.run(turn);
    else simulation.runNode(turn);
    check();
  }
};

/** Everything as the spec wants it, and nothing more to do. */
function expectDone(simulation: Simulation): void {
  simulation.toRest();
  const { set, pods } = simulation;
  const { start, end } = rangeOf(set);
  const names = pods.map((pod) => pod.metadata.name).sort();
  expect(names).toEqual(Array.from({ length: end - start }, (_, i) => `web-${start + i}`).sort());
  expect(simulation.unavailable).toBe(0);
  const { status } = set;
  const counts = [status?.replicas, status?.readyReplicas ?? 0, status?.availableReplicas];
  expect(counts).toEqual([end - start, end - start, end - start]);
  if (set.spec.updateStrategy?.type === 'OnDelete') return;
  const partition = set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
  for (const pod of pods) {
    const index =
      Number(pod.metadata.labels!['apps.kubernetes.io/pod-index'] ?? pod.metadata.name.slice(4)) - start;
    if (index >= partition) expect(revisionOf(pod)).toBe(status?.updateRevision);
  }
  if (partition === 0) expect(status?.currentRevision).toBe(status?.updateRevision);
}

test('an update takes no more pods away than it may, in whatever order things happen and are cut short', () => {
  fc.assert(
    fc.property(spec, steps, (given, all) => {
      const simulation = new Simulation(build(given), [], nowMs);
      simulation.toRest();
      simulation.change({ template: template('i:2') });
      const limit = Math.min(given.replicas, maxUnavailable(simulation.set));
      const check = () => expect(simulation.unavailable).toBeLessThanOrEqual(limit);
      play(simulation, all.slice(0, 40), check);
      // In the middle of it the first template comes back.
      simulation.change({ template: template('i:1') });
      play(simulation, all.slice(40), check);
      expectDone(simulation);
    }),
    { numRuns: 300 },
  );
});

test('the order holds while the scale, the start and the template change', () => {
  fc.assert(
    fc.property(spec, spec, steps, (given, then, all) => {
      const simulation = new Simulation(build(given), [], nowMs);
      play(simulation, all.slice(0, 40), () => {});
      simulation.change({
        ...(then as object),
        podManagementPolicy: given.podManagementPolicy,
        template: template('i:2'),
      });
      play(simulation, all.slice(40), () => {});
      expectDone(simulation);
    }),
    { numRuns: 300 },
  );
});

const pod = fc.record({
  ordinal: fc.nat(9),
  phase: fc.constantFrom('Pending', 'Running', 'Failed', 'Succeeded'),
  ready: fc.boolean(),
  going: fc.boolean(),
  revision: fc.constantFrom('', 'web-old', 'web-older'),
});

test('from any pods it comes to rest', () => {
  fc.assert(
    fc.property(spec, fc.uniqueArray(pod, { selector: (p) => p.ordinal }), (given, found) => {
      const set = build(given);
      const pods = found.map(
        (p): Pod =>
          buildPod(`web-${p.ordinal}`, {
            owner: set,
            labels: { ...labels, [revisionLabel]: p.revision },
            phase: p.phase,
            ...(p.phase !== 'Pending' && { node: 'n' }),
            ready: p.ready && p.phase === 'Running',
            ...(p.going && { deletedMs: nowMs }),
          }),
      );
      expectDone(new Simulation(set, pods, nowMs));
    }),
    { numRuns: 400 },
  );
});
