// The bodies of requests: JSON, YAML or protobuf to the JSON form that the registry reads; patches and delete options.
import { type HttpRequest, readBody } from '../../http/index.ts';
import {
  badRequest,
  type DeleteOptions,
  entityTooLarge,
  findDuplicateFields,
  type KindDef,
  parseJson,
  unsupportedMediaType,
} from '../../machinery/index.ts';
import type { CallContext } from '../registry/context.ts';
import type { Body } from '../registry/decode.ts';
import { checkDeleteOptions } from '../registry/delete.ts';
import type { PatchType } from '../registry/patch.ts';
import { bodyType, mediaType } from './media.ts';
import { type Expected, readProtobuf } from './protobuf-body.ts';
import { deleteOptions, type Query } from './query.ts';

/** Kubernetes' limit for request bodies. */
const maxBodyBytes = 3 * 1024 * 1024;

interface BodyOf {
  readonly request: HttpRequest;
  readonly kind: KindDef;
  readonly query: Query;
}

async function readBytes(request: HttpRequest): Promise<Buffer> {
  const body = await readBody(request, maxBodyBytes);
  if (body.ok) return body.bytes;
  if (body.why === 'tooLarge') throw entityTooLarge(`Request entity too large: limit is ${maxBodyBytes}`);
  throw badRequest('the client closed the connection before its request was read');
}

/** The object in the body of a write, in its JSON form. */
export async function readObject({ request, kind }: BodyOf, context: CallContext): Promise<Body> {
  const type = bodyType(request.headers['content-type']);
  const bytes = await readBytes(request);
  if (type === 'protobuf') return { value: readProtobuf(bytes, kind), duplicates: [] };
  if (type === 'yaml') return readYaml(bytes);
  return readJson(bytes, context);
}

function readJson(bytes: Buffer, context: CallContext): Body {
  const source = bytes.toString('utf8');
  const parsed = parseJson(source);
  if (!parsed.ok)
    throw badRequest(`the object provided is unrecognized (must be valid JSON): ${parsed.error}`);
  return {
    value: parsed.value,
    duplicates: context.fieldValidation === 'Ignore' ? [] : findDuplicateFields(source),
  };
}

async function readYaml(bytes: Buffer): Promise<Body> {
  const { parseYaml } = await import('../../machinery/codec/yaml.ts');
  const parsed = parseYaml(bytes.toString('utf8'));
  if (!parsed.ok) throw badRequest(`error converting YAML to JSON: ${parsed.error}`);
  return { value: parsed.value, duplicates: [] };
}

const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
};

/** The patch in a body, by its media type. */
export async function readPatch(
  request: HttpRequest,
  context: CallContext,
): Promise<{ type: PatchType; body: Body }> {
  const given = mediaType(request.headers['content-type']);
  const type = patchTypes[given];
  if (type === undefined) {
    const supported = Object.keys(patchTypes).join(', ');
    throw unsupportedMediaType(
      given === 'application/apply-patch+yaml'
        ? `server-side apply is not served yet - accepted media types include: ${supported}`
        : `the body of the request was in an unknown format - accepted media types include: ${supported}`,
    );
  }
  const bytes = await readBytes(request);
  const parsed = parseJson(bytes.toString('utf8'));
  if (!parsed.ok) throw badRequest(`error decoding patch: ${parsed.error}`);
  const duplicates =
    type === 'json' || context.fieldValidation === 'Ignore'
      ? []
      : findDuplicateFields(bytes.toString('utf8'));
  return { type, body: { value: parsed.value, duplicates } };
}

const deleteOptionsBody: Expected = { apiVersion: 'meta.k8s.io/v1', kind: 'DeleteOptions' };

export interface DeleteBody extends DeleteOptions {
  readonly dryRun?: readonly string[];
}

/** Options come in the body, the query, or both; the body wins where it says something. */
export async function readDeleteOptions({ request, query }: BodyOf): Promise<DeleteBody> {
  const bytes = await readBytes(request);
  let given: DeleteBody = {};
  if (bytes.length > 0) {
    const type = bodyType(request.headers['content-type']);
    const parsed =
      type === 'json'
        ? parseJson(bytes.toString('utf8'))
        : {
            ok: true as const,
            value: type === 'yaml' ? (await readYaml(bytes)).value : readProtobuf(bytes, deleteOptionsBody),
          };
    if (!parsed.ok) throw badRequest(`DeleteOptions cannot be decoded: ${parsed.error}`);
    if (typeof parsed.value === 'object' && parsed.value !== null) given = parsed.value as DeleteBody;
  }
  const fromQuery = deleteOptions(query);
  const merged: DeleteBody = {
    gracePeriodSeconds: given.gracePeriodSeconds ?? fromQuery.gracePeriodSeconds,
    propagationPolicy: given.propagationPolicy ?? fromQuery.propagationPolicy,
    orphanDependents: given.orphanDependents ?? fromQuery.orphanDependents,
    preconditions: given.preconditions,
    ...(given.dryRun !== undefined && { dryRun: given.dryRun }),
  };
  checkDeleteOptions(merged);
  return merged;
}
