// What a node's heartbeats cost, over a fake API.
import { afterEach, expect, test } from 'vitest';
import { Lease, Node } from '../../api/index.ts';
import { formatMicroTime } from '../../machinery/index.ts';
import { buildNode, ControllerHarness } from '../../testkit/index.ts';
import { taintEvictionController } from '../taint-eviction/controller.ts';
import { nodeLifecycleController } from './controller.ts';

let harness: ControllerHarness;
afterEach(() => harness.stop());

test('a heartbeat costs no work: a thousand renewals, no reconcile before a grace ends', async () => {
  harness = new ControllerHarness();
  const { metadata, spec, status } = buildNode('n1');
  await harness.create(Node, { metadata: { name: 'n1', labels: metadata.labels }, spec, status });
  const options = {
    gracePeriodMs: 2000,
    startupGracePeriodMs: 60_000,
    outOfServiceAfterMs: 300,
    unhealthyZoneThreshold: 0.55,
    nodeEvictionRate: 100,
    secondaryNodeEvictionRate: 0.01,
    largeClusterSizeThreshold: 50,
  };
  const lease = { name: 'n1', namespace: 'kube-node-lease' };
  await harness.create(Lease, { metadata: lease, spec: {} });
  await harness.start(
    nodeLifecycleController(options),
    taintEvictionController({ defaultTolerationSeconds: 300 }),
  );
  const before = harness.stats()[0]!.reconciles;
  for (let i = 0; i < 1000; i++) {
    await harness
      .client(Lease)
      .patch(lease, 'merge', { spec: { renewTime: formatMicroTime(harness.clock.nowMs()) } });
    await harness.clock.advance(100);
  }
  expect(harness.stats()[0]!.reconciles - before).toBe(0);
  expect((await harness.list(Node))[0]?.spec.taints).toBeUndefined();
  await harness.advance(2500);
  expect((await harness.list(Node))[0]?.spec.taints?.map((t) => t.key)).toContain(
    'node.kubernetes.io/unreachable',
  );
});
