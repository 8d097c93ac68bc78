import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create();
});
afterAll(() => f.close());

const cms = '/api/v1/namespaces/default/configmaps';
const owner = (uid: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', name: 'o', uid });
const body = (...ownerReferences: object[]) => ({ metadata: { name: 'x', ownerReferences } });
const warned = (when: string, uids: string) => [
  `299 - ".metadata.ownerReferences contains duplicate entries${when}; API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: ${uids}"`,
];
const later = ' after mutating admission happens';
const [a, b] = [owner('a'), owner('b')];

it.each([
  ['POST', '', body(a, b), undefined, [a, b]],
  ['POST', '', body(a, { ...a, name: 'p' }), undefined, [a, { ...a, name: 'p' }]],
  ['POST', '', body(a, a, b, b, b), warned('', 'a, b, b'), [a, b]],
  ['PUT', 'application/json', body(a, a), warned('', 'a'), [a]],
  ['PATCH', 'application/merge-patch+json', body(a, a), warned(later, 'a'), [a]],
] as const)('%s %s of %j', async (method, type, sent, warning, kept) => {
  await f.ask('DELETE', `${cms}/x`);
  if (method !== 'POST') await f.ask('POST', cms, { body: body(b) });
  const told = await f.ask(method, method === 'POST' ? cms : `${cms}/x`, {
    body: sent,
    ...(type && { type }),
  });
  expect([told.headers['warning'], told.json.metadata.ownerReferences]).toEqual([warning, kept]);
});

it('warns with a refusal too', async () => {
  const told = await f.ask('POST', cms, { body: { ...body(a, a), data: { 'a b': '' } } });
  expect([told.code, told.headers['warning']]).toEqual([422, warned('', 'a')]);
});
