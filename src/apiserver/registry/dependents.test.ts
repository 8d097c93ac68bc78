// What becomes of the objects that a deleted one owns: as the delete says, else as the kind has it.
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create();
});
afterAll(() => f.close());

const jobs = '/apis/batch/v1/namespaces/default/jobs';
const controllers = '/api/v1/namespaces/default/replicationcontrollers';
const cms = '/api/v1/namespaces/default/configmaps';
const events = '/api/v1/namespaces/default/events';
const template = {
  metadata: { labels: { a: 'b' } },
  spec: { restartPolicy: 'Never', containers: [{ name: 'c', image: 'i' }] },
};
const always = { ...template, spec: { ...template.spec, restartPolicy: 'Always' } };
const warning =
  '299 - "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning"';

const specs: Record<string, object> = {
  [jobs]: { spec: { template } },
  [controllers]: { spec: { selector: { a: 'b' }, template: always } },
  [cms]: {},
  [events]: { involvedObject: { namespace: 'default' } },
};

it.each([
  [jobs, '', ['orphan'], [warning]],
  [jobs, '?propagationPolicy=Orphan', ['orphan'], undefined],
  [jobs, '?propagationPolicy=Background', 'gone', undefined],
  [jobs, '?propagationPolicy=Foreground', ['foregroundDeletion'], undefined],
  [jobs, '?orphanDependents=false', 'gone', undefined],
  [controllers, '', ['orphan'], undefined],
  [controllers, '?propagationPolicy=Background', 'gone', undefined],
  [cms, '', 'gone', undefined],
  [cms, '?orphanDependents=true', ['orphan'], undefined],
  [events, '?propagationPolicy=Orphan', 'gone', undefined],
])('%s with %j', async (url, query, after, warned) => {
  const name = `x${f.store.revision}`;
  const made = await f.ask('POST', url, { body: { metadata: { name }, ...specs[url] } });
  expect(made.code).toBe(201);
  const told = await f.ask('DELETE', `${url}/${name}${query}`);
  expect([told.code, told.headers['warning']]).toEqual([200, warned]);
  const left = await f.ask('GET', `${url}/${name}`);
  expect(left.code === 404 ? 'gone' : left.json.metadata.finalizers).toEqual(after);
});

it('a finalizer that is there already wins over the default', async () => {
  await f.ask('POST', jobs, {
    body: { metadata: { name: 'own', finalizers: ['foregroundDeletion'] }, spec: { template } },
  });
  await f.ask('DELETE', `${jobs}/own`);
  const { metadata } = (await f.ask('GET', `${jobs}/own`)).json;
  expect(metadata.finalizers).toEqual(['foregroundDeletion']);
});

it('a whole collection warns once', async () => {
  for (const name of ['c1', 'c2'])
    await f.ask('POST', '/apis/batch/v1/namespaces/other/jobs', {
      body: { metadata: { name }, spec: { template } },
    });
  const told = await f.ask('DELETE', '/apis/batch/v1/namespaces/other/jobs');
  expect([told.code, told.headers['warning']]).toEqual([200, [warning]]);
});
