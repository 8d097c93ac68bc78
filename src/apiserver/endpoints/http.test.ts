// What HTTP itself has a say in: methods, types, sizes, room, the old paths of watches, and JSON for people.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';
import { allowed, createAuthorizer } from '../auth/authorize.ts';

const everyone = createAuthorizer([() => allowed]);

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create({ server: { inFlight: { reads: 1, writes: 1 } } });
  for (const name of ['a', 'b']) await f.ask('POST', cms, { body: { metadata: { name } } });
});
afterAll(() => f.close());

const cms = '/api/v1/namespaces/default/configmaps';
const pods = '/api/v1/namespaces/default/pods';

describe('methods', () => {
  it.each([
    ['PUT', cms, 'DELETE, GET, POST'],
    ['PATCH', cms, 'DELETE, GET, POST'],
    ['POST', `${cms}/a`, 'DELETE, GET, PATCH, PUT'],
    ['OPTIONS', `${cms}/a`, 'DELETE, GET, PATCH, PUT'],
    ['POST', '/api/v1/configmaps', 'GET'],
    ['DELETE', '/api/v1/configmaps', 'GET'],
    ['DELETE', `${pods}/p/status`, 'GET, PATCH, PUT'],
    ['GET', `${pods}/p/binding`, 'POST'],
    ['DELETE', `${pods}/p/log`, 'GET'],
    ['POST', '/version', 'GET'],
    ['DELETE', '/apis/apps', 'GET'],
  ])('%s %s is 405, and says what is not', async (method, url, allow) => {
    const told = await f.ask(method, url, { body: {} });
    expect([told.code, told.headers['allow'], told.json.reason, told.json.message]).toEqual([
      405,
      allow,
      'MethodNotAllowed',
      'the server does not allow this method on the requested resource',
    ]);
  });

  it('HEAD is answered as GET', async () => {
    const head = await f.ask('HEAD', `${cms}/a`);
    expect([head.code, head.headers]).toEqual([200, (await f.ask('GET', `${cms}/a`)).headers]);
  });
});

describe('types and sizes', () => {
  it.each([
    ['text/plain', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/json; charset=utf-8', 201],
  ])('a body of %s is %i', async (type, code) => {
    const told = await f.ask('POST', cms, { body: { metadata: { generateName: 't-' } }, type });
    expect(told.code).toBe(code);
  });

  it('a patch of no known kind is 415', async () => {
    const told = await f.ask('PATCH', `${cms}/a`, { body: {}, type: 'application/json' });
    expect([told.code, told.json.reason]).toEqual([415, 'UnsupportedMediaType']);
  });

  it('an answer that cannot be made is 406', async () => {
    const told = await f.ask('GET', `${cms}/a`, { accept: 'text/html' });
    expect([told.code, told.json.reason]).toEqual([406, 'NotAcceptable']);
  });

  it('there is no watch in YAML', async () => {
    const told = await f.ask('GET', `${cms}?watch=1`, { accept: 'application/yaml' });
    expect([told.code, told.json.message]).toEqual([
      406,
      'only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch',
    ]);
  });

  it('more than 3 MiB is 413', async () => {
    const told = await f.ask('POST', cms, { body: ' '.repeat(3 * 1024 * 1024 + 1) });
    expect([told.code, told.json.reason, told.json.message]).toEqual([
      413,
      'RequestEntityTooLarge',
      'Request entity too large: limit is 3145728',
    ]);
  });
});

it('who comes when there is no room is told when to come again', async () => {
  const f = await ApiFixture.create({
    server: { authorize: everyone, inFlight: { reads: 1, writes: 0 }, priorityAndFairness: false },
  });
  // This one waits for a version that is yet to come.
  const first = f.ask('GET', `${cms}?resourceVersion=${f.store.revision + 100}`, { user: 'zoe' });
  const second = await f.ask('GET', cms, { user: 'zoe' });
  expect([second.code, second.headers['retry-after'], second.json.reason, second.json.details]).toEqual([
    429,
    1,
    'TooManyRequests',
    { retryAfterSeconds: 1 },
  ]);
  expect((await f.ask('GET', cms)).code).toBe(200);
  await f.pass(3_000);
  expect((await first).code).toBe(504);
  expect((await f.ask('GET', cms, { user: 'zoe' })).code).toBe(200);
  await f.close();
});

describe('JSON for people', () => {
  it.each([
    ['?pretty=true', 'x/1', true],
    ['?pretty=1', 'x/1', true],
    ['?pretty=false', 'curl/8', false],
    ['', 'curl/8', true],
    ['', 'Mozilla/5.0 (X11)', true],
    ['', 'kubectl/v1', false],
  ])('%j by %j', async (query, agent, pretty) => {
    for (const url of [`${cms}/a`, cms, `${cms}/none`, '/api', '/apis/apps/v1', '/api/v1']) {
      const { text, headers } = await f.ask('GET', url + query, { headers: { 'user-agent': agent } });
      expect(text.startsWith('{\n  "kind"')).toBe(pretty);
      expect(headers['content-length']).toBe(Buffer.byteLength(text));
      if (pretty) expect(text).toBe(JSON.stringify(JSON.parse(text), null, 2));
    }
  });
});

describe('the old paths of watches', () => {
  const seen = async (url: string): Promise<string[]> => {
    const watching = await f.watch(url);
    const names = watching.events().map(({ type, object }) => `${type} ${object.metadata.name}`);
    watching.close();
    return names;
  };

  it.each([
    [`/api/v1/watch/namespaces/default/configmaps`, ['ADDED a', 'ADDED b']],
    [`/api/v1/watch/namespaces/default/configmaps/b`, ['ADDED b']],
    [`/api/v1/watch/namespaces/other/configmaps`, []],
    ['/api/v1/watch/namespaces/other', ['ADDED other']],
  ])('%s', async (url, expected) =>
    expect((await seen(url)).filter((e) => !e.includes(' t-'))).toEqual(expected),
  );

  it('have no subresources', async () =>
    expect((await f.ask('GET', '/api/v1/watch/namespaces/default/pods/p/status')).code).toBe(404));
});

it('a streamed list ends with a bookmark only for who takes bookmarks', async () => {
  const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan';
  for (const [more, last] of [
    ['&allowWatchBookmarks=true', 'BOOKMARK'],
    ['', 'ADDED'],
  ]) {
    const watching = await f.watch(`/api/v1/namespaces?${query}${more}`);
    expect(watching.events().at(-1).type).toBe(last);
    watching.close();
  }
});

it.each([
  ['*', 'illegal base64 data at input byte 0'],
  ['abc', "invalid character 'i' looking for beginning of value"],
  [{ v: 'v2', rv: 1, start: '/x' }, 'server does not recognize this encoded version "v2"'],
  [{ v: 'meta.k8s.io/v1', rv: 'x' }, 'incorrect encoded start resourceVersion (version meta.k8s.io/v1)'],
  [{ v: 'meta.k8s.io/v1', rv: 1 }, 'encoded start key empty (version meta.k8s.io/v1)'],
])('the continue token %j is refused', async (token, why) => {
  const text = typeof token === 'string' ? token : Buffer.from(JSON.stringify(token)).toString('base64url');
  const told = await f.ask('GET', `${cms}?continue=${encodeURIComponent(text)}`);
  expect([told.code, told.json.message]).toEqual([
    400,
    `invalid continue token: continue key is not valid: ${why}`,
  ]);
});
