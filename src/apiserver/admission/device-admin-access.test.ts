import { afterEach, beforeEach, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
beforeEach(async () => {
  f = await ApiFixture.create();
});
afterEach(() => f.close());

const spec = (adminAccess?: boolean) => ({
  devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c', adminAccess } }] },
});

it.each([
  ['resourceclaims', spec],
  ['resourceclaimtemplates', (admin?: boolean) => ({ spec: spec(admin) })],
])('%s with access to others’ devices are for namespaces that say so', async (resource, specOf) => {
  const path = `/apis/resource.k8s.io/v1/namespaces/default/${resource}`;
  const make = async (name: string, admin?: boolean) =>
    await f.ask('POST', path, { body: { metadata: { name }, spec: specOf(admin) } });
  expect((await make('none')).code).toBe(201);
  expect((await make('no', false)).code).toBe(201);
  const refused = await make('yes', true);
  expect([refused.code, refused.json.details.causes]).toEqual([
    422,
    [
      {
        reason: 'FieldValueForbidden',
        message:
          'Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label on the containing namespace',
        field: '',
      },
    ],
  ]);
  await f.ask('PATCH', '/api/v1/namespaces/default', {
    body: { metadata: { labels: { 'resource.kubernetes.io/admin-access': 'true' } } },
    type: 'application/merge-patch+json',
  });
  expect((await make('yes', true)).code).toBe(201);
});
