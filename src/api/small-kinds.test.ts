// Cases of the kinds that have few rules.
import { describe, expect, it } from 'vitest';
import { complaints, created, updated } from '../testkit/index.ts';
import { Lease } from './coordination/v1/lease.ts';
import { EndpointSlice } from './discovery/v1/endpoint-slice.ts';
import { PriorityClass } from './scheduling/v1/priority-class.ts';

describe('EndpointSlice', () => {
  const slice = (body: object = {}) =>
    created(EndpointSlice, {
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.0.0.1'] }],
      ports: [{ port: 80 }],
      ...body,
    });

  it('has the defaults of Kubernetes', () => {
    expect(slice().ports).toEqual([{ name: '', protocol: 'TCP', port: 80 }]);
    expect(
      slice({ endpoints: [{ addresses: ['10.0.0.1'], deprecatedTopology: { a: 'b' } }] }).endpoints?.[0],
    ).toEqual({
      addresses: ['10.0.0.1'],
      conditions: {},
    });
  });
  it.each([
    [{}, []],
    [{ addressType: '' }, ['addressType: Required value']],
    [{ endpoints: [{}] }, ['endpoints[0].addresses: Required value: must contain at least 1 address']],
    [
      { endpoints: [{ addresses: ['::1'] }] },
      [
        'endpoints[0].addresses[0]: Invalid value: "::1": must be a valid IPv4 address',
        'endpoints[0].addresses[0]: Invalid value: "::1": may not be in the loopback range (127.0.0.0/8, ::1/128)',
      ],
    ],
    [
      { addressType: 'FQDN', endpoints: [{ addresses: ['a.example.com.', 'host'] }] },
      [
        'endpoints[0].addresses[1]: Invalid value: "host": should be a domain with at least two segments separated by dots',
      ],
    ],
    [
      { addressType: 'FQDN', endpoints: [{ addresses: [''] }] },
      ['endpoints[0].addresses[0]: Required value'],
    ],
    [
      { ports: [{ name: 'a' }, { name: 'a', protocol: 'X' }] },
      [
        'ports[1].name: Duplicate value: "a"',
        'ports[1].protocol: Unsupported value: "X": supported values: "SCTP", "TCP", "UDP"',
      ],
    ],
    [
      { endpoints: Array.from({ length: 1001 }, () => ({ addresses: ['10.0.0.1'] })) },
      ['endpoints: Too many: 1001: must have at most 1000 items'],
    ],
    [
      { endpoints: [{ addresses: ['10.0.0.1'], hints: { forZones: [{ name: 'z' }, { name: 'z' }] } }] },
      ['endpoints[0].hints.forZones[1].name: Duplicate value: "z"'],
    ],
  ])('rules %#', (body, wanted) => expect(complaints(EndpointSlice, slice(body))).toEqual(wanted));

  it('does not tell no endpoints from none given', () =>
    expect(slice({ endpoints: [], ports: [] })).toMatchObject({ endpoints: null, ports: null }));

  it('keeps its address type and counts labels as desired state', () => {
    const old = slice();
    old.metadata.generation = 1;
    const next = updated(EndpointSlice, old, { metadata: { labels: { a: 'b' } }, addressType: 'IPv6' });
    expect(next.metadata.generation).toBe(2);
    expect(complaints(EndpointSlice, next, old)).toEqual([
      'addressType: Invalid value: "IPv6": field is immutable',
    ]);
  });
  it('shows itself and is found by its service', () => {
    const shown = slice({ metadata: { labels: { 'kubernetes.io/service-name': 'web' } } });
    expect(EndpointSlice.columns.map((c) => c.cell(shown, { nowMs: 0 }))).toEqual([
      'a',
      'IPv4',
      '80',
      '10.0.0.1',
      '<unknown>',
    ]);
    expect(EndpointSlice.indexes['byService']!(shown)).toEqual(['b/web']);
    expect(EndpointSlice.columns[3]!.cell({ ...shown, endpoints: [] }, { nowMs: 0 })).toBe('<unset>');
  });
});

it.each([
  [{ leaseDurationSeconds: 15, leaseTransitions: 0 }, []],
  [
    { leaseDurationSeconds: 0, leaseTransitions: -1 },
    [
      'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
      'spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0',
    ],
  ],
  [
    // Coordinated leader election is off by default: what it needs is dropped before the rules.
    { preferredHolder: 'x', strategy: 'Eldest' },
    [],
  ],
])('Lease %j', (spec, wanted) => expect(complaints(Lease, created(Lease, { spec }))).toEqual(wanted));

it('a Lease is not coordinated, unless it was before', () => {
  const coordinated = { strategy: 'OldestEmulationVersion', preferredHolder: 'x' };
  expect(created(Lease, { spec: coordinated }).spec).toEqual({});
  const [old, wanted] = [created(Lease, {}), created(Lease, {})];
  wanted.spec = { ...coordinated };
  Lease.prepareUpdate?.(wanted, { ...old, spec: { strategy: 'example.com/x' } }, { nowMs: 0 });
  expect(wanted.spec).toEqual({ strategy: 'OldestEmulationVersion' });
});

describe('PriorityClass', () => {
  it.each([
    ['a', { value: 1 }, []],
    [
      'a',
      { value: 2_000_000_000 },
      ['value: Forbidden: maximum allowed value of a user defined priority is 1000000000'],
    ],
    ['system-node-critical', { value: 2_000_001_000 }, []],
    [
      'system-mine',
      { value: 1 },
      [
        "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class",
      ],
    ],
    [
      'a',
      { preemptionPolicy: 'Maybe' },
      ['preemptionPolicy: Unsupported value: "Maybe": supported values: "PreemptLowerPriority", "Never"'],
    ],
  ])('%s %j', (name, body, wanted) =>
    expect(complaints(PriorityClass, created(PriorityClass, { metadata: { name }, ...body }))).toEqual(
      wanted,
    ),
  );
  it('keeps its value', () => {
    const old = created(PriorityClass, { value: 1 });
    expect(old).toMatchObject({ metadata: { generation: 1 }, preemptionPolicy: 'PreemptLowerPriority' });
    expect(complaints(PriorityClass, updated(PriorityClass, old, { value: 2 }), old)).toEqual([
      'value: Invalid value: 2: field is immutable',
    ]);
  });
});
