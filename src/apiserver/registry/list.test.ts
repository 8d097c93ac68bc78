// Lists: selectors, pages, and what each resourceVersion and match means.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
const cms = '/api/v1/namespaces/default/configmaps';
const names = (list: { items: { metadata: { name: string } }[] }) => list.items.map((i) => i.metadata.name);
const make = (name: string) => f.ask('POST', cms, { body: { metadata: { name, labels: { n: name } } } });

beforeAll(async () => {
  f = await ApiFixture.create();
  for (const name of ['a', 'b', 'c', 'd', 'e']) await make(name);
});
afterAll(() => f.close());

it('carries the revision, and items without kind and apiVersion', async () => {
  const { json } = await f.ask('GET', cms);
  expect(json).toMatchObject({
    kind: 'ConfigMapList',
    apiVersion: 'v1',
    metadata: { resourceVersion: String(f.store.revision) },
  });
  expect(names(json)).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(json.items[0].kind).toBeUndefined();
});

it.each([
  ['labelSelector=n+in+(a,c)', ['a', 'c']],
  ['fieldSelector=metadata.name%3Db', ['b']],
  ['fieldSelector=metadata.namespace%3Dother', []],
  ['labelSelector=n%3Da&fieldSelector=metadata.name%3Db', []],
])('%s', async (query, wanted) => {
  expect(names((await f.ask('GET', `${cms}?${query}`)).json)).toEqual(wanted);
});

it('pages show one state, whatever happens in between', async () => {
  const first = (await f.ask('GET', `${cms}?limit=2`)).json;
  expect([names(first), first.metadata.remainingItemCount]).toEqual([['a', 'b'], 3]);
  await f.ask('DELETE', `${cms}/d`);
  await make('bb');
  const next = (await f.ask('GET', `${cms}?limit=2&continue=${first.metadata.continue}`)).json;
  expect(names(next)).toEqual(['c', 'd']);
  expect(next.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
  const last = (await f.ask('GET', `${cms}?limit=2&continue=${next.metadata.continue}`)).json;
  expect([names(last), last.metadata.continue]).toEqual([['e'], undefined]);
  await f.ask('DELETE', `${cms}/bb`);
  await make('d');
});

it('counts nothing that a selector hides', async () => {
  const { metadata } = (await f.ask('GET', `${cms}?limit=1&labelSelector=n`)).json;
  expect([metadata.continue !== undefined, metadata.remainingItemCount]).toEqual([true, undefined]);
});

it('a page too old is 410 with a token for the rest as it is now', async () => {
  const first = (await f.ask('GET', `${cms}?limit=2`)).json;
  await make('cc');
  await f.store.compact(f.store.revision);
  const told = await f.ask('GET', `${cms}?limit=9&continue=${first.metadata.continue}`);
  expect([told.code, told.json.reason]).toEqual([410, 'Expired']);
  expect(told.json.message).toMatch(
    /^The provided continue parameter is too old to display a consistent list/,
  );
  const rest = (await f.ask('GET', `${cms}?limit=9&continue=${told.json.metadata.continue}`)).json;
  expect(names(rest)).toEqual(['c', 'cc', 'd', 'e']);
  const old = await f.ask('GET', `${cms}?resourceVersion=3&resourceVersionMatch=Exact`);
  expect([old.code, old.json.message]).toEqual([
    410,
    'The resourceVersion for the provided list is too old.',
  ]);
  await f.ask('DELETE', `${cms}/cc`);
});

it('exact versions, and pages of a named version, are of that version', async () => {
  const then = f.store.revision;
  await make('new');
  for (const query of [
    `resourceVersion=${then}&resourceVersionMatch=Exact`,
    `resourceVersion=${then}&limit=50`,
  ]) {
    const { json } = await f.ask('GET', `${cms}?${query}`);
    expect([names(json).includes('new'), json.metadata.resourceVersion]).toEqual([false, String(then)]);
  }
  for (const query of [
    '',
    'resourceVersion=0',
    `resourceVersion=${then}`,
    `resourceVersion=${then}&resourceVersionMatch=NotOlderThan&limit=50`,
  ])
    expect(names((await f.ask('GET', `${cms}?${query}`)).json)).toContain('new');
});

it.each([
  [
    'resourceVersionMatch=Exact',
    422,
    /resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided/,
  ],
  [
    'resourceVersion=1&resourceVersionMatch=Near',
    422,
    /^ListOptions\.meta\.k8s\.io "" is invalid: resourceVersionMatch: Unsupported value: "Near": supported values: "Exact", "NotOlderThan", ""$/,
  ],
  [
    'resourceVersion=0&resourceVersionMatch=Exact',
    422,
    /resourceVersionMatch "exact" is forbidden for resourceVersion "0"/,
  ],
  ['continue=x&resourceVersion=1&resourceVersionMatch=Exact', 422, /forbidden when continue is provided/],
  ['continue=x', 400, /continue key is not valid/],
  ['continue=x&resourceVersion=5', 400, /specifying resource version is not allowed when using continue/],
  [
    'resourceVersion=abc',
    400,
    /^invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint/,
  ],
  ['sendInitialEvents=true', 422, /sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list/],
  ['limit=x', 400, /strconv.ParseInt/],
])('refuses %s', async (query, code, message) => {
  const told = await f.ask('GET', `${cms}?${query}`);
  expect([told.code, told.json.message]).toEqual([code, expect.stringMatching(message)]);
});
