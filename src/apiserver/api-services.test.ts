// Which APIServices are there without anybody having made them.
import { expect, test } from 'vitest';
import { APIService } from '../api/index.ts';
import { type Draft, isNotFound } from '../machinery/index.ts';
import { ApiFixture } from '../testkit/index.ts';
import { customSpec, isAstray } from './api-services.ts';

const automanaged = (how: string) => ({ 'kube-aggregator.kubernetes.io/automanaged': how });

const draft = (version: string, group: string, more: { labels?: object; spec?: object } = {}) =>
  ({
    metadata: { name: `${version}.${group}`, labels: more.labels },
    spec: { group, version, groupPriorityMinimum: 1000, versionPriority: 100, ...more.spec },
  }) as Draft<APIService>;

test('at a start those of earlier starts go that are served no more, and nobody else’s', async () => {
  const first = await ApiFixture.create();
  const services = first.api.client(APIService);
  const service = { name: 's', namespace: 'default' };
  await services.create(draft('v1beta1', 'metrics.k8s.io', { labels: automanaged('onstart') }));
  await services.create(draft('v1', 'own.example.com'));
  await services.create(
    draft('v2', 'own.example.com', { labels: automanaged('onstart'), spec: { service } }),
  );
  const again = await ApiFixture.create({ store: first.store });
  const names = (await again.api.client(APIService).list()).items.map(({ metadata }) => metadata.name);
  expect(names).toEqual(
    expect.arrayContaining(['v1.', 'v1.apps', 'v1.own.example.com', 'v2.own.example.com']),
  );
  expect(names).not.toContain('v1beta1.metrics.k8s.io');
  await expect(again.api.client(APIService).get('v1.apiregistration.k8s.io')).rejects.toSatisfy(isNotFound);
  await again.close();
});

test.each([
  ['as it was made', {}, 'true', false],
  ['given to a service', { service: { name: 's', namespace: 'n', port: 443 } }, 'true', true],
  ['given to a service by whoever owns it', { service: { name: 's', namespace: 'n', port: 443 } }, '', false],
  ['of another priority', { versionPriority: 5 }, 'true', true],
])('one of a custom resource, %s', (_, spec, label, astray) => {
  const service = draft('v1', 'own.example.com', {
    ...(label !== '' && { labels: automanaged(label) }),
    spec,
  }) as APIService;
  expect(isAstray(service)).toBe(astray);
  expect(customSpec(service.spec)).toEqual(draft('v1', 'own.example.com').spec);
});
