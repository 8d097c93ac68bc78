// Which devices claims get: by table, and against a search that tries everything in turn.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ResourceSlice, resourceV1 } from '../../api/index.ts';
import { buildDeviceClaim, buildDeviceClass, buildRequest, buildSlice } from '../../testkit/index.ts';
import { allocationOf } from './device-allocation.ts';
import { attributeOf, sameValue } from './device-attributes.ts';
import { DevicePools } from './device-pools.ts';
import { findDevices, SearchBudget, type Wanted, type WantedClaim } from './device-search.ts';

const classes = new Map(
  [
    buildDeviceClass('gpu'),
    buildDeviceClass('big', {
      selectors: [{ cel: { expression: 'device.attributes["gpu.example.com"].size > 1' } }],
      config: [{ opaque: { driver: 'gpu.example.com', parameters: { mode: 'big' } } }],
    }),
  ].map((one) => [one.metadata.name, one]),
);

function wanted(name: string, devices: resourceV1.DeviceClaim): WantedClaim {
  const claim = buildDeviceClaim(name, { devices });
  const requests = (devices.requests ?? []).map(({ name: request, exactly, firstAvailable }) =>
    (exactly === undefined ? firstAvailable! : [exactly]).map(
      (given): Wanted => ({
        name: 'name' in given ? `${request}/${given.name}` : request,
        request,
        deviceClass: classes.get(given.deviceClassName)!,
        given,
        adminAccess: 'adminAccess' in given && given.adminAccess === true,
      }),
    ),
  );
  return { claim, requests };
}

const sized = (name: string, size: number, numa = 0): resourceV1.Device => ({
  name,
  attributes: { size: { int: size }, numa: { int: numa } },
});

function poolsOf(slices: readonly ResourceSlice[]): DevicePools {
  const pools = new DevicePools();
  for (const slice of slices) pools.set(slice, undefined);
  return pools;
}

interface Setting {
  readonly slices?: readonly ResourceSlice[];
  readonly taken?: readonly string[];
  readonly node?: string;
  readonly labels?: Record<string, string>;
  readonly steps?: number;
}

function find(claims: readonly WantedClaim[], setting: Setting = {}) {
  const {
    slices = [buildSlice('s', ['a', 'b', 'c'])],
    taken = [],
    node = 'n1',
    labels,
    steps = 10_000,
  } = setting;
  return findDevices({
    claims,
    pools: poolsOf(slices).on({ name: node, labels }),
    isTaken: (id) => taken.some((name) => id === `gpu.example.com/pool/${name}`),
    budget: new SearchBudget(steps),
  });
}

/** `request=device …` for each claim, or what is said instead. */
function got(claims: readonly WantedClaim[], setting: Setting = {}): readonly string[] | string | undefined {
  try {
    return find(claims, setting)?.map((chosen) =>
      chosen.map(({ wanted: { name }, offered }) => `${name}=${offered.device.name}`).join(' '),
    );
  } catch (error) {
    return (error as Error).message;
  }
}

const cel = (expression: string) => ({ selectors: [{ cel: { expression } }] });
const sizes = [buildSlice('s', [sized('a', 1), sized('b', 2), sized('c', 2, 1), sized('d', 3, 1)])];
const numa = 'gpu.example.com/numa';

