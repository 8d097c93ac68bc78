import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ConfigMap, Pod } from '../api/index.ts';
import { FakeClock, Scope, seededRandom, settle, silentLog } from '../base/index.ts';
import { StatusError, serviceUnavailable } from '../machinery/index.ts';
import { disorderly, FakeTransport } from '../testkit/index.ts';
import { createClient } from './client.ts';
import { createInformers, type Informer, withoutManagedFields } from './informer.ts';

function begin(seed = 1) {
  const clock = new FakeClock();
  const transport = new FakeTransport({ clock, random: seededRandom(seed) });
  const client = createClient(transport);
  const scope = new Scope(silentLog);
  const informers = createInformers(client, { scope, log: silentLog, clock });
  const put = (name: string, v = '', labels = {}) =>
    client(ConfigMap).create({ metadata: { name, namespace: 'default', labels }, data: { v } });
  const change = (name: string, patch: object) =>
    client(ConfigMap).patch({ name, namespace: 'default' }, 'merge', patch);
  const remove = (name: string) => client(ConfigMap).delete(name, 'default');
  return { clock, transport, client, scope, informers, put, change, remove };
}

/** Writes down what is told, and keeps its own copy from it. */
function observe(informer: Informer<ConfigMap>) {
  const told: string[] = [];
  const copy = new Map<string, ConfigMap>();
  const stop = informer.onChange({
    added(o) {
      told.push(`+${o.metadata.name}`);
      expect(copy.has(o.metadata.name)).toBe(false);
      copy.set(o.metadata.name, o);
    },
    updated(old, o) {
      told.push(`~${o.metadata.name}`);
      expect(copy.get(o.metadata.name)).toBe(old);
      copy.set(o.metadata.name, o);
    },
    deleted(last) {
      told.push(`-${last.metadata.name}`);
      expect(copy.delete(last.metadata.name)).toBe(true);
    },
  });
  return { told, copy, stop };
}

