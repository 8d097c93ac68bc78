import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeClock } from '../../base/index.ts';
import type { Rank } from './ranking.ts';
import { type Bid, isFirst, SharedTurns } from './turns.ts';

const rank = (excess: number): Rank => ({ unknown: false, exceeds: true, priority: 0, excess });

describe('isFirst', () => {
  it('exactly one of the nodes that look at the same bids may act, and it is one whose pod should go first', () => {
    const bid = fc.record({
      node: fc.constantFrom('a', 'b', 'c', 'd'),
      rank: fc.option(fc.integer({ min: 0, max: 3 }).map(rank), { nil: undefined }),
    });
    fc.assert(
      fc.property(fc.uniqueArray(bid, { selector: ({ node }) => node, minLength: 1 }), (list) => {
        const bids: Bid[] = list.map((one) => ({ ...one, sinceMs: 0, atMs: 9_000 }));
        const first = bids.filter(({ node }) => isFirst(node, bids, { nowMs: 10_000, alone: false }));
        expect(first).toHaveLength(1);
        const best = Math.max(-1, ...bids.map((one) => one.rank?.excess ?? -1));
        expect(first[0]!.rank?.excess ?? -1).toBe(best);
      }),
    );
  });

  it('waits a moment for the others unless there are none, and forgets who is silent', () => {
    const own: Bid = { node: 'b', rank: rank(1), sinceMs: 9_000, atMs: 10_000 };
    expect(isFirst('b', [own], { nowMs: 10_000, alone: false })).toBe(false);
    expect(isFirst('b', [own], { nowMs: 10_000, alone: true })).toBe(true);
    const better: Bid = { node: 'a', rank: rank(5), sinceMs: 0, atMs: 8_000 };
    expect(isFirst('b', [own, better], { nowMs: 12_000, alone: false })).toBe(false);
    expect(isFirst('b', [own, better], { nowMs: 23_000, alone: false })).toBe(true);
  });
});

describe('SharedTurns', () => {
  const directories: string[] = [];
  afterEach(() => {
    for (const one of directories.splice(0)) fs.rmSync(one, { recursive: true, force: true });
  });
  const make = () => {
    const directory = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-turns-')), 'pressure');
    directories.push(path.dirname(directory));
    return directory;
  };

  it('a machine of its own needs no waiting', () => {
    const turns = new SharedTurns({ directory: make(), node: 'a', clock: new FakeClock() });
    expect(turns.ask(undefined)).toBe('go');
  });

  it('of several one goes at a time, the one with the most urgent pod first; what ends leaves nothing', async () => {
    const directory = make();
    const clock = new FakeClock();
    const all = ['a', 'b', 'c'].map((node) => new SharedTurns({ directory, node, clock }));
    const [a, b, c] = all as [SharedTurns, SharedTurns, SharedTurns];
    const ask = () => [a.ask(rank(1)), b.ask(rank(9)), c.ask(undefined)];
    expect(ask()).toEqual(['wait', 'wait', 'wait']);
    await clock.advance(2_000);
    expect(ask()).toEqual(['wait', 'go', 'wait']);
    expect(ask()).toEqual(['wait', 'go', 'wait']);
    b.done();
    // It has to say anew what it would do now, and the others have been waiting.
    expect([b.ask(rank(0)), a.ask(rank(1)), c.ask(undefined)]).toEqual(['wait', 'go', 'wait']);
    a.withdraw();
    await clock.advance(2_000);
    expect([b.ask(undefined), c.ask(undefined)]).toEqual(['go', 'wait']);
    for (const one of all) one.close();
    expect(fs.existsSync(directory)).toBe(false);
  });

  it('where nothing can be written everybody acts', () => {
    const directory = make();
    const turns = new SharedTurns({ directory, node: 'a', clock: new FakeClock() });
    fs.rmSync(directory, { recursive: true });
    expect(turns.ask(rank(1))).toBe('go');
  });
});
