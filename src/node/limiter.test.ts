// What is left of pods gives way to pods that start, though not for ever.
import { describe, expect, it } from 'vitest';
import { FakeClock, settle } from '../base/index.ts';
import { Leftovers, Limiter } from './limiter.ts';

function world(mostWaiting?: number) {
  const clock = new FakeClock(0);
  const starts = new Limiter(2);
  const end = new AbortController();
  const leftovers = new Leftovers(1, { first: starts, clock, signal: end.signal, mostWaiting });
  const done: string[] = [];
  const disturb = () => leftovers.disturb();
  const leave = (name: string) => leftovers.run(async () => void done.push(name));
  return { clock, starts, end, disturb, leave, done };
}

describe('leftovers', () => {
  it('go at once when nothing starts', async () => {
    const { leave, done } = world();
    await leave('a');
    expect(done).toEqual(['a']);
  });

  it('wait until nothing has started for a moment', async () => {
    const { clock, starts, leave, done } = world();
    const [one, two] = [await starts.acquire(), await starts.acquire()];
    leave('a');
    leave('b');
    await clock.advance(5_000);
    one();
    await clock.advance(1_000);
    expect(done).toEqual([]);
    two();
    await clock.advance(400);
    expect(done).toEqual([]);
    await clock.advance(200);
    expect(done).toEqual(['a', 'b']);
    leave('c');
    await settle();
    expect(done).toEqual(['a', 'b', 'c']);
    expect(clock.waiting).toBe(0);
  });

  it('wait again when the next start comes in between', async () => {
    const { clock, starts, leave, done } = world();
    const one = await starts.acquire();
    leave('a');
    await settle();
    one();
    await clock.advance(400);
    const two = await starts.acquire();
    await clock.advance(1_000);
    expect(done).toEqual([]);
    two();
    await clock.advance(600);
    expect(done).toEqual(['a']);
  });

  it('wait while pods end, but not for what one takes its time to end', async () => {
    const { clock, disturb, leave, done } = world();
    disturb();
    leave('a');
    await clock.advance(400);
    disturb();
    await clock.advance(400);
    expect(done).toEqual([]);
    await clock.advance(700);
    expect(done).toEqual(['a']);
  });

  it('are not put off for ever', async () => {
    const { clock, starts, leave, done } = world();
    await starts.acquire();
    leave('a');
    await clock.advance(59_900);
    expect(done).toEqual([]);
    await clock.advance(200);
    expect(done).toEqual(['a']);
  });

  it('go ahead, the oldest first, when too many wait', async () => {
    const { starts, leave, done } = world(2);
    await starts.acquire();
    leave('a');
    leave('b');
    await settle();
    expect(done).toEqual([]);
    leave('c');
    await settle();
    expect(done).toEqual(['a']);
    leave('d');
    leave('e');
    await settle();
    expect(done).toEqual(['a', 'b', 'c']);
  });

  it('end with the node', async () => {
    const { starts, end, leave, done } = world();
    await starts.acquire();
    const left = leave('a');
    end.abort(new Error('stopped'));
    await expect(left).rejects.toThrow('stopped');
    expect(done).toEqual([]);
  });
});
