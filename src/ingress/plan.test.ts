import { expect, test } from 'vitest';
import type { EndpointSlice, Ingress, IngressClass, networkingV1, Secret, Service } from '../api/index.ts';
import { createCa, issueCertificate } from '../http/index.ts';
import type { IngressView } from './plan.ts';
import { planIngress, secretsNamed, servedIngresses } from './plan.ts';

const classes = [
  { metadata: { name: 'jotasu' }, spec: { controller: 'jotasu.dev/ingress' } },
  { metadata: { name: 'nginx' }, spec: { controller: 'k8s.io/ingress-nginx' } },
] as IngressClass[];

interface Parts {
  readonly spec?: Partial<networkingV1.IngressSpec> | undefined;
  readonly annotations?: Record<string, string>;
  readonly age?: number;
  readonly className?: string | undefined;
}

const ingress = (name: string, { spec, annotations, age = 0, className = 'jotasu' }: Parts = {}): Ingress =>
  ({
    metadata: {
      name,
      namespace: 'd',
      creationTimestamp: `2026-01-01T00:00:0${9 - age}Z`,
      ...(annotations !== undefined && { annotations }),
    },
    spec: { ...(className !== '' && { ingressClassName: className }), ...spec },
  }) as Ingress;

const path = (text: string, to = 'web:80', pathType = 'Prefix'): networkingV1.HTTPIngressPath => {
  const [name = '', port = ''] = to.split(':');
  const number = Number(port);
  return {
    path: text,
    pathType,
    backend: { service: { name, port: Number.isNaN(number) ? { name: port } : { number } } },
  };
};
const rules = (...paths: networkingV1.HTTPIngressPath[]): Parts['spec'] => ({
  rules: [{ host: 'a.example', http: { paths } }],
});

const service = (name: string, spec: object = {}): Service =>
  ({
    metadata: { name, namespace: 'd' },
    spec: { ports: [{ name: 'http', port: 80, protocol: 'TCP' }], ...spec },
  }) as Service;
const services = [
  service('web'),
  service('h2', { ports: [{ port: 80, appProtocol: 'kubernetes.io/h2c' }] }),
  service('ws', { ports: [{ port: 80, appProtocol: 'kubernetes.io/ws' }] }),
  service('tls', { ports: [{ port: 443, appProtocol: 'https' }] }),
  service('sticky', { sessionAffinity: 'ClientIP' }),
  service('outside', { type: 'ExternalName', externalName: 'example.com' }),
];

interface Conditions {
  readonly ready?: boolean;
  readonly serving?: boolean;
  readonly terminating?: boolean;
}
const slice = (...endpoints: readonly (readonly [string, Conditions])[]): EndpointSlice =>
  ({
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: endpoints.map(([address, conditions]) => ({ addresses: [address], conditions })),
  }) as EndpointSlice;

const view = (ingresses: readonly Ingress[], more: Partial<IngressView> = {}): IngressView => ({
  ingresses,
  classes,
  service: (_, name) => services.find((one) => one.metadata.name === name),
  slices: (_, name) => (name === 'web' ? [slice(['10.0.0.1', { ready: true }])] : []),
  secret: () => undefined,
  ...more,
});
const problems = (ingresses: readonly Ingress[], more: Partial<IngressView> = {}) =>
  planIngress(view(ingresses, more)).problems.map((one) => `${one.ingress} ${one.reason}: ${one.message}`);

test('whose ingresses are served, the oldest first', () => {
  const all = [
    ingress('b'),
    ingress('a'),
    ingress('older', { age: 3 }),
    ingress('other', { className: 'nginx' }),
    ingress('none', { className: '' }),
    ingress('annotated', { className: '', annotations: { 'kubernetes.io/ingress.class': 'jotasu' } }),
  ];
  expect(servedIngresses(all, classes).map(({ metadata }) => metadata.name)).toEqual([
    'older',
    'a',
    'annotated',
    'b',
  ]);
});

