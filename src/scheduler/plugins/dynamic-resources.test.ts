// DynamicResources: what it says of a pod and a node, what it gives and takes back, what it writes, and what wakes a pod.
import { describe, expect, it } from 'vitest';
import { type Pod, ResourceClaim, type ResourceSlice, type resourceV1 } from '../../api/index.ts';
import { seededRandom } from '../../base/index.ts';
import { createClient } from '../../client/index.ts';
import { controllerRef, type Draft, type KubeObject } from '../../machinery/index.ts';
import {
  buildDeviceClaim,
  buildDeviceClass,
  buildNode,
  buildPod,
  buildRequest,
  buildSlice,
  FakeTransport,
  PluginFixture,
  refusalsOf,
} from '../../testkit/index.ts';
import { Cycle } from '../cycle.ts';
import { NodeInfo } from '../node-info.ts';
import { type Plugin, PodRefusal } from '../plugin.ts';
import { podInfo } from '../pod-info.ts';
import { dynamicResources } from './dynamic-resources.ts';

const node = (name = 'n1', labels: Record<string, string> = {}) => new NodeInfo(buildNode(name, { labels }));
const podWith = (...claims: string[]) =>
  buildPod('p', { spec: { resourceClaims: claims.map((name) => ({ name, resourceClaimName: name })) } });
const ofTemplate = (status?: Pod['status']): Pod => ({
  ...buildPod('p', { spec: { resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 't' }] } }),
  ...(status !== undefined && { status }),
});
const noted = (resourceClaimName?: string) =>
  ofTemplate({ resourceClaimStatuses: [{ name: 'gpu', resourceClaimName }] });

const on = (name: string): resourceV1.AllocationResult['nodeSelector'] => ({
  nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [name] }] }],
});
const allocated = (
  device: string,
  more: Partial<resourceV1.AllocationResult> = {},
): resourceV1.AllocationResult => ({
  devices: { results: [{ request: 'r', driver: 'gpu.example.com', pool: 'pool', device }] },
  ...more,
});
const user = (uid: string): resourceV1.ResourceClaimConsumerReference => ({
  resource: 'pods',
  name: uid,
  uid,
});

const gpu = buildDeviceClass('gpu');
const slice = buildSlice('s', ['a', 'b']);
const build = (objects: readonly KubeObject[], client?: ReturnType<typeof createClient>) => {
  const fixture = new PluginFixture(objects, client);
  return { fixture, plugin: dynamicResources.build(fixture.context, undefined) };
};
const says = (pod: Pod, objects: readonly KubeObject[], of = node()) =>
  refusalsOf(build([gpu, slice, ...objects]).plugin, podInfo(pod), of);

const c = buildDeviceClaim('c');
const going = { deletionTimestamp: '2026-01-01T00:00:00Z' };
const has = (status: resourceV1.ResourceClaimStatus, name = 'c') => buildDeviceClaim(name, { status });
const here = allocated('a', { nodeSelector: on('n1') });

