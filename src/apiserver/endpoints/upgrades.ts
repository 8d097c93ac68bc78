// Requests that ask to go on in another protocol: what can be followed over WebSocket, and how an upgrade is refused.
import type { Duplex } from 'node:stream';
import type { HttpRequest, WebSocketFraming } from '../../http/index.ts';
import { StatusError } from '../../machinery/index.ts';
import { splitTarget } from './query.ts';
import { verbOf } from './resource.ts';
import { parseRoute } from './route.ts';

/** How messages are cut of what can be followed over WebSocket as over HTTP. undefined = not that. */
export function framingOf({ url = '/', method = 'GET' }: HttpRequest): WebSocketFraming | undefined {
  const { path, query } = splitTarget(url);
  const route = parseRoute(path);
  if (route === undefined) return undefined;
  if (route.group === '' && route.resource === 'pods' && route.subresource === 'log') return 'pieces';
  return verbOf(method, route, query) === 'watch' ? 'lines' : undefined;
}

/** An HTTP answer written by hand: the connection has left node's HTTP machinery. Returns its code. */
export function refuseUpgrade(socket: Duplex, error: unknown): number {
  const status = (
    error instanceof StatusError ? error : new StatusError(500, 'InternalError', String(error))
  ).toStatus();
  const body = `${JSON.stringify(status)}\n`;
  socket.end(
    `HTTP/1.1 ${status.code} ${status.reason}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
  return status.code ?? 500;
}
