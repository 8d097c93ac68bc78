import { expect, test } from 'vitest';
import { CertificateSigningRequest } from '../../api/index.ts';
import type { KubeObject } from '../../machinery/index.ts';
import type { AdmissionRequest } from './admission.ts';
import { certificateRequester } from './certificate-requester.ts';

const user = { name: 'mallory', uid: '', groups: ['system:authenticated'] };

function admit(operation: 'create' | 'update', spec: object, old: object | null = null): unknown {
  const object = { spec } as unknown as KubeObject;
  const context = { user, dryRun: false, fieldManager: '', fieldValidation: 'Ignore', warnings: [] } as const;
  const request = {
    operation,
    kind: CertificateSigningRequest,
    namespace: undefined,
    name: 'x',
    subresource: '',
    object,
    old,
    context,
  };
  certificateRequester.mutate!(request as unknown as AdmissionRequest);
  return (object as unknown as { spec: unknown }).spec;
}

test('the caller is the requester, whatever the author claims', () => {
  const claimed = {
    request: 'cGVt',
    username: 'admin',
    uid: '1',
    groups: ['system:masters'],
    extra: { a: ['b'] },
  };
  expect(admit('create', claimed)).toEqual({
    request: 'cGVt',
    username: 'mallory',
    groups: ['system:authenticated'],
  });
});

test('an update leaves the requester as it was', () => {
  const old = { spec: { request: 'cGVt', username: 'alice', groups: ['staff'] } };
  expect(admit('update', { request: 'cGVt', username: 'admin', uid: '1' }, old)).toEqual({
    request: 'cGVt',
    username: 'alice',
    groups: ['staff'],
  });
});
