// What others see of a node whose agent starts again: it is heard of at once, and stays ready until its agent knows better.
import { afterEach, describe, expect, test } from 'vitest';
import { Lease, Node } from '../../api/index.ts';
import { FakeClock, Scope, seededRandom, settle, silentLog } from '../../base/index.ts';
import { createClient } from '../../client/index.ts';
import { FakeTransport } from '../../testkit/index.ts';
import { fourCpuMachine as machine } from '../testdata/machine.ts';
import { NodeRegistration } from './node-registration.ts';

const scopes: Scope[] = [];
afterEach(async () => {
  for (const scope of scopes.splice(0)) await scope.stop();
});

function setUp() {
  const clock = new FakeClock();
  const client = createClient(new FakeTransport({ clock, random: seededRandom(1) }));
  const problems: string[] = [];
  let answers = true;
  const launch = () => {
    const scope = new Scope(silentLog);
    scopes.push(scope);
    const registration = new NodeRegistration({
      client,
      clock,
      log: silentLog,
      scope,
      nodeName: 'n1',
      labels: {},
      taints: [],
      leaseRenewMs: 500,
      leaseDurationSeconds: 2,
      statusCheckMs: 10_000,
      statusReportMs: 300_000,
      event: () => {},
      status: () =>
        answers
          ? Promise.resolve({
              nodeName: 'n1',
              nodeIps: ['10.0.0.1'],
              machine,
              maxPods: 110,
              versions: { kubelet: 'v1', runtime: 'r' },
              kubeletPort: 10250,
              reserved: { cpuMilli: 0, memoryBytes: 0, storageBytes: 0 },
              pressure: [],
              problems: [...problems],
              images: [],
            })
          : new Promise(() => {}),
    });
    void registration.start();
    return { scope, registration };
  };
  return {
    client,
    clock,
    launch,
    problems,
    silence: () => (answers = false),
    ready: async () =>
      (await client(Node).get('n1')).status?.conditions?.find(({ type }) => type === 'Ready')?.status,
    renewed: async () => Date.parse((await client(Lease).get('n1', 'kube-node-lease')).spec?.renewTime ?? ''),
  };
}

describe('a node whose agent starts again', () => {
  test('is heard of while its status cannot be told yet', async () => {
    const { clock, launch, silence, renewed } = setUp();
    const first = launch();
    await clock.advance(100);
    await first.scope.stop();
    silence();
    await clock.advance(5_000);
    launch();
    await settle();
    expect(await renewed()).toBe(clock.nowMs());
    await clock.advance(1_000);
    expect(await renewed()).toBe(clock.nowMs());
  });

  test('stays ready while it does not know about its runtime, and not for longer than a check', async () => {
    const { clock, launch, problems, ready } = setUp();
    const first = launch();
    await clock.advance(100);
    await first.scope.stop();
    problems.push('not listed yet');
    launch();
    await clock.advance(9_000);
    expect(await ready()).toBe('True');
    await clock.advance(2_000);
    expect(await ready()).toBe('False');
  });

  test('says what has become of it as soon as it knows', async () => {
    const { clock, launch, problems, ready } = setUp();
    problems.push('not listed yet');
    const first = launch();
    await clock.advance(100);
    expect(await ready()).toBe('False');
    await first.scope.stop();
    problems.pop();
    const { registration } = launch();
    await clock.advance(100);
    expect(await ready()).toBe('False');
    registration.touch();
    await settle();
    expect(await ready()).toBe('True');
  });
});

describe('a device of which somebody else knows', () => {
  const device = 'example.com/gpu';
  const resources = async ({ client }: ReturnType<typeof setUp>) => {
    const { status } = await client(Node).get('n1');
    return [status?.capacity?.[device], status?.allocatable?.[device]];
  };
  const tell = async (
    { client, clock }: ReturnType<typeof setUp>,
    registration: NodeRegistration,
    count: string | null,
  ) => {
    const patch = { status: { capacity: { [device]: count } } };
    registration.observe(await client(Node).patch({ name: 'n1', subresource: 'status' }, 'merge', patch));
    await clock.advance(100);
  };

  test('is for pods to have, for as long as it is there', async () => {
    const set = setUp();
    const { registration } = set.launch();
    await set.clock.advance(100);
    await tell(set, registration, '3');
    expect(await resources(set)).toEqual(['3', '3']);
    expect((await set.client(Node).get('n1')).status?.allocatable).toMatchObject({ cpu: '4', pods: '110' });
    await tell(set, registration, '2');
    expect(await resources(set)).toEqual(['2', '2']);
    await tell(set, registration, null);
    expect(await resources(set)).toEqual([undefined, undefined]);
  });

  test('is known to the next agent of the node', async () => {
    const set = setUp();
    const first = set.launch();
    await set.clock.advance(100);
    await tell(set, first.registration, '3');
    await first.scope.stop();
    set.launch();
    await set.clock.advance(20_000);
    expect(await resources(set)).toEqual(['3', '3']);
  });
});