test('routes by host and path', () => {
  const plan = planIngress(
    view([
      ingress('i', {
        spec: {
          rules: [
            {
              host: 'a.example',
              http: { paths: [path('/'), path('/login/', 'web:http'), path('/x', 'h2:80', 'Exact')] },
            },
            { host: '*.b.example', http: { paths: [path('', 'ws:80', 'ImplementationSpecific')] } },
            { http: { paths: [path('/ü 1')] } },
            { host: 'empty.example' },
          ],
          defaultBackend: { service: { name: 'tls', port: { number: 443 } } },
        },
      }),
    ]),
  );
  const to = (routes: typeof plan.exact) =>
    Object.fromEntries([...routes].map(([key, { backend }]) => [key, backend]));
  expect(to(plan.exact)).toEqual({ 'a.example/x': 'd_h2_80' });
  expect(to(plan.prefix)).toEqual({
    'a.example/': 'd_web_80',
    'a.example/login/': 'd_web_http',
    '*.b.example/': 'd_ws_80',
    '/%C3%BC%201/': 'd_web_80',
    '/': 'd_tls_443',
  });
  expect(plan.backends).toEqual([
    { name: 'd_h2_80', protocol: 'h2', sticky: false, endpoints: [] },
    { name: 'd_tls_443', protocol: 'tls', sticky: false, endpoints: [] },
    { name: 'd_web_80', protocol: 'h1', sticky: false, endpoints: ['10.0.0.1:8080'] },
    { name: 'd_web_http', protocol: 'h1', sticky: false, endpoints: ['10.0.0.1:8080'] },
    { name: 'd_ws_80', protocol: 'h1', sticky: false, endpoints: [] },
  ]);
  expect(plan.problems).toEqual([]);
});

test.each<[string, Parts['spec'], string | undefined]>([
  ['no service', rules(path('/', 'gone:80')), 'ServiceNotFound: service "gone" was not found'],
  ['no such port', rules(path('/', 'web:81')), 'PortNotFound: service "web" has no port "81"'],
  ['no such name', rules(path('/', 'web:smtp')), 'PortNotFound: service "web" has no port "smtp"'],
  [
    'a name elsewhere',
    rules(path('/', 'outside:80')),
    'UnsupportedBackend: service "outside" is of type ExternalName, which an ingress cannot lead to',
  ],
  [
    'a bucket',
    { defaultBackend: { resource: { kind: 'Bucket', name: 'b' } } },
    'UnsupportedBackend: backends of kind Bucket are not supported, only services',
  ],
  [
    'no secret',
    { ...rules(path('/')), tls: [{ hosts: ['a.example'], secretName: 's' }] },
    'SecretNotFound: secret "s" was not found',
  ],
  ['the default certificate', { ...rules(path('/')), tls: [{ hosts: ['a.example'] }] }, undefined],
])('what is told: %s', (_, spec, message) => {
  expect(problems([ingress('i', { spec: spec! })])).toEqual(message === undefined ? [] : [`d/i ${message}`]);
});

test('of two that want the same the older has it', () => {
  const spec = { ...rules(path('/', 'web:80')), defaultBackend: path('/', 'web:80').backend };
  const other = { ...rules(path('/', 'h2:80')), defaultBackend: path('/', 'h2:80').backend };
  const both = [ingress('young', { spec: other }), ingress('old', { spec, age: 5 })];
  expect(problems(both)).toEqual([
    'd/young Conflict: host "a.example" and path "/" are already defined in ingress d/old',
    'd/young Conflict: the default backend is already that of ingress d/old',
  ]);
  expect([...planIngress(view(both)).prefix].map(([key, { backend }]) => [key, backend])).toEqual([
    ['a.example/', 'd_web_80'],
    ['/', 'd_web_80'],
  ]);
});

