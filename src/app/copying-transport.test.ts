import { describe, expect, test } from 'vitest';
import { ConfigMap } from '../api/index.ts';
import { createClient, type WatchEvent } from '../client/index.ts';
import { inProcessApiServer } from '../testkit/index.ts';
import { copyingTransport } from './copying-transport.ts';

async function withClient(work: (client: ReturnType<typeof createClient>) => Promise<void>): Promise<void> {
  const served = await inProcessApiServer();
  try {
    await work(createClient(copyingTransport(served.transport)));
  } finally {
    await served.close();
  }
}

const draft = () => ({ metadata: { name: 'a', namespace: 'default' }, data: { k: 'v' } });

describe('objects are the caller’s own', () => {
  test('those it gets', () =>
    withClient(async (client) => {
      const maps = client(ConfigMap);
      const spoil = (map: ConfigMap) => {
        map.data = { k: 'spoilt' };
        map.metadata.labels = { spoilt: '' };
      };
      spoil(await maps.create(draft()));
      spoil(await maps.get('a', 'default'));
      for (const map of (await maps.list({ namespace: 'default' })).items) spoil(map);
      spoil(await maps.patch({ name: 'a', namespace: 'default' }, 'merge', { data: { l: 'w' } }));
      const seen: WatchEvent<ConfigMap>[] = [];
      const ended = new AbortController();
      const sink = {
        onEvents: (events: readonly WatchEvent<ConfigMap>[]) => seen.push(...events),
        onEnd: () => {},
      };
      maps.watch({ namespace: 'default' }, sink, ended.signal);
      await expect.poll(() => seen.length).toBeGreaterThan(0);
      ended.abort();
      for (const event of seen) if (event.type !== 'BOOKMARK') spoil(event.object);
      const found = await maps.get('a', 'default');
      expect([found.data, found.metadata.labels]).toEqual([{ k: 'v', l: 'w' }, undefined]);
      // What was got can be changed and sent back, which is what most programs do.
      found.data = { k: 'new' };
      expect((await maps.update(found)).data).toEqual({ k: 'new' });
    }));

  test('those it gives', () =>
    withClient(async (client) => {
      const given = draft();
      await client(ConfigMap).create(given);
      given.data.k = 'spoilt';
      expect((await client(ConfigMap).get('a', 'default')).data).toEqual({ k: 'v' });
      expect(given).toEqual({ metadata: { name: 'a', namespace: 'default' }, data: { k: 'spoilt' } });
    }));
});
