// /openapi/v3 (an index, and a document per group version) and /openapi/v2 (one document, JSON or protobuf). Each is made on first request
// and kept until the kinds in it change; clients cache v3 documents for ever under the hash in their URL. The v3 ones are JSON alone: kubectl
// and what client-go itself makes of them (explain, validation, patches, apply) ask for JSON. Who asks for gnostic's protobuf of them and
// nothing else, as libraries that call Schema(ContentTypeOpenAPIV3PB) themselves, gets 406.
import { createHash } from 'node:crypto';
import { gzip } from 'node:zlib';
import type { Clock } from '../../base/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import { type KindDef, notAcceptable } from '../../machinery/index.ts';
import type { Query } from '../endpoints/query.ts';
import type { KindTable } from '../registry/kind-table.ts';
import { Components } from './components.ts';
import { pathsOf } from './paths.ts';
import { documentV2, encodeDocumentV2 } from './v2.ts';

interface Document {
  readonly kinds: readonly KindDef[];
  readonly bytes: Buffer;
  readonly hash: string;
  /** Made when first wanted. */
  zipped: Buffer | undefined;
}

export interface OpenApi {
  /** Serves what is below /openapi/. False = no such document. Throws a StatusError when the client takes none of its forms. */
  serve(request: HttpRequest, response: HttpResponse, below: string, query: Query): boolean;
}

interface OpenApiOptions {
  readonly kinds: KindTable;
  /** What the documents say of the server. */
  readonly version: string;
  readonly clock: Clock;
}

/** Smaller documents cost more to compress than to send. */
const gzipFromBytes = 1400;
const yearMs = 365 * 24 * 3600 * 1000;

/** Where a kind's document lies below /openapi/v3/. */
const placeOf = ({ group, version }: KindDef): string =>
  group === '' ? `api/${version}` : `apis/${group}/${version}`;

export function createOpenApi({ kinds, version, clock }: OpenApiOptions): OpenApi {
  const documents = new Map<string, Document>();

  const document = (key: string, of: readonly KindDef[], make: () => unknown): Document => {
    const kept = documents.get(key);
    if (kept !== undefined && sameKinds(kept.kinds, of)) return kept;
    const made = make();
    const bytes = Buffer.isBuffer(made) ? made : Buffer.from(JSON.stringify(made));
    const hash = createHash('sha512').update(bytes).digest('hex').toUpperCase();
    const fresh = { kinds: [...of], bytes, hash, zipped: undefined };
    documents.set(key, fresh);
    return fresh;
  };

  const groupDocument = (place: string): Document => {
    const here = kinds.all.filter((kind) => placeOf(kind) === place);
    return document(place, here, () => {
      const components = new Components(3);
      const paths: Record<string, unknown> = {};
      for (const kind of here) Object.assign(paths, pathsOf(kind, components));
      return {
        openapi: '3.0.0',
        info: { title: 'Kubernetes', version },
        paths,
        components: { schemas: components.definitions },
      };
    });
  };

  const urlOf = (place: string): string => `/openapi/v3/${place}?hash=${groupDocument(place).hash}`;

  const index = (): Document =>
    document('v3', kinds.all, () => {
      const places = [...new Set(kinds.all.map(placeOf))];
      for (const gone of documents.keys())
        if (gone.includes('/') && !places.includes(gone)) documents.delete(gone);
      return {
        paths: Object.fromEntries(places.map((place) => [place, { serverRelativeURL: urlOf(place) }])),
      };
    });

  return {
    serve(request, response, below, query) {
      if (below === 'v3') {
        send(request, response, index(), { 'content-type': jsonType, ...uncached });
        return true;
      }
      if (below === 'v2') {
        const whole = () => documentV2(kinds.all, version);
        if (wantsProtobuf(request.headers.accept)) {
          const encoded = document('v2 protobuf', kinds.all, () => encodeDocumentV2(whole()));
          send(request, response, encoded, { 'content-type': protobufV2, ...uncached });
          return true;
        }
        requireJson(request.headers.accept);
        send(request, response, document('v2', kinds.all, whole), { 'content-type': jsonType, ...uncached });
        return true;
      }
      const place = below.startsWith('v3/') ? below.slice(3) : '';
      if (!kinds.all.some((kind) => placeOf(kind) === place)) return false;
      requireJson(request.headers.accept);
      const found = groupDocument(place);
      const hash = query.get('hash') ?? '';
      if (hash !== '' && hash !== found.hash) {
        response.writeHead(301, { location: urlOf(place), 'content-length': 0 });
        response.end();
        return true;
      }
      const expires = new Date(clock.nowMs() + yearMs).toUTCString();
      const caching = hash === '' ? uncached : { 'cache-control': 'public, immutable', expires };
      send(request, response, found, { 'content-type': jsonType, ...caching });
      return true;
    },
  };
}

const sameKinds = (a: readonly KindDef[], b: readonly KindDef[]): boolean =>
  a.length === b.length && a.every((kind, i) => kind === b[i]);

const jsonType = 'application/json';
const protobufV2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
/** What kubectl still asks for. It is no well-formed media type, so the answer is not called by it. */
const protobufV2Asked = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
/** To be asked for again each time, by its ETag. */
const uncached = { 'cache-control': 'no-cache, private' } as const;

/** Sends the document, compressed if the client takes that, or says that the client's copy still holds. */
function send(
  request: HttpRequest,
  response: HttpResponse,
  document: Document,
  headers: Record<string, string>,
): void {
  const etag = `"${document.hash}"`;
  const always = { ...headers, etag, vary: 'Accept, Accept-Encoding' };
  if (hasCopy(request, etag)) {
    response.writeHead(304, always);
    response.end();
    return;
  }
  const plainly = (): void => {
    response.writeHead(200, { ...always, 'content-length': document.bytes.length });
    response.end(document.bytes);
  };
  const compressed = (bytes: Buffer): void => {
    response.writeHead(200, { ...always, 'content-encoding': 'gzip', 'content-length': bytes.length });
    response.end(bytes);
  };
  const takesGzip = String(request.headers['accept-encoding'] ?? '').includes('gzip');
  if (!takesGzip || document.bytes.length < gzipFromBytes) plainly();
  else if (document.zipped !== undefined) compressed(document.zipped);
  else {
    gzip(document.bytes, (error, zipped) => {
      if (error === null) document.zipped = zipped;
      if (response.headersSent || response.destroyed) return;
      if (error === null) compressed(zipped);
      else plainly();
    });
  }
}

/** Whether If-None-Match names this version. A weak one does too: RFC 9110 compares them weakly. */
function hasCopy(request: HttpRequest, etag: string): boolean {
  const asked = request.headers['if-none-match'] ?? '';
  return asked.split(',').some((one) => {
    const tag = one.trim().replace(/^W\//, '');
    return tag === '*' || tag === etag;
  });
}

/** The first clause of Accept decides. */
function wantsProtobuf(accept: string | undefined): boolean {
  const first = (accept ?? '').split(',')[0]!.split(';')[0]!.trim();
  return first === protobufV2 || first === protobufV2Asked;
}

function requireJson(accept: string | undefined): void {
  if (
    accept === undefined ||
    accept === '' ||
    /(^|[,\s])(application\/json|application\/\*|\*\/\*)/.test(accept)
  )
    return;
  throw notAcceptable('only the following media types are accepted: application/json');
}
