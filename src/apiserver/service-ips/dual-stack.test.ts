// Services of a cluster with two families of addresses, as ipFamilyPolicy and ipFamilies ask for them.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create({ server: { serviceCidr: '10.0.0.0/24,fd00:10::/112' } });
});
afterAll(() => f.close());

const services = '/api/v1/namespaces/default/services';
let made = 0;
const create = (spec: object) =>
  f.ask('POST', services, {
    body: {
      metadata: { name: `s${made++}` },
      spec: { ports: [{ port: 80 }], selector: { a: 'b' }, ...spec },
    },
  });
const merge = (name: string, spec: object) =>
  f.ask('PATCH', `${services}/${name}`, { body: { spec }, type: 'application/merge-patch+json' });
const families = (ips: string[]) => ips.map((ip) => (ip.includes(':') ? 'IPv6' : 'IPv4'));

describe('a new service', () => {
  it.each([
    [{}, 'SingleStack', ['IPv4']],
    [{ ipFamilies: ['IPv6'] }, 'SingleStack', ['IPv6']],
    [{ ipFamilyPolicy: 'PreferDualStack' }, 'PreferDualStack', ['IPv4', 'IPv6']],
    [{ ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6'] }, 'RequireDualStack', ['IPv6', 'IPv4']],
    [{ ipFamilies: ['IPv6', 'IPv4'] }, 'RequireDualStack', ['IPv6', 'IPv4']],
    [{ clusterIP: 'fd00:10::77' }, 'SingleStack', ['IPv6']],
    [
      { clusterIP: '10.0.0.77', clusterIPs: ['10.0.0.77', 'fd00:10::78'] },
      'RequireDualStack',
      ['IPv4', 'IPv6'],
    ],
    [{ clusterIP: '10.0.0.78', ipFamilyPolicy: 'PreferDualStack' }, 'PreferDualStack', ['IPv4', 'IPv6']],
  ])('%j is %s with %j', async (given, policy, expected) => {
    const { code, json } = await create(given);
    const { ipFamilyPolicy, ipFamilies, clusterIP, clusterIPs } = json.spec;
    expect([code, ipFamilyPolicy, ipFamilies, families(clusterIPs), clusterIP]).toEqual([
      201,
      policy,
      expected,
      expected,
      clusterIPs[0],
    ]);
    for (const ip of clusterIPs)
      expect((await f.ask('GET', `/apis/networking.k8s.io/v1/ipaddresses/${ip}`)).code).toBe(200);
  });

  it('without selector and address is of both families', async () => {
    const { json } = await create({ clusterIP: 'None', selector: null });
    expect([json.spec.ipFamilyPolicy, json.spec.ipFamilies, json.spec.clusterIPs]).toEqual([
      'RequireDualStack',
      ['IPv4', 'IPv6'],
      ['None'],
    ]);
  });

  it('is refused what contradicts itself', async () => {
    const { code, json } = await create({ ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4', 'IPv6'] });
    expect([code, json.message]).toEqual([
      422,
      expect.stringContaining(
        "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
      ),
    ]);
  });
});

it('gains and loses the second family with its policy', async () => {
  const { metadata, spec } = (await create({})).json;
  const both = (await merge(metadata.name, { ipFamilyPolicy: 'PreferDualStack' })).json;
  const [first, second] = both.spec.clusterIPs;
  expect([first, families(both.spec.clusterIPs), both.spec.ipFamilies]).toEqual([
    spec.clusterIP,
    ['IPv4', 'IPv6'],
    ['IPv4', 'IPv6'],
  ]);
  const address = `/apis/networking.k8s.io/v1/ipaddresses/${second}`;
  expect((await f.ask('GET', address)).code).toBe(200);
  const one = (await merge(metadata.name, { ipFamilyPolicy: 'SingleStack' })).json;
  expect([one.spec.clusterIPs, one.spec.ipFamilies]).toEqual([[first], ['IPv4']]);
  expect((await f.ask('GET', address)).code).toBe(404);
});

it('gives both addresses back as an ExternalName', async () => {
  const { metadata, spec } = (await create({ ipFamilyPolicy: 'RequireDualStack' })).json;
  const told = await merge(metadata.name, {
    type: 'ExternalName',
    externalName: 'a.b',
    clusterIP: '',
    clusterIPs: null,
  });
  expect(told.code).toBe(200);
  for (const ip of spec.clusterIPs)
    expect((await f.ask('GET', `/apis/networking.k8s.io/v1/ipaddresses/${ip}`)).code).toBe(404);
});

it('two families are too many for a cluster of one', async () => {
  const single = await ApiFixture.create();
  const told = await single.ask('POST', services, {
    body: { metadata: { name: 'x' }, spec: { ports: [{ port: 80 }], ipFamilyPolicy: 'RequireDualStack' } },
  });
  expect([told.code, told.json.message]).toEqual([
    422,
    expect.stringContaining('this cluster is not configured for dual-stack services'),
  ]);
  await single.close();
});

it('a second family may be added at a later start', async () => {
  const g = await ApiFixture.create({ server: { serviceCidr: '10.0.0.0/24' } });
  const h = await ApiFixture.create({
    store: g.store,
    clock: g.clock,
    server: { serviceCidr: '10.0.0.0/24,fd00:10::/112' },
  });
  const { json } = await h.ask('GET', '/apis/networking.k8s.io/v1/servicecidrs/kubernetes');
  expect(json.spec.cidrs).toEqual(['10.0.0.0/24', 'fd00:10::/112']);
  await g.close();
});
