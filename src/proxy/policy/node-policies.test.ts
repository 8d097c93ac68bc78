import { afterEach, beforeEach, expect, test } from 'vitest';
import { Namespace, NetworkPolicy, Pod } from '../../api/index.ts';
import { FakeClock, Scope, seededRandom, settle, silentLog } from '../../base/index.ts';
import { type Client, createClient, createInformers } from '../../client/index.ts';
import { FakeExec } from '../../os/index.ts';
import { buildPolicy, buildPolicyPod, FakeTransport } from '../../testkit/index.ts';
import { NftModel } from '../nft-model.ts';
import { type NodePolicies, startNodePolicies } from './node-policies.ts';
import { trimForPolicies } from './pod-facts.ts';

let clock: FakeClock;
let transport: FakeTransport;
let client: Client;
let exec: FakeExec;
let refuses: boolean;
let scope: Scope;
let policies: NodePolicies | undefined;

beforeEach(() => {
  clock = new FakeClock();
  transport = new FakeTransport({ clock, random: seededRandom(1) });
  client = createClient(transport);
  exec = new FakeExec();
  refuses = false;
  exec.answer(/^nft list tables/, { stdout: 'table ip jotasu-policy\n' });
  scope = new Scope(silentLog);
});

afterEach(async () => {
  await policies?.stop();
  await scope.stop();
});

async function start(): Promise<NodePolicies> {
  policies = startNodePolicies({
    informers: createInformers(client, { scope, log: silentLog, clock }),
    followPods: (following) =>
      createInformers(client, { scope: following, log: silentLog, clock, trim: trimForPolicies }),
    nodeName: 'n1',
    nodeIps: ['192.0.2.1'],
    dnsAddresses: [],
    ensureBridgeSeen: async () => true,
    exec,
    clock,
    log: silentLog,
  });
  await pass(200);
  await policies.ready;
  return policies;
}

const pass = (ms: number): Promise<void> => clock.advance(ms);

/** As text; first they are brought to the model of a kernel, which refuses what the real one would. */
function transactions(): string[] {
  const kernel = new NftModel();
  const texts = exec.ran
    .filter((line) => line.startsWith('nft -f -'))
    .map((line) => line.slice('nft -f -\n< '.length));
  if (!refuses) for (const text of texts) kernel.apply(text);
  return texts;
}

const deny = buildPolicy('deny', { podSelector: {}, policyTypes: ['Ingress'] });
const pod = (name: string, ips: readonly string[] = []) => buildPolicyPod({ name, namespace: 'ns', ips });
async function runs(name: string, ip: string): Promise<void> {
  const created = await client(Pod).create(pod(name));
  await client(Pod).updateStatus({ ...created, status: pod(name, [ip]).status });
}

const signal = new AbortController().signal;
const nothing = 'add table ip jotasu-policy\ndelete table ip jotasu-policy\n';

async function settled(promise: Promise<unknown>): Promise<boolean> {
  let isSettled = false;
  promise.then(
    () => (isSettled = true),
    () => (isSettled = true),
  );
  await settle();
  return isSettled;
}

test('without policies there is no table and nobody follows pods; with the last one both go again', async () => {
  await runs('a', '10.244.1.1');
  const { isolate } = await start();
  const listed = () => transport.calls.filter(({ target }) => target.kind === Pod).length;
  const before = listed();
  expect(transactions()).toEqual([nothing]);
  await isolate(pod('a'), ['10.244.1.1'], signal);
  await client(NetworkPolicy).create(deny);
  await pass(200);
  expect(transactions()).toHaveLength(2);
  expect(transactions()[1]).toContain('add element ip jotasu-policy ingress-pods { 10.244.1.1 : goto ');
  expect(listed()).toBeGreaterThan(before);
  await client(NetworkPolicy).delete('deny', 'ns');
  await pass(200);
  expect(transactions().slice(2)).toEqual([nothing]);
  const ended = listed();
  await runs('b', '10.244.1.2');
  await pass(100);
  expect([transactions().length, listed()]).toEqual([3, ended + 2]);
});

test('a change is what differs, many are one; labels of namespaces count', async () => {
  const from = [{ namespaceSelector: { matchLabels: { team: 'a' } } }];
  await client(NetworkPolicy).create(buildPolicy('some', { podSelector: {}, ingress: [{ from }] }));
  await runs('a', '10.244.1.1');
  await start();
  await client(Namespace).create({ metadata: { name: 'ns', labels: { team: 'a' } }, spec: {} });
  await runs('b', '10.244.1.2');
  await pass(200);
  const changes = transactions().slice(1);
  expect(changes).toHaveLength(1);
  expect(changes[0]).toMatch(/add element ip jotasu-policy pods-\w+ \{ 10\.244\.1\.\d, 10\.244\.1\.\d \}/);
  expect(changes[0]).not.toContain('table');
});

