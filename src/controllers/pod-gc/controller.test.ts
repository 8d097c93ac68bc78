// Pods that nobody needs any more, over a fake API.
import { afterEach, expect, test } from 'vitest';
import { Node, Pod } from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { buildTemplate, ControllerHarness } from '../../testkit/index.ts';
import { podGcController } from './controller.ts';

const labels = { app: 'web' };
let harness: ControllerHarness;
afterEach(() => harness.stop());

test('finished pods beyond the limit go, the oldest first; pods of a lost node go after a moment', async () => {
  harness = new ControllerHarness();
  const pod = async (name: string, phase: string, nodeName: string) => {
    await harness.create(Pod, {
      metadata: { name, namespace: 'default' },
      spec: { ...buildTemplate(labels).spec!, nodeName },
    } as Draft<Pod>);
    await harness
      .client(Pod)
      .patch({ name, namespace: 'default', subresource: 'status' }, 'merge', { status: { phase } });
    await harness.advance(1000);
  };
  await harness.create(Node, { metadata: { name: 'n1' }, spec: {} } as Draft<Node>);
  await harness.start(podGcController({ terminatedPodThreshold: 2 }));
  for (const name of ['a', 'b', 'c', 'd']) await pod(name, 'Succeeded', 'n1');
  await pod('run', 'Running', 'n1');
  const names = async () => (await harness.list(Pod)).map((p) => p.metadata.name);
  expect(await names()).toEqual(['c', 'd', 'run']);
  await harness.client(Node).delete('n1');
  await harness.advance(1900);
  // Its agent makes the node anew: the pods stay, and a second loss is given time again.
  await harness.create(Node, { metadata: { name: 'n1' }, spec: {} } as Draft<Node>);
  await harness.advance(5000);
  expect(await names()).toEqual(['c', 'd', 'run']);
  await harness.client(Node).delete('n1');
  await harness.advance(1900);
  expect(await names()).toHaveLength(3);
  await harness.advance(200);
  expect(await names()).toEqual([]);
});
