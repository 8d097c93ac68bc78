// Every record of Kubernetes' DNS-based service discovery, schema 1.1, and what CoreDNS answers beyond it.
import { describe, expect, it, test } from 'vitest';
import { ClusterZone, parseBlock } from './cluster-zone.ts';
import { classIn, type } from './message.ts';
import { labelsOf, nameOf } from './name.ts';
import { recordText, service, slice, viewOf } from './testdata/fixtures.ts';

const web = [
  ['http', 80],
  ['metrics', 9090],
  ['', 99],
  ['dns', 53, 'UDP'],
] as const;
const view = viewOf(
  [
    service('default/kubernetes', { ips: ['10.96.0.1'], ports: [['https', 443]] }),
    service('default/web', { ips: ['10.96.0.20', 'fd00:96::20'], ports: web }),
    service('default/six', { ips: ['fd00:96::6'], ports: [['http', 80]] }),
    service('default/pending', { type: 'LoadBalancer', ips: [''] }),
    service('default/pets', {
      ports: [
        ['http', 80],
        ['', 99],
      ],
    }),
    service('default/both', { ports: [['http', 80]] }),
    service('default/unready', { ports: [['http', 80]] }),
    service('default/empty', {}),
    service('default/portless', {}),
    service('default/moving', {}),
    service('default/foo', { type: 'ExternalName', externalName: 'www.Example.com' }),
    service('default/chain', { type: 'ExternalName', externalName: 'web.default.svc.cluster.local' }),
    service('default/number', { type: 'ExternalName', externalName: '192.0.2.9' }),
    service('other/web', { ips: ['10.96.0.30'], ports: [['http', 80]] }),
  ],
  [
    slice('default/web', [{ ip: '10.244.0.5', ready: true }], { ports: [['http', 8080]] }),
    slice(
      'default/pets',
      [
        { ip: '10.244.0.1', hostname: 'pet-0', ready: true },
        { ip: '10.244.0.2', hostname: 'pet-1', ready: true },
        { ip: '10.244.0.3', hostname: 'pet-2', ready: false },
        { ip: '10.244.0.4' },
      ],
      {
        ports: [
          ['http', 8080],
          ['', 99],
        ],
      },
    ),
    slice('default/both', [{ ip: '10.244.0.7', hostname: 'a', ready: true }], { ports: [['http', 80]] }),
    slice('default/both', [{ ip: 'fd00::7', hostname: 'a', ready: true }], {
      ports: [['http', 80]],
      suffix: 'b',
    }),
    slice('default/unready', [{ ip: '10.244.0.8', hostname: 'u', ready: false }], { ports: [['http', 80]] }),
    slice('default/portless', [{ ip: 'fd00::a', ready: true }]),
    slice('default/moving', [{ ip: '10.244.0.9', hostname: 'm', ready: true }]),
    slice('default/moving', [{ ip: '10.244.0.9', hostname: 'm', ready: true }], { suffix: 'b' }),
    slice('default/gone', [{ ip: '10.244.0.99', ready: true }]),
  ],
);
const zone = new ClusterZone({
  domain: 'cluster.local',
  view,
  addresses: ['10.96.0.10', 'fd00:96::a'],
  ranges: ['10.244.0.0/16', '10.96.0.0/12', 'fd00::/64'].map(parseBlock),
});

