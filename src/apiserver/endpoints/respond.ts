// Writing answers. HOT: a stored object goes out as the bytes it was stored with; nothing is encoded per request.
import { gzip } from 'node:zlib';
import type { Clock } from '../../base/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import {
  internalError,
  type KindDef,
  type KubeObject,
  loadYaml,
  type Status,
  StatusError,
} from '../../machinery/index.ts';
import { InconsistentContinue, type ListAnswer } from '../registry/list.ts';
import type { Answer } from '../registry/objects.ts';
import { objectOf } from '../registry/objects.ts';
import { listBody } from './list-body.ts';
import { protobufType, statusEncoding, type Wanted } from './media.ts';
import {
  entryEnvelope,
  listEnvelope,
  messageOf,
  objectEnvelope,
  partialEnvelope,
  partialListEnvelope,
} from './protobuf-answer.ts';
import { type IncludeObject, rowJson, rowsOf, tableJson } from './table.ts';

const jsonHeader = { 'content-type': 'application/json' } as const;
const protobufHeader = { 'content-type': protobufType } as const;
type TypeHeader = typeof jsonHeader | typeof protobufHeader;

/** What answers are printed with. */
export interface Printing {
  readonly include: IncludeObject;
  readonly nowMs: number;
  readonly clock: Clock;
}

/** Answers larger than this are compressed when the client can take it, as kube-apiserver does. */
const gzipFromBytes = 128 * 1024;

export function sendJson(response: HttpResponse, code: number, body: string | Buffer): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  response.writeHead(code, { ...jsonHeader, 'content-length': bytes.length });
  response.end(bytes);
}

export function sendText(response: HttpResponse, code: number, body: string): void {
  response.writeHead(code, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'x-content-type-options': 'nosniff',
  });
  response.end(body);
}

/** What Go's server says of a path that it does not know. */
export const sendPageNotFound = (response: HttpResponse): void =>
  sendText(response, 404, '404 page not found\n');

/** Warning headers as RFC 7234 has them: `299 - "text"`. Header values are bytes: text beyond ASCII goes out in UTF-8. */
export function addWarnings(response: HttpResponse, warnings: readonly string[]): void {
  if (warnings.length === 0) return;
  const unique = [...new Set(warnings)];
  response.setHeader(
    'warning',
    unique.map((text) => {
      const quoted = text.replace(/[\\"]/g, '\\$&').replace(/[\x00-\x1f\x7f]+/g, ' ');
      return `299 - "${Buffer.from(quoted).toString('latin1')}"`;
    }),
  );
}

/** Turns whatever was thrown into a Status answer. What is no StatusError is a defect: 500, and the caller logs it. */
export function sendError(request: HttpRequest, response: HttpResponse, error: unknown): void {
  if (error instanceof InconsistentContinue) {
    const status = new StatusError(410, 'Expired', error.message).toStatus();
    sendStatus(request, response, { ...status, metadata: { continue: error.token } });
    return;
  }
  const status = (error instanceof StatusError ? error : internalError(error)).toStatus();
  if (status.details?.retryAfterSeconds !== undefined)
    response.setHeader('retry-after', status.details.retryAfterSeconds);
  sendStatus(request, response, status);
}

type AnyStatus = Omit<Status, 'metadata'> & { readonly metadata: { readonly continue?: string } };

function sendStatus(request: HttpRequest, response: HttpResponse, status: AnyStatus): void {
  const code = status.code ?? 500;
  if (statusEncoding(request.headers.accept) === 'json')
    sendJson(response, code, JSON.stringify(status) + '\n');
  else
    sendBytes(response, code, {
      type: protobufHeader,
      bytes: objectEnvelope(status as unknown as KubeObject)!,
    });
}

/** Who asked, and where the answer goes. */
export interface Asker {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
}

export function sendAnswer(
  { request, response }: Asker,
  { kind, answer, wanted }: { kind: KindDef; answer: Answer; wanted: Wanted },
  options: Printing,
): void {
  if (wanted.form === 'object' && answer.entry !== null && wanted.encoding === 'json') {
    send(request, response, answer.code, { type: jsonHeader, bytes: answer.entry.wire });
    return;
  }
  if (wanted.encoding === 'protobuf') {
    const bytes = protobufAnswer(kind, answer, wanted);
    if (bytes !== undefined) {
      send(request, response, answer.code, { type: protobufHeader, bytes });
      return;
    }
  }
  const object = answer.object ?? objectOf(answer.entry!);
  const isStatus = object.kind === 'Status' && kind.kind !== 'Status';
  let value: string;
  if (wanted.form === 'object' || isStatus) value = JSON.stringify(object);
  else if (wanted.form === 'metadata') value = JSON.stringify(partial(object, wanted.version));
  else {
    value = tableJson(kind, [rowJson(kind, object, options)], {
      version: wanted.version,
      listMeta: JSON.stringify({ resourceVersion: object.metadata.resourceVersion ?? '' }),
      withColumns: true,
    });
  }
  sendEncoded(request, response, answer.code, { json: value, wanted });
}

/** undefined when the answer is an object that has no protobuf form: then it goes out as JSON. */
function protobufAnswer(kind: KindDef, { entry, object }: Answer, wanted: Wanted): Buffer | undefined {
  const isStatus = object?.kind === 'Status' && kind.kind !== 'Status';
  if (wanted.form === 'metadata' && !isStatus)
    return partialEnvelope(object ?? objectOf(entry!), wanted.version);
  if (object !== null) return objectEnvelope(object);
  return entryEnvelope(kind, messageOf(kind)!, entry!);
}

export const partial = (object: KubeObject, version: string): KubeObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: `meta.k8s.io/${version}`,
  metadata: object.metadata,
});

