// One priority class may be the default of the cluster.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
const classes = '/apis/scheduling.k8s.io/v1/priorityclasses';
const write = async (verb: 'POST' | 'PUT', name: string, globalDefault: boolean) => {
  const url = verb === 'PUT' ? `${classes}/${name}` : classes;
  const { code, json } = await f.ask(verb, url, { body: { metadata: { name }, value: 5, globalDefault } });
  return code < 300 ? code : [code, json.message];
};

beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

it('refuses a second default, made or changed', async () => {
  const refused = (name: string) => [
    403,
    `priorityclasses.scheduling.k8s.io "${name}" is forbidden: PriorityClass first is already marked as default. Only one default can exist`,
  ];
  expect(await write('POST', 'first', true)).toBe(201);
  expect(await write('POST', 'second', true)).toEqual(refused('second'));
  expect(await write('POST', 'plain', false)).toBe(201);
  expect(await write('PUT', 'plain', true)).toEqual(refused('plain'));
  expect(await write('PUT', 'first', true)).toBe(200);
  await f.ask('DELETE', `${classes}/first`);
  expect(await write('PUT', 'plain', true)).toBe(200);
});
