// Writing answers. HOT: a stored object goes out as the bytes it was stored with; nothing is encoded per request.
import { gzip } from 'node:zlib';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import { internalError, type KindDef, type KubeObject, StatusError } from '../../machinery/index.ts';
import { InconsistentContinue, type ListAnswer } from '../registry/list.ts';
import type { Answer } from '../registry/objects.ts';
import { objectOf } from '../registry/objects.ts';
import { listBody } from './list-body.ts';
import type { Wanted } from './media.ts';
import { type IncludeObject, rowJson, rowsOf, tableJson } from './table.ts';

const jsonHeader = { 'content-type': 'application/json' } as const;

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

/** Warning headers as RFC 7234 has them: `299 - "text"`. */
export function addWarnings(response: HttpResponse, warnings: readonly string[]): void {
  if (warnings.length === 0) return;
  const unique = [...new Set(warnings)];
  response.setHeader(
    'warning',
    unique.map((text) => `299 - "${text.replace(/[\\"]/g, '\\$&').replace(/[\r\n]+/g, ' ')}"`),
  );
}

/** Turns whatever was thrown into a Status answer. What is no StatusError is a defect: 500, and the caller logs it. */
export function sendError(response: HttpResponse, error: unknown): void {
  if (error instanceof InconsistentContinue) {
    const status = new StatusError(410, 'Expired', error.message).toStatus();
    sendJson(response, 410, JSON.stringify({ ...status, metadata: { continue: error.token } }) + '\n');
    return;
  }
  const status = (error instanceof StatusError ? error : internalError(error)).toStatus();
  const code = status.code ?? 500;
  if (status.details?.retryAfterSeconds !== undefined)
    response.setHeader('retry-after', status.details.retryAfterSeconds);
  sendJson(response, code, JSON.stringify(status) + '\n');
}

export function sendAnswer(
  request: HttpRequest,
  response: HttpResponse,
  kind: KindDef,
  answer: Answer,
  wanted: Wanted,
  options: { include: IncludeObject; nowMs: number },
): void {
  if (wanted.form === 'object' && answer.entry !== null && !wanted.yaml) {
    send(request, response, answer.code, answer.entry.wire);
    return;
  }
  const object = answer.object ?? objectOf(answer.entry!);
  const isStatus = object.kind === 'Status' && kind.kind !== 'Status';
  let value: string;
  if (wanted.form === 'object' || isStatus) value = JSON.stringify(object);
  else if (wanted.form === 'metadata') value = JSON.stringify(partial(object, wanted.version));
  else {
    value = tableJson(
      kind,
      [
        rowJson(
          kind,
          answer.entry === null ? object : objectOf(answer.entry),
          options.include,
          options.nowMs,
        ),
      ],
      {
        version: wanted.version,
        listMeta: JSON.stringify({ resourceVersion: object.metadata.resourceVersion ?? '' }),
        withColumns: true,
      },
    );
  }
  sendEncoded(request, response, answer.code, value, wanted.yaml);
}

export const partial = (object: KubeObject, version: string): KubeObject => ({
  kind: 'PartialObjectMetadata',
  apiVersion: `meta.k8s.io/${version}`,
  metadata: object.metadata,
});

export function sendList(
  request: HttpRequest,
  response: HttpResponse,
  kind: KindDef,
  list: ListAnswer,
  wanted: Wanted,
  options: { include: IncludeObject; nowMs: number },
): void {
  const meta: Record<string, unknown> = { resourceVersion: String(list.revision) };
  if (list.continue !== undefined) meta['continue'] = list.continue;
  if (list.remaining !== undefined) meta['remainingItemCount'] = list.remaining;
  const listMeta = JSON.stringify(meta);
  if (wanted.form === 'table') {
    const table = tableJson(kind, rowsOf(kind, list.entries, options.include, options.nowMs), {
      version: wanted.version,
      listMeta,
      withColumns: true,
    });
    sendEncoded(request, response, 200, table, wanted.yaml);
    return;
  }
  if (wanted.form === 'metadata') {
    const items = list.entries.map((entry) => JSON.stringify(partial(objectOf(entry), wanted.version)));
    sendEncoded(
      request,
      response,
      200,
      `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/${wanted.version}","metadata":${listMeta},"items":[${items.join(',')}]}\n`,
      wanted.yaml,
    );
    return;
  }
  const body = listBody(kind, list, listMeta);
  if (wanted.yaml) sendEncoded(request, response, 200, Buffer.concat(body).toString('utf8'), true);
  else sendChunks(request, response, body);
}

/** YAML is for people reading with curl: slow and rare, so the library is loaded on demand. */
function sendEncoded(
  request: HttpRequest,
  response: HttpResponse,
  code: number,
  json: string,
  yaml: boolean,
): void {
  if (!yaml) {
    send(request, response, code, Buffer.from(json));
    return;
  }
  import('../../machinery/codec/yaml.ts').then(
    ({ printYaml }) => {
      const bytes = Buffer.from(printYaml(JSON.parse(json)));
      response.writeHead(code, { 'content-type': 'application/yaml', 'content-length': bytes.length });
      response.end(bytes);
    },
    (error: unknown) => sendError(response, error),
  );
}

function acceptsGzip(request: HttpRequest): boolean {
  return String(request.headers['accept-encoding'] ?? '').includes('gzip');
}

function send(request: HttpRequest, response: HttpResponse, code: number, bytes: Buffer): void {
  if (bytes.length >= gzipFromBytes && acceptsGzip(request)) {
    sendCompressed(response, code, bytes);
    return;
  }
  response.writeHead(code, { ...jsonHeader, 'content-length': bytes.length });
  response.end(bytes);
}

function sendChunks(request: HttpRequest, response: HttpResponse, chunks: readonly Buffer[]): void {
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  if (length >= gzipFromBytes && acceptsGzip(request)) {
    sendCompressed(response, 200, Buffer.concat(chunks, length));
    return;
  }
  response.writeHead(200, { ...jsonHeader, 'content-length': length });
  for (let i = 0; i < chunks.length - 1; i++) response.write(chunks[i]!);
  response.end(chunks[chunks.length - 1]);
}

/** Off the event loop, at the speed that kube-apiserver chose too (level 1). */
function sendCompressed(response: HttpResponse, code: number, bytes: Buffer): void {
  gzip(bytes, { level: 1 }, (error, packed) => {
    if (error !== null) {
      sendError(response, error);
      return;
    }
    response.writeHead(code, {
      ...jsonHeader,
      'content-encoding': 'gzip',
      vary: 'Accept-Encoding',
      'content-length': packed.length,
    });
    response.end(packed);
  });
}
