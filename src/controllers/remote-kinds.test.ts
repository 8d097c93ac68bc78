import { expect, test } from 'vitest';
import { APIService } from '../api/index.ts';
import { FakeClock, seededRandom } from '../base/index.ts';
import { createClient } from '../client/index.ts';
import type { Draft } from '../machinery/index.ts';
import { FakeTransport } from '../testkit/index.ts';
import { findRemoteKinds } from './remote-kinds.ts';

const verbs = ['list', 'delete'];

test('kinds of others, and who did not tell his', async () => {
  const transport = new FakeTransport({ clock: new FakeClock(0), random: seededRandom(1) });
  const client = createClient(transport);
  const register = async (group: string, service?: object) =>
    client(APIService).create({
      metadata: { name: `v1.${group}` },
      spec: { group, version: 'v1', service },
    } as Draft<APIService>);
  await register('apps');
  for (const group of ['away.example.com', 'gone.example.com', 'here.example.com'])
    await register(group, { name: 's', namespace: 'n' });
  transport.remoteResources.set('here.example.com/v1', [
    { name: 'things', namespaced: true, kind: 'Thing', verbs },
    { name: 'things/status', namespaced: true, kind: 'Thing', verbs: ['get'] },
    { name: 'lands', namespaced: false, kind: 'Land', verbs },
  ]);
  transport.remoteResources.set('away.example.com/v1', new Error('away'));
  const found = await findRemoteKinds(client);
  expect(found.undiscovered).toEqual(['away.example.com/v1', 'gone.example.com/v1']);
  expect(found.kinds.map(({ apiVersion, kind, plural, scope }) => [apiVersion, kind, plural, scope])).toEqual(
    [
      ['here.example.com/v1', 'Land', 'lands', 'Cluster'],
      ['here.example.com/v1', 'Thing', 'things', 'Namespaced'],
    ],
  );
  // Whoever keeps something for a kind finds it again.
  expect((await findRemoteKinds(client)).kinds[0]).toBe(found.kinds[0]);
});
