// Webhooks over real HTTPS: what they are asked, what their answers do, and what happens when there is none.
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FakeClock, seededRandom, systemClock } from '../../../base/index.ts';
import { createCa, issueCertificate } from '../../../http/index.ts';
import { ApiFixture } from '../../../testkit/index.ts';
import { destinationOf } from './destination.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever it was, the tests look with their own eyes
type Loose = any;

/** Answers by path, undefined = none ever; what it was asked. */
let answer: (path: string, review: Loose) => object | undefined;
const asked: { path: string; review: Loose }[] = [];
let server: Server;
let port: number;
let caBundle: string;
let f: ApiFixture;

beforeAll(async () => {
  const nowMs = systemClock.nowMs();
  const ca = await createCa({ commonName: 'webhooks', days: 1, nowMs });
  const names = { dnsNames: ['localhost', 'hook.default.svc'], ips: ['127.0.0.1'] };
  const { cert, key } = await issueCertificate(
    ca,
    { commonName: 'w', ...names, usage: 'server', days: 1 },
    nowMs,
  );
  caBundle = Buffer.from(ca.cert).toString('base64');
  server = createServer({ cert, key }, (request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += chunk;
    });
    request.on('end', () => {
      const review = JSON.parse(text);
      const path = request.url ?? '';
      asked.push({ path, review });
      const body = answer(path, review);
      if (body === undefined) return;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(async () => {
  asked.length = 0;
  answer = (_path, review) => allow(review);
  f = await ApiFixture.create();
});
afterEach(() => f.close());

const respond = (review: Loose, response: object) => ({
  kind: 'AdmissionReview',
  apiVersion: 'admission.k8s.io/v1',
  response: { uid: review.request.uid, ...response },
});
const allow = (review: Loose, more: object = {}) => respond(review, { allowed: true, ...more });
const patch = (review: Loose, operations: object[]) =>
  allow(review, {
    patchType: 'JSONPatch',
    patch: Buffer.from(JSON.stringify(operations)).toString('base64'),
  });

const group = '/apis/admissionregistration.k8s.io/v1';
const rule = { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'] };
const webhook = (path: string, more: object = {}) => ({
  name: `${path}.example.com`,
  clientConfig: { url: `https://127.0.0.1:${port}/${path}`, caBundle },
  rules: [rule],
  sideEffects: 'None',
  admissionReviewVersions: ['v1'],
  ...more,
});
const configure = async (kind: 'validating' | 'mutating', ...webhooks: object[]) => {
  const told = await f.ask('POST', `${group}/${kind}webhookconfigurations`, {
    body: { metadata: { name: 'a' }, webhooks },
  });
  expect(told.code).toBe(201);
  return told;
};
const maps = '/api/v1/namespaces/default/configmaps';
const make = (metadata: object = { name: 'm' }, query = '', more: object = {}) =>
  f.ask('POST', `${maps}${query}`, { body: { metadata, ...more } });

describe('a validating webhook', () => {
  it('is asked with everything, and may warn', async () => {
    await configure('validating', webhook('v'));
    answer = (_path, review) => allow(review, { warnings: ['mind the gap'] });
    const told = await f.ask('POST', maps, {
      body: { metadata: { name: 'm' }, data: { a: 'b' } },
      user: 'jo@system:masters',
    });
    expect([told.code, told.headers['warning']]).toEqual([201, ['299 - "mind the gap"']]);
    const [{ path, review }] = asked as [(typeof asked)[0]];
    expect(path).toBe('/v?timeout=10s');
    expect(review).toMatchObject({
      kind: 'AdmissionReview',
      apiVersion: 'admission.k8s.io/v1',
      request: {
        kind: { group: '', version: 'v1', kind: 'ConfigMap' },
        resource: { group: '', version: 'v1', resource: 'configmaps' },
        name: 'm',
        namespace: 'default',
        operation: 'CREATE',
        userInfo: { username: 'jo', groups: ['system:masters', 'system:authenticated'] },
        object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data: { a: 'b' } },
        oldObject: null,
        dryRun: false,
        options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      },
    });
  });

  it.each<[object, number, string]>([
    [{ message: 'no such day' }, 400, 'admission webhook "v.example.com" denied the request: no such day'],
    [
      { code: 403, reason: 'Forbidden' },
      403,
      'admission webhook "v.example.com" denied the request: Forbidden',
    ],
    [{}, 400, 'admission webhook "v.example.com" denied the request without explanation'],
  ])('refuses: %j', async (status, code, message) => {
    await configure('validating', webhook('v'));
    answer = (_path, review) => respond(review, { allowed: false, status });
    const told = await make();
    expect([told.code, told.json.message]).toEqual([code, message]);
    expect((await f.ask('GET', `${maps}/m`)).code).toBe(404);
  });

  it('is asked again when the connection that was kept has gone', async () => {
    await configure('validating', webhook('v'));
    expect((await make({ name: 'a' })).code).toBe(201);
    server.closeAllConnections();
    expect((await make({ name: 'b' })).code).toBe(201);
    expect(asked).toHaveLength(2);
  });

  it('sees changes and deletions too', async () => {
    await make();
    await configure('validating', webhook('v', { rules: [{ ...rule, operations: ['UPDATE', 'DELETE'] }] }));
    await f.ask('PATCH', `${maps}/m`, { type: 'application/merge-patch+json', body: { data: { a: 'b' } } });
    await f.ask('DELETE', `${maps}/m`);
    expect(
      asked.map(({ review: { request: r } }) => [r.operation, r.object?.data, r.oldObject.data]),
    ).toEqual([
      ['UPDATE', { a: 'b' }, undefined],
      ['DELETE', undefined, { a: 'b' }],
    ]);
  });
});

describe('a mutating webhook', () => {
  it('changes the object, and the next one sees it; whoever asks for it is called again', async () => {
    const own = (path: string, more: object = {}) => webhook(path, more);
    await configure('mutating', own('first', { reinvocationPolicy: 'IfNeeded' }), own('second'));
    answer = (path, review) => {
      const { data = {} } = review.request.object;
      const key = path.startsWith('/first') ? 'first' : 'second';
      const value = key === 'first' ? Object.keys(data).sort().join('+') || 'nothing' : 'here';
      return patch(review, [
        ...(review.request.object.data === undefined ? [{ op: 'add', path: '/data', value: {} }] : []),
        { op: 'add', path: `/data/${key}`, value },
        { op: 'add', path: '/metadata/labels', value: { touched: 'yes' } },
      ]);
    };
    const told = await make();
    expect([told.code, told.json.data, told.json.metadata.labels]).toEqual([
      201,
      { first: 'first+second', second: 'here' },
      { touched: 'yes' },
    ]);
    expect(asked.map(({ path }) => path.slice(1, path.indexOf('?')))).toEqual(['first', 'second', 'first']);
  });

  it('cannot rename, and what it makes must be valid', async () => {
    await configure('mutating', webhook('m'));
    answer = (_path, review) => patch(review, [{ op: 'replace', path: '/metadata/name', value: 'other' }]);
    expect((await make()).json.metadata.name).toBe('m');
    answer = (_path, review) => patch(review, [{ op: 'add', path: '/metadata/labels', value: { '-': 'x' } }]);
    expect((await make({ name: 'n' })).code).toBe(422);
    answer = (_path, review) => patch(review, [{ op: 'remove', path: '/nowhere' }]);
    expect((await make({ name: 'n' })).code).toBe(500);
  });
});

describe('a connection', () => {
  const url = '/api/v1/namespaces/default/pods/p/attach?container=c&stdin=true';
  const connects = (more: object = {}) => ({
    rules: [{ ...rule, operations: ['CONNECT'], resources: ['pods/attach'] }],
    ...more,
  });
  const refuse = (_path: string, review: Loose) =>
    respond(review, { allowed: false, status: { message: 'not this one' } });

  it('is asked about as what it is to be', async () => {
    await configure('validating', webhook('v', connects({ objectSelector: {} })));
    answer = refuse;
    const { code, json } = await f.ask('POST', url);
    expect([code, json.message]).toEqual([
      400,
      'admission webhook "v.example.com" denied the request: not this one',
    ]);
    expect(asked[0]?.review.request).toMatchObject({
      kind: { group: '', version: 'v1', kind: 'PodAttachOptions' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      subResource: 'attach',
      name: 'p',
      namespace: 'default',
      operation: 'CONNECT',
      object: { kind: 'PodAttachOptions', apiVersion: 'v1', stdin: true, container: 'c' },
      oldObject: null,
      options: null,
    });
  });

  it('is as the mutating ones leave it', async () => {
    await configure('mutating', webhook('m', connects()));
    await configure('validating', webhook('v', connects()));
    answer = (path, review) =>
      path.startsWith('/m')
        ? patch(review, [{ op: 'replace', path: '/container', value: 'd' }])
        : refuse(path, review);
    await f.ask('GET', url);
    expect(asked.map(({ path, review }) => [path[1], review.request.object.container])).toEqual([
      ['m', 'c'],
      ['v', 'd'],
    ]);
  });

  it('has no labels by which it could be selected', async () => {
    const selector = { matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] };
    await configure('validating', webhook('v', connects({ objectSelector: selector })));
    answer = refuse;
    expect((await f.ask('POST', url)).json.message).toBe('Upgrade request required');
    expect(asked).toEqual([]);
  });

  it('goes on when nobody objects, and reading a log is none', async () => {
    await configure(
      'validating',
      webhook('v', connects({ rules: [{ ...rule, operations: ['*'], resources: ['pods/*'] }] })),
    );
    expect((await f.ask('POST', url)).json.message).toBe('Upgrade request required');
    expect(asked).toHaveLength(1);
    expect((await f.ask('GET', '/api/v1/namespaces/default/pods/p/log')).code).toBe(404);
    expect(asked).toHaveLength(1);
  });
});

describe('conditions', () => {
  const when = (...expressions: string[]) => ({
    matchConditions: expressions.map((expression, i) => ({ name: `c${i}`, expression })),
  });

  it.each<[string[], boolean]>([
    [["object.metadata.name != 'skip-me'"], true],
    [["object.metadata.name == 'skip-me'"], false],
    [["request.kind.kind == 'ConfigMap'", "request.operation == 'CREATE'", 'oldObject == null'], true],
    [["request.userInfo.groups.exists(g, g == 'system:nodes')"], false],
  ])('%j: asked %s', async (expressions, isAsked) => {
    await configure('validating', webhook('v', when(...expressions)));
    const labels = { 'app.kubernetes.io/name': 'x' };
    expect((await make({ name: 'm', labels }, '', { data: { a: 'b' } })).code).toBe(201);
    expect(asked).toHaveLength(isAsked ? 1 : 0);
  });

  const unsaid = "object.metadata.labels['a'] == 'b'";
  it.each<[string[], string, number, string | undefined]>([
    [[unsaid], 'Fail', 403, `expression '${unsaid}' resulted in error: no such key: labels`],
    [[unsaid], 'Ignore', 201, undefined],
    [[unsaid, 'false'], 'Fail', 201, undefined],
  ])('that cannot be said: %j with failurePolicy %s', async (expressions, failurePolicy, code, why) => {
    await configure('mutating', webhook('m', { ...when(...expressions), failurePolicy }));
    const told = await make();
    expect([told.code, asked]).toEqual([code, []]);
    if (why !== undefined) expect(told.json.message).toContain(why);
  });

  it('must be expressions', async () => {
    const body = {
      metadata: { name: 'a' },
      webhooks: [webhook('v', when('object.metadata.name', "'a' == 1 +", 'nobody.knows', 'true'))],
    };
    const { code, json } = await f.ask('POST', `${group}/validatingwebhookconfigurations`, { body });
    expect([code, json.details.causes.map((cause: { field: string }) => cause.field)]).toEqual([
      422,
      [0, 1, 2].map((i) => `webhooks[0].matchConditions[${i}].expression`),
    ]);
    expect(json.message).toContain('must evaluate to bool but got dyn');
    expect(json.message).toContain('compilation failed: ');
  });

  it('are asked of what others have changed', async () => {
    const second = { ...webhook('second', when("'x' in object.data")) };
    await configure('mutating', webhook('first'), second);
    answer = (path, review) =>
      path.startsWith('/first')
        ? patch(review, [{ op: 'add', path: '/data', value: { x: 'y' } }])
        : allow(review);
    expect((await make()).code).toBe(201);
    expect(asked.map(({ path }) => path.split('?')[0])).toEqual(['/first', '/second']);
  });
});

describe('a webhook that fails', () => {
  const closed = { clientConfig: { url: 'https://127.0.0.1:1/', caBundle: '' } };
  it.each(['validating', 'mutating'] as const)('%s: refuses what it must not let pass', async (kind) => {
    await configure(kind, webhook('w', closed));
    const { code, json } = await make();
    expect([code, json.reason, json.message]).toEqual([
      500,
      'InternalError',
      expect.stringMatching(
        /^Internal error occurred: failed calling webhook "w.example.com": failed to call webhook: Post "https:\/\/127.0.0.1:1\/\?timeout=10s": /,
      ),
    ]);
    // Whoever wrote it can take it away again.
    expect((await f.ask('DELETE', `${group}/${kind}webhookconfigurations/a`)).code).toBe(200);
    expect((await make()).code).toBe(201);
  });

  it('is waited for as long as it asks', async () => {
    await configure('validating', webhook('w', { timeoutSeconds: 2 }));
    const clock = f.clock as FakeClock;
    answer = () => {
      clock.advance(2000);
      return undefined;
    };
    const { code, json } = await make();
    expect([code, json.message]).toEqual([
      500,
      `Internal error occurred: failed calling webhook "w.example.com": failed to call webhook: Post "https://127.0.0.1:${port}/w?timeout=2s": context deadline exceeded`,
    ]);
  });

  it('lets pass what it may', async () => {
    await configure('validating', webhook('w', { ...closed, failurePolicy: 'Ignore' }));
    expect((await make()).code).toBe(201);
  });

  it.each<[string, (review: Loose) => object, string]>([
    ['is no review', () => ({}), 'expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview'],
    ['is for another question', (r) => ({ ...allow(r), response: { uid: 'x' } }), 'expected response.uid='],
    ['has no response', (r) => ({ ...allow(r), response: null }), 'webhook response was absent'],
    [
      'is a patch of no type',
      (r) => allow(r, { patch: 'W10=' }),
      'response.patch but not response.patchType',
    ],
  ])('an answer that %s is none', async (_, wrong, why) => {
    await configure('mutating', webhook('w'));
    answer = (_path, review) => wrong(review);
    expect((await make()).json.message).toContain(why);
  });

  it('the certificate of another is not accepted', async () => {
    await configure('validating', webhook('w', { clientConfig: { url: `https://127.0.0.1:${port}/w` } }));
    expect((await make()).code).toBe(500);
    expect(asked).toEqual([]);
  });

  it('a server starts again, whatever its webhooks refuse', async () => {
    const rules = [{ ...rule, resources: ['*'], apiGroups: ['*'], operations: ['*'] }];
    await configure('validating', webhook('w', { ...closed, rules }));
    const again = await ApiFixture.create({ store: f.store });
    expect((await again.ask('GET', '/api/v1/namespaces/default')).code).toBe(200);
  });
});

describe('a service', () => {
  const services = '/api/v1/namespaces/default/services';
  const service = { name: 'hook', namespace: 'default', path: '/served' };

  it('is asked by its own name in the cluster', async () => {
    await f.ask('POST', services, {
      body: { metadata: { name: 'hook' }, spec: { type: 'ExternalName', externalName: 'localhost' } },
    });
    await configure(
      'validating',
      webhook('w', { clientConfig: { service: { ...service, port }, caBundle } }),
    );
    expect([(await make()).code, asked.map(({ path }) => path)]).toEqual([201, ['/served?timeout=10s']]);
  });

  it('is reached at an endpoint that is ready', async () => {
    const spec = { clusterIP: '10.96.0.77', ports: [{ port: 443, name: 'https' }] };
    await f.ask('POST', services, { body: { metadata: { name: 'hook' }, spec } });
    const at = (config: object = service) =>
      destinationOf({ service: config as never }, f.store, seededRandom(1));
    expect(at).toThrow('no endpoints available for service "hook"');
    await configure('validating', webhook('w', { clientConfig: { service, caBundle } }));
    expect((await make()).json.message).toBe(
      'Internal error occurred: failed calling webhook "w.example.com": failed to call webhook: Post "https://hook.default.svc:443/served?timeout=10s": no endpoints available for service "hook"',
    );
    const told = await f.ask('POST', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', {
      body: {
        metadata: { name: 'hook-1', labels: { 'kubernetes.io/service-name': 'hook' } },
        addressType: 'IPv4',
        ports: [{ name: 'https', port: 8443 }],
        endpoints: [
          { addresses: ['10.0.0.1'], conditions: { ready: false } },
          { addresses: ['10.0.0.2'], conditions: { ready: true } },
        ],
      },
    });
    expect([told.code, at()]).toEqual([
      201,
      { server: 'https://10.0.0.2:8443', path: '/served', serverName: 'hook.default.svc' },
    ]);
    expect(() => at({ ...service, port: 80 })).toThrow('no service port 80 found for service "hook"');
    expect(() => at({ ...service, name: 'gone' })).toThrow('service "gone" not found');
  });
});

it('a dry run asks only those without side effects', async () => {
  await configure('validating', webhook('w'));
  expect((await make({ name: 'm' }, '?dryRun=All')).code).toBe(201);
  expect(asked[0]?.review.request.dryRun).toBe(true);
  await f.ask('DELETE', `${group}/validatingwebhookconfigurations/a`);
  expect((await make({ name: 'm' }, '?dryRun=All')).code).toBe(201);
  expect(asked).toHaveLength(1);
});

describe('a webhook is not about', () => {
  it.each([
    ['other operations', { rules: [{ ...rule, operations: ['UPDATE', 'DELETE'] }] }],
    ['other groups', { rules: [{ ...rule, apiGroups: ['apps'] }] }],
    ['other versions, exactly', { matchPolicy: 'Exact', rules: [{ ...rule, apiVersions: ['v2'] }] }],
    ['subresources', { rules: [{ ...rule, resources: ['configmaps/status', '*/scale'] }] }],
    ['the cluster scope', { rules: [{ ...rule, scope: 'Cluster' }] }],
    ['other namespaces', { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'other' } } }],
    ['other labels', { objectSelector: { matchLabels: { a: 'b' } } }],
  ])('%s', async (_, changed) => {
    await configure('validating', webhook('w', changed));
    expect([(await make()).code, asked.length]).toEqual([201, 0]);
  });
});

describe('a webhook is about', () => {
  it.each([
    ['everything', { rules: [{ ...rule, resources: ['*'], apiGroups: ['*'], operations: ['*'] }] }],
    ['its namespaces', { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'default' } } }],
    ['its labels', { objectSelector: { matchExpressions: [{ key: 'a', operator: 'Exists' }] } }],
  ])('%s', async (_, changed) => {
    await configure('validating', webhook('w', changed));
    expect([(await make({ name: 'm', labels: { a: '' } })).code, asked.length]).toEqual([201, 1]);
  });
});