/** What is answered: an rcode without records, or the records. */
function ask(question: string, of = zone) {
  const [text = '', typeName = 'A'] = question.split(' ');
  const full = /\.arpa$|\.com$|\.local$/i.test(text) ? text : `${text}.cluster.local`;
  const name = nameOf(full);
  const answer = of.answer(
    { name, type: type[typeName as keyof typeof type], class: classIn },
    labelsOf(name),
  );
  if (answer === undefined) return 'not ours';
  expect(answer.authoritative).toBe(true);
  const soa = answer.authorities.map(recordText);
  if (answer.answers.length === 0) {
    expect(soa).toEqual([
      expect.stringMatching(
        /^(cluster\.local|in-addr\.arpa|ip6\.arpa)\. 5 IN SOA ns\.dns\.cluster\.local\. hostmaster\.cluster\.local\. 7 7200 1800 86400 5$/,
      ),
    ]);
    return answer.rcode === 3 ? 'NXDOMAIN' : answer.rcode === 0 ? 'NODATA' : answer.rcode;
  }
  expect([answer.rcode, soa]).toEqual([0, []]);
  const own = `${text.toLowerCase()}${full === text ? '' : '.cluster.local'}. 5 IN `;
  return answer.answers.map(recordText).map((line) => (line.startsWith(own) ? line.slice(own.length) : line));
}

