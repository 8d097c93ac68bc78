// Randomness as an argument: names, uids and jitter come from here, so a seed makes a run repeatable.
import { randomFillSync } from 'node:crypto';

export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** A version 4 UUID, lower case. */
  uuid(): string;
}

/** Alphabet of Kubernetes' generated names: no vowels and no 0, 1, 3, so that no word is spelt by chance. */
const nameAlphabet = 'bcdfghjklmnpqrstvwxz2456789';

/** `length` letters safe to append to a name, as in `web-7d4b9c6f5d-x2x9p`. */
export function nameSuffix(random: Random, length = 5): string {
  let out = '';
  for (let i = 0; i < length; i++) out += nameAlphabet[Math.floor(random.next() * nameAlphabet.length)];
  return out;
}

/** Any 32-bit number as a string of that alphabet: turns a hash into part of a name (pod-template-hash). */
export function safeEncode(text: string): string {
  let out = '';
  for (let i = 0; i < text.length; i++) out += nameAlphabet[text.charCodeAt(i) % nameAlphabet.length];
  return out;
}

const hex: string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

function formatUuid(b: Uint8Array, at: number): string {
  const h = (i: number) => hex[b[at + i]!]!;
  const v6 = hex[(b[at + 6]! & 0x0f) | 0x40]!;
  const v8 = hex[(b[at + 8]! & 0x3f) | 0x80]!;
  return `${h(0)}${h(1)}${h(2)}${h(3)}-${h(4)}${h(5)}-${v6}${h(7)}-${v8}${h(9)}-${h(10)}${h(11)}${h(12)}${h(13)}${h(14)}${h(15)}`;
}

/** The machine's randomness, drawn in blocks. */
export function systemRandom(): Random {
  const pool = Buffer.alloc(4096);
  let at = pool.length;
  const take = (n: number): number => {
    if (at + n > pool.length) {
      randomFillSync(pool);
      at = 0;
    }
    const from = at;
    at += n;
    return from;
  };
  return {
    next: () => pool.readUInt32LE(take(4)) / 0x1_0000_0000,
    uuid: () => formatUuid(pool, take(16)),
  };
}

/** Repeatable randomness for tests and simulations (mulberry32). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const bytes = new Uint8Array(16);
  return {
    next,
    uuid() {
      for (let i = 0; i < 16; i++) bytes[i] = Math.floor(next() * 256);
      return formatUuid(bytes, 0);
    },
  };
}
