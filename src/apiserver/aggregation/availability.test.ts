import { describe, expect, test } from 'vitest';
import type { APIService, EndpointSlice, Service } from '../../api/index.ts';
import { type Behind, local, passed, planAvailability, planStatus } from './availability.ts';

const spec = {
  service: { name: 'w', namespace: 'n', port: 443 },
  group: 'g',
  version: 'v1',
} as APIService['spec'];
const service = (more: object = {}): Service =>
  ({ spec: { type: 'ClusterIP', ports: [{ name: 'https', port: 443 }], ...more } }) as Service;
const slice = (
  portName: string | undefined,
  endpoints: readonly object[] = [{ addresses: ['10.0.0.1'] }],
): EndpointSlice =>
  ({
    ports: [{ ...(portName !== undefined && { name: portName }), port: 6443 }],
    endpoints,
  }) as EndpointSlice;

describe('what the objects tell', () => {
  test.each<[string, Partial<Behind>, readonly [string, string, string] | undefined]>([
    ['no service', { service: undefined }, ['False', 'ServiceNotFound', 'service/w in "n" is not present']],
    [
      'a service that cannot be read',
      { service: new Error('no') },
      ['Unknown', 'ServiceAccessError', 'service/w in "n" cannot be checked due to: no'],
    ],
    ['a service elsewhere', { service: service({ type: 'ExternalName' }), slices: [] }, undefined],
    [
      'another port',
      { service: service({ ports: [{ port: 80 }] }) },
      ['False', 'ServicePortError', 'service/w in "n" is not listening on port 443'],
    ],
    [
      'no slices',
      { slices: [] },
      ['False', 'EndpointsNotFound', 'cannot find endpointslices for service/w in "n"'],
    ],
    [
      'slices that cannot be read',
      { slices: new Error('no') },
      ['Unknown', 'EndpointsAccessError', 'service/w in "n" cannot be checked due to: no'],
    ],
    [
      'slices of another port',
      { slices: [slice('http')] },
      [
        'False',
        'MissingEndpoints',
        'endpointslices for service/w in "n" have no addresses with port name "https"',
      ],
    ],
    [
      'nobody ready',
      {
        slices: [
          slice('https', [{ addresses: ['10.0.0.1'], conditions: { ready: false } }]),
          slice('https', []),
        ],
      },
      [
        'False',
        'MissingEndpoints',
        'endpointslices for service/w in "n" have no addresses with port name "https"',
      ],
    ],
    ['somebody ready', {}, undefined],
    [
      'a port without a name',
      { service: service({ ports: [{ port: 443 }] }), slices: [slice(undefined)] },
      undefined,
    ],
  ])('%s', (_, behind, wanted) => {
    const found = planAvailability(spec, { service: service(), slices: [slice('https')], ...behind });
    expect(found && [found.status, found.reason, found.message]).toEqual(wanted);
  });

  test('without a service this server answers', () => {
    expect(planAvailability({ group: 'g' } as APIService['spec'], { service: undefined, slices: [] })).toBe(
      local,
    );
  });
});

describe('the status', () => {
  const at = Date.parse('2026-01-02T00:00:00Z');
  const written = (status: APIService['status'] | undefined, wanted = passed, nowMs = at) =>
    planStatus({ status } as APIService, wanted, nowMs);

  test('is written when it is another, and dated when it turns', () => {
    const first = written(undefined);
    expect(first?.conditions).toEqual([
      {
        type: 'Available',
        status: 'True',
        reason: 'Passed',
        message: 'all checks passed',
        lastTransitionTime: '2026-01-02T00:00:00Z',
      },
    ]);
    expect(written(first, passed, at + 1000)).toBeUndefined();
    const other = { type: 'Other', status: 'True' };
    const then = written({ conditions: [...first!.conditions!, other] }, local, at + 1000);
    expect(then?.conditions).toMatchObject([
      other,
      { reason: 'Local', lastTransitionTime: '2026-01-02T00:00:00Z' },
    ]);
    const off = written(first, { ...passed, status: 'False' }, at + 1000);
    expect(off?.conditions?.[0]?.lastTransitionTime).toBe('2026-01-02T00:00:01Z');
  });
});