describe('a pod', () => {
  it.each<[string, Pod, readonly KubeObject[], ReturnType<typeof says>]>([
    ['without claims does not matter', buildPod('p'), [], undefined],
    ['whose claim was found not to be needed does not matter', noted(), [], undefined],
    ['fits where its claim can be had', podWith('c'), [c], []],
    ['names a claim that is not there', podWith('c'), [], 'could not find resource claim "default/c"'],
    [
      'names a claim that is going',
      podWith('c'),
      [buildDeviceClaim('c', { meta: going })],
      'resourceclaim "c" is being deleted',
    ],
    ['waits for its claim to be made', ofTemplate(), [], 'pod "default/p": ResourceClaim not created yet'],
    [
      'waits for its own claim',
      noted('c'),
      [c],
      'ResourceClaim default/c was not created for pod default/p (pod is not owner)',
    ],
    [
      'fits with its own claim',
      noted('c'),
      [buildDeviceClaim('c', { meta: { ownerReferences: [controllerRef(noted())] } })],
      [],
    ],
    [
      'asks for a class that is not there',
      podWith('c'),
      [buildDeviceClaim('c', { devices: { requests: [buildRequest('r', { deviceClassName: 'x' })] } })],
      'request r: device class x does not exist',
    ],
    [
      'asks for an alternative of a class that is not there',
      podWith('c'),
      [
        buildDeviceClaim('c', {
          devices: { requests: [{ name: 'r', firstAvailable: [{ name: 's', deviceClassName: 'x' }] }] },
        }),
      ],
      'request r/s: device class x does not exist',
    ],
    [
      'asks for more than there is',
      podWith('c'),
      [buildDeviceClaim('c', { devices: { requests: [buildRequest('r', { count: 3 })] } })],
      ['cannot allocate all claims'],
    ],
    [
      'asks for more than is left',
      podWith('c', 'd'),
      [c, buildDeviceClaim('d'), has({ allocation: here }, 'e')],
      ['cannot allocate all claims'],
    ],
    [
      'is not in the way of who only administers',
      podWith('c', 'd'),
      [
        c,
        buildDeviceClaim('d'),
        has(
          { allocation: { devices: { results: [{ ...here.devices!.results![0]!, adminAccess: true }] } } },
          'e',
        ),
      ],
      [],
    ],
    ['goes where its claim is', podWith('c'), [has({ allocation: here })], []],
    [
      'goes nowhere else',
      podWith('c'),
      [has({ allocation: allocated('a', { nodeSelector: on('n2') }) })],
      ['resourceclaim not available on the node'],
    ],
    [
      'goes anywhere with a claim that is everywhere',
      podWith('c'),
      [has({ allocation: allocated('a') })],
      [],
    ],
    [
      'waits when too many use its claim',
      podWith('c'),
      [has({ allocation: here, reservedFor: Array.from({ length: 256 }, (_, i) => user(`u${i}`)) })],
      'resourceclaim in use',
    ],
    [
      'hears why nothing can be said',
      podWith('c'),
      [
        buildDeviceClaim('c', {
          devices: {
            requests: [
              buildRequest('r', { selectors: [{ cel: { expression: 'device.attributes["x"].y' } }] }),
            ],
          },
        }),
      ],
      ['claim default/c: selector #0 on device gpu.example.com/pool/a: CEL runtime error: no such key: y'],
    ],
  ])('%s', (_, pod, objects, expected) => expect(says(pod, objects)).toEqual(expected));

  it('is not tried, and told nothing, while somebody makes its claim', () => {
    const gate = (pod: Pod, ...objects: KubeObject[]) => build(objects).plugin.gate!(podInfo(pod));
    expect(gate(ofTemplate())).toBe('pod "default/p": ResourceClaim not created yet');
    expect(gate(noted('c'))).toBe('could not find resource claim "default/c"');
    expect(gate(podWith('c'))).toBeUndefined();
    expect(gate(buildPod('p'))).toBeUndefined();
  });

  it('says in its event what can be done about it', () => {
    const message = (objects: readonly KubeObject[]) => {
      const { fixture, plugin } = build([gpu, slice, ...objects], createClient({} as never));
      fixture.cluster.setNode(buildNode('n1'));
      const decision = new Cycle([plugin], { random: seededRandom(1) }).decide(
        podInfo(podWith('c')),
        fixture.cluster,
      );
      return decision.node === undefined ? decision.message : '';
    };
    expect(message([])).toBe(
      '0/1 nodes are available: could not find resource claim "default/c". no new claims to deallocate',
    );
    expect(
      message([has({ allocation: allocated('a', { nodeSelector: on('n2') }), reservedFor: [user('u')] })]),
    ).toBe('0/1 nodes are available: 1 resourceclaim not available on the node. still not schedulable');
  });
});