describe('claims', () => {
  const one = (devices: resourceV1.DeviceClaim) => [wanted('c', devices)];
  const ask = (...requests: resourceV1.DeviceRequest[]) => one({ requests });
  const inParts = (generation: number, resourceSliceCount: number) => ({
    pool: { name: 'pool', generation, resourceSliceCount },
  });
  const everywhere = { allNodes: true };

  it.each<[string, readonly WantedClaim[], Setting, ReturnType<typeof got>]>([
    ['get the first device that is free', ask(buildRequest()), { taken: ['a'] }, ['r=b']],
    ['get as many as they ask for', ask(buildRequest('r', { count: 2 })), {}, ['r=a r=b']],
    ['get nothing when there are too few', ask(buildRequest('r', { count: 4 })), {}, undefined],
    ['share no device among requests', ask(buildRequest('x'), buildRequest('y')), {}, ['x=a y=b']],
    [
      'share no device among themselves',
      [...ask(buildRequest()), wanted('d', { requests: [buildRequest()] })],
      {},
      ['r=a', 'r=b'],
    ],
    [
      'get what their class takes',
      ask(buildRequest('r', { deviceClassName: 'big' })),
      { slices: sizes },
      ['r=b'],
    ],
    [
      'get what they select',
      ask(buildRequest('r', cel('device.attributes["gpu.example.com"].numa == 1'))),
      { slices: sizes },
      ['r=c'],
    ],
    [
      'move on when the first choice leaves nothing for the next',
      ask(buildRequest('x'), buildRequest('y', cel('device.attributes["gpu.example.com"].size == 1'))),
      { slices: sizes },
      ['x=b y=a'],
    ],
    [
      'get devices that are alike',
      one({ requests: [buildRequest('r', { count: 2 })], constraints: [{ matchAttribute: numa }] }),
      { slices: sizes, taken: ['b'] },
      ['r=c r=d'],
    ],
    [
      'get devices that are alike where it is asked for',
      one({
        requests: [buildRequest('x'), buildRequest('y'), buildRequest('z')],
        constraints: [{ matchAttribute: numa, requests: ['y', 'z'] }],
      }),
      { slices: sizes },
      ['x=a y=c z=d'],
    ],
    [
      'get no devices that do not say whether they are alike',
      one({ requests: [buildRequest()], constraints: [{ matchAttribute: 'other.example.com/numa' }] }),
      { slices: sizes },
      undefined,
    ],
    [
      'get the best alternative that there is',
      ask({
        name: 'r',
        firstAvailable: [
          { name: 'four', deviceClassName: 'gpu', count: 4 },
          { name: 'big', deviceClassName: 'big', count: 2 },
          { name: 'any', deviceClassName: 'gpu', count: 1 },
        ],
      }),
      { slices: sizes, taken: ['a'] },
      ['r/big=b r/big=c'],
    ],
    [
      'get all that match',
      ask(buildRequest('r', { deviceClassName: 'big', allocationMode: 'All' })),
      { slices: sizes },
      ['r=b r=c r=d'],
    ],
    ['get all or nothing', ask(buildRequest('r', { allocationMode: 'All' })), { taken: ['b'] }, undefined],
    [
      'get nothing when all is none',
      ask(buildRequest('r', { allocationMode: 'All', ...cel('false') })),
      {},
      undefined,
    ],
    [
      'get all to administer, whoever has them',
      ask(buildRequest('r', { allocationMode: 'All', adminAccess: true })),
      { taken: ['b'] },
      ['r=a r=b r=c'],
    ],
    [
      'do not administer what they get themselves',
      ask(buildRequest('x'), buildRequest('y', { adminAccess: true, count: 3 })),
      { taken: ['b', 'c'] },
      undefined,
    ],
    [
      'get nothing of a pool that is not whole',
      ask(buildRequest()),
      { slices: [buildSlice('s', ['a'], inParts(1, 2))] },
      undefined,
    ],
    [
      'get all of no pool that is not whole',
      ask(buildRequest('r', { allocationMode: 'All' })),
      { slices: [buildSlice('s', ['a'], inParts(1, 2))] },
      'claim default/c, request r: asks for all devices, but resource pool gpu.example.com/pool is currently being updated',
    ],
    [
      'get devices of the newest generation alone',
      ask(buildRequest()),
      { slices: [buildSlice('s1', ['a'], inParts(1, 1)), buildSlice('s2', ['z'], inParts(2, 1))] },
      ['r=z'],
    ],
    [
      'get nothing of a pool that names a device twice',
      ask(buildRequest()),
      { slices: [buildSlice('s1', ['a'], inParts(1, 2)), buildSlice('s2', ['a'], inParts(1, 2))] },
      undefined,
    ],
    [
      'get devices of a pool of which a part is elsewhere',
      ask(buildRequest()),
      {
        slices: [
          buildSlice('s1', ['a'], { ...inParts(1, 2), nodeName: 'n2' }),
          buildSlice('s2', ['b'], inParts(1, 2)),
        ],
      },
      ['r=b'],
    ],
    ['get nothing of another node', ask(buildRequest()), { node: 'n2' }, undefined],
    [
      'get what all nodes reach',
      ask(buildRequest()),
      { node: 'n2', slices: [buildSlice('s', ['a'], everywhere)] },
      ['r=a'],
    ],
    [
      'get what labelled nodes reach',
      ask(buildRequest()),
      {
        labels: { rack: '1' },
        slices: [
          buildSlice('s', ['a'], {
            nodeSelector: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'rack', operator: 'In', values: ['1'] }] }],
            },
          }),
        ],
      },
      ['r=a'],
    ],
    [
      'get what its devices say of nodes',
      ask(buildRequest('r', { allocationMode: 'All' })),
      {
        slices: [
          buildSlice(
            's',
            [
              { name: 'a', nodeName: 'n2' },
              { name: 'b', nodeName: 'n1' },
              { name: 'c', allNodes: true },
            ],
            {
              perDeviceNodeSelection: true,
            },
          ),
        ],
      },
      ['r=b r=c'],
    ],
    [
      'get nothing that depends on conditions or counters',
      ask(buildRequest()),
      {
        slices: [
          buildSlice('s', [
            { name: 'a', bindingConditions: ['x'] },
            { name: 'b', consumesCounters: [{ counterSet: 's', counters: {} }] },
          ]),
        ],
      },
      undefined,
    ],
    [
      'hear of a selector that fails',
      ask(buildRequest('r', cel('device.attributes["gpu.example.com"].color == "red"'))),
      {},
      'claim default/c: selector #0 on device gpu.example.com/pool/a: CEL runtime error: no such key: color',
    ],
    [
      'hear of a class that fails',
      ask(buildRequest('r', { deviceClassName: 'big' })),
      {},
      'class big: selector #0 on device gpu.example.com/pool/a: CEL runtime error: no such key: size',
    ],
    [
      'hear that it is too much',
      ask(buildRequest('x', { count: 20 }), buildRequest('y', { count: 13 })),
      {},
      'claim default/c: number of requested devices 33 exceeds the claim limit of 32',
    ],
    [
      'hear that it takes too long',
      one({ requests: [buildRequest('r', { count: 20 })], constraints: [{ matchAttribute: numa }] }),
      {
        slices: [
          buildSlice(
            's',
            Array.from({ length: 40 }, (_, i) => sized(`d${i}`, 1, Math.floor(i / 19))),
          ),
        ],
      },
      'timed out trying to allocate devices',
    ],
  ])('%s', (_, claims, setting, expected) => expect(got(claims, setting)).toEqual(expected));
});

