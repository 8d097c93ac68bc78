import { afterEach, expect, test } from 'vitest';
import { Ingress, IngressClass, Node, Service } from '../../api/index.ts';
import { ControllerHarness } from '../../testkit/index.ts';
import { ingressStatusController } from './controller.ts';

let harness: ControllerHarness;
afterEach(() => harness.stop());

const start = () =>
  harness.start(
    ingressStatusController({
      findProblems: ({ ingresses, service }) =>
        service('ns', 'web') !== undefined
          ? []
          : ingresses.map(({ metadata }) => ({
              ingress: `ns/${metadata.name}`,
              reason: 'ServiceNotFound',
              message: 'service "web" was not found',
            })),
    }),
  );
const addNode = (name: string, address: string, serves = 'true') =>
  harness.create(Node, {
    metadata: { name, annotations: { 'ingress.jotasu.dev/serves': serves } },
    spec: {},
    status: {
      addresses: [{ type: 'InternalIP', address }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  } as Parameters<typeof harness.create<Node>>[1]);
const addIngress = (name: string, ingressClassName = 'jotasu') =>
  harness.create(Ingress, {
    metadata: { name, namespace: 'ns' },
    spec: { ingressClassName, defaultBackend: { service: { name: 'web', port: { number: 80 } } } },
  } as Parameters<typeof harness.create<Ingress>>[1]);
const addresses = async (name: string) =>
  (await harness.client(Ingress).get(name, 'ns')).status?.loadBalancer?.ingress?.map(({ ip }) => ip);

test('addresses are those of ready nodes that serve; problems are told once', async () => {
  harness = new ControllerHarness();
  await harness.create(IngressClass, {
    metadata: { name: 'jotasu' },
    spec: { controller: 'jotasu.dev/ingress' },
  });
  await start();
  await addNode('n1', '10.0.0.1');
  await addNode('n2', '10.0.0.2');
  await addNode('n3', '10.0.0.3', 'false');
  await addIngress('a');
  await addIngress('other', 'nginx');
  await harness.advance(5_000);
  expect([await addresses('a'), await addresses('other')]).toEqual([['10.0.0.1', '10.0.0.2'], undefined]);
  await harness.client(Node).patch({ name: 'n2', subresource: 'status' }, 'merge', {
    status: { conditions: [{ type: 'Ready', status: 'Unknown' }] },
  });
  await harness.rest();
  expect(await addresses('a')).toEqual(['10.0.0.1']);
  const said = () => harness.events.map(({ about, reason, message }) => `${about} ${reason}: ${message}`);
  expect(said()).toEqual(['ns/a ServiceNotFound: service "web" was not found']);
  await harness.create(Service, {
    metadata: { name: 'web', namespace: 'ns' },
    spec: { ports: [{ port: 80 }] },
  } as Parameters<typeof harness.create<Service>>[1]);
  await harness.advance(1_000);
  await harness.client(Service).delete('web', 'ns');
  await harness.advance(1_000);
  expect(said()).toHaveLength(2);
});
