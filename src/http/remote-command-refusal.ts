// What an upgrade request is granted, and the answer when it is not: a plain HTTP/1.1 response on the raw socket, as node gives
// no response object for upgrades.
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

/** The client's first protocol that is among `accepted`, or why there is none. */
export function chooseProtocol(
  asked: readonly string[],
  accepted: readonly string[],
): { readonly protocol: string } | { readonly refusal: Refusal } {
  const protocol = asked.find((one) => accepted.includes(one));
  if (protocol !== undefined) return { protocol };
  const refusal: Refusal =
    asked.length === 0
      ? { status: 400, message: 'unable to upgrade: X-Stream-Protocol-Version is required' }
      : {
          status: 403,
          message: `unable to upgrade: unable to negotiate protocol: client supports [${asked.join(' ')}], server accepts [${accepted.join(' ')}]`,
          headers: accepted.map((one) => ['X-Accepted-Stream-Protocol-Versions', one] as const),
        };
  return { refusal };
}
