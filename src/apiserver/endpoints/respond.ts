// Writing answers. HOT: a stored object goes out as the bytes it was stored with; nothing is encoded per request.
import type { Writable } from 'node:stream';
import { createGzip, gzip } from 'node:zlib';
import type { Clock } from '../../base/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import {
  indentJson,
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
import { type BlockBody, listBody, textBody } from './list-body.ts';
import { protobufType, statusEncoding, type Wanted, wantsPretty } from './media.ts';
import { MethodNotAllowed } from './method-not-allowed.ts';
import {
  entryEnvelope,
  listEnvelope,
  messageOf,
  objectEnvelope,
  partialEnvelope,
  partialListEnvelope,
} from './protobuf-answer.ts';
import { type IncludeObject, rowJson, storedRow, tableHead, tableJson, tableTail } from './table.ts';

const jsonHeader = { 'content-type': 'application/json' } as const;
const protobufHeader = { 'content-type': protobufType } as const;
const yamlHeader = { 'content-type': 'application/yaml' } as const;
type TypeHeader = typeof jsonHeader | typeof protobufHeader | typeof yamlHeader;

/** The bytes of an answer's body, once it is on its way. */
export type Sent = number | Promise<number>;

/** What answers are printed with. */
export interface Printing {
  readonly include: IncludeObject;
  readonly nowMs: number;
  readonly clock: Clock;
}

/** Answers larger than this are compressed when the client can take it, as kube-apiserver does. */
const gzipFromBytes = 128 * 1024;
/** The fastest, as kube-apiserver chose too. */
const gzipLevel = 1;

/** What is written at once: encrypting it takes well below a millisecond. */
const writeBytes = 256 * 1024;

export function sendJson(response: HttpResponse, code: number, body: string | Buffer): void {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  response.writeHead(code, { ...jsonHeader, 'content-length': bytes.length });
  response.end(bytes);
}

/** Nobody reads more than this with his own eyes, and to indent it would hold up everybody else. */
const prettyUpToBytes = 1024 * 1024;

/** JSON as this client wants to read it. */
export const readable = (request: HttpRequest, json: string): string =>
  json.length <= prettyUpToBytes && wantsPretty(request) ? indentJson(json) : json;

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
  if (error instanceof MethodNotAllowed && error.allow.length > 0)
    response.setHeader('allow', error.allow.join(', '));
  if (status.details?.retryAfterSeconds !== undefined)
    response.setHeader('retry-after', status.details.retryAfterSeconds);
  sendStatus(request, response, status);
}

type AnyStatus = Omit<Status, 'metadata'> & { readonly metadata: { readonly continue?: string } };

