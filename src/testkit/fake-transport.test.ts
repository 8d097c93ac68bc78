// The fake keeps the contract that it stands in for.
import { FakeClock, seededRandom } from '../base/index.ts';
import { transportContract } from '../client/transport-contract.ts';
import { FakeTransport } from './fake-transport.ts';

transportContract('the fake', async () => {
  const transport = new FakeTransport({ clock: new FakeClock(), random: seededRandom(1) });
  return { transport, compact: async () => transport.compact(), close: () => transport.close() };
});