describe('what is written', () => {
  it('names devices, configuration and nodes', () => {
    const opaque = { driver: 'gpu.example.com', parameters: { share: true } };
    const claim = wanted('c', {
      requests: [
        buildRequest('x', { deviceClassName: 'big' }),
        { name: 'y', firstAvailable: [{ name: 'one', deviceClassName: 'gpu', count: 1 }] },
        buildRequest('z', { adminAccess: true }),
      ],
      config: [{ opaque }, { requests: ['y/one'], opaque }, { requests: ['x', 'y', 'z'], opaque }],
    });
    const [chosen] = find([claim], { slices: sizes })!;
    expect(allocationOf(claim.claim, chosen!)).toEqual({
      devices: {
        results: [
          { request: 'x', driver: 'gpu.example.com', pool: 'pool', device: 'b' },
          { request: 'y/one', driver: 'gpu.example.com', pool: 'pool', device: 'a' },
          { request: 'z', driver: 'gpu.example.com', pool: 'pool', device: 'c', adminAccess: true },
        ],
        config: [
          {
            source: 'FromClass',
            requests: ['x'],
            opaque: { driver: 'gpu.example.com', parameters: { mode: 'big' } },
          },
          { source: 'FromClaim', opaque },
          { source: 'FromClaim', requests: ['y/one'], opaque },
          { source: 'FromClaim', opaque },
        ],
      },
      nodeSelector: {
        nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['n1'] }] }],
      },
    });
  });

  it.each<[string, Partial<resourceV1.ResourceSliceSpec>, resourceV1.AllocationResult['nodeSelector']]>([
    ['everywhere', { allNodes: true }, undefined],
    [
      'on some nodes',
      { nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'rack', operator: 'Exists' }] }] } },
      { nodeSelectorTerms: [{ matchExpressions: [{ key: 'rack', operator: 'Exists' }] }] },
    ],
  ])('for devices that are %s', (_, spec, expected) => {
    const claim = wanted('c', { requests: [buildRequest('r', { count: 2 })] });
    const [chosen] = find([claim], { labels: { rack: '1' }, slices: [buildSlice('s', ['a', 'b'], spec)] })!;
    expect(allocationOf(claim.claim, chosen!).nodeSelector).toEqual(expected);
  });
});

