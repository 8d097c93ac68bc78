// Servers on one datastore: the first one says with what the cluster is founded, and who says otherwise does not start.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeClock, silentLog } from '../../base/index.ts';
import { createMemoryBackend, type NotedBackend, type Notes } from '../../storage/index.ts';
import { agreeOnFounding, type FoundingValues } from './founding-values.ts';

let notes: NotedBackend;
beforeEach(async () => {
  notes = await createMemoryBackend({ clock: new FakeClock(), log: silentLog });
});
afterEach(() => notes.close());

const usual: FoundingValues = {
  serviceCidr: '10.96.0.0/16',
  clusterCidr: '10.244.0.0/16',
  nodeCidrMaskSize: 24,
  nodeCidrMaskSizeIpv6: 64,
  clusterDomain: 'cluster.local',
};
const start = (values: Partial<FoundingValues> = {}, at: Notes = notes) =>
  agreeOnFounding({
    notes: at,
    place: 'etcd under /jotasu',
    forget: 'etcdctl del /jotasu/notes/founding',
    values: { ...usual, ...values },
  });
const kept = async () => JSON.parse(String(await notes.readNote('founding')));

it('the first server founds, and others with the same join', async () => {
  await start({ serviceCidr: '10.96.0.0/16,fd00:a::/112' });
  expect(await kept()).toEqual({ ...usual, serviceCidr: '10.96.0.0/16,fd00:a::/112' });
  await start({ serviceCidr: '10.96.0.0/16,FD00:A::/112', clusterDomain: 'Cluster.Local' });
  expect((await kept()).clusterDomain).toBe('cluster.local');
});

it.each<[Partial<FoundingValues>, RegExp]>([
  [
    { serviceCidr: '10.97.0.0/16' },
    /^--service-cidr is 10\.97\.0\.0\/16, and the cluster was founded with 10\.96\.0\.0\/16\. /,
  ],
  [
    { clusterCidr: '10.0.0.0/8' },
    /^--cluster-cidr is 10\.0\.0\.0\/8, and the cluster was founded with 10\.244\.0\.0\/16\. /,
  ],
  [{ nodeCidrMaskSize: 25 }, /^--node-cidr-mask-size is 25, and the cluster was founded with 24\. /],
  [{ nodeCidrMaskSizeIpv6: 80 }, /^--node-cidr-mask-size-ipv6 is 80, and the cluster was founded with 64\. /],
  [
    { clusterDomain: 'example.org', nodeCidrMaskSize: 26 },
    /^--node-cidr-mask-size is 26, .* 24; --cluster-domain is example\.org, .* cluster\.local\. .*etcdctl del \/jotasu\/notes\/founding/,
  ],
])('a further one with %j is refused, and changes nothing', async (values, words) => {
  await start();
  await expect(start(values)).rejects.toThrow(words);
  expect(await kept()).toEqual(usual);
});

it('of two that found at once with different values one is refused', async () => {
  const both = await Promise.allSettled([start(), start({ clusterDomain: 'example.org' })]);
  expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

it('what an older version did not say is added, and what a later one said stays', async () => {
  const old = { serviceCidr: usual.serviceCidr, later: 'x' };
  await notes.replaceNote('founding', { from: undefined, to: Buffer.from(JSON.stringify(old)) });
  await start();
  expect(await kept()).toEqual({ ...usual, later: 'x' });
});

it('what cannot be read is said', async () => {
  await notes.replaceNote('founding', { from: undefined, to: Buffer.from('[') });
  await expect(start()).rejects.toThrow('what the servers agreed on in etcd under /jotasu cannot be read');
});