test('annotations', () => {
  const annotations = {
    'ingress.jotasu.dev/request-timeout': '5m',
    'ingress.jotasu.dev/max-body-size': '1Mi',
    'ingress.jotasu.dev/ssl-redirect': 'yes',
  };
  const one = [ingress('i', { spec: rules(path('/')), annotations })];
  expect(planIngress(view(one)).prefix.get('a.example/')).toEqual({
    backend: 'd_web_80',
    timeoutMs: 300_000,
    maxBodyBytes: 1_048_576,
    redirects: false,
  });
  expect(problems(one)).toEqual([
    'd/i InvalidAnnotation: annotation ingress.jotasu.dev/ssl-redirect cannot be read: "yes"',
  ]);
});

test.each<[string, readonly (readonly [string, Conditions])[], readonly string[]]>([
  [
    'ready ones',
    [
      ['2', { ready: true }],
      ['1', {}],
      ['3', { ready: false }],
    ],
    ['1:8080', '2:8080'],
  ],
  [
    'none that ends',
    [
      ['1', { ready: true }],
      ['2', { ready: false, serving: true, terminating: true }],
    ],
    ['1:8080'],
  ],
  ['but when there is no other', [['2', { ready: false, serving: true, terminating: true }]], ['2:8080']],
  ['none', [['2', { ready: false, serving: false, terminating: true }]], []],
])('endpoints: %s', (_, endpoints, expected) => {
  const plan = planIngress(
    view([ingress('i', { spec: rules(path('/')) })], { slices: () => [slice(...endpoints)] }),
  );
  expect(plan.backends[0]?.endpoints).toEqual(expected);
});

test('certificates: checked, for the hosts that ask, or those of their own', async () => {
  const nowMs = Date.UTC(2026, 0, 1);
  const ca = await createCa({ commonName: 'ca', days: 10, nowMs });
  const request = {
    commonName: 'x',
    dnsNames: ['own.example', '*.own.example'],
    usage: 'server' as const,
    days: 5,
  };
  const [good, other] = [
    await issueCertificate(ca, request, nowMs),
    await issueCertificate(ca, request, nowMs),
  ];
  const secret = (cert: string, key: string): Secret =>
    ({
      data: {
        'tls.crt': Buffer.from(cert).toString('base64'),
        'tls.key': Buffer.from(key).toString('base64'),
      },
    }) as unknown as Secret;
  const secrets: Record<string, Secret> = {
    good: secret(`${good.cert}\n\n${ca.cert}`, good.key),
    mixed: secret(good.cert, other.key),
    broken: secret('x', 'y'),
    empty: secret('', good.key),
  };
  const tls = (...all: [string[], string][]) => ({
    ...rules(path('/')),
    tls: all.map(([hosts, secretName]) => ({ hosts, secretName })),
  });
  const all = [
    ingress('a', { age: 2, spec: tls([['A.example'], 'good'], [[], 'good']) }),
    ingress('b', { spec: tls([['a.example', 'b.example'], 'mixed'], [[], 'broken'], [[], 'empty']) }),
  ];
  const more = { secret: (_: string, name: string) => secrets[name] };
  const plan = planIngress(view(all, more));
  expect(plan.certificates.map(({ name, hosts }) => [name, hosts])).toEqual([
    ['d_good', ['*.own.example', 'a.example', 'own.example']],
  ]);
  expect(plan.certificates[0]!.pem.match(/BEGIN [A-Z ]+/g)).toEqual([
    'BEGIN CERTIFICATE',
    'BEGIN CERTIFICATE',
    'BEGIN PRIVATE KEY',
  ]);
  expect(plan.certificates[0]!.pem).not.toMatch(/\n\s*\n/);
  expect(problems(all, more).slice(1)).toEqual([
    'd/b InvalidCertificate: secret "mixed": the key is not that of the certificate',
    'd/b InvalidCertificate: secret "broken": the certificate cannot be read',
    'd/b InvalidCertificate: secret "empty": it has no tls.crt',
  ]);
  expect([...secretsNamed(all)].sort()).toEqual(['d/broken', 'd/empty', 'd/good', 'd/mixed']);
});
