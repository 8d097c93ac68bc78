import { afterEach, expect, test } from 'vitest';
import { announcedByAnnotation, Node, Service } from '../../api/index.ts';
import { ControllerHarness } from '../../testkit/index.ts';
import { serviceLoadBalancerController } from './controller.ts';
import { ingressIps } from './plan.ts';

let harness: ControllerHarness;
afterEach(() => harness.stop());

const balancer = (name: string, port = 80) =>
  ({
    metadata: { name, namespace: 'ns' },
    spec: {
      type: 'LoadBalancer',
      ipFamilies: ['IPv4'],
      clusterIP: '10.96.0.1',
      ports: [{ port, protocol: 'TCP' }],
    },
  }) as Parameters<typeof harness.create<Service>>[1];
const ips = async (name: string) => ingressIps(await harness.client(Service).get(name, 'ns'));
const said = () => harness.events.map(({ about, reason, message }) => `${about} ${reason}: ${message}`);

test('services that come at once get an address each from the pool, and give it back', async () => {
  harness = new ControllerHarness();
  for (const name of ['a', 'b', 'c']) await harness.create(Service, balancer(name));
  await harness.start(serviceLoadBalancerController({ pool: ['192.0.2.1-192.0.2.2'] }));
  const given = [await ips('a'), await ips('b'), await ips('c')];
  expect(given.flat().sort()).toEqual(['192.0.2.1', '192.0.2.2']);
  const waiting = ['a', 'b', 'c'][given.findIndex((one) => one.length === 0)]!;
  expect(said()).toContain(
    `ns/${waiting} SyncLoadBalancerFailed: Error syncing load balancer: no IPv4 address is left in the pool`,
  );
  const leaving = ['a', 'b', 'c'].find((name) => name !== waiting)!;
  await harness
    .client(Service)
    .patch({ name: leaving, namespace: 'ns' }, 'merge', { spec: { type: 'ClusterIP' } });
  await harness.rest();
  expect(await ips(leaving)).toEqual([]);
  expect(await ips(waiting)).toHaveLength(1);
  expect(said()).toContain(`ns/${leaving} DeletedLoadBalancer: Deleted load balancer`);
  expect((await harness.client(Service).get(waiting, 'ns')).status?.loadBalancer?.ingress?.[0]?.ipMode).toBe(
    'VIP',
  );
});

const addNode = (name: string, address: string) =>
  harness.create(Node, {
    metadata: { name },
    spec: {},
    status: {
      addresses: [{ type: 'InternalIP', address }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  } as Parameters<typeof harness.create<Node>>[1]);
const lose = (name: string) =>
  harness.client(Node).patch({ name, subresource: 'status' }, 'merge', {
    status: { conditions: [{ type: 'Ready', status: 'Unknown' }] },
  });

test('a node answers for addresses of the pool, another when it is lost, none when they are given back', async () => {
  harness = new ControllerHarness();
  await addNode('n1', '10.0.0.1');
  await addNode('n2', '10.0.0.2');
  for (const name of ['a', 'b']) await harness.create(Service, balancer(name));
  await harness.start(serviceLoadBalancerController({ pool: ['10.0.0.200/30'] }));
  const by = async (name: string) =>
    (await harness.client(Service).get(name, 'ns')).metadata.annotations?.[announcedByAnnotation];
  expect([await by('a'), await by('b')].sort()).toEqual(['n1', 'n2']);
  await lose('n1');
  await harness.rest();
  expect([await by('a'), await by('b')]).toEqual(['n2', 'n2']);
  expect(said().filter((text) => text.includes('nodeAssigned'))).toHaveLength(3);
  expect(said()).toContain('ns/a nodeAssigned: announcing from node "n2" with protocol "layer2"');
  await harness
    .client(Service)
    .patch({ name: 'a', namespace: 'ns' }, 'merge', { spec: { type: 'ClusterIP' } });
  await harness.rest();
  expect(await by('a')).toBeUndefined();
});

test('nodes that come and go are followed', async () => {
  harness = new ControllerHarness();
  await harness.create(Service, balancer('a'));
  await harness.start(serviceLoadBalancerController({ pool: [] }));
  expect(await ips('a')).toEqual([]);
  await addNode('n1', '10.0.0.1');
  await harness.rest();
  expect(await ips('a')).toEqual(['10.0.0.1']);
  await lose('n1');
  await harness.rest();
  expect(await ips('a')).toEqual([]);
  expect(said()).toEqual([
    'ns/a UnAvailableLoadBalancer: There are no available nodes for LoadBalancer',
    'ns/a EnsuredLoadBalancer: Ensured load balancer',
    'ns/a UnAvailableLoadBalancer: There are no available nodes for LoadBalancer',
  ]);
});
