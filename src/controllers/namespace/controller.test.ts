// How a namespace ends, over a fake API.
import { afterEach, expect, test } from 'vitest';
import { kinds, Namespace, Pod, ReplicaSet } from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { buildTemplate, ControllerHarness } from '../../testkit/index.ts';
import { namespaceController } from './controller.ts';

const labels = { app: 'web' };
let harness: ControllerHarness;
afterEach(() => harness.stop());

test('a namespace is emptied pods first, and let go when nothing is left', async () => {
  harness = new ControllerHarness();
  await harness.create(Namespace, { metadata: { name: 'team' }, spec: {} } as Draft<Namespace>);
  await harness.create(ReplicaSet, {
    metadata: { name: 'web', namespace: 'team', labels },
    spec: { replicas: 0, selector: { matchLabels: labels }, template: buildTemplate(labels) },
  } as Draft<ReplicaSet>);
  await harness.create(Pod, {
    metadata: { name: 'a', namespace: 'team' },
    spec: { ...buildTemplate(labels).spec!, nodeName: 'n1', terminationGracePeriodSeconds: 30 },
  } as Draft<Pod>);
  await harness.start(namespaceController({ kinds }));
  await harness.client(Namespace).delete('team');
  await harness.advance(2000);
  expect(await harness.list(ReplicaSet)).toHaveLength(1);
  await harness.client(Pod).delete('a', 'team', { gracePeriodSeconds: 0 });
  const finalized: string[] = [];
  harness.transport.failWith = ({ verb, target }) => {
    if (verb === 'update' && target.subresource === 'finalize') finalized.push(target.name);
    return undefined;
  };
  // The fake has no finalize: that it is asked for is what can be seen here; scenarios show the rest.
  await harness.advance(400);
  expect(await harness.list(ReplicaSet)).toEqual([]);
  expect(finalized).toContain('team');
});
