import { afterEach, describe, expect, test } from 'vitest';
import { IPAddress, ServiceCIDR } from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { ControllerHarness, epochMs } from '../../testkit/index.ts';
import { serviceCidrController } from './controller.ts';
import { planRange, type RangePlan } from './plan.ts';

const range = (name: string, cidrs: string[], deletedMs?: number) =>
  ({
    metadata: {
      name,
      uid: name,
      ...(deletedMs !== undefined && { deletionTimestamp: new Date(deletedMs).toISOString() }),
    },
    spec: { cidrs },
  }) as ServiceCIDR;
const address = (name: string, managedBy = 'ipallocator.k8s.io') =>
  ({
    metadata: { name, labels: { 'ipaddress.kubernetes.io/managed-by': managedBy } },
    spec: { parentRef: { resource: 'services', namespace: 'default', name: 'a' } },
  }) as unknown as IPAddress;

describe('a range of service addresses', () => {
  const small = '10.1.2.0/24';
  const served = range('other', ['10.1.0.0/16']);
  test.each<
    [string, { cidrs?: string[]; ips?: IPAddress[]; others?: ServiceCIDR[]; ms?: number }, RangePlan]
  >([
    ['that is there', { ms: -1 }, { what: 'serve' }],
    ['whose address somebody has', { ips: [address('10.1.2.9')] }, { what: 'keep' }],
    ['of two families', { cidrs: [small, 'fd00::/112'], ips: [address('fd00::9')] }, { what: 'keep' }],
    ['whose addresses are others’ business', { ips: [address('10.1.2.9', 'me')] }, { what: 'release' }],
    ['beside which addresses are', { ips: [address('10.1.3.1')] }, { what: 'release' }],
    ['within another', { ips: [address('10.1.2.9')], others: [served] }, { what: 'release' }],
    [
      'within another that goes too',
      { ips: [address('10.1.2.9')], others: [range('other', ['10.1.0.0/16'], epochMs)] },
      { what: 'keep' },
    ],
    [
      'of which another has the addresses that are taken',
      { ips: [address('10.1.2.9')], others: [range('other', ['10.1.2.0/28'])] },
      { what: 'release' },
    ],
    ['that was deleted just now', { ms: 4000 }, { what: 'wait', forMs: 6000 }],
  ])('%s', (_, { cidrs = [small], ips = [], others = [], ms = 10_000 }, wanted) => {
    const one = range('a', cidrs, ms < 0 ? undefined : epochMs);
    expect(planRange({ range: one, ranges: [one, ...others], addresses: ips, nowMs: epochMs + ms })).toEqual(
      wanted,
    );
  });
});

let harness: ControllerHarness | undefined;
afterEach(() => harness?.stop());

test('it is ready, stays while an address of it is taken, and goes when that is given back', async () => {
  const cluster = (harness = new ControllerHarness());
  await cluster.create(ServiceCIDR, {
    metadata: { name: 'extra' },
    spec: { cidrs: ['10.1.2.0/24'] },
  } as Draft<ServiceCIDR>);
  await cluster.create(IPAddress, address('10.1.2.9') as Draft<IPAddress>);
  await cluster.start(serviceCidrController);
  const condition = async () => (await cluster.client(ServiceCIDR).get('extra')).status?.conditions;
  await cluster.advance(1000);
  expect(await condition()).toMatchObject([
    { type: 'Ready', status: 'True', reason: '', message: 'Kubernetes Service CIDR is ready' },
  ]);
  await cluster.client(ServiceCIDR).delete('extra');
  await cluster.advance(20_000);
  expect(await condition()).toMatchObject([{ type: 'Ready', status: 'False', reason: 'Terminating' }]);
  await cluster.client(IPAddress).delete('10.1.2.9');
  await cluster.advance(1000);
  expect(await cluster.list(ServiceCIDR)).toEqual([]);
});
