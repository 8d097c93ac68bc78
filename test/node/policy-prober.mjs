// One endpoint of the network policy tests: runs in a network namespace, answers on some ports, and tries what its parent asks for.
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';

for (const port of [8080, 8081, 53])
  createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (data) => socket.write(data));
  }).listen(port, '::');
// One for each address: an answer must come from where the question went.
const addresses = Object.values(networkInterfaces()).flatMap((all) => all.map(({ address }) => address));
for (const address of addresses.filter((one) => !one.startsWith('fe80')))
  for (const port of [8080, 53]) {
    const server = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    server.on('message', (message, { address: to, port: from }) => server.send(message, from, to));
    server.on('error', () => {});
    server.bind(port, address);
  }

/** Whether there was an answer. The source has its own address, so that it is the one that is asked for. */
function attempt({ source, destination, protocol, port }, timeoutMs) {
  return new Promise((resolve) => {
    let client;
    const end = (answered) => {
      clearTimeout(timer);
      protocol === 'tcp' ? client.destroy() : client.close();
      resolve(answered);
    };
    const timer = setTimeout(() => end(false), timeoutMs);
    if (protocol === 'tcp') {
      client = connect({ host: destination, port, localAddress: source }, () => end(true));
      client.on('error', () => end(false));
      return;
    }
    client = createSocket(destination.includes(':') ? 'udp6' : 'udp4');
    client.on('message', () => end(true));
    client.on('error', () => end(false));
    client.bind(0, source, () => client.send('x', port, destination));
  });
}

let kept;
const commands = {
  attempts: ({ attempts, timeoutMs }) => Promise.all(attempts.map((one) => attempt(one, timeoutMs))),
  open: ({ destination, port }) =>
    new Promise((resolve, reject) => {
      kept = connect(port, destination, () => resolve(true));
      kept.on('error', reject);
    }),
  echo: ({ text, timeoutMs }) =>
    new Promise((resolve) => {
      const timer = setTimeout(() => resolve(''), timeoutMs);
      kept.once('data', (data) => {
        clearTimeout(timer);
        resolve(String(data));
      });
      kept.write(text);
    }),
};

process.on('message', async ({ id, command, ...more }) => {
  try {
    process.send({ id, answer: await commands[command](more) });
  } catch (error) {
    process.send({ id, error: String(error) });
  }
});
process.on('disconnect', () => process.exit());
process.send({ ready: true });
