// A port for a program that must be told its port before it runs. Who can listen on port 0 does that instead.
import { randomInt } from 'node:crypto';
import net from 'node:net';

const given = new Set<number>();

/**
 * On all addresses of this machine, and another one each time. Below those that the kernel gives to whoever connects: it stays free while
 * its program is away. No test has a fixed one there.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 22_000 + randomInt(8_000);
    if (given.has(port) || !(await isFree(port))) continue;
    given.add(port);
    return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.once('error', () => resolve(false));
    server.listen(port, () => server.close(() => resolve(true)));
  });
}
