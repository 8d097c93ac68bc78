import { afterEach, expect, test } from 'vitest';
import { Pod } from '../api/index.ts';
import { silentLog } from '../base/index.ts';
import type { Draft } from '../machinery/index.ts';
import { ControllerHarness } from '../testkit/index.ts';
import { PodStatusWriter } from './pod-status-writer.ts';

let harness: ControllerHarness;
afterEach(() => harness.stop());

test('a pod is told why it has no node, of which generation that is said, and when that changed', async () => {
  harness = new ControllerHarness();
  const { clock } = harness;
  await harness.create(Pod, {
    metadata: { name: 'a', namespace: 'default' },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  } as Draft<Pod>);
  const writer = new PodStatusWriter({ client: harness.client, clock, log: silentLog });
  const pod = () => harness.client(Pod).get('a', 'default');
  const told = async (message: string) => {
    const at = await pod();
    await writer.report(at, { reason: 'Unschedulable', message, nominatedNodeName: undefined });
    const { metadata, status } = await pod();
    const { lastTransitionTime: _, ...condition } = status!.conditions![0]!;
    return { condition, wrote: metadata.resourceVersion !== at.metadata.resourceVersion };
  };
  const condition = (message: string, observedGeneration: number) => ({
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message,
    lastProbeTime: null,
    observedGeneration,
  });
  expect(await told('full')).toEqual({ condition: condition('full', 1), wrote: true });
  expect(await told('full')).toEqual({ condition: condition('full', 1), wrote: false });
  expect(await told('fuller')).toEqual({ condition: condition('fuller', 1), wrote: true });
  await harness.client(Pod).patch({ name: 'a', namespace: 'default' }, 'merge', {
    spec: { activeDeadlineSeconds: 9 },
  });
  expect(await told('fuller')).toEqual({ condition: condition('fuller', 2), wrote: true });
});
