// A request and its response, as handlers see them. node's HTTP/1.1 and HTTP/2 compatibility objects both satisfy these
// interfaces, so no handler knows which protocol it answers and nothing is wrapped per request.
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { Readable, Writable } from 'node:stream';

export interface HttpRequest extends Readable {
  readonly method?: string | undefined;
  /** Path and query, never an absolute URL from our own clients. */
  readonly url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  /** Name, value, name, value …: where a repeated header matters. */
  readonly rawHeaders: readonly string[];
  /** 1 or 2 */
  readonly httpVersionMajor: number;
  /** The client went away before its request had been read. */
  readonly aborted: boolean;
}

export interface HttpResponse extends Writable {
  statusCode: number;
  readonly headersSent: boolean;
  /** Goes with whatever `writeHead` is given, and costs less than `setHeader`. Shared by many answers: to be replaced, not changed. */
  always?: OutgoingHttpHeaders | undefined;
  setHeader(name: string, value: string | number | readonly string[]): unknown;
  /** Names in lower case, and none of HTTP/1.1's connection headers: HTTP/2 refuses them. */
  writeHead(status: number, headers?: OutgoingHttpHeaders): unknown;
  flushHeaders(): void;
}

export type RequestHandler = (request: HttpRequest, response: HttpResponse) => void;