function sendStatus(request: HttpRequest, response: HttpResponse, status: AnyStatus): void {
  const code = status.code ?? 500;
  if (statusEncoding(request.headers.accept) === 'json')
    sendJson(response, code, readable(request, JSON.stringify(status) + '\n'));
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

/** A rejection means that the answer could not be encoded and has not begun. */
export function sendAnswer(
  { request, response }: Asker,
  { kind, answer, wanted }: { kind: KindDef; answer: Answer; wanted: Wanted },
  options: Printing,
): Sent {
  if (wanted.form === 'object' && answer.entry !== null && wanted.encoding === 'json') {
    return send(request, response, answer.code, { type: jsonHeader, bytes: answer.entry.wire });
  }
  if (wanted.encoding === 'protobuf') {
    const bytes = protobufAnswer(kind, answer, wanted);
    if (bytes !== undefined) return send(request, response, answer.code, { type: protobufHeader, bytes });
  }
  const object = answer.object ?? objectOf(answer.entry!);
  const isStatus = object.kind === 'Status' && kind.kind !== 'Status';
  let value: string;
  if (wanted.form === 'object' || isStatus) value = JSON.stringify(object);
  else if (wanted.form === 'metadata') value = JSON.stringify(partial(object, wanted.version));
  else {
    value = tableJson(kind, rowJson(kind, object, options), {
      version: wanted.version,
      listMeta: JSON.stringify({ resourceVersion: object.metadata.resourceVersion ?? '' }),
      withColumns: true,
    });
  }
  return sendEncoded(request, response, answer.code, { json: value, wanted });
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

/** Resolves to its bytes when the whole list is on its way. Rejects only when it cannot be encoded; the answer has not begun then. */
export async function sendList(
  { request, response }: Asker,
  { kind, list, wanted }: { kind: KindDef; list: ListAnswer; wanted: Wanted },
  options: Printing,
): Promise<number> {
  // 0 = made for this answer
  const meta: Record<string, unknown> = list.revision === 0 ? {} : { resourceVersion: String(list.revision) };
  if (list.continue !== undefined) meta['continue'] = list.continue;
  if (list.remaining !== undefined) meta['remainingItemCount'] = list.remaining;
  if (wanted.encoding === 'protobuf') {
    const { clock } = options;
    const parts =
      wanted.form === 'metadata'
        ? await partialListEnvelope(list, meta, { version: wanted.version, clock })
        : await listEnvelope({ kind, message: messageOf(kind)!, list, meta }, clock);
    return sendBlocks(request, response, { type: protobufHeader, body: bodyOf(parts) });
  }
  const body = await jsonListBody(kind, { list, wanted, listMeta: JSON.stringify(meta) }, options);
  if (wanted.encoding === 'yaml') {
    const json = Buffer.concat([...body.blocks]).toString('utf8');
    return sendEncoded(request, response, 200, { json, wanted });
  }
  return sendBlocks(request, response, { type: jsonHeader, body });
}

function jsonListBody(
  kind: KindDef,
  { list, wanted: { form, version }, listMeta }: { list: ListAnswer; wanted: Wanted; listMeta: string },
  options: Printing,
): Promise<BlockBody> {
  const { entries } = list;
  switch (form) {
    case 'table':
      return textBody(
        {
          head: tableHead(kind, { version, listMeta, withColumns: true }),
          entries,
          itemOf: (object) => storedRow(kind, object, options),
          tail: tableTail,
        },
        options.clock,
      );
    case 'metadata':
      return textBody(
        {
          head: `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/${version}","metadata":${listMeta},"items":[`,
          entries,
          itemOf: (object) => JSON.stringify(partial(object, version)),
          tail: ']}\n',
        },
        options.clock,
      );
    default:
      return listBody({ kind, list, listMeta }, options.clock);
  }
}

/** Parts that are there, in blocks that are quickly written. */
function bodyOf(parts: readonly Buffer[]): BlockBody {
  let length = 0;
  const blocks: Buffer[] = [];
  for (const part of parts) {
    length += part.length;
    for (let at = 0; at < part.length; at += writeBytes) blocks.push(part.subarray(at, at + writeBytes));
  }
  return { length, blocks };
}

/** JSON as it is or as YAML. YAML is for people reading with curl: slow and rare, so the library is loaded on demand. */
function sendEncoded(
  request: HttpRequest,
  response: HttpResponse,
  code: number,
  { json, wanted }: { json: string; wanted: Wanted },
): Sent {
  if (wanted.encoding !== 'yaml')
    return send(request, response, code, { type: jsonHeader, bytes: Buffer.from(json) });
  return loadYaml().then(({ printYaml }) => {
    if (response.headersSent) return 0;
    return sendBytes(response, code, { type: yamlHeader, bytes: Buffer.from(printYaml(JSON.parse(json))) });
  });
}

function acceptsGzip(request: HttpRequest): boolean {
  return String(request.headers['accept-encoding'] ?? '').includes('gzip');
}

interface Bytes {
  readonly type: TypeHeader;
  readonly bytes: Buffer;
}

function send(request: HttpRequest, response: HttpResponse, code: number, plain: Bytes): Sent {
  const body = shown(request, plain);
  if (body.bytes.length >= gzipFromBytes && acceptsGzip(request)) return sendCompressed(response, code, body);
  return sendBytes(response, code, body);
}

const shown = (request: HttpRequest, body: Bytes): Bytes =>
  body.type === jsonHeader && body.bytes.length <= prettyUpToBytes && wantsPretty(request)
    ? { type: jsonHeader, bytes: Buffer.from(indentJson(body.bytes.toString('utf8'))) }
    : body;

function sendBytes(response: HttpResponse, code: number, { type, bytes }: Bytes): number {
  response.writeHead(code, { ...type, 'content-length': bytes.length });
  response.end(bytes);
  return bytes.length;
}

/** Resolves when everything has been handed to the connection, or the client has gone. */
async function sendBlocks(
  request: HttpRequest,
  response: HttpResponse,
  { type, body }: { type: TypeHeader; body: BlockBody },
): Promise<number> {
  if (type === jsonHeader && body.length <= prettyUpToBytes && wantsPretty(request))
    return send(request, response, 200, { type, bytes: Buffer.concat([...body.blocks], body.length) });
  if (body.length < gzipFromBytes || !acceptsGzip(request)) {
    response.writeHead(200, { ...type, 'content-length': body.length });
    await writeBlocks(response, body.blocks);
    return body.length;
  }
  const packer = createGzip({ level: gzipLevel, chunkSize: writeBytes });
  response.writeHead(200, { ...type, 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
  response.once('close', () => packer.destroy());
  packer.pipe(response);
  let packed = 0;
  packer.on('data', (chunk: Buffer) => {
    packed += chunk.length;
  });
  const done = new Promise<void>((resolve) => packer.once('close', resolve));
  await writeBlocks(packer, body.blocks);
  await done;
  return packed;
}

/** Not faster than the other side reads; between two blocks others get their turn. */
async function writeBlocks(to: Writable, blocks: Iterable<Buffer>): Promise<void> {
  let closed = false;
  let goOn: (() => void) | null = null;
  const onDrain = () => goOn?.();
  const onClose = () => {
    closed = true;
    goOn?.();
  };
  to.on('drain', onDrain);
  to.once('close', onClose);
  for (const block of blocks) {
    if (to.write(block)) continue;
    await new Promise<void>((resolve) => {
      goOn = resolve;
    });
    goOn = null;
    if (closed) return;
  }
  to.off('drain', onDrain);
  to.end();
}

/** Off the event loop. */
function sendCompressed(response: HttpResponse, code: number, body: Bytes): Promise<number> {
  return new Promise((resolve, reject) => {
    gzip(body.bytes, { level: gzipLevel }, (error, packed) => {
      if (error !== null) {
        reject(error);
        return;
      }
      // It took too long, and the client was told so.
      if (response.headersSent) {
        resolve(0);
        return;
      }
      response.writeHead(code, {
        ...body.type,
        'content-encoding': 'gzip',
        vary: 'Accept-Encoding',
        'content-length': packed.length,
      });
      response.end(packed);
      resolve(packed.length);
    });
  });
}
