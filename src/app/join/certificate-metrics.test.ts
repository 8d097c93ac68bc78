import { expect, it } from 'vitest';
import { FakeClock, MetricRegistry } from '../../base/index.ts';
import { createCa, issueCertificate } from '../../http/index.ts';
import { sampleOf } from '../../testkit/index.ts';
import { CertificateMetrics } from './certificate-metrics.ts';

const daySeconds = 86_400;

it('tells how long certificates are good for, and what became of replacing them', async () => {
  const clock = new FakeClock();
  const registry = new MetricRegistry();
  const ca = await createCa({ commonName: 'ca', days: 100, nowMs: clock.nowMs() });
  const issue = async (usage: 'client' | 'server', days: number) =>
    (await issueCertificate(ca, { commonName: 'a', usage, days }, clock.nowMs())).cert;
  const metrics = new CertificateMetrics(registry, clock);
  const read = (name: string) => sampleOf(registry.text(), `kubelet_${name}`);

  metrics.use('client', await issue('client', 10));
  metrics.use('serving', await issue('server', 2));
  await clock.advance(3 * daySeconds * 1000);
  expect(read('certificate_manager_client_ttl_seconds')).toBe(7 * daySeconds);
  expect(read('certificate_manager_server_ttl_seconds')).toBe(-daySeconds);
  // Certificates of somebody else's: nobody here replaces them.
  expect(read('certificate_manager_client_expiration_renew_errors')).toBeUndefined();
  expect(read('server_expiration_renew_errors')).toBeUndefined();

  metrics.keeps('client');
  metrics.keeps('serving');
  metrics.failed('serving');
  metrics.replaced('client', await issue('client', 5));
  const age = (what: string) => read(`certificate_manager_server_rotation_seconds_${what}`);
  expect([read('server_expiration_renew_errors'), age('count')]).toEqual([1, 0]);
  metrics.replaced('serving', await issue('server', 5));
  expect(read('certificate_manager_client_expiration_renew_errors')).toBe(0);
  expect(read('certificate_manager_client_ttl_seconds')).toBe(5 * daySeconds);
  expect(age('count')).toBe(1);
  expect(age('sum')).toBeGreaterThanOrEqual(3 * daySeconds);
});
