import { describe, expect, it } from 'vitest';
import { ConfigMap, Event } from '../api/index.ts';
import { FakeClock, Scope, seededRandom, settle, silentLog } from '../base/index.ts';
import { forbidden, type KubeObject } from '../machinery/index.ts';
import { FakeTransport } from '../testkit/index.ts';
import { createClient } from './client.ts';
import { createEventRecorder } from './events.ts';

async function begin(maxQueued?: number) {
  const clock = new FakeClock();
  const random = seededRandom(1);
  const transport = new FakeTransport({ clock, random });
  const client = createClient(transport);
  const scope = new Scope(silentLog);
  const recorder = createEventRecorder(client, { scope, clock, random, log: silentLog, maxQueued });
  const object = await client(ConfigMap).create({ metadata: { name: 'a', namespace: 'default' } });
  const events = async () => (await client(Event).list()).items;
  return { clock, transport, client, scope, recorder, object, events };
}

describe('event recorder', () => {
  it('writes what kubectl describe shows', async () => {
    const { recorder, object, events, scope } = await begin();
    recorder.from('planter-controller')(object, 'Normal', 'Planted', 'put 3 in');
    recorder.from('kubelet', 'node-1')(
      {
        kind: 'Pod',
        namespace: 'other',
        name: 'p',
        uid: 'u',
        apiVersion: 'v1',
        fieldPath: 'spec.containers{app}',
      },
      'Warning',
      'BackOff',
      'again',
    );
    await settle();
    const [first, second] = await events();
    expect(first).toMatchObject({
      metadata: { namespace: 'default', name: expect.stringMatching(/^a\.[0-9a-f]{16}$/) },
      involvedObject: {
        kind: 'ConfigMap',
        apiVersion: 'v1',
        namespace: 'default',
        name: 'a',
        uid: object.metadata.uid,
        resourceVersion: object.metadata.resourceVersion,
      },
      type: 'Normal',
      reason: 'Planted',
      message: 'put 3 in',
      count: 1,
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:00Z',
      source: { component: 'planter-controller' },
      reportingComponent: 'planter-controller',
    });
    expect(second).toMatchObject({
      metadata: { namespace: 'other' },
      involvedObject: { fieldPath: 'spec.containers{app}' },
      source: { component: 'kubelet', host: 'node-1' },
      reportingInstance: 'node-1',
    });
    await scope.stop();
  });

  it('names keep the order of what happened, within a millisecond too', async () => {
    const { recorder, object, events, scope } = await begin();
    const record = recorder.from('kubelet');
    const reasons = ['Pulled', 'Created', 'Started', 'Killing', 'BackOff'];
    for (const reason of reasons) record(object, 'Normal', reason, 'x');
    await settle();
    const named = (await events()).map(({ metadata, reason }) => [metadata.name, reason]);
    expect(named.sort(([a = ''], [b = '']) => (a < b ? -1 : 1)).map(([, reason]) => reason)).toEqual(reasons);
    await scope.stop();
  });

  it('events about cluster-scoped objects go to the default namespace', async () => {
    const { recorder, events, scope } = await begin();
    const node = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', uid: 'n' } } as KubeObject;
    recorder.from('kubelet', 'n')(node, 'Normal', 'Starting', 'x');
    await settle();
    expect((await events())[0]!.metadata.namespace).toBe('default');
    await scope.stop();
  });

  it('counts what is the same, and begins again when the first has expired', async () => {
    const { recorder, object, events, clock, client, scope } = await begin();
    const record = recorder.from('c');
    record(object, 'Normal', 'R', 'm');
    await clock.advance(5000);
    record(object, 'Normal', 'R', 'm');
    record(object, 'Normal', 'R', 'm');
    await settle();
    const [counted, ...others] = await events();
    expect(others).toEqual([]);
    expect(counted).toMatchObject({
      count: 3,
      firstTimestamp: '2026-01-01T00:00:00Z',
      lastTimestamp: '2026-01-01T00:00:05Z',
    });
    await client(Event).delete(counted!.metadata.name, 'default');
    record(object, 'Normal', 'R', 'm');
    await settle();
    expect(await events()).toMatchObject([{ count: 4, firstTimestamp: '2026-01-01T00:00:00Z' }]);
    await scope.stop();
  });

  it('combines similar ones from the tenth on', async () => {
    const { recorder, object, events, scope } = await begin();
    const record = recorder.from('c');
    for (let i = 1; i <= 12; i++) record(object, 'Warning', 'Failed', `attempt ${i}`);
    await settle(20);
    const all = await events();
    expect(all).toHaveLength(10);
    expect(all.filter((e) => e.message!.startsWith('(combined'))).toMatchObject([
      { count: 3, message: '(combined from similar events): attempt 12' },
    ]);
    await scope.stop();
  });

  it('cuts off a source that says too much about one object, and lets it speak again later', async () => {
    const { recorder, object, events, clock, scope } = await begin();
    const record = recorder.from('c');
    for (let i = 0; i < 60; i++) record(object, 'Normal', `R${i}`, 'm');
    await settle(80);
    expect(await events()).toHaveLength(25);
    expect(recorder.dropped).toBe(35);
    recorder.from('other')(object, 'Normal', 'R', 'm');
    await clock.advance(300_000);
    record(object, 'Normal', 'Later', 'm');
    await settle(5);
    expect(await events()).toHaveLength(27);
    await scope.stop();
  });

  it('never holds up its caller: what does not fit is dropped', async () => {
    const { recorder, object, events, scope, transport } = await begin(10);
    const record = recorder.from('c');
    for (let i = 0; i < 15; i++) record(object, 'Normal', `R${i}`, 'm');
    expect(recorder.dropped).toBe(5);
    expect(transport.calls.filter((c) => c.target.kind === Event)).toHaveLength(0);
    await settle(20);
    expect(await events()).toHaveLength(10);
    await scope.stop();
  });

  it('gives up on what the server refuses, tries again when no server answers', async () => {
    const { recorder, object, events, scope, transport, clock } = await begin();
    const record = recorder.from('c');
    transport.failWith = ({ verb }) =>
      verb === 'create' ? forbidden({ group: '', resource: 'events' }, '', 'no') : undefined;
    record(object, 'Normal', 'Refused', 'm');
    await settle();
    expect(recorder.dropped).toBe(1);
    transport.failWith = () => new Error('connection refused');
    record(object, 'Normal', 'Kept', 'm');
    await clock.advance(3000);
    transport.failWith = null;
    await clock.advance(20_000);
    expect((await events()).map((e) => e.reason)).toEqual(['Kept']);
    await scope.stop();
    expect(clock.waiting).toBe(0);
  });
});
