// A Deployment's rollouts as a whole: whatever happens in which order and is cut short, the bounds hold and the end is reached.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Deployment } from '../../api/index.ts';
import { buildDeployment, buildSet, buildTemplate, epochMs, type SetParts } from '../../testkit/index.ts';
import { fenceposts, revisionAnnotation, specReplicas } from './rollout.ts';
import { Simulation } from './simulation.ts';

const nowMs = epochMs + 60_000;
const labels = { app: 'web' };
const owned = (
  deployment: Deployment,
  name: string,
  replicas: number,
  parts: SetParts & { image?: string } = {},
) =>
  buildSet(name, replicas, {
    owner: deployment,
    labels,
    ...parts,
    annotations: {
      [revisionAnnotation]: '1',
      'deployment.kubernetes.io/desired-replicas': String(deployment.spec.replicas),
      'deployment.kubernetes.io/max-replicas': String(
        specReplicas(deployment) + fenceposts(deployment).maxSurge,
      ),
      ...parts.annotations,
    },
    spec: { template: buildTemplate(labels, parts.image ?? 'i:1'), ...parts.spec },
    status: { replicas, readyReplicas: replicas, availableReplicas: replicas, ...parts.status },
  });

describe('rollouts', () => {
  const amount = fc.oneof(fc.nat(4), fc.constantFrom('0%', '10%', '25%', '50%', '100%'));
  const strategy = fc.oneof(
    fc.record({
      type: fc.constant('RollingUpdate'),
      rollingUpdate: fc.record({ maxSurge: amount, maxUnavailable: amount }),
    }),
    fc.constant({ type: 'Recreate' }),
  );
  const steps = fc.array(fc.tuple(fc.nat(3), fc.nat(11)), { maxLength: 150 });

  const settled = (replicas: number, how: Deployment['spec']['strategy']) => {
    const simulation = new Simulation(buildDeployment('web', replicas, { strategy: how }), [], nowMs);
    simulation.toRest();
    return simulation;
  };
  const step = (simulation: Simulation, [what, turn]: [number, number]) => {
    simulation.nowMs += 1000;
    // A run that ends after few writes is a crash.
    if (what === 0) simulation.runDeployment(turn);
    else if (what === 1) simulation.runSet(turn);
    else simulation.runPod(turn);
  };
  const change = (simulation: Simulation, spec: Partial<Deployment['spec']>) => {
    const { deployment } = simulation;
    const { metadata } = deployment;
    simulation.deployment = {
      ...deployment,
      metadata: { ...metadata, generation: metadata.generation! + 1 },
      spec: { ...deployment.spec, ...spec },
    };
  };
  const expectDone = (simulation: Simulation) => {
    simulation.toRest();
    const { deployment, sets } = simulation;
    const wanted = specReplicas(deployment);
    expect(simulation.available).toBe(wanted);
    expect(simulation.pods).toHaveLength(wanted);
    expect(sets.filter((s) => specReplicas(s) > 0).map(specReplicas)).toEqual(wanted === 0 ? [] : [wanted]);
    const { status = {} } = deployment;
    expect([status.replicas ?? 0, status.updatedReplicas ?? 0, status.availableReplicas ?? 0]).toEqual([
      wanted,
      wanted,
      wanted,
    ]);
    expect(deployment.status?.conditions).toContainEqual(
      expect.objectContaining({ type: 'Progressing', reason: 'NewReplicaSetAvailable' }),
    );
  };

  test('never too many pods, never too few available, whatever happens in which order and is cut short', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), strategy, steps, (replicas, how, all) => {
        const simulation = settled(replicas, how);
        change(simulation, { template: buildTemplate(labels, 'i:2') });
        const { maxSurge, maxUnavailable } = fenceposts(simulation.deployment);
        const least = how.type === 'Recreate' ? 0 : replicas - maxUnavailable;
        const check = () => {
          expect(simulation.active.length).toBeLessThanOrEqual(replicas + maxSurge);
          expect(simulation.available).toBeGreaterThanOrEqual(least);
        };
        for (const [i, one] of all.entries()) {
          // In the middle of it a third template comes, and the first again.
          if (i === 50) change(simulation, { template: buildTemplate(labels, 'i:3') });
          if (i === 100) change(simulation, { template: buildTemplate(labels, 'i:1') });
          step(simulation, one);
          check();
        }
        expectDone(simulation);
      }),
      { numRuns: 300 },
    );
  });

  test('a change of scale in the middle of a rollout loses no availability either', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 0, max: 12 }),
        strategy,
        steps,
        (replicas, then, how, all) => {
          const simulation = settled(replicas, how);
          change(simulation, { template: buildTemplate(labels, 'i:2') });
          for (const [i, one] of all.entries()) {
            if (i === 30) change(simulation, { replicas: then });
            step(simulation, one);
          }
          expectDone(simulation);
        },
      ),
      { numRuns: 200 },
    );
  });

  test('from any sizes of any number of sets it comes to rest', () => {
    const sizes = fc.array(fc.tuple(fc.nat(9), fc.nat(9), fc.option(fc.nat(9))), { maxLength: 5 });
    fc.assert(
      fc.property(fc.nat(8), strategy, sizes, (replicas, how, given) => {
        const deployment = buildDeployment('web', replicas, { strategy: how });
        const sets = given.map(([size, available, desired], i) =>
          owned(deployment, `s${i}`, size, {
            image: `i:${i}`,
            labels: { app: 'web', set: `s${i}` },
            spec: { template: buildTemplate({ app: 'web', set: `s${i}` }, `i:${i}`) },
            annotations: {
              [revisionAnnotation]: String(i),
              ...(desired !== null && { 'deployment.kubernetes.io/desired-replicas': String(desired) }),
            },
            status: { availableReplicas: available },
          }),
        );
        expectDone(new Simulation(deployment, sets, nowMs));
      }),
      { numRuns: 200 },
    );
  });
});