/** Tries every device for every place, in turn. */
function reference(claims: readonly WantedClaim[], slice: ResourceSlice, taken: readonly string[]) {
  const devices = poolsOf([slice]).on({ name: 'n1' })[0]!.devices;
  type Pick = { claim: number; wanted: Wanted; device: (typeof devices)[number] };
  const places = (c: number, r: number): readonly (readonly [number, number])[] =>
    c >= claims.length
      ? []
      : r >= claims[c]!.requests.length
        ? places(c + 1, 0)
        : [[c, r], ...places(c, r + 1)];
  const holds = (picks: readonly Pick[]): boolean =>
    claims.every(({ claim }, c) =>
      (claim.spec.devices?.constraints ?? []).every(({ matchAttribute, requests = [] }) => {
        const of = picks.filter(
          ({ claim: at, wanted: w }) =>
            at === c && (requests.length === 0 || requests.includes(w.request) || requests.includes(w.name)),
        );
        const values = of.map(({ device }) => attributeOf(device, matchAttribute!));
        return values.every((v) => v !== undefined && sameValue(values[0]!, v));
      }),
    );
  const solve = (
    left: readonly (readonly [number, number])[],
    picks: readonly Pick[],
  ): readonly Pick[] | undefined => {
    if (!holds(picks)) return undefined;
    const [place, ...rest] = left;
    if (place === undefined) return picks;
    const [c, r] = place;
    for (const w of claims[c]!.requests[r]!) {
      const matching = devices.filter(({ answers }) =>
        [...(w.deviceClass.spec.selectors ?? []), ...(w.given.selectors ?? [])].every((s) =>
          answers.isSelectedBy(s.cel!.expression),
        ),
      );
      const free = (device: Pick['device'], so: readonly Pick[]) =>
        w.adminAccess
          ? !so.some((p) => p.claim === c && p.device === device)
          : !taken.includes(device.device.name) && !so.some((p) => p.device === device);
      const many = (n: number, so: readonly Pick[]): readonly Pick[] | undefined => {
        if (!holds(so)) return undefined;
        if (n === 0) return solve(rest, so);
        for (const device of matching) {
          if (!free(device, so)) continue;
          const found = many(n - 1, [...so, { claim: c, wanted: w, device }]);
          if (found !== undefined) return found;
        }
        return undefined;
      };
      const all = w.given.allocationMode === 'All';
      if (all && (matching.length === 0 || matching.some((d) => !free(d, picks)))) continue;
      const found = all
        ? solve(rest, [...picks, ...matching.map((device) => ({ claim: c, wanted: w, device }))])
        : many(w.given.count ?? 1, picks);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return solve(places(0, 0), []);
}

describe('any small case', () => {
  const given = fc.record({
    deviceClassName: fc.constantFrom('gpu', 'gpu', 'big'),
    allocationMode: fc.constantFrom('ExactCount', 'ExactCount', 'ExactCount', 'All'),
    count: fc.integer({ min: 1, max: 3 }),
    selectors: fc.constantFrom([], cel('device.attributes["gpu.example.com"].numa == 1').selectors),
  });
  const request = (name: string): fc.Arbitrary<resourceV1.DeviceRequest> =>
    fc.oneof(
      fc
        .tuple(given, fc.boolean())
        .map(([exactly, adminAccess]) => ({ name, exactly: { ...exactly, adminAccess } })),
      fc.tuple(given, given).map(([a, b]) => ({
        name,
        firstAvailable: [
          { ...a, name: 'a' },
          { ...b, name: 'b' },
        ],
      })),
    );
  const constraints = fc.constantFrom<resourceV1.DeviceConstraint[]>(
    [],
    [{ matchAttribute: numa }],
    [
      { matchAttribute: numa, requests: ['x'] },
      { matchAttribute: 'gpu.example.com/size', requests: ['y/a', 'x'] },
    ],
  );
  const claim = fc.record({
    requests: fc.oneof(fc.tuple(request('x')), fc.tuple(request('x'), request('y'))),
    constraints,
  });
  const device = fc.record({
    size: fc.integer({ min: 1, max: 2 }),
    numa: fc.integer({ min: 0, max: 1 }),
    taken: fc.boolean(),
  });

  it('comes to what trying everything in turn comes to', () => {
    fc.assert(
      fc.property(
        fc.array(claim, { minLength: 1, maxLength: 2 }),
        fc.array(device, { minLength: 1, maxLength: 5 }),
        (asked, have) => {
          const claims = asked.map((one, i) => wanted(`c${i}`, one));
          const slice = buildSlice(
            's',
            have.map((one, i) => sized(`d${i}`, one.size, one.numa)),
          );
          const taken = have.flatMap((one, i) => (one.taken ? [`d${i}`] : []));
          const expected = reference(claims, slice, taken);
          const found = find(claims, { slices: [slice], taken, steps: 1_000_000 });
          const shown = expected?.map((p) => `${p.claim} ${p.wanted.name}=${p.device.device.name}`);
          expect(
            found?.flatMap((chosen, c) =>
              chosen.map((one) => `${c} ${one.wanted.name}=${one.offered.device.name}`),
            ),
          ).toEqual(shown);
        },
      ),
      { numRuns: 400 },
    );
  });
});
