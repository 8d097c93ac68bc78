// The answer to an upgrade request that is not granted: a plain HTTP/1.1 response on the raw socket, as node gives no response
// object for upgrades.
import { STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

export interface Refusal {
  readonly status: number;
  /** Shown to the user: kubectl prints it after "unable to upgrade connection: ". */
  readonly message: string;
  readonly headers?: readonly (readonly [name: string, value: string])[] | undefined;
}

/** Answers and ends the connection. */
export function refuseUpgrade(socket: Duplex, { status, message, headers = [] }: Refusal): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const body = Buffer.from(`${message}\n`);
  const lines = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    'Connection: close',
    'Content-Type: text/plain; charset=utf-8',
    'X-Content-Type-Options: nosniff',
    `Content-Length: ${body.length}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ];
  socket.on('error', () => {});
  socket.once('finish', () => socket.destroy());
  socket.end(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), body]));
}
