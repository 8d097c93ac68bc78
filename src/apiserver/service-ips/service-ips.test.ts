// Cluster IPs and node ports through the API: taken on create, given back when the service lets go of them, known after a restart.
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FakeClock } from '../../base/index.ts';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
const services = '/api/v1/namespaces/default/services';
const create = (name: string, spec: object = {}) =>
  f.ask('POST', services, { body: { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } } });
const small = { serviceCidr: '10.0.0.0/29', nodePorts: [30000, 30001] as const };

beforeEach(async () => {
  f = await ApiFixture.create({ server: small });
});
afterEach(() => f.close());

it('gives each service an address until there is none, and takes it back', async () => {
  const ips: string[] = ['10.0.0.1'];
  for (let i = 0; i < 5; i++) ips.push((await create(`s${i}`)).json.spec.clusterIP);
  expect([...ips].sort()).toEqual([1, 2, 3, 4, 5, 6].map((n) => `10.0.0.${n}`));
  const full = await create('full');
  expect([full.code, full.json.message]).toEqual([
    500,
    'Internal error occurred: failed to allocate a serviceIP: range is full',
  ]);
  await f.ask('DELETE', `${services}/s0`);
  expect((await create('after')).json.spec.clusterIP).toBe(ips[1]);
});

it('refuses what is taken or outside', async () => {
  await create('one', { clusterIP: '10.0.0.3' });
  expect((await create('two', { clusterIP: '10.0.0.3' })).json.message).toContain(
    'provided IP is already allocated',
  );
  expect((await create('two', { clusterIP: '10.1.0.3' })).json.message).toBe(
    'Service "two" is invalid: spec.clusterIPs: Invalid value: ["10.1.0.3"]: failed to allocate IP 10.1.0.3: the provided network does not match the current range',
  );
  expect((await create('two', { clusterIP: '10.0.0.7' })).json.message).toContain(
    'the provided IP (10.0.0.7) is not in the valid range. The range of valid IPs is 10.0.0.0/29',
  );
});

it('a create that fails or is dry keeps nothing', async () => {
  const spec = { type: 'NodePort', clusterIP: '10.0.0.4', ports: [{ port: 80, nodePort: 30000 }] };
  await f.ask('POST', `${services}?dryRun=All`, { body: { metadata: { name: 'dry' }, spec } });
  expect((await create('bad!', spec)).code).toBe(422);
  expect((await create('kubernetes', spec)).code).toBe(409);
  expect((await create('good', spec)).code).toBe(201);
});

it('node ports go when the type changes', async () => {
  const made = (await create('np', { type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] })).json;
  expect(
    (await create('np2', { type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] })).json.message,
  ).toContain('provided port is already allocated');
  const { nodePort: _, ...port } = made.spec.ports[0];
  const changed = await f.ask('PUT', `${services}/np`, {
    body: { ...made, spec: { ...made.spec, type: 'ClusterIP', ports: [port] } },
  });
  expect([changed.code, changed.json.spec.ports[0].nodePort]).toEqual([200, undefined]);
  expect((await create('np2', { type: 'NodePort', ports: [{ port: 80, nodePort: 30001 }] })).code).toBe(201);
});

it('an ExternalName service gives its address back', async () => {
  const made = (await create('ext', { clusterIP: '10.0.0.5' })).json;
  const told = await f.ask('PUT', `${services}/ext`, {
    body: { metadata: made.metadata, spec: { type: 'ExternalName', externalName: 'a.b' } },
  });
  expect([told.code, told.json.spec.clusterIP]).toEqual([200, undefined]);
  expect((await create('next', { clusterIP: '10.0.0.5' })).code).toBe(201);
});

it('remembers after a restart what is held', async () => {
  await create('kept', { clusterIP: '10.0.0.6' });
  const g = await ApiFixture.create({ store: f.store, server: small });
  const told = await g.ask('POST', services, {
    body: { metadata: { name: 'x' }, spec: { clusterIP: '10.0.0.6', ports: [{ port: 1 }] } },
  });
  expect(told.json.message).toContain('already allocated');
});

const addresses = '/apis/networking.k8s.io/v1/ipaddresses';
const names = async (url: string): Promise<string[]> =>
  (await f.ask('GET', url)).json.items.map((item: { metadata: { name: string } }) => item.metadata.name);

it('shows each address as an object, as long as it is held', async () => {
  await create('one', { clusterIP: '10.0.0.3' });
  expect(await names(addresses)).toEqual(['10.0.0.1', '10.0.0.3']);
  const { metadata, spec } = (await f.ask('GET', `${addresses}/10.0.0.3`)).json;
  expect([metadata.labels, spec]).toEqual([
    {
      'ipaddress.kubernetes.io/ip-family': 'IPv4',
      'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io',
    },
    { parentRef: { resource: 'services', namespace: 'default', name: 'one' } },
  ]);
  // none of these leaves anything behind
  await f.ask('POST', `${services}?dryRun=All`, {
    body: { metadata: { name: 'dry' }, spec: { ports: [{ port: 80 }] } },
  });
  await create('one');
  await create('Bad');
  expect(await names(addresses)).toEqual(['10.0.0.1', '10.0.0.3']);
  await f.ask('DELETE', `${services}/one`);
  expect(await names(addresses)).toEqual(['10.0.0.1']);
});