test('a pod waits until it is isolated, before its status tells where it is, and stays so', async () => {
  await client(NetworkPolicy).create(deny);
  await start();
  const { isolate } = policies!;
  const created = await client(Pod).create(pod('a'));
  const isolated = isolate(created, ['10.244.1.1'], signal);
  expect(await settled(isolated)).toBe(false);
  await pass(200);
  await isolated;
  expect(transactions()).toHaveLength(2);
  expect(transactions()[1]).toContain('10.244.1.1 : goto');
  // A status without an address, one with it: no difference.
  await client(Pod).patch({ name: 'a', namespace: 'ns' }, 'merge', { metadata: { annotations: { a: 'b' } } });
  await pass(200);
  await client(Pod).patch({ name: 'a', namespace: 'ns', subresource: 'status' }, 'merge', {
    status: { podIP: '10.244.1.1', podIPs: [{ ip: '10.244.1.1' }] },
  });
  await pass(200);
  expect(transactions()).toHaveLength(2);
  // A container that starts again does not wait.
  await isolate(created, ['10.244.1.1'], signal);
  await client(Pod).delete('a', 'ns', { gracePeriodSeconds: 0 });
  // Its containers may still run; then it is forgotten.
  await pass(20_000);
  expect(transactions()).toHaveLength(2);
  await pass(60_000);
  expect(transactions()[2]).toContain('delete element ip jotasu-policy ingress-pods { 10.244.1.1 }');
});

test('who gets the address of a pod that went is not taken for it', async () => {
  const podSelector = { matchLabels: { app: 'a' } };
  await client(NetworkPolicy).create(buildPolicy('a', { podSelector, egress: [] }));
  await start();
  const { isolate } = policies!;
  const created = await client(Pod).create(
    buildPolicyPod({ name: 'a', namespace: 'ns', labels: { app: 'a' }, ips: [] }),
  );
  const [address] = ['10.244.1.1'];
  const isolated = isolate(created, [address], signal);
  await pass(200);
  await isolated;
  await client(Pod).delete('a', 'ns', { gracePeriodSeconds: 0 });
  await pass(200);
  expect(transactions()).toHaveLength(2);
  const next = isolate(await client(Pod).create(pod('b')), [address], signal);
  await pass(200);
  await next;
  expect(transactions()[2]).toContain(`delete element ip jotasu-policy ingress-pods { ${address} }`);
});

test('a pod that was gone before it was announced is forgotten', async () => {
  await client(NetworkPolicy).create(deny);
  const { isolate } = await start();
  const isolated = isolate(pod('a'), ['10.244.1.1'], signal);
  await pass(200);
  await isolated;
  await pass(31_000);
  await pass(200);
  expect(transactions().at(-1)).toContain('delete element ip jotasu-policy ingress-pods { 10.244.1.1 }');
});

test('a kernel that does not take the rules: tried again as a whole, and the pod that waits is told', async () => {
  await client(NetworkPolicy).create(deny);
  const { isolate } = await start();
  refuses = true;
  exec.answer(/^nft -f/, { code: 1, stderr: 'no' });
  const isolated = isolate(pod('a'), ['10.244.1.1'], signal);
  const failure = expect(isolated).rejects.toThrow('timed out waiting for network policies to be in force');
  await pass(12_000);
  await failure;
  exec.answer(/^nft -f/, {});
  await pass(3_000);
  expect(transactions().at(-1)).toContain('delete table');
  expect(transactions().at(-1)).toContain('10.244.1.1 : goto');
});

test('without word from the API a pod waits a moment', async () => {
  transport.failWith = () => new Error('away');
  policies = startNodePolicies({
    informers: createInformers(client, { scope, log: silentLog, clock }),
    followPods: (following) => createInformers(client, { scope: following, log: silentLog, clock }),
    nodeName: 'n1',
    nodeIps: ['192.0.2.1'],
    dnsAddresses: [],
    ensureBridgeSeen: async () => true,
    exec,
    clock,
    log: silentLog,
  });
  const isolated = policies.isolate(pod('a'), ['10.244.1.1'], signal);
  await pass(1_000);
  expect(await settled(isolated)).toBe(false);
  await pass(2_000);
  await isolated;
  // What an earlier agent left in the kernel stays.
  expect(transactions()).toEqual([]);
});

test('a table that somebody removed comes back', async () => {
  await client(NetworkPolicy).create(deny);
  await start();
  await pass(31_000);
  expect(transactions()).toHaveLength(1);
  exec.answer(/^nft list tables/, { stdout: 'table ip other\n' });
  await pass(31_000);
  await pass(200);
  expect(transactions().at(-1)).toContain('add map ip jotasu-policy ingress-pods');
  expect(transactions().length).toBeGreaterThan(1);
});
