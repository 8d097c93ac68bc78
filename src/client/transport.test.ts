// Every Transport keeps the contract: the two real ones, and the fake that tests of controllers stand on.
import { FakeClock, seededRandom } from '../base/index.ts';
import { FakeTransport, httpsApiServer, inProcessApiServer } from '../testkit/index.ts';
import { transportContract } from './transport-contract.ts';

transportContract('in process', inProcessApiServer);
transportContract('HTTPS', httpsApiServer);
transportContract('the fake', async () => {
  const transport = new FakeTransport({ clock: new FakeClock(), random: seededRandom(1) });
  return { transport, compact: async () => transport.compact(), close: () => transport.close() };
});
