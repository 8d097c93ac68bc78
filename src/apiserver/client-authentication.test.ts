import { beforeAll, expect, test } from 'vitest';
import { createCa } from '../http/index.ts';
import { planClientAuthentication } from './client-authentication.ts';

const nowMs = Date.parse('2026-01-02T00:00:00Z');
const dayMs = 86_400_000;
let ours: string;
let another: string;
let expired: string;

beforeAll(async () => {
  const make = async (days: number, atMs: number) =>
    (await createCa({ commonName: 'front-proxy-ca', days, nowMs: atMs })).cert;
  [ours, another, expired] = await Promise.all([make(1, nowMs), make(1, nowMs), make(1, nowMs - 3 * dayMs)]);
});

const known = (frontProxyCa: string | undefined) => ({
  clientCa: 'PEM',
  frontProxyCa,
  frontProxyName: 'front-proxy-client',
  nowMs,
});

test('servers that share a store keep each other’s authority, as long as it is good for something', () => {
  const before = { 'requestheader-client-ca-file': `${another}${expired}nonsense\n`, other: 'x' };
  const plan = planClientAuthentication(before, known(ours));
  expect(plan['requestheader-client-ca-file']).toBe(`${another.trim()}\n${ours.trim()}\n`);
  expect(planClientAuthentication(plan, known(ours))).toEqual(plan);
});

test('without a front proxy nothing is said of one', () => {
  expect(planClientAuthentication({}, known(undefined))).toEqual({ 'client-ca-file': 'PEM' });
});