it('an address that somebody else has shown as his is not given', async () => {
  const spec = { parentRef: { group: 'example.com', resource: 'boxes', name: 'b' } };
  for (const n of [2, 3, 4, 5])
    await f.ask('POST', addresses, { body: { metadata: { name: `10.0.0.${n}` }, spec } });
  expect((await create('named', { clusterIP: '10.0.0.2' })).json.message).toContain('already allocated');
  expect((await create('any')).json.spec.clusterIP).toBe('10.0.0.6');
});

it('services created at once get different addresses', async () => {
  const made = await Promise.all([1, 2, 3, 4, 5].map((i) => create(`s${i}`)));
  expect(new Set(made.map(({ json }) => json.spec.clusterIP)).size).toBe(5);
});

it('gives addresses of further ranges', async () => {
  for (let i = 0; i < 5; i++) await create(`s${i}`);
  await f.ask('POST', '/apis/networking.k8s.io/v1/servicecidrs', {
    body: { metadata: { name: 'more' }, spec: { cidrs: ['10.9.0.0/24'] } },
  });
  expect((await create('more')).json.spec.clusterIP).toMatch(/^10\.9\.0\./);
});

it('the range of the flags is an object', async () => {
  const { spec, status } = (await f.ask('GET', '/apis/networking.k8s.io/v1/servicecidrs/kubernetes')).json;
  expect([spec.cidrs, status.conditions]).toEqual([
    ['10.0.0.0/29'],
    [
      expect.objectContaining({
        type: 'Ready',
        status: 'True',
        message: 'Kubernetes default Service CIDR is ready',
      }),
    ],
  ]);
});

it('a start puts right what a crash left', async () => {
  await create('kept', { clusterIP: '10.0.0.6' });
  await f.ask('DELETE', `${addresses}/10.0.0.6`);
  const leaked = (name: string) =>
    f.ask('POST', addresses, {
      body: {
        metadata: { name, labels: { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' } },
        spec: { parentRef: { resource: 'services', namespace: 'default', name: 'gone' } },
      },
    });
  await leaked('10.0.0.2');
  await (f.clock as FakeClock).advance(61_000);
  await leaked('10.0.0.3');
  const g = await ApiFixture.create({ store: f.store, clock: f.clock, server: small });
  const left = (await g.ask('GET', addresses)).json.items.map(
    (i: { metadata: { name: string } }) => i.metadata.name,
  );
  // the younger one may be for a service that is about to be written
  expect(left).toEqual(['10.0.0.1', '10.0.0.3', '10.0.0.6']);
});

it('a leaked address can be asked for', async () => {
  await f.ask('POST', addresses, {
    body: {
      metadata: { name: '10.0.0.2', labels: { 'ipaddress.kubernetes.io/managed-by': 'ipallocator.k8s.io' } },
      spec: { parentRef: { resource: 'services', namespace: 'default', name: 'gone' } },
    },
  });
  expect((await create('early', { clusterIP: '10.0.0.2' })).code).toBe(422);
  await (f.clock as FakeClock).advance(61_000);
  expect((await create('late', { clusterIP: '10.0.0.2' })).code).toBe(201);
});

it('a node port belongs to one service, whatever the protocol', async () => {
  const np = (name: string, ports: object[]) => create(name, { type: 'NodePort', ports });
  const dns = [
    { name: 'a', port: 53, protocol: 'UDP' },
    { name: 'b', port: 53, protocol: 'TCP' },
  ];
  const { spec } = (await np('dns', dns)).json;
  expect(spec.ports[0].nodePort).toBe(spec.ports[1].nodePort);
  const other = await np('other', [{ port: 1, protocol: 'SCTP', nodePort: spec.ports[0].nodePort }]);
  expect(other.json.message).toContain('provided port is already allocated');
  await np('last', [{ port: 1 }]);
  const full = await np('full', [{ port: 1 }]);
  expect([full.code, full.json.message]).toEqual([
    500,
    'Internal error occurred: failed to allocate a nodePort: range is full',
  ]);
});

it('a load balancer that keeps to the node gets a port for health checks, and gives it back', async () => {
  const local = {
    type: 'LoadBalancer',
    externalTrafficPolicy: 'Local',
    allocateLoadBalancerNodePorts: false,
  };
  const made = (await create('lb', { ...local, healthCheckNodePort: 30001 })).json;
  expect(made.spec.healthCheckNodePort).toBe(30001);
  const taken = await create('lb2', { ...local, healthCheckNodePort: 30001 });
  expect([taken.code, taken.json.message]).toEqual([
    500,
    'Internal error occurred: failed to allocate requested HealthCheck NodePort 30001: provided port is already allocated',
  ]);
  expect((await create('lb3', local)).json.spec.healthCheckNodePort).toBe(30000);
  const told = await f.ask('PATCH', `${services}/lb`, {
    body: { spec: { externalTrafficPolicy: 'Cluster' } },
    type: 'application/merge-patch+json',
  });
  expect([told.code, told.json.spec.healthCheckNodePort]).toEqual([200, undefined]);
  expect((await create('lb4', local)).json.spec.healthCheckNodePort).toBe(30001);
});
