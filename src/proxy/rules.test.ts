import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { EndpointSlice, Service } from '../api/index.ts';
import { NftModel } from './nft-model.ts';
import { buildService, buildSlice, RulesFixture, thisNode } from './proxy-fixture.ts';
import { Rules } from './rules.ts';

describe('the text', () => {
  test('of a table with nothing in it', () => {
    const rules = new Rules({
      node: { ...thisNode, families: ['ip'], protocols: ['tcp'] },
      localAddresses: [],
      nodePortAddresses: ['192.0.2.1'],
    });
    expect(rules.takeReplacement()).toMatchSnapshot();
  });

  test('of one more endpoint, one fewer, another and none, in a service like most', () => {
    const fixture = new RulesFixture({ node: { families: ['ip'] } });
    const service = buildService('a', {});
    const text = (...endpoints: string[]) => fixture.put(service, buildSlice('a', endpoints));
    expect(text('10.244.1.1', '10.244.2.2', '10.244.3.3')).toBe(
      `add chain ip jotasu-proxy spread-tcp-3
add rule ip jotasu-proxy spread-tcp-3 dnat ip to ip daddr . tcp dport . numgen random mod 3 map @endpoints-tcp
add element ip jotasu-proxy cluster-ips { 10.96.0.1 }
add element ip jotasu-proxy service-ips { 10.96.0.1 . tcp . 80 : goto spread-tcp-3 }
add element ip jotasu-proxy endpoints-tcp { 10.96.0.1 . 80 . 0 : 10.244.1.1 . 8080, 10.96.0.1 . 80 . 1 : 10.244.2.2 . 8080, 10.96.0.1 . 80 . 2 : 10.244.3.3 . 8080 }
`,
    );
    expect(text('10.244.2.2', '10.244.3.3', '10.244.4.4')).toBe(
      `delete element ip jotasu-proxy endpoints-tcp { 10.96.0.1 . 80 . 0 }
add element ip jotasu-proxy endpoints-tcp { 10.96.0.1 . 80 . 0 : 10.244.4.4 . 8080 }
`,
    );
    expect(text('10.244.3.3', '10.244.4.4')).toBe(
      `add chain ip jotasu-proxy spread-tcp-2
add rule ip jotasu-proxy spread-tcp-2 dnat ip to ip daddr . tcp dport . numgen random mod 2 map @endpoints-tcp
delete element ip jotasu-proxy service-ips { 10.96.0.1 . tcp . 80 }
delete element ip jotasu-proxy endpoints-tcp { 10.96.0.1 . 80 . 1, 10.96.0.1 . 80 . 2 }
add element ip jotasu-proxy service-ips { 10.96.0.1 . tcp . 80 : goto spread-tcp-2 }
add element ip jotasu-proxy endpoints-tcp { 10.96.0.1 . 80 . 1 : 10.244.3.3 . 8080 }
flush chain ip jotasu-proxy spread-tcp-3
delete chain ip jotasu-proxy spread-tcp-3
`,
    );
    expect(text()).toBe(
      `delete element ip jotasu-proxy service-ips { 10.96.0.1 . tcp . 80 }
delete element ip jotasu-proxy endpoints-tcp { 10.96.0.1 . 80 . 0, 10.96.0.1 . 80 . 1 }
add element ip jotasu-proxy no-endpoint-services { 10.96.0.1 . tcp . 80 : goto reject-all }
flush chain ip jotasu-proxy spread-tcp-2
delete chain ip jotasu-proxy spread-tcp-2
`,
    );
    expect(text()).toBe('');
  });

  test('of a service with everything', () => {
    const fixture = new RulesFixture({ node: { families: ['ip'] } });
    const service = buildService(
      'web',
      {
        type: 'LoadBalancer',
        externalTrafficPolicy: 'Local',
        sessionAffinity: 'ClientIP',
        sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
        healthCheckNodePort: 31000,
        loadBalancerSourceRanges: ['203.0.113.0/24'],
        externalIPs: ['198.51.100.1'],
        ports: [{ name: 'http', port: 80, protocol: 'TCP', nodePort: 30001 }],
      },
      { ips: ['198.51.100.2'] },
    );
    const endpoints = [{ address: '10.244.1.1', node: 'n1' }, '10.244.2.2'];
    const ports = [{ name: 'http', port: 8080, protocol: 'TCP' }];
    expect(fixture.put(service, buildSlice('web', endpoints, ports))).toMatchSnapshot();
    expect(fixture.rules.healthChecks()).toEqual(new Map([['ns/web', { port: 31000, localEndpoints: 1 }]]));
  });
});

