import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ClusterRole, type rbacV1 } from '../../api/index.ts';
import { seededRandom } from '../../base/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { ControllerHarness, disorderly } from '../../testkit/index.ts';
import { clusterRoleAggregationController } from './controller.ts';
import { planAggregation } from './plan.ts';

const rule = (resource: string): rbacV1.PolicyRule => ({
  verbs: ['get'],
  apiGroups: [''],
  resources: [resource],
});
const plain = (name: string, label: string, ...resources: string[]): Draft<ClusterRole> => ({
  metadata: { name, labels: { [label]: 'true' } },
  rules: resources.map(rule),
});
const gathering = (name: string, labels: string[], own = {}): Draft<ClusterRole> => ({
  metadata: { name, labels: own },
  aggregationRule: { clusterRoleSelectors: labels.map((label) => ({ matchLabels: { [label]: 'true' } })) },
});
const asRole = (draft: Draft<ClusterRole>) => draft as ClusterRole;

describe('the plan', () => {
  const all = [plain('b', 'x', 'pods', 'jobs'), plain('a', 'x', 'jobs'), plain('c', 'y', 'nodes')].map(
    asRole,
  );
  const cases: [string, Draft<ClusterRole>, string[] | undefined][] = [
    ['by name, each rule once', gathering('g', ['x']), ['jobs', 'pods']],
    ['selector after selector', gathering('g', ['y', 'x']), ['nodes', 'jobs', 'pods']],
    ['nobody matches', { ...gathering('g', ['z']), rules: [rule('pods')] }, []],
    ['nobody matches, and it has none', gathering('g', ['z']), undefined],
    ['it has them', { ...gathering('g', ['y']), rules: [rule('nodes')] }, undefined],
    ['it gathers nothing', plain('g', 'x', 'pods'), undefined],
    ['not its own', gathering('a', ['x'], { x: 'true' }), ['pods', 'jobs']],
  ];
  test.each(cases)('%s', (_, role, resources) =>
    expect(planAggregation(asRole(role), all)).toEqual(resources?.map(rule)),
  );
});

const resourcesOf = async (harness: ControllerHarness, name: string) =>
  ((await harness.list(ClusterRole)).find(({ metadata }) => metadata.name === name)?.rules ?? []).flatMap(
    ({ resources = [] }) => resources,
  );

test('roles that gather roles that gather come to rest, whatever the order of events', async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      const harness = new ControllerHarness({
        delivery: disorderly(seededRandom(seed), { maxMs: 2000, twice: true }),
      });
      await harness.create(ClusterRole, gathering('admin', ['to-admin']));
      await harness.create(ClusterRole, gathering('edit', ['to-edit'], { 'to-admin': 'true' }));
      await harness.create(ClusterRole, plain('one', 'to-edit', 'pods'));
      await harness.start(clusterRoleAggregationController);
      await harness.advance(10_000);
      expect(await resourcesOf(harness, 'admin')).toEqual(['pods']);
      await harness.create(ClusterRole, plain('two', 'to-edit', 'jobs'));
      await harness.create(ClusterRole, plain('three', 'to-admin', 'nodes'));
      await harness.advance(10_000);
      expect(await resourcesOf(harness, 'edit')).toEqual(['pods', 'jobs']);
      expect(await resourcesOf(harness, 'admin')).toEqual(['pods', 'jobs', 'nodes']);
      const { client } = harness;
      await client(ClusterRole).delete('one');
      await harness.advance(10_000);
      expect(await resourcesOf(harness, 'admin')).toEqual(['jobs', 'nodes']);
      await harness.stop();
    }),
    { numRuns: 15 },
  );
});
