// Which queues a flow may use: a hand of them, dealt from a hash of the flow. Two flows seldom have the same hand, so one that floods
// its queues leaves others a queue without it. How the hand follows from the hash is Kubernetes'.
import { createHash } from 'node:crypto';

/** A hash of 64 bits of a flow: its schema, and what tells it from others of that schema. */
export function flowHash(schema: string, distinguisher: string): bigint {
  return createHash('sha256').update(schema).update('\0').update(distinguisher).digest().readBigUInt64LE(0);
}

/** `size` different numbers below `deck`, from the entropy of the hash alone. */
export function dealHand(hash: bigint, deck: number, size: number): number[] {
  const hand: number[] = [];
  let left = hash;
  const remainders: number[] = [];
  for (let i = 0; i < size; i++) {
    const cards = BigInt(deck - i);
    remainders.push(Number(left % cards));
    left /= cards;
  }
  for (let i = 0; i < size; i++) {
    let card = remainders[i]!;
    // A remainder counts among the cards that are left: those dealt before are skipped, the last one first.
    for (let j = i; j > 0; j--) if (card >= remainders[j - 1]!) card++;
    hand.push(card);
  }
  return hand;
}

const keptHands = 1024;

/** The hands of one schema's flows, kept for the flows that come again. */
export class Hands {
  readonly #schema: string;
  readonly #deck: number;
  readonly #size: number;
  readonly #hands = new Map<string, readonly number[]>();

  constructor(schema: string, deck: number, size: number) {
    this.#schema = schema;
    this.#deck = deck;
    this.#size = size;
  }

  of(distinguisher: string): readonly number[] {
    let hand = this.#hands.get(distinguisher);
    if (hand === undefined) {
      if (this.#hands.size >= keptHands) this.#hands.clear();
      hand = dealHand(flowHash(this.#schema, distinguisher), this.#deck, this.#size);
      this.#hands.set(distinguisher, hand);
    }
    return hand;
  }
}
