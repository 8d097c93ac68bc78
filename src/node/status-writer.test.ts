// Statuses of pods on their way to the API, while others write to the same pods.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type coreV1, Pod } from '../api/index.ts';
import { FakeClock, Scope, seededRandom, silentLog } from '../base/index.ts';
import { type Client, createClient } from '../client/index.ts';
import { StatusError } from '../machinery/index.ts';
import { FakeTransport } from '../testkit/index.ts';
import { StatusWriter } from './status-writer.ts';

let clock: FakeClock;
let scope: Scope;
let transport: FakeTransport;
let client: Client;
let writer: StatusWriter;
let pod: Pod;
beforeEach(async () => {
  clock = new FakeClock();
  scope = new Scope(silentLog);
  transport = new FakeTransport({ clock, random: seededRandom(1) });
  client = createClient(transport);
  writer = new StatusWriter({ client, clock, log: silentLog, scope, firstDelayMs: 0 });
  pod = await client(Pod).create({
    metadata: { name: 'web', namespace: 'default' },
    spec: { containers: [{ name: 'main', image: 'i' }] },
  });
});
afterEach(async () => {
  await scope.stop();
  await transport.close();
});

const ready = (status: 'True' | 'False'): coreV1.PodStatus => ({
  phase: 'Running',
  conditions: [{ type: 'Ready', status }],
});
const readyInApi = async () => {
  const { status } = await client(Pod).get('web', 'default');
  return status?.conditions?.find(({ type }) => type === 'Ready')?.status;
};
const byOthers = () =>
  client(Pod).patch({ name: 'web', namespace: 'default', subresource: 'status' }, 'strategic', {
    status: { conditions: [{ type: 'Ready', status: 'False' }] },
  });

test('what somebody else wrote after us is written over, also when it was heard of before our own answer', async () => {
  // Ours goes first, theirs follows, and is heard of while our answer is still on its way.
  const { patch } = transport;
  let theirs: Promise<void> | undefined;
  transport.patch = async (...args) => {
    transport.patch = patch;
    const answer = await patch.apply(transport, args);
    theirs = byOthers().then((object) => writer.observe(object));
    await theirs;
    return answer;
  };
  writer.put(pod, ready('True'));
  await clock.advance(1_000);
  expect(theirs).toBeDefined();
  expect(await readyInApi()).toBe('True');
  expect(writer.writes).toBe(2);
});

test('an older version that is heard of late changes nothing', async () => {
  const early = await client(Pod).get('web', 'default');
  writer.put(pod, ready('True'));
  await clock.advance(1_000);
  writer.observe(early);
  await clock.advance(1_000);
  expect(writer.writes).toBe(1);
});

test('a conflict with others who write to the pod is no end of it; another pod of its name is', async () => {
  const conflict = () => new StatusError(409, 'Conflict', 'the object has been modified');
  let refusals = 2;
  transport.failWith = ({ verb }) => (verb === 'patch' && refusals-- > 0 ? conflict() : undefined);
  writer.put(pod, ready('True'));
  await clock.advance(5_000);
  expect(await readyInApi()).toBe('True');

  refusals = 1;
  await client(Pod).delete('web', 'default', { gracePeriodSeconds: 0 });
  await client(Pod).create({
    metadata: { name: 'web', namespace: 'default' },
    spec: { containers: [{ name: 'main', image: 'i' }] },
  });
  writer.put(pod, ready('False'));
  await clock.advance(60_000);
  expect(await readyInApi()).toBeUndefined();
  expect(writer.writes).toBe(4);
});
