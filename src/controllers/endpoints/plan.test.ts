import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { coreV1, Endpoints, Pod, Service } from '../../api/index.ts';
import { buildPod, type PodParts } from '../../testkit/index.ts';
import { maxAddresses, planEndpoints, planSubsets, truncate } from './plan.ts';

const buildService = (spec: object = {}, labels?: Record<string, string>): Service =>
  ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web', namespace: 'default', uid: 'u', ...(labels && { labels }) },
    spec: {
      clusterIP: '10.96.0.7',
      selector: { app: 'web' },
      ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }],
      ...spec,
    },
  }) as unknown as Service;
const serving = (name: string, ip: string, parts: PodParts = {}): Pod =>
  buildPod(name, { node: 'n1', ready: true, ip, ...parts });
const http = { name: 'http', port: 8080, protocol: 'TCP' };
const address = (name: string, ip: string, more: object = {}) => ({
  ip,
  nodeName: 'n1',
  targetRef: { kind: 'Pod', namespace: 'default', name, uid: buildPod(name).metadata.uid },
  ...more,
});

test('endpoints in full, by address', () => {
  const draft = planEndpoints({
    service: buildService({}, { team: 'x' }),
    pods: [
      serving('b', '10.0.0.2'),
      serving('a', '10.0.0.10', {
        spec: { hostname: 'h', subdomain: 'web' } as Pod['spec'],
      }),
      serving('c', '10.0.0.3', { ready: false }),
      serving('d', '10.0.0.4', { phase: 'Failed' }),
      serving('e', '10.0.0.5', { deletedMs: 1 }),
    ],
    current: undefined,
    triggeredAt: '2026-01-01T00:00:00Z',
  });
  expect(draft).toEqual({
    metadata: {
      name: 'web',
      namespace: 'default',
      labels: { team: 'x', 'endpoints.kubernetes.io/managed-by': 'endpoint-controller' },
      annotations: { 'endpoints.kubernetes.io/last-change-trigger-time': '2026-01-01T00:00:00Z' },
    },
    subsets: [
      {
        addresses: [address('a', '10.0.0.10', { hostname: 'h' }), address('b', '10.0.0.2')],
        notReadyAddresses: [address('c', '10.0.0.3')],
        ports: [http],
      },
    ],
  });
});

describe('subsets', () => {
  test('ports that the same pods have share one', () => {
    const ports = [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'metrics', port: 90, targetPort: 9090 },
      { name: 'named', port: 91, targetPort: 'debug' },
    ];
    const withDebug = serving('b', '10.0.0.2', {
      spec: {
        containers: [{ name: 'c', image: 'i', ports: [{ name: 'debug', containerPort: 7 }] }],
      } as Pod['spec'],
    });
    expect(planSubsets(buildService({ ports }), [serving('a', '10.0.0.1'), withDebug])).toEqual([
      {
        addresses: [address('a', '10.0.0.1'), address('b', '10.0.0.2')],
        ports: [http, { name: 'metrics', port: 9090, protocol: 'TCP' }],
      },
      { addresses: [address('b', '10.0.0.2')], ports: [{ name: 'named', port: 7, protocol: 'TCP' }] },
    ]);
  });

  test('a service without ports has endpoints only when it is headless', () => {
    const pods = [serving('a', '10.0.0.1')];
    expect(planSubsets(buildService({ ports: [] }), pods)).toEqual([]);
    expect(planSubsets(buildService({ ports: [], clusterIP: 'None' }), pods)).toEqual([
      { addresses: [address('a', '10.0.0.1')] },
    ]);
  });

  test('who publishes unready addresses has them all, also those on their way out', () => {
    const pods = [serving('a', '10.0.0.1', { ready: false }), serving('b', '10.0.0.2', { deletedMs: 1 })];
    const [subset] = planSubsets(buildService({ publishNotReadyAddresses: true }), pods);
    expect(subset?.addresses?.map(({ ip }) => ip)).toEqual(['10.0.0.1', '10.0.0.2']);
    expect(subset?.notReadyAddresses).toBeUndefined();
  });

  test('the family is the first of the service', () => {
    const pod = serving('a', '10.0.0.1');
    const both = {
      ...pod,
      status: { ...pod.status, podIPs: [{ ip: '10.0.0.1' }, { ip: 'fd00::1' }] },
    } as Pod;
    const ips = (families: string[]) =>
      planSubsets(buildService({ ipFamilies: families }), [both]).flatMap((s) =>
        (s.addresses ?? []).map(({ ip }) => ip),
      );
    expect([ips(['IPv6', 'IPv4']), ips(['IPv4'])]).toEqual([['fd00::1'], ['10.0.0.1']]);
    expect(planSubsets(buildService({ ipFamilies: ['IPv6'] }), [pod])).toEqual([]);
  });
});

test('a headless service’s are marked, and rest when nothing has changed but a version', () => {
  const service = buildService({ clusterIP: 'None' });
  const pods = [serving('a', '10.0.0.1')];
  const draft = planEndpoints({ service, pods, current: undefined, triggeredAt: undefined });
  expect(draft?.metadata?.labels).toEqual({
    'service.kubernetes.io/headless': '',
    'endpoints.kubernetes.io/managed-by': 'endpoint-controller',
  });
  const current = structuredClone(draft) as Endpoints;
  current.subsets![0]!.addresses![0]!.targetRef!.resourceVersion = '7';
  expect(planEndpoints({ service, pods, current, triggeredAt: 'x' })).toBeUndefined();
});

const addresses = (from: number, count: number): coreV1.EndpointAddress[] =>
  Array.from({ length: count }, (_, i) => ({ ip: `10.0.${(from + i) >> 8}.${(from + i) & 255}` }));

test('more than a thousand are cut off, which shows, until they are fewer', () => {
  const service = buildService();
  const pods = Array.from({ length: 1001 }, (_, i) => serving(`p${i}`, `10.0.${i >> 8}.${i & 255}`));
  const view = { service, current: undefined, triggeredAt: undefined };
  const draft = planEndpoints({ ...view, pods }) as Endpoints;
  expect(draft.subsets?.[0]?.addresses).toHaveLength(1000);
  expect(draft.metadata.annotations).toEqual({ 'endpoints.kubernetes.io/over-capacity': 'truncated' });
  expect(planEndpoints({ ...view, pods, current: draft })).toBeUndefined();
  const fewer = planEndpoints({ ...view, pods: pods.slice(0, 1000), current: draft });
  expect(fewer?.metadata?.annotations).toEqual({});
});

test('cutting keeps ready ones before others, and fills the room there is', () => {
  const size = fc.nat(900);
  fc.assert(
    fc.property(fc.array(fc.tuple(size, size), { maxLength: 5 }), (sizes) => {
      let from = 0;
      const next = (count: number) => addresses((from += count) - count, count);
      const subsets = sizes.map(([ready, not]) => ({
        ...(ready > 0 && { addresses: next(ready) }),
        ...(not > 0 && { notReadyAddresses: next(not) }),
      }));
      const count = (list: readonly coreV1.EndpointSubset[], of: 'addresses' | 'notReadyAddresses') =>
        list.reduce((sum, s) => sum + (s[of]?.length ?? 0), 0);
      const [ready, not] = [count(subsets, 'addresses'), count(subsets, 'notReadyAddresses')];
      const got = truncate(subsets);
      expect(count(got, 'addresses')).toBe(Math.min(ready, maxAddresses));
      expect(count(got, 'notReadyAddresses')).toBe(Math.min(not, Math.max(0, maxAddresses - ready)));
    }),
  );
});
