// /openapi/v3 (an index, and a document per group version) and /openapi/v2 (one document, JSON or protobuf). Made on first request, kept
// until the list of kinds changes; clients cache v3 documents for ever under the hash in their URL.
import { createHash } from 'node:crypto';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import { notAcceptable } from '../../machinery/index.ts';
import type { Query } from '../endpoints/query.ts';
import type { KindTable } from '../registry/kind-table.ts';
import { Components } from './components.ts';
import { pathsOf } from './paths.ts';
import { documentV2, encodeDocumentV2 } from './v2.ts';

interface Document {
  readonly bytes: Buffer;
  readonly hash: string;
}

export interface OpenApi {
  /** Serves what is below /openapi/. False = no such document. */
  serve(request: HttpRequest, response: HttpResponse, below: string, query: Query): boolean;
}

export function createOpenApi(kinds: KindTable, version: string): OpenApi {
  let madeFrom: unknown;
  let documents = new Map<string, Document>();

  const document = (key: string, make: () => unknown): Document => {
    if (madeFrom !== kinds.all || documents.size === 0) {
      madeFrom = kinds.all;
      documents = new Map();
    }
    let found = documents.get(key);
    if (found === undefined) {
      const made = make();
      const bytes = Buffer.isBuffer(made) ? made : Buffer.from(JSON.stringify(made));
      found = { bytes, hash: createHash('sha512').update(bytes).digest('hex').toUpperCase() };
      documents.set(key, found);
    }
    return found;
  };

  const groupVersions = () => [
    ...new Set(kinds.all.map((k) => (k.group === '' ? `api/${k.version}` : `apis/${k.group}/${k.version}`))),
  ];

  const v3 = (path: string) => () => {
    const components = new Components(3);
    const paths: Record<string, unknown> = {};
    for (const kind of kinds.all) {
      if ((kind.group === '' ? `api/${kind.version}` : `apis/${kind.group}/${kind.version}`) !== path)
        continue;
      Object.assign(paths, pathsOf(kind, `#/components/schemas/${components.addKind(kind)}`));
    }
    return {
      openapi: '3.0.0',
      info: { title: 'Kubernetes', version },
      paths,
      components: { schemas: components.definitions },
    };
  };

  const send = (response: HttpResponse, { bytes, hash }: Document, { type, immutable }: SentAs): true => {
    response.writeHead(200, {
      'content-type': type,
      'content-length': bytes.length,
      etag: `"${hash}"`,
      'cache-control': immutable ? 'public, immutable' : 'no-cache, private',
      vary: 'Accept',
    });
    response.end(bytes);
    return true;
  };

  return {
    serve(request, response, below, query) {
      if (below === 'v3') {
        const paths = Object.fromEntries(
          groupVersions().map((path) => [
            path,
            { serverRelativeURL: `/openapi/v3/${path}?hash=${document(path, v3(path)).hash}` },
          ]),
        );
        const bytes = Buffer.from(JSON.stringify({ paths }));
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': bytes.length });
        response.end(bytes);
        return true;
      }
      if (below === 'v2') {
        if (wantsProtobuf(request.headers.accept)) {
          return send(
            response,
            document('v2 protobuf', () => encodeDocumentV2(documentV2(kinds.all, version))),
            {
              type: protobufV2,
              immutable: false,
            },
          );
        }
        requireJson(request.headers.accept);
        return send(
          response,
          document('v2', () => documentV2(kinds.all, version)),
          jsonDocument(false),
        );
      }
      const path = below.startsWith('v3/') ? below.slice(3) : '';
      if (!groupVersions().includes(path)) return false;
      requireJson(request.headers.accept);
      return send(response, document(path, v3(path)), jsonDocument(query.has('hash')));
    },
  };
}

interface SentAs {
  readonly type: string;
  readonly immutable: boolean;
}

const jsonDocument = (immutable: boolean): SentAs => ({ type: 'application/json', immutable });

const protobufV2 = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
/** What kubectl still asks for. It is no well-formed media type, so the answer is not called by it. */
const protobufV2Asked = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';

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
