// When the API may forget a pod.
import { expect, test } from 'vitest';
import { Pod } from '../../api/index.ts';
import { container, image, isReady, world } from '../testdata/agent-world.ts';

test.each([
  ['ReplicaSet', 0, 400],
  ['StatefulSet', 500, 900],
])('a pod of a %s', async (kind, leastMs, mostMs) => {
  const w = await world();
  await w.start();
  const owner = { apiVersion: 'apps/v1', kind, name: 'set', uid: 'u', controller: true };
  await w.client(Pod).create({
    metadata: { name: 'web', namespace: 'default', ownerReferences: [owner] },
    spec: { nodeName: 'n1', containers: [container('main', { image })] },
  });
  await w.until('it is ready', async () => isReady(await w.pod('web')));
  const beganMs = w.clock.nowMs();
  await w.client(Pod).delete('web', 'default');
  await w.until('it is gone', async () => (await w.pod('web')) === undefined);
  const tookMs = w.clock.nowMs() - beganMs;
  expect(tookMs).toBeGreaterThanOrEqual(leastMs);
  expect(tookMs).toBeLessThan(mostMs);
});
