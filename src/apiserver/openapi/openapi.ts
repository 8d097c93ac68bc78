// /openapi/v3 (an index, and a document per group version) and /openapi/v2 (one document, JSON or protobuf). Each is made on first request
// and kept until the kinds in it change; clients cache v3 documents for ever under the hash in their URL. The v3 ones are JSON alone: kubectl
// and what client-go itself makes of them (explain, validation, patches, apply) ask for JSON. Who asks for gnostic's protobuf of them and
// nothing else, as libraries that call Schema(ContentTypeOpenAPIV3PB) themselves, gets 406.
import { createHash } from 'node:crypto';
import { gzip } from 'node:zlib';
import type { Clock } from '../../base/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import { type KindDef, notAcceptable } from '../../machinery/index.ts';
import { type RemoteSpec, placeOf as remotePlace } from '../aggregation/remote-specs.ts';
import { mergeSpecs, type SpecPart, specV3Of } from '../aggregation/spec-parts.ts';
import type { Query } from '../endpoints/query.ts';
import { Components } from './components.ts';
import { pathsOf } from './paths.ts';
import { documentV2, encodeDocumentV2 } from './v2.ts';

interface Document {
  readonly sources: readonly unknown[];
  readonly bytes: Buffer;
  readonly hash: string;
  /** Made when first wanted. */
  zipped: Buffer | undefined;
}

export interface OpenApi {
  /** Serves what is below /openapi/. False = no such document. Throws a StatusError when the client takes none of its forms. */
  serve(request: HttpRequest, response: HttpResponse, below: string, query: Query): boolean;
}

/** Of other API servers. What changes is replaced, never altered. */
export interface RemoteSource {
  all(): readonly RemoteSpec[];
}

interface OpenApiOptions {
  /** Those that this server answers for. */
  readonly kinds: { readonly all: readonly KindDef[] };
  readonly remote: RemoteSource;
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

export function createOpenApi({ kinds, remote, version, clock }: OpenApiOptions): OpenApi {
  const documents = new Map<string, Document>();

  const document = (key: string, of: readonly unknown[], make: () => unknown): Document => {
    const kept = documents.get(key);
    if (kept !== undefined && sameSources(kept.sources, of)) return kept;
    const made = make();
    const bytes = Buffer.isBuffer(made) ? made : Buffer.from(JSON.stringify(made));
    const hash = createHash('sha512').update(bytes).digest('hex').toUpperCase();
    const fresh = { sources: [...of], bytes, hash, zipped: undefined };
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

  /** Made of the v2 document of a server that has no other. */
  const madeOf = (place: string): { spec: RemoteSpec; v2: SpecPart } | undefined => {
    const spec = remote.all().find(({ at, v3 }) => v3 === undefined && remotePlace(at) === place);
    return spec?.v2 === undefined ? undefined : { spec, v2: spec.v2 };
  };

  /** undefined = no such place, or another server has it. */
  const placed = (place: string): Document | undefined => {
    if (kinds.all.some((kind) => placeOf(kind) === place)) return groupDocument(place);
    const made = madeOf(place);
    return made === undefined ? undefined : document(place, [made.spec], () => specV3Of(made.v2, version));
  };

  const hashed = (place: string, { hash }: Document): string => `/openapi/v3/${place}?hash=${hash}`;

  const index = (): Document =>
    document('v3', [...kinds.all, ...remote.all()], () => {
      const urls = new Map<string, string>();
      for (const place of new Set(kinds.all.map(placeOf)))
        urls.set(place, hashed(place, groupDocument(place)));
      for (const { at, v3 } of remote.all()) {
        const place = remotePlace(at);
        const url = v3 ?? (madeOf(place) && hashed(place, placed(place)!));
        if (url !== undefined) urls.set(place, url);
      }
      for (const gone of documents.keys()) if (gone.includes('/') && !urls.has(gone)) documents.delete(gone);
      return {
        paths: Object.fromEntries([...urls].map(([place, url]) => [place, { serverRelativeURL: url }])),
      };
    });

  return {
    serve(request, response, below, query) {
      if (below === 'v3') {
        send(request, response, index(), { 'content-type': jsonType, ...uncached });
        return true;
      }
      if (below === 'v2') {
        const specs = remote.all();
        const sources = [...kinds.all, ...specs];
        const parts = specs.flatMap(({ v2 }) => (v2 === undefined ? [] : [v2]));
        const whole = () => mergeSpecs(documentV2(kinds.all, version), parts);
        if (wantsProtobuf(request.headers.accept)) {
          const encoded = document('v2 protobuf', sources, () => encodeDocumentV2(whole()));
          send(request, response, encoded, { 'content-type': protobufV2, ...uncached });
          return true;
        }
        requireJson(request.headers.accept);
        send(request, response, document('v2', sources, whole), { 'content-type': jsonType, ...uncached });
        return true;
      }
      const place = below.startsWith('v3/') ? below.slice(3) : '';
      const found = placed(place);
      if (found === undefined) return false;
      requireJson(request.headers.accept);
      const hash = query.get('hash') ?? '';
      if (hash !== '' && hash !== found.hash) {
        response.writeHead(301, { location: hashed(place, found), 'content-length': 0 });
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

const sameSources = (a: readonly unknown[], b: readonly unknown[]): boolean =>
  a.length === b.length && a.every((one, i) => one === b[i]);

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
