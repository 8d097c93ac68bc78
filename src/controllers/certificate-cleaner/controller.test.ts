import { afterEach, expect, test } from 'vitest';
import { CertificateSigningRequest, Secret } from '../../api/index.ts';
import { type Draft, formatTime } from '../../machinery/index.ts';
import { ControllerHarness, epochMs } from '../../testkit/index.ts';
import { tokenCleanerController } from '../token-cleaner/controller.ts';
import { certificateCleanerController, expiresAtMs } from './controller.ts';

const hourMs = 3_600_000;
const at = (hours: number) => formatTime(epochMs + hours * hourMs);
const csr = (status: object = {}): CertificateSigningRequest =>
  ({
    metadata: { name: 'a', creationTimestamp: at(0) },
    spec: {},
    status,
  }) as unknown as CertificateSigningRequest;
const said = (type: string, hours: number) => ({ type, status: 'True', lastUpdateTime: at(hours) });

test.each<[string, object, number | undefined]>([
  ['nobody decided', {}, 24],
  ['denied', { conditions: [said('Denied', 2)] }, 3],
  ['approved, not signed', { conditions: [said('Approved', 2)] }, undefined],
  ['approved and signed', { conditions: [said('Approved', 2)], certificate: 'eA==' }, 3],
  ['approved and failed', { conditions: [said('Approved', 2), said('Failed', 5)] }, 6],
])('%s', (_, status, hours) =>
  expect(expiresAtMs(csr(status))).toBe(hours === undefined ? undefined : epochMs + hours * hourMs),
);

let harness: ControllerHarness | undefined;
afterEach(() => harness?.stop());

test('requests go when their time has come', async () => {
  harness = new ControllerHarness();
  await harness.create(CertificateSigningRequest, {
    metadata: { name: 'open' },
    spec: { request: '', signerName: 'a.b/c', usages: ['any'] },
  } as Draft<CertificateSigningRequest>);
  await harness.start(certificateCleanerController);
  await harness.advance(23 * hourMs);
  expect(await harness.list(CertificateSigningRequest)).toHaveLength(1);
  await harness.advance(2 * hourMs);
  expect(await harness.list(CertificateSigningRequest)).toEqual([]);
});

test('bootstrap tokens go when they end; other secrets, and those that do not end, stay', async () => {
  harness = new ControllerHarness();
  const secret = (name: string, more: Partial<Secret>, namespace = 'kube-system'): Draft<Secret> =>
    ({ metadata: { name, namespace }, type: 'bootstrap.kubernetes.io/token', ...more }) as Draft<Secret>;
  const expiration = { data: { expiration: Buffer.from(at(3)).toString('base64') } };
  await harness.create(Secret, secret('ends', expiration));
  await harness.create(Secret, secret('is-no-time', { data: { expiration: 'eA==' } }));
  await harness.create(Secret, secret('stays', {}));
  await harness.create(Secret, secret('of-others', expiration, 'default'));
  await harness.create(Secret, secret('of-another-type', { ...expiration, type: 'Opaque' }));
  await harness.start(tokenCleanerController);
  const names = async () => (await harness!.list(Secret)).map(({ metadata }) => metadata.name).sort();
  expect(await names()).toEqual(['ends', 'of-another-type', 'of-others', 'stays']);
  await harness.advance(2 * hourMs);
  expect(await names()).toContain('ends');
  await harness.advance(hourMs + 1000);
  expect(await names()).toEqual(['of-another-type', 'of-others', 'stays']);
});