test('what is sent to an address that no service has goes nowhere, once the ranges are known', () => {
  const fixture = new RulesFixture();
  fixture.put(buildService('a', {}), buildSlice('a', ['10.244.1.1']));
  const fates = (...addresses: string[]) =>
    addresses.map((destination) => fixture.trace({ destination }).verdict);
  expect(fates('10.96.0.1', '10.96.0.99', '10.97.0.1')).toEqual(['accept', 'accept', 'accept']);
  fixture.rules.setServiceCidrs(['10.96.0.0/16', 'fd02::/112']);
  fixture.kernel.apply(fixture.rules.takeReplacement());
  expect(fates('10.96.0.1', '10.96.0.99', '10.97.0.1')).toEqual(['accept', 'drop', 'accept']);
  expect(fixture.trace({ source: 'fd01::9', destination: 'fd02::9' }).verdict).toBe('drop');
  // A port that a service does not have is refused, and what the node has itself, such as the address of DNS, is its own.
  expect(fixture.trace({ destination: '10.96.0.1', port: 81 }).verdict).toBe('reject');
  expect(fixture.trace({ destination: '10.96.0.10' }, { nodeIps: ['10.96.0.10'] }).verdict).toBe('accept');
});

const names = ['a', 'b', 'c'];
const shared = ['198.51.100.1', '198.51.100.2'];

