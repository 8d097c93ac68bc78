// What limit ranges, runtime classes and default ingress classes make of what is created.
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { LimitRange } from '../../api/index.ts';
import { ApiFixture, buildPod } from '../../testkit/index.ts';
import { giveDefaults, podComplaints } from './limit-range-rules.ts';
import { mergeTolerations } from './runtime-class.ts';

let f: ApiFixture;
const ns = '/api/v1/namespaces/default';
beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

const range = async (limit: object) => {
  const told = await f.ask('POST', `${ns}/limitranges`, {
    body: { metadata: { name: 'l' }, spec: { limits: [limit] } },
  });
  expect(told.code).toBe(201);
};
const container = (resources: object = {}) => ({ name: 'c', image: 'i', resources });
const pod = (spec: object, name = 'p') =>
  f.ask('POST', `${ns}/pods`, { body: { metadata: { name }, spec: { containers: [container()], ...spec } } });

it('gives containers what they leave out, and says so', async () => {
  await range({ type: 'Container', default: { cpu: '1', memory: '1Gi' }, defaultRequest: { cpu: '100m' } });
  const init = [{ name: 'i', image: 'i', resources: { limits: { cpu: '2' } } }];
  const { spec, metadata, status } = (await pod({ initContainers: init })).json;
  expect(spec.containers[0].resources).toEqual({
    limits: { cpu: '1', memory: '1Gi' },
    requests: { cpu: '100m', memory: '1Gi' },
  });
  expect(spec.initContainers[0].resources).toEqual({
    limits: { cpu: '2', memory: '1Gi' },
    requests: { cpu: '2', memory: '1Gi' },
  });
  expect(metadata.annotations['kubernetes.io/limit-ranger']).toBe(
    'LimitRanger plugin set: cpu, memory request for container c; cpu, memory limit for container c; memory request for init container i; memory limit for init container i',
  );
  expect(status.qosClass).toBe('Burstable');
});

it.each<[object, object, string | undefined]>([
  [{ type: 'Pod', min: { cpu: '1' } }, {}, 'minimum cpu usage per Pod is 1.  No request is specified'],
  [
    { type: 'Container', min: { cpu: '1' }, defaultRequest: { cpu: '1' } },
    { requests: { cpu: '500m' } },
    'minimum cpu usage per Container is 1, but request is 500m',
  ],
  [
    { type: 'Pod', max: { memory: '1Gi' } },
    {},
    'maximum memory usage per Pod is 1Gi.  No limit is specified',
  ],
  [
    { type: 'Pod', max: { memory: '1Gi' } },
    { limits: { memory: '2Gi' } },
    'maximum memory usage per Pod is 1Gi, but limit is 2Gi',
  ],
  [
    { type: 'Container', max: { cpu: '1', memory: '1Gi' } },
    { limits: { cpu: '2', memory: '2Gi' } },
    '[maximum cpu usage per Container is 1, but limit is 2, maximum memory usage per Container is 1Gi, but limit is 2Gi]',
  ],
  [
    { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
    { requests: { cpu: '100m' }, limits: { cpu: '300m' } },
    'cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000',
  ],
  [
    { type: 'Container', maxLimitRequestRatio: { cpu: '2' } },
    { requests: { memory: '1' } },
    'cpu max limit to request ratio per Container is 2, but no request is specified or request is 0',
  ],
  [
    { type: 'Pod', maxLimitRequestRatio: { cpu: '2' } },
    { requests: { cpu: '100m' }, limits: { cpu: '200m' } },
    undefined,
  ],
])('%j of %j', async (limit, resources, why) => {
  await range(limit);
  const told = await pod({ containers: [container(resources)] });
  if (why === undefined) expect(told.code).toBe(201);
  else expect([told.code, told.json.message]).toEqual([403, `pods "p" is forbidden: ${why}`]);
});

it('claims lie within their bounds, when they are made and when they grow', async () => {
  await range({ type: 'PersistentVolumeClaim', min: { storage: '1Gi' }, max: { storage: '5Gi' } });
  const claim = (name: string, storage: string) =>
    f.ask('POST', `${ns}/persistentvolumeclaims`, {
      body: {
        metadata: { name },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } } },
      },
    });
  expect((await claim('a', '500Mi')).json.message).toBe(
    'persistentvolumeclaims "a" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi',
  );
  expect((await claim('a', '6Gi')).json.message).toBe(
    'persistentvolumeclaims "a" is forbidden: maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 6Gi',
  );
  expect((await claim('a', '2Gi')).code).toBe(201);
});

