// node's responses with headers that go with every answer. The choice: `writeHead` gets them all at once, since headers set before it cost
// node several times as much. HOT.
import { type IncomingMessage, type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { Http2ServerResponse } from 'node:http2';

const all = (
  always: OutgoingHttpHeaders | undefined,
  headers: OutgoingHttpHeaders | undefined,
): OutgoingHttpHeaders | undefined => (always === undefined ? headers : { ...always, ...headers });

export class Http1Answer extends ServerResponse<IncomingMessage> {
  always: OutgoingHttpHeaders | undefined = undefined;

  override writeHead(status: number, headers?: unknown): this {
    return super.writeHead(status, all(this.always, headers as OutgoingHttpHeaders | undefined));
  }
}

export class Http2Answer extends Http2ServerResponse {
  always: OutgoingHttpHeaders | undefined = undefined;

  override writeHead(status: number, headers?: unknown): this {
    return super.writeHead(status, all(this.always, headers as OutgoingHttpHeaders | undefined));
  }
}
