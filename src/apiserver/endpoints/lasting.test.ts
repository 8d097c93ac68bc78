import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { FakeClock } from '../../base/index.ts';
import { Lasting } from './lasting.ts';

/** A connection that notes what is done to it. */
class Noted extends EventEmitter {
  seen = 'open';
  end(): void {
    this.seen = 'ended';
    this.emit('close');
  }
  destroy(): void {
    this.seen = 'cut';
    this.emit('close');
  }
}

it('ends watches at once and streams after a grace', async () => {
  const clock = new FakeClock();
  const lasting = new Lasting(clock);
  const [watch, gone, stream, brief] = [new Noted(), new Noted(), new Noted(), new Noted()];
  lasting.addWatch(watch, watch);
  lasting.addWatch(gone, gone);
  lasting.addStream(stream);
  lasting.addStream(brief);
  gone.emit('close');
  lasting.drain(2000);
  expect([watch.seen, gone.seen, stream.seen, brief.seen]).toEqual(['ended', 'open', 'open', 'open']);
  brief.emit('close');
  await clock.advance(1999);
  expect(stream.seen).toBe('open');
  await clock.advance(1);
  expect([stream.seen, brief.seen, clock.waiting]).toEqual(['cut', 'open', 0]);
});

it('waits for nobody once the last stream is gone', () => {
  const clock = new FakeClock();
  const lasting = new Lasting(clock);
  const stream = new Noted();
  lasting.addStream(stream);
  lasting.drain(2000);
  lasting.drain(5000);
  expect(clock.waiting).toBe(1);
  stream.emit('close');
  expect(clock.waiting).toBe(0);
});

it('a watch that begins in a server that stops ends at once, a stream gets what is left of the grace', async () => {
  const clock = new FakeClock();
  const lasting = new Lasting(clock);
  lasting.drain(2000);
  const [watch, stream] = [new Noted(), new Noted()];
  lasting.addWatch(watch, watch);
  expect(watch.seen).toBe('ended');
  await clock.advance(500);
  lasting.addStream(stream);
  await clock.advance(1500);
  expect([stream.seen, clock.waiting]).toEqual(['cut', 0]);
});
