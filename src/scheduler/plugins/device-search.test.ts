// Which devices claims get, by table.
import { describe, expect, it } from 'vitest';
import type { resourceV1 } from '../../api/index.ts';
import { buildRequest, buildSlice } from '../../testkit/index.ts';
import { allocationOf } from './device-allocation.ts';
import type { WantedClaim } from './device-search.ts';
import { cel, find, got, numa, type Setting, sized, sizes, wanted } from './testdata/device-claims.ts';

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