describe('what a pod gets', () => {
  /** The pod is decided for the node. */
  function reserve(plugin: Plugin, pod: Pod, of = node()) {
    const state = plugin.preFilter(podInfo(pod), [of]);
    if (state === undefined || state instanceof PodRefusal) return state?.message;
    if (plugin.filter!(state, of) !== 0) return plugin.explain!(state, of)[0];
    expect(plugin.reserve!(state, of)).toBeUndefined();
    return state;
  }

  it('nobody else gets, until it is given back', () => {
    const claims = ['c', 'd', 'e'].map((name) => buildDeviceClaim(name));
    const { fixture, plugin } = build([gpu, slice, ...claims]);
    const first = reserve(plugin, podWith('c'));
    expect(reserve(plugin, podWith('c'))).toBe(
      'resource claim default/c is in the process of being allocated',
    );
    reserve(plugin, podWith('d'));
    expect(reserve(plugin, podWith('e'))).toBe('cannot allocate all claims');
    plugin.unreserve!(first, node());
    plugin.unreserve!(first, node());
    expect(reserve(plugin, podWith('e'))).toBeTypeOf('object');
    // Another profile counts on the same devices.
    expect(reserve(dynamicResources.build(fixture.context, undefined), podWith('c'))).toBe(
      'cannot allocate all claims',
    );
  });

  it('is free again with the claim', () => {
    const { fixture, plugin } = build([gpu, buildSlice('s', ['a']), c, has({ allocation: here }, 'd')]);
    expect(reserve(plugin, podWith('c'))).toBe('cannot allocate all claims');
    const free = {
      ...buildDeviceClaim('d'),
      metadata: { ...c.metadata, name: 'd', uid: 'uid-d', resourceVersion: '2' },
    };
    fixture.set(free);
    // Told twice, and late.
    fixture.set(has({ allocation: here }, 'd'));
    expect(reserve(plugin, podWith('c'))).toBeTypeOf('object');
  });

  const draft = ({ metadata: { name, namespace }, spec }: ResourceClaim): Draft<ResourceClaim> =>
    ({ metadata: { name, namespace }, spec }) as Draft<ResourceClaim>;

  /** With a server that has the claims. */
  async function served(claims: readonly ResourceClaim[], slices: readonly ResourceSlice[] = [slice]) {
    const fixture = new PluginFixture();
    const transport = new FakeTransport({ clock: fixture.clock, random: seededRandom(1) });
    const client = createClient(transport);
    const made = [];
    for (const claim of claims) {
      const stored = await client(ResourceClaim).create(draft(claim));
      made.push(
        claim.status === undefined
          ? stored
          : await client(ResourceClaim).updateStatus({ ...stored, status: claim.status }),
      );
    }
    const now = (name = 'c') => client(ResourceClaim).get(name, 'default');
    return { ...build([gpu, ...slices, ...made], client), transport, client, now };
  }
  const signal = new AbortController().signal;

  it('is written, and seen at once', async () => {
    const { plugin, now } = await served([c, buildDeviceClaim('d')], [buildSlice('s', ['a'])]);
    const state = reserve(plugin, podWith('c'));
    await plugin.preBind!(state, node(), signal);
    const claim = await now();
    expect(claim.metadata.finalizers).toEqual(['resource.kubernetes.io/delete-protection']);
    expect(claim.status).toEqual({
      allocation: here,
      reservedFor: [{ ...user('p'), uid: podInfo(podWith()).uid }],
    });
    expect(reserve(plugin, podWith('d'))).toBe('cannot allocate all claims');
    // A pod with the same claim goes there too.
    expect(says(podWith('c'), [claim], node('n2'))).toEqual(['resourceclaim not available on the node']);
  });

  it('is written although somebody else changed the claim', async () => {
    const { plugin, client, now } = await served([c]);
    const state = reserve(plugin, podWith('c'));
    const claim = await now();
    await client(ResourceClaim).update({ ...claim, metadata: { ...claim.metadata, labels: { a: 'b' } } });
    await plugin.preBind!(state, node(), signal);
    expect((await now()).metadata.labels).toEqual({ a: 'b' });
    expect((await now()).status?.allocation).toEqual(here);
  });

  it('is not written over what somebody else gave', async () => {
    const { plugin, client, now } = await served([c]);
    const state = reserve(plugin, podWith('c'));
    const claim = await now();
    await client(ResourceClaim).updateStatus({ ...claim, status: { allocation: allocated('b') } });
    await expect(plugin.preBind!(state, node(), signal)).rejects.toThrow(
      'claim default/c got allocated elsewhere in the meantime',
    );
    plugin.unreserve!(state, node());
    expect(reserve(plugin, podWith('c'))).toBeTypeOf('object');
  });

  it('is not used any more when the pod is not bound', async () => {
    const { fixture, plugin, now } = await served([c]);
    const state = reserve(plugin, podWith('c'));
    await plugin.preBind!(state, node(), signal);
    plugin.unreserve!(state, node());
    await Promise.all(fixture.tasks);
    expect((await now()).status).toEqual({
      allocation: here,
      ...((await now()).status?.reservedFor && { reservedFor: [] }),
    });
  });

  it('is given back when it is where the pod cannot go', async () => {
    const { fixture, plugin, now } = await served([
      has({ allocation: allocated('a', { nodeSelector: on('n2') }) }),
    ]);
    const pod = podInfo(podWith('c'));
    const state = plugin.preFilter(pod, []);
    expect(plugin.filter!(state, node())).not.toBe(0);
    expect(plugin.postFilter!({ pod } as never)).toEqual({
      message: 'deallocation of ResourceClaim completed',
    });
    await Promise.all(fixture.tasks);
    expect((await now()).status?.allocation).toBeUndefined();
  });
});

describe('what wakes a pod', () => {
  const { plugin } = build([]);
  const wakes = (pod: Pod, object: KubeObject, on: 'add' | 'update' | 'delete', old?: KubeObject) =>
    plugin.wakeOn.some(
      (hint) =>
        hint.kind.kind === object.kind && hint.on === on && (hint.helps?.(podInfo(pod), object, old) ?? true),
    );
  const full = has({ allocation: here }, 'd');
  it.each<[string, boolean, KubeObject, 'add' | 'update' | 'delete', KubeObject?]>([
    ['its claim comes', true, c, 'add'],
    ['another claim comes', false, buildDeviceClaim('d'), 'add'],
    ['its claim is allocated', true, has({ allocation: here }), 'update', c],
    ['its claim gets a label', false, buildDeviceClaim('c', { meta: { labels: { a: 'b' } } }), 'update', c],
    ['another claim gives devices back', true, buildDeviceClaim('d'), 'update', full],
    [
      'another claim is used',
      false,
      has({ allocation: here, reservedFor: [user('u')] }, 'd'),
      'update',
      full,
    ],
    ['another claim goes with its devices', true, full, 'delete'],
    ['a class comes', true, gpu, 'add'],
    ['a slice changes', true, slice, 'update', slice],
    ['a slice goes', false, slice, 'delete'],
    ['a node comes', true, buildNode('n'), 'add'],
    ['a node is labelled', true, buildNode('n', { labels: { a: 'b' } }), 'update', buildNode('n')],
    ['a node is heard of', false, buildNode('n'), 'update', buildNode('n')],
  ])('%s: %s', (_, expected, object, on, old) => expect(wakes(podWith('c'), object, on, old)).toBe(expected));
  it('by the name that is noted for it', () => expect(wakes(noted('c'), c, 'add')).toBe(true));
});