/** Rejects only when the list cannot be encoded; the answer has not begun then. */
export async function sendList(
  { request, response }: Asker,
  { kind, list, wanted }: { kind: KindDef; list: ListAnswer; wanted: Wanted },
  options: Printing,
): Promise<void> {
  // 0 = made for this answer
  const meta: Record<string, unknown> = list.revision === 0 ? {} : { resourceVersion: String(list.revision) };
  if (list.continue !== undefined) meta['continue'] = list.continue;
  if (list.remaining !== undefined) meta['remainingItemCount'] = list.remaining;
  if (wanted.encoding === 'protobuf') {
    const { clock } = options;
    const body =
      wanted.form === 'metadata'
        ? await partialListEnvelope(list, meta, { version: wanted.version, clock })
        : await listEnvelope({ kind, message: messageOf(kind)!, list, meta }, clock);
    sendChunks(request, response, { type: protobufHeader, chunks: body });
    return;
  }
  const listMeta = JSON.stringify(meta);
  if (wanted.form === 'table') {
    const table = tableJson(kind, rowsOf(kind, list.entries, options), {
      version: wanted.version,
      listMeta,
      withColumns: true,
    });
    sendEncoded(request, response, 200, { json: table, wanted });
    return;
  }
  if (wanted.form === 'metadata') {
    const items = list.entries.map((entry) => JSON.stringify(partial(objectOf(entry), wanted.version)));
    const json = `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/${wanted.version}","metadata":${listMeta},"items":[${items.join(',')}]}\n`;
    sendEncoded(request, response, 200, { json, wanted });
    return;
  }
  const body = listBody(kind, list, listMeta);
  if (wanted.encoding === 'yaml')
    sendEncoded(request, response, 200, { json: Buffer.concat(body).toString('utf8'), wanted });
  else sendChunks(request, response, { type: jsonHeader, chunks: body });
}

/** JSON as it is or as YAML. YAML is for people reading with curl: slow and rare, so the library is loaded on demand. */
function sendEncoded(
  request: HttpRequest,
  response: HttpResponse,
  code: number,
  { json, wanted }: { json: string; wanted: Wanted },
): void {
  if (wanted.encoding !== 'yaml') {
    send(request, response, code, { type: jsonHeader, bytes: Buffer.from(json) });
    return;
  }
  loadYaml().then(
    ({ printYaml }) => {
      if (response.headersSent) return;
      const bytes = Buffer.from(printYaml(JSON.parse(json)));
      response.writeHead(code, { 'content-type': 'application/yaml', 'content-length': bytes.length });
      response.end(bytes);
    },
    (error: unknown) => sendError(request, response, error),
  );
}

function acceptsGzip(request: HttpRequest): boolean {
  return String(request.headers['accept-encoding'] ?? '').includes('gzip');
}

interface Bytes {
  readonly type: TypeHeader;
  readonly bytes: Buffer;
}

function send(request: HttpRequest, response: HttpResponse, code: number, body: Bytes): void {
  if (body.bytes.length >= gzipFromBytes && acceptsGzip(request))
    sendCompressed(request, response, code, body);
  else sendBytes(response, code, body);
}

function sendBytes(response: HttpResponse, code: number, { type, bytes }: Bytes): void {
  response.writeHead(code, { ...type, 'content-length': bytes.length });
  response.end(bytes);
}

function sendChunks(
  request: HttpRequest,
  response: HttpResponse,
  { type, chunks }: { type: TypeHeader; chunks: readonly Buffer[] },
): void {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  if (length >= gzipFromBytes && acceptsGzip(request)) {
    sendCompressed(request, response, 200, { type, bytes: Buffer.concat(chunks, length) });
    return;
  }
  response.writeHead(200, { ...type, 'content-length': length });
  for (let i = 0; i < chunks.length - 1; i++) response.write(chunks[i]!);
  response.end(chunks[chunks.length - 1]);
}

/** Off the event loop, at the speed that kube-apiserver chose too (level 1). */
function sendCompressed(request: HttpRequest, response: HttpResponse, code: number, body: Bytes): void {
  gzip(body.bytes, { level: 1 }, (error, packed) => {
    // It took too long, and the client was told so.
    if (response.headersSent) return;
    if (error !== null) {
      sendError(request, response, error);
      return;
    }
    response.writeHead(code, {
      ...body.type,
      'content-encoding': 'gzip',
      vary: 'Accept-Encoding',
      'content-length': packed.length,
    });
    response.end(packed);
  });
}
