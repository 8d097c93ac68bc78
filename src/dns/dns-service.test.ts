import { afterEach, beforeEach, expect, it } from 'vitest';
import { Service } from '../api/index.ts';
import { FakeClock, silentLog } from '../base/index.ts';
import { ApiFixture } from '../testkit/index.ts';
import { ensureDnsService } from './dns-service.ts';

let f: ApiFixture;
beforeEach(async () => {
  f = await ApiFixture.create({ clock: new FakeClock() });
});
afterEach(() => f.close());

const warned: string[] = [];
const log = { ...silentLog, warn: (message: string) => warned.push(message) };
const ensure = (...addresses: string[]) => ensureDnsService(f.api.client, { addresses, log: log as never });
const get = () => f.api.client(Service).get('kube-dns', 'kube-system');

it('is made once, and left as users have it', async () => {
  await ensure('10.96.0.10');
  const made = await get();
  expect(made.spec).toMatchObject({
    clusterIP: '10.96.0.10',
    ipFamilyPolicy: 'SingleStack',
    ports: [
      { name: 'dns', protocol: 'UDP', port: 53, targetPort: 53 },
      { name: 'dns-tcp', protocol: 'TCP', port: 53, targetPort: 53 },
    ],
  });
  expect(made.spec.selector).toBeUndefined();
  await f.api
    .client(Service)
    .update({ ...made, spec: { ...made.spec, selector: { 'k8s-app': 'kube-dns' } } });
  await ensure('10.96.0.10');
  expect((await get()).spec.selector).toEqual({ 'k8s-app': 'kube-dns' });
  expect(warned).toEqual([]);
});

it('an address that another service has is told, and no failure', async () => {
  await f.api.client(Service).create({
    metadata: { name: 'first', namespace: 'default' },
    spec: { clusterIP: '10.96.0.10', ports: [{ port: 80 }] },
  } as never);
  await ensure('10.96.0.10');
  expect(warned).toEqual(['the service kube-dns could not be made']);
});

it('nowhere without an address', async () => {
  await ensure();
  await expect(get()).rejects.toThrow('not found');
});