it('defaults that lie within the bounds always satisfy them, and are given once', () => {
  const amount = fc.integer({ min: 1, max: 50 });
  fc.assert(
    fc.property(amount, amount, amount, fc.option(amount), (a, b, c, own) => {
      const [min, request, max] = [a, b, c].sort((x, y) => x - y) as [number, number, number];
      const limits = [
        {
          type: 'Container',
          min: { cpu: String(min) },
          max: { cpu: String(max) },
          default: { cpu: String(max) },
          defaultRequest: { cpu: String(request) },
        },
      ];
      const limitRange = { spec: { limits } } as unknown as LimitRange;
      const made = buildPod('p', own === null ? {} : { requests: { cpu: String(own) } });
      giveDefaults(made, limitRange);
      const fits = own === null || (own >= min && own <= max);
      expect(podComplaints(made, limitRange).length === 0).toBe(fits);
      const again = structuredClone(made);
      giveDefaults(again, limitRange);
      expect(again).toEqual(made);
    }),
  );
});

it('a runtime class brings its overhead and says where', async () => {
  await f.ask('POST', '/apis/node.k8s.io/v1/runtimeclasses', {
    body: {
      metadata: { name: 'vm' },
      handler: 'vm',
      overhead: { podFixed: { cpu: '250m' } },
      scheduling: { nodeSelector: { vm: 'yes' }, tolerations: [{ key: 'vm', operator: 'Exists' }] },
    },
  });
  const { spec } = (
    await pod({ runtimeClassName: 'vm', tolerations: [{ key: 'vm', value: 'x', effect: 'NoSchedule' }] })
  ).json;
  expect([spec.overhead, spec.nodeSelector]).toEqual([{ cpu: '250m' }, { vm: 'yes' }]);
  expect(spec.tolerations.filter((t: { key: string }) => t.key === 'vm')).toEqual([
    { key: 'vm', operator: 'Exists' },
  ]);
  const refusals = [
    [{ runtimeClassName: 'none' }, 'pod rejected: RuntimeClass "none" not found'],
    [
      { runtimeClassName: 'vm', overhead: { cpu: '1' } },
      "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead",
    ],
    [
      { overhead: { cpu: '1' } },
      'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
    ],
    [
      { runtimeClassName: 'vm', nodeSelector: { vm: 'no' } },
      'conflict: runtimeClass.scheduling.nodeSelector[vm] = yes; pod.spec.nodeSelector[vm] = no',
    ],
  ] as const;
  for (const [bad, why] of refusals) {
    const told = await pod(bad, 'q');
    expect([told.code, told.json.message]).toEqual([403, `pods "q" is forbidden: ${why}`]);
  }
});

it('merged tolerations lose what another covers', () => {
  const a = { key: 'a', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 };
  const all = { operator: 'Exists' };
  expect(mergeTolerations([a], [a])).toEqual([a]);
  expect(mergeTolerations([a], [all])).toEqual([all]);
  expect(mergeTolerations([all], [a])).toEqual([all]);
  const b = { key: 'b', operator: 'Equal', value: '1' };
  expect(mergeTolerations([a], [b])).toEqual([a, b]);
});

it('an ingress without a class gets the default one', async () => {
  const classes = '/apis/networking.k8s.io/v1/ingressclasses';
  const ingresses = '/apis/networking.k8s.io/v1/namespaces/default/ingresses';
  const annotations = { 'ingressclass.kubernetes.io/is-default-class': 'true' };
  await f.ask('POST', classes, { body: { metadata: { name: 'plain' }, spec: { controller: 'a/b' } } });
  await f.ask('POST', classes, {
    body: { metadata: { name: 'usual', annotations }, spec: { controller: 'a/b' } },
  });
  const backend = { service: { name: 's', port: { number: 80 } } };
  const ingress = (name: string, spec: object = {}) =>
    f.ask('POST', ingresses, { body: { metadata: { name }, spec: { defaultBackend: backend, ...spec } } });
  expect((await ingress('a')).json.spec.ingressClassName).toBe('usual');
  expect((await ingress('b', { ingressClassName: 'plain' })).json.spec.ingressClassName).toBe('plain');
});
