import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SealError, seal, unseal } from './sealed-files.ts';

/** Quick. What is sealed at the usual cost is opened in shared-material.test.ts. */
const cost = { N: 16, r: 1, p: 1 };
const files = { 'ca.crt': 'PEM of the CA', 'ca.key': 'a secret' };
const outcome = (sealed: Buffer, token = 'token-of-the-cluster') =>
  unseal(sealed, token).then(
    (opened) => opened,
    (error: unknown) => {
      if (error instanceof SealError) return error.reason;
      throw error;
    },
  );

test('what was sealed is opened by its token alone', async () => {
  const texts = fc.dictionary(fc.string(), fc.string({ unit: 'binary' }));
  await fc.assert(
    fc.asyncProperty(texts, fc.string({ minLength: 1 }), async (some, token) => {
      const sealed = await seal(some, token, cost);
      expect({ ...(await unseal(sealed, token)) }).toEqual({ ...some });
      expect(await outcome(sealed, `${token}.`)).toBe('token');
    }),
  );
});

test('the text shows neither files nor token, and differs each time', async () => {
  const one = (await seal(files, 'token-of-the-cluster', cost)).toString();
  expect(one).not.toContain('secret');
  expect(Buffer.from(one.split('\n')[1] ?? '', 'base64').toString('latin1')).not.toContain('secret');
  expect(one).not.toContain('token');
  const two = (await seal(files, 'token-of-the-cluster', cost)).toString();
  expect(two.split('\n')[1]).not.toBe(one.split('\n')[1]);
});

describe('what was changed on the way is refused', () => {
  const change = (text: string, by: (front: Record<string, unknown>) => unknown): Buffer => {
    const [front = '', body] = text.split('\n');
    return Buffer.from(
      `${JSON.stringify({ ...JSON.parse(front), ...(by(JSON.parse(front)) as object) })}\n${body}`,
    );
  };
  const cases: [string, 'token' | 'format', (text: string) => Buffer][] = [
    [
      'a bit of the box',
      'token',
      (text) => Buffer.from(text.replace(/\n(.)/, (_, c) => `\n${c === 'A' ? 'B' : 'A'}`)),
    ],
    ['a half of it', 'token', (text) => Buffer.from(text.slice(0, -60))],
    ['all of the box', 'format', (text) => Buffer.from(`${text.split('\n')[0]}\n`)],
    ['the salt', 'token', (text) => change(text, () => ({ salt: Buffer.alloc(16).toString('base64') }))],
    ['the cost', 'token', (text) => change(text, () => ({ N: 32 }))],
    ['a member more', 'token', (text) => change(text, () => ({ more: 1 }))],
    ['a cost beyond reason', 'format', (text) => change(text, () => ({ N: 2 ** 30 }))],
    ['a cost that is none', 'format', (text) => change(text, () => ({ N: 3 }))],
    ['a nonce cut short', 'format', (text) => change(text, () => ({ nonce: 'AA==' }))],
    ['a later format', 'format', (text) => change(text, () => ({ format: 2 }))],
    ['nothing of it', 'format', () => Buffer.from('hello')],
    ['null', 'format', () => Buffer.from('null\n')],
    ['empty', 'format', () => Buffer.alloc(0)],
  ];
  test.each(cases)('%s', async (_, reason, damage) => {
    const text = (await seal(files, 'token-of-the-cluster', cost)).toString();
    expect(await outcome(damage(text))).toBe(reason);
  });
});
