import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EndpointSlice, Endpoints } from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { type MirrorPlan, maxPerSubset, planMirror } from './plan.ts';

const endpoints = (subsets: Endpoints['subsets'], metadata: object = {}): Endpoints => ({
  apiVersion: 'v1',
  kind: 'Endpoints',
  metadata: {
    name: 'db',
    namespace: 'default',
    uid: 'u',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...metadata,
  },
  subsets,
});
const sql = { name: 'sql', port: 5432, protocol: 'TCP' };

let made = 0;
function apply(slices: readonly EndpointSlice[], { create, update, remove }: MirrorPlan): EndpointSlice[] {
  const born = (draft: Draft<EndpointSlice>): EndpointSlice => {
    const name = `db-${made++}`;
    const creationTimestamp = '2026-01-01T00:00:00Z';
    const metadata = { ...draft.metadata, name, uid: `uid-${name}`, resourceVersion: '1', creationTimestamp };
    return { ...draft, apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata };
  };
  const changed = new Map(update.map((slice) => [slice.metadata.uid, slice]));
  return [
    ...slices.filter((s) => !remove.includes(s)).map((s) => changed.get(s.metadata.uid) ?? s),
    ...create.map(born),
  ];
}

test('a mirror in full', () => {
  const source = endpoints(
    [
      {
        addresses: [{ ip: '192.0.2.1', hostname: 'h', nodeName: 'n' }],
        notReadyAddresses: [{ ip: '192.0.2.2' }],
        ports: [sql],
      },
    ],
    {
      labels: { team: 'x' },
      annotations: {
        note: 'y',
        'endpoints.kubernetes.io/last-change-trigger-time': 't',
        'kubectl.kubernetes.io/last-applied-configuration': '{}',
      },
    },
  );
  expect(planMirror(source, []).create).toEqual([
    {
      metadata: {
        generateName: 'db-',
        namespace: 'default',
        labels: {
          team: 'x',
          'kubernetes.io/service-name': 'db',
          'endpointslice.kubernetes.io/managed-by': 'endpointslicemirroring-controller.k8s.io',
        },
        annotations: { note: 'y' },
        ownerReferences: [
          {
            apiVersion: 'v1',
            kind: 'Endpoints',
            name: 'db',
            uid: 'u',
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      addressType: 'IPv4',
      endpoints: [
        { addresses: ['192.0.2.1'], conditions: { ready: true }, hostname: 'h', nodeName: 'n' },
        { addresses: ['192.0.2.2'], conditions: { ready: false } },
      ],
      ports: [sql],
    },
  ]);
});

describe('slices', () => {
  test('one for each family', () => {
    const source = endpoints([{ addresses: [{ ip: '192.0.2.1' }, { ip: 'fd00::1' }], ports: [sql] }]);
    expect(planMirror(source, []).create.map((s) => s.addressType)).toEqual(['IPv4', 'IPv6']);
  });

  test('one that is no longer needed is used again', () => {
    const before = apply([], planMirror(endpoints([{ addresses: [{ ip: '192.0.2.1' }], ports: [sql] }]), []));
    const other = endpoints([{ addresses: [{ ip: '192.0.2.1' }], ports: [{ ...sql, port: 1 }] }]);
    const { create, update, remove } = planMirror(other, before);
    expect([create, remove]).toEqual([[], []]);
    expect(update).toMatchObject([
      { metadata: { uid: before[0]!.metadata.uid }, ports: [{ name: 'sql', port: 1, protocol: 'TCP' }] },
    ]);
  });

  test('all go with their source', () => {
    const slices = apply([], planMirror(endpoints([{ addresses: [{ ip: '192.0.2.1' }], ports: [sql] }]), []));
    expect(planMirror(undefined, slices).remove).toEqual(slices);
    expect(planMirror(endpoints([]), slices).remove).toEqual(slices);
  });
});

test('addresses beyond a thousand, and such as are none, are counted', () => {
  const many = Array.from({ length: 1005 }, (_, i) => ({ ip: `10.0.${i >> 8}.${i & 255}` }));
  const plan = planMirror(endpoints([{ addresses: [{ ip: 'nonsense' }, ...many], ports: [sql] }]), []);
  expect([plan.invalid, plan.skipped]).toEqual([1, 5]);
  expect(plan.create[0]?.endpoints).toHaveLength(maxPerSubset);
});

test('whatever comes, the mirror shows it, with one slice for ports and family, and rests', () => {
  const ip = fc.integer({ min: 1, max: 40 }).map((n) => (n > 20 ? `fd00::${n}` : `10.0.0.${n}`));
  const subset = fc
    .record({ port: fc.constantFrom(1, 2, 3), ips: fc.uniqueArray(ip, { minLength: 1, maxLength: 6 }) })
    .map(({ port, ips }) => ({ addresses: ips.map((one) => ({ ip: one })), ports: [{ ...sql, port }] }));
  fc.assert(
    fc.property(fc.array(fc.array(subset, { maxLength: 4 }), { minLength: 1, maxLength: 5 }), (turns) => {
      let slices: EndpointSlice[] = [];
      for (const subsets of turns) {
        const source = endpoints(subsets);
        slices = apply(slices, planMirror(source, slices));
        const shown = slices.flatMap((s) =>
          (s.endpoints ?? []).map((e) => `${e.addresses[0]} ${s.ports?.[0]?.port}`),
        );
        const wanted = subsets.flatMap((s) => s.addresses.map((a) => `${a.ip} ${s.ports[0]?.port}`));
        expect(shown.sort()).toEqual([...new Set(wanted)].sort());
        const groups = slices.map((s) => `${s.addressType} ${s.ports?.[0]?.port}`);
        expect(new Set(groups).size).toBe(groups.length);
        const again = planMirror(source, slices);
        expect([again.create, again.update, again.remove]).toEqual([[], [], []]);
      }
    }),
  );
});
