import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CertificateSigningRequest } from '../../api/index.ts';
import { isToSign, planFailure, planValidity } from './plan.ts';
import { ruleOf, signers } from './rules.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const yearMs = 365 * 24 * hourMs;
const nowMs = Date.UTC(2026, 0, 1);

test.each<[string, number | undefined, number, number, number]>([
  ['nothing asked', undefined, yearMs, -5 * minuteMs, yearMs - 5 * minuteMs],
  ['an hour asked', 3600, yearMs, -5 * minuteMs, hourMs],
  ['a day asked', 86_400, yearMs, -5 * minuteMs, 24 * hourMs - 5 * minuteMs],
  ['more asked than there is', 10 * 365 * 86_400, yearMs, -5 * minuteMs, yearMs - 5 * minuteMs],
  ['less asked than is given', 1, yearMs, -5 * minuteMs, 10 * minuteMs],
  ['short lives only', undefined, 30_000, -30_000, 30_000],
  ['short lives only, more asked', 3600, 30_000, -30_000, 30_000],
])('%s', (_, seconds, maxMs, from, to) =>
  expect(planValidity(seconds, maxMs, nowMs)).toEqual({ notBeforeMs: nowMs + from, notAfterMs: nowMs + to }),
);

test('a certificate is good now, for no longer than allowed, and not due for renewal from the start', () => {
  fc.assert(
    fc.property(
      fc.option(fc.integer({ min: 600, max: 10 ** 9 }), { nil: undefined }),
      fc.integer({ min: 10_000, max: 10 * yearMs }),
      (seconds, maxMs) => {
        const { notBeforeMs, notAfterMs } = planValidity(seconds, maxMs, nowMs);
        expect(notBeforeMs).toBeLessThan(nowMs);
        expect(notAfterMs).toBeGreaterThan(nowMs);
        expect(notAfterMs - nowMs).toBeLessThanOrEqual(maxMs);
        expect(notBeforeMs + 0.7 * (notAfterMs - notBeforeMs)).toBeGreaterThan(nowMs);
      },
    ),
  );
});

const csr = (status?: object): CertificateSigningRequest =>
  ({
    metadata: { name: 'a' },
    spec: {},
    ...(status !== undefined && { status }),
  }) as CertificateSigningRequest;
const is = (...types: string[]) => csr({ conditions: types.map((type) => ({ type, status: 'True' })) });

test('signed is what was approved, and nothing else', () => {
  expect(isToSign(is('Approved'))).toBe(true);
  for (const other of [csr(), is(), is('Denied'), is('Approved', 'Denied'), is('Approved', 'Failed')])
    expect(isToSign(other)).toBe(false);
  expect(isToSign(csr({ conditions: [{ type: 'Approved', status: 'True' }], certificate: 'x' }))).toBe(false);
});

test('a failure is added to what was said before', () => {
  expect(planFailure(is('Approved'), 'why').conditions).toEqual([
    { type: 'Approved', status: 'True' },
    { type: 'Failed', status: 'True', reason: 'SignerValidationFailure', message: 'why' },
  ]);
});

describe('what signers demand', () => {
  const nodes = { organizations: ['system:nodes'], commonName: 'system:node:a' };
  const none = { organizations: [], commonName: '', dnsNames: [], ips: [], emails: [], uris: [] };
  const say = (signer: string, parts: object, usages: string[]) =>
    ruleOf.get(signer)?.({ ...none, ...parts }, usages) ?? 'signed';
  const clientAuth = ['client auth', 'digital signature'];
  const serverAuth = ['server auth', 'digital signature', 'key encipherment'];
  test.each<[string, string, object, string[], string]>([
    ['anybody', signers.client, { commonName: 'zoe' }, ['client auth'], 'signed'],
    [
      'anybody, as a server',
      signers.client,
      {},
      ['server auth'],
      'invalid usage for client certificate: server auth',
    ],
    [
      'anybody, for nothing',
      signers.client,
      {},
      ['digital signature'],
      'missing required usage for client certificate: client auth',
    ],
    ['a node', signers.kubeletClient, nodes, clientAuth, 'signed'],
    [
      'a node of no group',
      signers.kubeletClient,
      { commonName: 'system:node:a' },
      clientAuth,
      'subject organization is not system:nodes',
    ],
    [
      'a node of another name',
      signers.kubeletClient,
      { ...nodes, commonName: 'a' },
      clientAuth,
      'subject common name does not begin with system:node:',
    ],
    [
      'a node with names',
      signers.kubeletClient,
      { ...nodes, dnsNames: ['a'] },
      clientAuth,
      'DNS subjectAltNames are not allowed',
    ],
    [
      'a node with addresses',
      signers.kubeletClient,
      { ...nodes, ips: ['1.1.1.1'] },
      clientAuth,
      'IP subjectAltNames are not allowed',
    ],
    [
      'a node with mail',
      signers.kubeletClient,
      { ...nodes, emails: ['a@b'] },
      clientAuth,
      'Email subjectAltNames are not allowed',
    ],
    [
      'a node with links',
      signers.kubeletClient,
      { ...nodes, uris: ['a:b'] },
      clientAuth,
      'URI subjectAltNames are not allowed',
    ],
    [
      'a node as server',
      signers.kubeletClient,
      nodes,
      serverAuth,
      'usages did not match [client auth digital signature key encipherment]',
    ],
    ['a server', signers.kubeletServing, { ...nodes, ips: ['1.1.1.1'] }, serverAuth, 'signed'],
    [
      'a server without names',
      signers.kubeletServing,
      nodes,
      serverAuth,
      'DNS or IP subjectAltName is required',
    ],
    [
      'a server as client',
      signers.kubeletServing,
      { ...nodes, ips: ['1.1.1.1'] },
      clientAuth,
      'usages did not match [digital signature key encipherment server auth]',
    ],
    ['whatever, of old', signers.legacyUnknown, {}, ['any'], 'signed'],
  ])('%s', (_, signer, parts, usages, wanted) => expect(say(signer, parts, usages)).toBe(wanted));
  test('other signers are others', () => expect(ruleOf.get('example.com/a')).toBeUndefined());
});
