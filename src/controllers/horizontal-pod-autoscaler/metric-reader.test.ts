// Which version of the custom metrics API is read: adapters differ.
import { expect, test } from 'vitest';
import type { APIService, autoscalingV2, CustomResourceDefinition } from '../../api/index.ts';
import { FakeClock, seededRandom } from '../../base/index.ts';
import { createClient, ObjectCache } from '../../client/index.ts';
import { FakeTransport } from '../../testkit/index.ts';
import { MetricReader } from './metric-reader.ts';

const spec = {
  type: 'Pods',
  pods: { metric: { name: 'requests' }, target: { type: 'AverageValue', averageValue: '1' } },
} as autoscalingV2.MetricSpec;

test.each([
  [[], 'v1beta2'],
  [['v1beta1'], 'v1beta1'],
  [['v1beta2'], 'v1beta2'],
  [['v1beta1', 'v1beta2'], 'v1beta2'],
])('registered for %j: %s is asked', async (registered, wanted) => {
  const transport = new FakeTransport({ clock: new FakeClock(0), random: seededRandom(1) });
  const apiServices = new ObjectCache<APIService>();
  for (const version of registered) apiServices.put(`${version}.custom.metrics.k8s.io`, {} as APIService);
  const definitions = new ObjectCache<CustomResourceDefinition>();
  const reader = new MetricReader(createClient(transport), { definitions, apiServices });
  await reader.read(spec, { namespace: 'default', selector: 'app=web' });
  expect(
    transport.calls.map(({ verb, target }) => [verb, target.kind.apiVersion, target.subresource]),
  ).toEqual([['list', `custom.metrics.k8s.io/${wanted}`, 'requests']]);
});