describe.each<[string, readonly (readonly [question: string, answer: string | readonly string[]])[]]>([
  [
    '2.2 the schema version',
    [
      ['dns-version TXT', ['TXT "1.1.0"']],
      ['dns-version A', 'NODATA'],
      ['x.dns-version TXT', 'NXDOMAIN'],
    ],
  ],
  [
    '2.3.1 a service with an address',
    [
      ['kubernetes.default.svc A', ['A 10.96.0.1']],
      ['kubernetes.default.svc AAAA', 'NODATA'],
      ['KUBERNETES.Default.SVC.Cluster.Local A', ['A 10.96.0.1']],
      ['web.default.svc A', ['A 10.96.0.20']],
      ['web.default.svc AAAA', ['AAAA fd00:96:0:0:0:0:0:20']],
      ['six.default.svc A', 'NODATA'],
      ['six.default.svc AAAA', ['AAAA fd00:96:0:0:0:0:0:6']],
      ['web.other.svc A', ['A 10.96.0.30']],
      ['web.default.svc TXT', 'NODATA'],
      ['web.nowhere.svc A', 'NXDOMAIN'],
      ['nothing.default.svc A', 'NXDOMAIN'],
      ['pending.default.svc A', 'NXDOMAIN'],
    ],
  ],
  [
    '2.3.2 its ports',
    [
      ['_https._tcp.kubernetes.default.svc SRV', ['SRV 0 100 443 kubernetes.default.svc.cluster.local.']],
      ['_http._tcp.web.default.svc SRV', ['SRV 0 100 80 web.default.svc.cluster.local.']],
      ['_HTTP._TCP.web.default.svc.cluster.local SRV', ['SRV 0 100 80 web.default.svc.cluster.local.']],
      ['_dns._udp.web.default.svc SRV', ['SRV 0 100 53 web.default.svc.cluster.local.']],
      ['_dns._tcp.web.default.svc SRV', 'NXDOMAIN'],
      ['_http._tcp.web.default.svc A', 'NODATA'],
      ['_nothing._tcp.web.default.svc SRV', 'NXDOMAIN'],
      ['http._tcp.web.default.svc SRV', 'NXDOMAIN'],
      ['_._tcp.web.default.svc SRV', 'NXDOMAIN'],
      ['_tcp.web.default.svc SRV', 'NODATA'],
      ['_udp.web.default.svc SRV', 'NODATA'],
      ['_sctp.web.default.svc SRV', 'NXDOMAIN'],
      ['x._http._tcp.web.default.svc SRV', 'NXDOMAIN'],
      // Beyond the schema: all ports at the service's own name.
      [
        'web.default.svc SRV',
        [80, 9090, 99, 53].map((port) => `SRV 0 25 ${port} web.default.svc.cluster.local.`),
      ],
    ],
  ],
  [
    '2.3.3 its address backwards',
    [
      ['1.0.96.10.in-addr.arpa PTR', ['PTR kubernetes.default.svc.cluster.local.']],
      [
        '0.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.6.9.0.0.0.0.d.f.ip6.arpa PTR',
        ['PTR web.default.svc.cluster.local.'],
      ],
      ['1.0.96.10.in-addr.arpa A', 'NODATA'],
      ['77.0.96.10.in-addr.arpa PTR', 'NXDOMAIN'],
    ],
  ],
  [
    '2.4.1 a headless service',
    [
      ['pets.default.svc A', ['A 10.244.0.1', 'A 10.244.0.2', 'A 10.244.0.4']],
      ['pets.default.svc AAAA', 'NODATA'],
      ['pet-0.pets.default.svc A', ['A 10.244.0.1']],
      ['PET-1.pets.default.svc A', ['A 10.244.0.2']],
      ['pet-2.pets.default.svc A', 'NXDOMAIN'],
      ['pet-0.pets.default.svc AAAA', 'NODATA'],
      ['10-244-0-4.pets.default.svc A', ['A 10.244.0.4']],
      ['10-244-0-1.pets.default.svc A', 'NXDOMAIN'],
      ['x.pet-0.pets.default.svc A', 'NXDOMAIN'],
      ['both.default.svc A', ['A 10.244.0.7']],
      ['both.default.svc AAAA', ['AAAA fd00:0:0:0:0:0:0:7']],
      ['a.both.default.svc AAAA', ['AAAA fd00:0:0:0:0:0:0:7']],
      ['portless.default.svc AAAA', ['AAAA fd00:0:0:0:0:0:0:a']],
      ['fd00--a.portless.default.svc AAAA', ['AAAA fd00:0:0:0:0:0:0:a']],
      ['moving.default.svc A', ['A 10.244.0.9']],
      ['m.moving.default.svc A', ['A 10.244.0.9']],
      ['unready.default.svc A', 'NXDOMAIN'],
      ['u.unready.default.svc A', 'NXDOMAIN'],
      ['empty.default.svc A', 'NXDOMAIN'],
      // Beyond the schema: endpoints of a service with an address have names too.
      ['10-244-0-5.web.default.svc A', ['A 10.244.0.5']],
    ],
  ],
  [
    '2.4.2 its ports',
    [
      [
        '_http._tcp.pets.default.svc SRV',
        ['pet-0', 'pet-1', '10-244-0-4'].map(
          (host) => `SRV 0 33 8080 ${host}.pets.default.svc.cluster.local.`,
        ),
      ],
      ['_http._tcp.both.default.svc SRV', ['SRV 0 100 80 a.both.default.svc.cluster.local.']],
      ['_http._tcp.unready.default.svc SRV', 'NXDOMAIN'],
      ['_tcp.pets.default.svc SRV', 'NODATA'],
      ['portless.default.svc SRV', 'NODATA'],
      ['_http._tcp.portless.default.svc SRV', 'NXDOMAIN'],
    ],
  ],
  [
    '2.4.3 its endpoints backwards',
    [
      ['1.0.244.10.in-addr.arpa PTR', ['PTR pet-0.pets.default.svc.cluster.local.']],
      ['4.0.244.10.in-addr.arpa PTR', ['PTR 10-244-0-4.pets.default.svc.cluster.local.']],
      ['9.0.244.10.in-addr.arpa PTR', ['PTR m.moving.default.svc.cluster.local.']],
      ['3.0.244.10.in-addr.arpa PTR', 'NXDOMAIN'],
      // The service of this slice is gone.
      ['99.0.244.10.in-addr.arpa PTR', 'NXDOMAIN'],
      ['9.9.9.9.in-addr.arpa PTR', 'not ours'],
      ['0.244.10.in-addr.arpa PTR', 'not ours'],
      ['256.0.244.10.in-addr.arpa PTR', 'not ours'],
      ['01.0.244.10.in-addr.arpa PTR', 'not ours'],
    ],
  ],
  [
    '2.5 an external name',
    [
      ['foo.default.svc A', ['CNAME www.example.com.']],
      ['foo.default.svc CNAME', ['CNAME www.example.com.']],
      ['foo.default.svc SRV', ['CNAME www.example.com.']],
      ['x.foo.default.svc A', 'NXDOMAIN'],
      ['number.default.svc A', 'NXDOMAIN'],
    ],
  ],
  [
    '2.6 pods by address',
    [
      ['10-244-0-1.default.pod A', ['A 10.244.0.1']],
      ['10-244-0-1.default.pod AAAA', 'NODATA'],
      ['fd00--1.default.pod AAAA', ['AAAA fd00:0:0:0:0:0:0:1']],
      ['10-244-0-256.default.pod A', 'NXDOMAIN'],
      ['web.default.pod A', 'NXDOMAIN'],
      ['x.10-244-0-1.default.pod A', 'NXDOMAIN'],
      ['default.pod A', 'NODATA'],
      ['pod A', 'NODATA'],
    ],
  ],
  [
    'the domain itself',
    [
      ['cluster.local SOA', ['SOA ns.dns.cluster.local. hostmaster.cluster.local. 7 7200 1800 86400 5']],
      ['cluster.local NS', ['NS ns.dns.cluster.local.']],
      ['cluster.local A', 'NODATA'],
      ['ns.dns A', ['A 10.96.0.10']],
      ['ns.dns AAAA', ['AAAA fd00:96:0:0:0:0:0:a']],
      ['dns A', 'NODATA'],
      ['x.dns A', 'NXDOMAIN'],
      ['svc A', 'NODATA'],
      ['default.svc A', 'NODATA'],
      ['nowhere.svc A', 'NXDOMAIN'],
      ['x A', 'NXDOMAIN'],
      ['www.example.com A', 'not ours'],
      ['xcluster.local A', 'not ours'],
    ],
  ],
  [
    'everything at once',
    [
      ['web.default.svc ANY', ['HINFO "RFC8482"']],
      ['pets.default.svc ANY', ['HINFO "RFC8482"']],
      ['nothing.default.svc ANY', 'NXDOMAIN'],
      ['1.0.96.10.in-addr.arpa ANY', ['HINFO "RFC8482"']],
    ],
  ],
])('%s', (_, table) => {
  it.each(table)('%s', (question, answer) => expect(ask(question)).toEqual(answer));
});