describe('informer', () => {
  it('is one per kind and selection', async () => {
    const { informers, scope } = begin();
    expect(informers(ConfigMap)).toBe(informers(ConfigMap, {}));
    expect(informers(ConfigMap)).toBe(informers(ConfigMap, { namespace: undefined }));
    expect(informers(ConfigMap)).not.toBe(informers(ConfigMap, { namespace: 'default' }));
    await scope.stop();
  });

  it('tells what is there before it is synced, then each change; hands out the very objects of the transport', async () => {
    const { informers, scope, put, change, remove, client } = begin();
    await put('a', '1');
    const informer = informers(ConfigMap);
    const { told } = observe(informer);
    const toldAtSync = informer.synced.then(() => [...told]);
    expect([informer.hasSynced, informer.revision]).toEqual([false, 0]);
    expect(await toldAtSync).toEqual(['+a']);
    await settle();
    await put('b');
    await change('a', { data: { v: '2' } });
    await remove('b');
    expect(told).toEqual(['+a', '+b', '~a', '-b']);
    expect(informer.get('default/a')).toBe(await client(ConfigMap).get('a', 'default'));
    expect(informer.list().map((o) => o.metadata.name)).toEqual(['a']);
    await scope.stop();
  });

  it('keeps what it is told to keep, the rest is never seen', async () => {
    const { clock, client, scope, put, change } = begin();
    await put('a', '1', { l: 'x' });
    const informers = createInformers(client, {
      scope,
      log: silentLog,
      clock,
      trim: (object) => ({ ...object, metadata: { ...object.metadata, labels: { kept: 'no' } } }),
    });
    const informer = informers(ConfigMap);
    const { copy } = observe(informer);
    await informer.synced;
    await settle();
    await change('a', { data: { v: '2' } });
    expect(informer.get('default/a')?.metadata.labels).toEqual({ kept: 'no' });
    expect([...copy.values()].map(({ metadata, data }) => [metadata.labels, data])).toEqual([
      [{ kept: 'no' }, { v: '2' }],
    ]);
    const metadata = { name: 'a', managedFields: [{}] } as ConfigMap['metadata'];
    expect(withoutManagedFields<ConfigMap>({ ...informer.get('default/a')!, metadata }).metadata).toEqual({
      name: 'a',
    });
    await scope.stop();
  });

  it('tells a late comer what is there, and nobody who has left', async () => {
    const { informers, scope, put } = begin();
    const informer = informers(ConfigMap);
    const early = observe(informer);
    await informer.synced;
    await settle();
    await put('a');
    early.stop();
    const late = observe(informer);
    await put('b');
    expect([early.told, late.told]).toEqual([['+a'], ['+a', '+b']]);
    await scope.stop();
  });

  it('one failing handler does not disturb the others', async () => {
    const { informers, scope, put } = begin();
    const informer = informers(ConfigMap);
    informer.onChange({
      added() {
        throw new Error('no');
      },
    });
    const { told } = observe(informer);
    await put('a');
    await settle();
    expect(told).toEqual(['+a']);
    await scope.stop();
  });

  it('indexes: those of the kind, added ones, by namespace', async () => {
    const { informers, scope, client, put, change, remove } = begin();
    const informer = informers(ConfigMap);
    const byColour = (o: ConfigMap) => [o.metadata.labels?.['colour'] ?? 'none'];
    informer.addIndex('byColour', byColour);
    informer.addIndex('byColour', byColour);
    expect(() => informer.addIndex('byColour', () => [])).toThrow(/another index/);
    expect(() => informer.byIndex('byTaste', 'sweet')).toThrow(/no index named byTaste/);
    const names = (colour: string) => informer.byIndex('byColour', colour).map((o) => o.metadata.name);
    await informer.synced;
    await settle();
    await put('a', '', { colour: 'red' });
    await put('b', '', { colour: 'red' });
    await client(ConfigMap).create({ metadata: { name: 'c', namespace: 'other' } });
    expect([names('red'), names('none')]).toEqual([['a', 'b'], ['c']]);
    await change('a', { metadata: { labels: { colour: 'blue' } } });
    await remove('b');
    expect([names('red'), names('blue')]).toEqual([[], ['a']]);
    expect(informer.list('default').map((o) => o.metadata.name)).toEqual(['a']);
    expect(informer.list('nowhere')).toEqual([]);
    expect(informers(Pod).byIndex('byController', 'x')).toEqual([]);
    await scope.stop();
  });

  it('a selection sees what enters and leaves it', async () => {
    const { informers, scope, put, change } = begin();
    const informer = informers(ConfigMap, { labelSelector: 'on=yes', namespace: 'default' });
    const { told } = observe(informer);
    await informer.synced;
    await settle();
    await put('a');
    await change('a', { metadata: { labels: { on: 'yes' } } });
    await change('a', { metadata: { labels: { on: 'no' } } });
    expect(told).toEqual(['+a', '-a']);
    await scope.stop();
  });

  it('waits for a revision', async () => {
    const { informers, scope, put, transport } = begin();
    const informer = informers(ConfigMap);
    await informer.synced;
    await settle();
    const made = await put('a');
    await informer.waitForRevision(Number(made.metadata.resourceVersion));
    const later: number[] = [];
    const give = new AbortController();
    const never = informer.waitForRevision(1000, give.signal);
    void informer.waitForRevision(informer.revision + 2).then(() => later.push(informer.revision));
    await put('b');
    await settle();
    expect(later).toEqual([]);
    // A write of another kind moves it too, once a bookmark says so.
    await transport.create(
      { kind: Pod, namespace: 'default', name: '', subresource: '' },
      { metadata: { name: 'p' }, spec: { containers: [] } },
      {},
    );
    transport.bookmark();
    await settle();
    expect(later).toEqual([transport.revision]);
    give.abort(new Error('enough'));
    await expect(never).rejects.toThrow('enough');
    const atEnd = expect(informer.waitForRevision(2000)).rejects.toThrow('stopped');
    await scope.stop();
    await atEnd;
  });

  it('goes on from where it was when a watch ends, without listing again', async () => {
    const { informers, scope, put, transport, clock } = begin();
    const informer = informers(ConfigMap);
    const { told } = observe(informer);
    await informer.synced;
    await settle();
    transport.cutWatches();
    await put('a');
    expect(told).toEqual([]);
    await clock.advance(1000);
    expect(told).toEqual(['+a']);
    transport.cutWatches(new Error('connection reset'));
    await put('b');
    await clock.advance(20_000);
    expect(told).toEqual(['+a', '+b']);
    expect(transport.calls.filter((c) => c.verb === 'list')).toHaveLength(1);
    await scope.stop();
  });

  it('lists again when history is gone, and tells the difference: also deletions and new objects of an old name', async () => {
    const { informers, scope, put, change, remove, transport, clock } = begin();
    for (const name of ['same', 'changed', 'gone', 'reborn']) await put(name);
    const informer = informers(ConfigMap);
    const { told, copy } = observe(informer);
    await informer.synced;
    await settle();
    told.length = 0;
    const firstLife = copy.get('reborn')!.metadata.uid;
    transport.cutWatches();
    await change('changed', { data: { v: '2' } });
    await remove('gone');
    await remove('reborn');
    await put('reborn');
    await put('new');
    transport.compact();
    await clock.advance(5000);
    expect([...told].sort()).toEqual(['+new', '+reborn', '-gone', '-reborn', '~changed']);
    expect(told.indexOf('-reborn')).toBeLessThan(told.indexOf('+reborn'));
    expect(copy.get('reborn')!.metadata.uid).not.toBe(firstLife);
    expect(informer.revision).toBe(transport.revision);
    await scope.stop();
    expect(clock.waiting).toBe(0);
  });

  it('lists at once when a server that was away for long has lost its history', async () => {
    const { informers, scope, put, transport, clock } = begin();
    const informer = informers(ConfigMap);
    await informer.synced;
    transport.failWith = () => serviceUnavailable('starting');
    transport.cutWatches();
    await clock.advance(30_000);
    transport.failWith = null;
    await put('new');
    transport.compact();
    transport.calls.length = 0;
    for (let i = 0; i < 400 && transport.calls.length === 0; i++) await clock.advance(100);
    expect(transport.calls.map((c) => c.verb)).toEqual(['watch']);
    await clock.advance(1000);
    expect(informer.size).toBe(1);
    await scope.stop();
  });

  it('tries again, later each time, until the server answers', async () => {
    const { informers, scope, transport, clock, put } = begin();
    await put('a');
    transport.calls.length = 0;
    transport.failWith = () => serviceUnavailable('starting');
    const informer = informers(ConfigMap);
    await clock.advance(10_000);
    expect(informer.hasSynced).toBe(false);
    expect(transport.calls.length).toBeGreaterThan(3);
    expect(transport.calls.length).toBeLessThan(9);
    transport.failWith = null;
    await clock.advance(10_000);
    expect([informer.hasSynced, informer.size]).toEqual([true, 1]);
    await scope.stop();
  });

  it('starts over on a server that is behind (restored from a backup)', async () => {
    const { informers, scope, transport, clock } = begin();
    const informer = informers(ConfigMap);
    await informer.synced;
    await settle();
    let refused = 0;
    transport.failWith = ({ verb }) => {
      if (verb !== 'watch' || refused > 0) return undefined;
      refused++;
      return new StatusError(504, 'Timeout', 'Too large resource version', {
        causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      });
    };
    transport.cutWatches();
    await clock.advance(5000);
    expect([refused, transport.calls.filter((c) => c.verb === 'list').length]).toEqual([1, 2]);
    await scope.stop();
  });

  it('ends with its scope, and tells those who wait for its sync', async () => {
    const { informers, scope, transport, clock } = begin();
    transport.failWith = () => serviceUnavailable('never');
    const { synced } = informers(ConfigMap);
    const rejected = expect(synced).rejects.toThrow('stopped');
    await settle();
    await scope.stop();
    await rejected;
    expect([transport.watching, clock.waiting]).toEqual([0, 0]);
    const late = informers(ConfigMap, { namespace: 'default' });
    await expect(late.synced).rejects.toThrow('stopped');
    await expect(late.waitForRevision(1)).rejects.toThrow('stopped');
  });

  it('of a kind no longer served can be dropped', async () => {
    const { informers, scope, transport, put } = begin();
    const informer = informers(ConfigMap);
    await informer.synced;
    await settle();
    informers.drop(ConfigMap);
    await settle();
    expect([transport.watching, informers.all()]).toEqual([0, []]);
    await put('a');
    expect([informer.size, informers(ConfigMap) === informer]).toEqual([0, false]);
    await scope.stop();
  });

  it('comes to what the server has, through any faults', async () => {
    const step = fc.record({
      what: fc.constantFrom('put', 'put', 'remove', 'cut', 'fail', 'compact', 'time'),
      name: fc.constantFrom('a', 'b', 'c'),
      ms: fc.nat(3000),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 30 }),
        fc.nat(),
        fc.boolean(),
        async (steps, seed, twice) => {
          const { informers, scope, client, transport, clock, put, change, remove } = begin(seed);
          transport.delivery = disorderly(seededRandom(seed), { maxMs: 200, twice });
          const informer = informers(ConfigMap);
          informer.addIndex('byValue', (o) => [o.data?.['v'] ?? '']);
          const { copy } = observe(informer);
          let serial = 0;
          for (const { what, name, ms } of steps) {
            const known = await client(ConfigMap)
              .get(name, 'default')
              .catch(() => undefined);
            if (what === 'put')
              await (known ? change(name, { data: { v: `${serial++ % 3}` } }) : put(name, '0'));
            else if (what === 'remove') await (known && remove(name));
            else if (what === 'cut') transport.cutWatches();
            else if (what === 'compact') transport.compact();
            else if (what === 'fail') {
              let left = 2;
              transport.failWith = ({ verb }) =>
                (verb === 'list' || verb === 'watch') && left-- > 0 ? serviceUnavailable('now') : undefined;
            } else await clock.advance(ms);
            expect(new Set(informer.list())).toEqual(new Set(copy.values()));
          }
          transport.failWith = null;
          await clock.advance(60_000);
          const { items } = await client(ConfigMap).list();
          expect(new Set(informer.list())).toEqual(new Set(items));
          expect(new Set(copy.values())).toEqual(new Set(items));
          for (const v of ['0', '1', '2'])
            expect(new Set(informer.byIndex('byValue', v))).toEqual(
              new Set(items.filter((o) => o.data?.['v'] === v)),
            );
          await scope.stop();
        },
      ),
      { numRuns: 80 },
    );
  });
});
