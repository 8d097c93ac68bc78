// Questions to servers of somebody else, over the sockets of this machine.
import { expect, test } from 'vitest';
import { seededRandom, systemClock } from '../base/index.ts';
import { classIn, type } from './message.ts';
import { nameOf } from './name.ts';
import { networkExchange } from './upstream.ts';

test('a server that there is no way to is an error of that question', async () => {
  const exchange = networkExchange({ clock: systemClock, random: seededRandom(1), timeoutMs: 60_000 });
  const question = {
    name: nameOf('a.test'),
    type: type.A,
    class: classIn,
    dnssecOk: false,
    checkingDisabled: false,
  };
  // The kernel refuses to send to everybody.
  const asked = exchange({ address: '255.255.255.255', port: 53 }, question, new AbortController().signal);
  await expect(asked).rejects.toMatchObject({ syscall: 'connect' });
});