test('SRV brings the addresses of its targets', () => {
  const extra = (text: string) => {
    const name = nameOf(text);
    return zone.answer({ name, type: type.SRV, class: classIn }, labelsOf(name))?.additionals.map(recordText);
  };
  expect(extra('_http._tcp.both.default.svc.cluster.local')).toEqual([
    'a.both.default.svc.cluster.local. 5 IN A 10.244.0.7',
    'a.both.default.svc.cluster.local. 5 IN AAAA fd00:0:0:0:0:0:0:7',
  ]);
  expect(extra('_http._tcp.web.default.svc.cluster.local')).toEqual([
    'web.default.svc.cluster.local. 5 IN A 10.96.0.20',
    'web.default.svc.cluster.local. 5 IN AAAA fd00:96:0:0:0:0:0:20',
  ]);
});

test('the target of an external name is told, unless the name itself was asked for', () => {
  const target = (of: number) => {
    const name = nameOf('chain.default.svc.cluster.local');
    return zone.answer({ name, type: of, class: classIn }, labelsOf(name))?.target;
  };
  expect(target(type.A)).toBe(nameOf('web.default.svc.cluster.local'));
  expect(target(type.CNAME)).toBeUndefined();
});

test('another domain of several labels', () => {
  const other = new ClusterZone({ domain: 'k8s.Example.com.', view, addresses: [], ranges: [] });
  expect(ask('web.default.svc.k8s.example.com A', other)).toEqual(['A 10.96.0.20']);
  expect(ask('web.default.svc.cluster.local A', other)).toBe('not ours');
  expect(ask('1.0.96.10.in-addr.arpa PTR', other)).toEqual(['PTR kubernetes.default.svc.k8s.example.com.']);
});
