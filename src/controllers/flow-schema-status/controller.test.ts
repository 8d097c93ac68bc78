import { afterEach, expect, test } from 'vitest';
import { FlowSchema, PriorityLevelConfiguration } from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { ControllerHarness } from '../../testkit/index.ts';
import { flowSchemaStatusController } from './controller.ts';

let harness: ControllerHarness;
afterEach(() => harness.stop());

test('a flow schema is told when its priority level comes and goes', async () => {
  harness = new ControllerHarness();
  await harness.create(FlowSchema, {
    metadata: { name: 'a' },
    spec: { priorityLevelConfiguration: { name: 'level' } },
  } as Draft<FlowSchema>);
  await harness.start(flowSchemaStatusController);
  const condition = async () => {
    await harness.advance(1000);
    const { status } = await harness.client(FlowSchema).get('a');
    const [{ type, status: value, reason, message } = { message: '' }] = status?.conditions ?? [];
    return [type, value, reason, message?.slice(message.indexOf('named'))];
  };
  const missing = ['Dangling', 'True', 'NotFound', 'named "level" but there is no such object'];
  expect(await condition()).toEqual(missing);
  await harness.create(PriorityLevelConfiguration, {
    metadata: { name: 'level' },
    spec: { type: 'Exempt' },
  } as Draft<PriorityLevelConfiguration>);
  expect(await condition()).toEqual(['Dangling', 'False', 'Found', 'named "level" and it exists']);
  await harness.client(PriorityLevelConfiguration).delete('level');
  expect(await condition()).toEqual(missing);
});