/** Services that get in each other's way: few names, few addresses. */
const change = fc.record({
  name: fc.constantFrom(...names),
  gone: fc.boolean(),
  type: fc.constantFrom('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'),
  externalIps: fc.subarray(shared),
  balancerIps: fc.subarray(shared),
  local: fc.boolean(),
  internalLocal: fc.boolean(),
  sticky: fc.boolean(),
  ranged: fc.boolean(),
  udp: fc.boolean(),
  endpoints: fc.subarray(['10.244.1.1', '10.244.1.2', '10.244.2.1', '10.244.2.2', '10.244.2.3']),
  ready: fc.boolean(),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function objectsOf(one: Change): readonly [Service | undefined, EndpointSlice[]] {
  const at = names.indexOf(one.name);
  const protocol = one.udp ? 'UDP' : 'TCP';
  const service = buildService(
    one.name,
    {
      type: one.type,
      clusterIP: `10.96.0.${at + 1}`,
      externalIPs: one.externalIps,
      ...(one.local && { externalTrafficPolicy: 'Local' }),
      ...(one.internalLocal && { internalTrafficPolicy: 'Local' }),
      ...(one.sticky && { sessionAffinity: 'ClientIP' }),
      ...(one.ranged && { loadBalancerSourceRanges: ['203.0.113.0/24'] }),
      ports: [
        { name: 'x', port: 80, protocol, nodePort: 30001 + at },
        { name: 'y', port: 81, protocol: 'TCP', nodePort: 30011 + at },
      ],
    },
    { ips: one.balancerIps },
  );
  const slice = buildSlice(
    one.name,
    one.endpoints.map((address) => ({
      address,
      node: address.startsWith('10.244.1.') ? 'n1' : 'n2',
      ready: one.ready,
      serving: true,
      terminating: !one.ready,
    })),
    [
      { name: 'x', port: 8080, protocol },
      { name: 'y', port: 8081, protocol: 'TCP' },
    ],
  );
  return [one.gone ? undefined : service, [slice]];
}

describe('increments', () => {
  test('lead the kernel to where a replacement leads, and there is nothing to change then', () => {
    fc.assert(
      fc.property(fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { maxLength: 5 }), (batches) => {
        const fixture = new RulesFixture();
        const { rules, kernel } = fixture;
        const objects = new Map<string, ReturnType<typeof objectsOf>>();
        const put = (name: string): void => {
          const [service, slices] = objects.get(name) ?? [undefined, []];
          for (const other of rules.put(`ns/${name}`, service, slices)) {
            const [theirs, ofTheirs] = objects.get(other.slice(3))!;
            rules.put(other, theirs, ofTheirs);
          }
        };
        for (const batch of batches) {
          for (const one of batch) {
            objects.set(one.name, objectsOf(one));
            put(one.name);
          }
          // The model throws where the kernel would refuse.
          kernel.apply(rules.takeChanges());
          const anew = new NftModel();
          anew.apply(rules.takeReplacement());
          expect(kernel.text()).toBe(anew.text());
          expect(rules.takeChanges()).toBe('');
        }
      }),
      { numRuns: 40 },
    );
  });

  test('a service that is put twice as it was changes nothing', () => {
    fc.assert(
      fc.property(change, (one) => {
        const { rules, kernel } = new RulesFixture();
        const [service, slices] = objectsOf({ ...one, gone: false });
        rules.put('ns/a', service, slices);
        kernel.apply(rules.takeChanges());
        rules.put('ns/a', service, slices);
        expect(rules.takeChanges()).toBe('');
      }),
      { numRuns: 25 },
    );
  });
});

describe('two services with one address', () => {
  const claim = (name: string, clusterIP: string) =>
    buildService(name, { clusterIP, externalIPs: ['10.96.0.9'] });
  const put = (fixture: RulesFixture, service: Service, endpoint: string) =>
    fixture.put(service, buildSlice(service.metadata.name, [endpoint]));
  const packet = { destination: '10.96.0.9' };

  test('the first has it, and the other when it goes', () => {
    const fixture = new RulesFixture();
    put(fixture, claim('a', '10.96.0.1'), '10.244.2.1');
    put(fixture, claim('b', '10.96.0.2'), '10.244.2.2');
    expect(fixture.targets(packet)).toEqual(['10.244.2.1:8080 masqueraded']);
    const touched = fixture.rules.put('ns/a', undefined, []);
    expect([...touched]).toEqual(['ns/b']);
    put(fixture, claim('b', '10.96.0.2'), '10.244.2.2');
    expect(fixture.targets(packet)).toEqual(['10.244.2.2:8080 masqueraded']);
  });

  test('a cluster address is never taken away by one that was written by hand', () => {
    const fixture = new RulesFixture();
    put(fixture, claim('a', '10.96.0.1'), '10.244.2.1');
    const touched = fixture.rules.put('ns/c', buildService('c', { clusterIP: '10.96.0.9' }), [
      buildSlice('c', ['10.244.2.3']),
    ]);
    expect([...touched]).toEqual(['ns/a']);
    put(fixture, claim('a', '10.96.0.1'), '10.244.2.1');
    expect(fixture.targets(packet)).toEqual(['10.244.2.3:8080']);
  });
});

describe('what belongs to no connection that the kernel can follow', () => {
  const packet = { source: '10.244.2.1', destination: '10.244.1.9', port: 40_000, invalid: true };
  test('is dropped: its receiver would see the address of the endpoint and reset the connection', () => {
    const fixture = new RulesFixture();
    expect(fixture.trace(packet).verdict).toBe('drop');
    expect(fixture.trace({ ...packet, source: 'fd01::1', destination: 'fd01::2' }).verdict).toBe('drop');
    expect(fixture.trace({ ...packet, invalid: false }).verdict).toBe('accept');
  });

  test('is passed on by a kernel that is told to be liberal', () =>
    expect(new RulesFixture({ node: { dropInvalid: false } }).trace(packet).verdict).toBe('accept'));
});

test('pods whose packets to each other are not seen are masqueraded on the way', () => {
  const fixture = new RulesFixture();
  fixture.put(buildService('a', {}), buildSlice('a', ['10.244.1.1', '10.244.2.2']));
  fixture.rules.setMaskedPodCidrs(['10.244.1.0/24']);
  fixture.kernel.apply(fixture.rules.takeReplacement());
  expect(fixture.targets({})).toEqual(['10.244.1.1:8080 masqueraded', '10.244.2.2:8080']);
});

test('what sets of clients remembered is put back, where the set is still wanted', () => {
  const { rules } = new RulesFixture({ node: { families: ['ip'] } });
  rules.put('ns/a', buildService('a', { sessionAffinity: 'ClientIP' }), [buildSlice('a', ['10.244.1.1'])]);
  const set = 'affinity-10800-ns/a/tcp/80_10.244.1.1/8080';
  const text = rules.takeReplacement(
    new Map([
      [
        'ip' as const,
        new Map([
          [
            set,
            [
              { key: '10.244.1.9', expires: 99 },
              { key: '10.244.1.8', expires: 0 },
            ],
          ],
          ['affinity-10800-ns/gone', [{ key: '10.244.1.9', expires: 99 }]],
        ]),
      ],
    ]),
  );
  expect(text.split('\n').filter((line) => line.includes('expires'))).toEqual([
    `add element ip jotasu-proxy ${set} { 10.244.1.9 expires 99s }`,
  ]);
});
