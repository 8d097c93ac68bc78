import fc from 'fast-check';
import { expect, it } from 'vitest';
import { dealHand, flowHash, Hands } from './shuffle-sharding.ts';

it('deals different cards of the deck, the same ones for the same hash', () => {
  const sizes = fc.tuple(fc.integer({ min: 1, max: 512 }), fc.integer({ min: 1, max: 6 }));
  fc.assert(
    fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), sizes, (hash, [deck, wanted]) => {
      const size = Math.min(deck, wanted);
      const hand = dealHand(hash, deck, size);
      expect(new Set(hand).size).toBe(size);
      expect(hand.every((card) => card >= 0 && card < deck)).toBe(true);
      expect(dealHand(hash, deck, size)).toEqual(hand);
    }),
  );
});

it('reaches every order of a small deck', () => {
  const hands = Array.from({ length: 24 }, (_, hash) => dealHand(BigInt(hash), 4, 4).join(''));
  expect(new Set(hands).size).toBe(24);
});

it('deals the flows of a schema evenly', () => {
  const hands = new Hands('s', 64, 6);
  const dealt = new Array<number>(64).fill(0);
  for (let i = 0; i < 6400; i++) for (const card of hands.of(`user-${i}`)) dealt[card]!++;
  // 600 each, were it even.
  expect(Math.min(...dealt)).toBeGreaterThan(450);
  expect(Math.max(...dealt)).toBeLessThan(750);
});

it('tells schema and distinguisher apart', () => {
  expect(flowHash('ab', 'c')).not.toBe(flowHash('a', 'bc'));
  // The first eight bytes of SHA-256 of "a", a zero byte and "b", the lowest first.
  expect(flowHash('a', 'b').toString(16)).toBe('d3b1bc1bae71b259');
});
