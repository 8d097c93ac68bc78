// The bodies of requests: JSON, YAML or protobuf to the JSON form that the registry reads; patches and delete options.
import { shape } from '../../api/index.ts';
import { type HttpRequest, readBody } from '../../http/index.ts';
import {
  badRequest,
  Causes,
  DecodeError,
  type DeleteOptions,
  decodeObject,
  entityTooLarge,
  findDuplicateFields,
  type KindDef,
  loadYaml,
  type Parsed,
  parseJson,
  unsupportedMediaType,
} from '../../machinery/index.ts';
import type { Body } from '../registry/call.ts';
import type { CallContext } from '../registry/context.ts';
import { checkDeleteOptions } from '../registry/delete.ts';
import type { PatchType } from '../registry/patch.ts';
import { bodyType, mediaType } from './media.ts';
import { type Expected, readProtobuf } from './protobuf-body.ts';
import { checkDryRun, deleteOptions, type Query } from './query.ts';

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
  const parsed = type === 'yaml' ? await parseYamlBody(bytes) : parseJsonBody(bytes);
  if (!parsed.ok)
    throw badRequest(
      `the object provided is unrecognized (must be of type ${kind.kind}): ${parsed.error} (${summary(bytes)})`,
    );
  // A YAML text with a field given twice does not parse.
  const duplicates =
    type === 'yaml' || context.fieldValidation === 'Ignore'
      ? []
      : findDuplicateFields(bytes.toString('utf8'));
  return { value: parsed.value, duplicates };
}

function parseJsonBody(bytes: Buffer): Parsed<unknown> {
  const parsed = parseJson(bytes.toString('utf8'));
  return parsed.ok
    ? parsed
    : { ok: false, error: `couldn't get version/kind; json parse error: ${parsed.error}` };
}

async function parseYamlBody(bytes: Buffer): Promise<Parsed<unknown>> {
  const { parseYaml } = await loadYaml();
  const parsed = parseYaml(bytes.toString('utf8'));
  return parsed.ok ? parsed : { ok: false, error: `error converting YAML to JSON: ${parsed.error}` };
}

/** The beginning of a body that cannot be read, as Kubernetes shows it. */
function summary(bytes: Buffer): string {
  if (bytes.length === 0) return '<empty>';
  const encoding = bytes[0] === 0x7b ? 'utf8' : 'hex';
  return bytes.subarray(0, 30).toString(encoding) + (bytes.length > 30 ? ' ...' : '');
}

const patchTypes: Readonly<Record<string, PatchType>> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply',
};

export const patchTypeOf = (contentType: string | undefined): PatchType | undefined =>
  patchTypes[mediaType(contentType)];

/** The patch in a body, by its media type. */
export async function readPatch(
  request: HttpRequest,
  context: CallContext,
): Promise<{ type: PatchType; body: Body }> {
  const type = patchTypeOf(request.headers['content-type']);
  if (type === undefined)
    throw unsupportedMediaType(
      `the body of the request was in an unknown format - accepted media types include: ${Object.keys(patchTypes).join(', ')}`,
    );
  const bytes = await readBytes(request);
  const source = bytes.toString('utf8');
  const json = parseJson(source);
  // An apply may come as YAML.
  const parsed = json.ok || type !== 'apply' ? json : (await loadYaml()).parseYaml(source);
  if (!parsed.ok) throw badRequest(`error decoding ${type === 'apply' ? 'YAML' : 'patch'}: ${parsed.error}`);
  const duplicates =
    type === 'json' || !json.ok || context.fieldValidation === 'Ignore' ? [] : findDuplicateFields(source);
  return { type, body: { value: parsed.value, duplicates } };
}

const deleteOptionsBody: Expected = { apiVersion: 'meta.k8s.io/v1', kind: 'DeleteOptions' };

export interface DeleteBody {
  readonly options: DeleteOptions;
  readonly dryRun: boolean;
}

type GivenOptions = DeleteOptions & { readonly dryRun?: readonly string[] };

/** Options come in the body or, without one, in the query. Throws 422 when they contradict each other. */
export async function readDeleteOptions({ request, query }: BodyOf): Promise<DeleteBody> {
  const bytes = await readBytes(request);
  if (bytes.length === 0) return { options: checkDeleteOptions(deleteOptions(query)), dryRun: false };
  const given = decodeDeleteOptions(await readDeleteBody(request, bytes));
  const causes = new Causes();
  checkDryRun(given.dryRun ?? [], causes);
  const error = causes.toError('meta.k8s.io', 'DeleteOptions', '');
  if (error !== undefined) throw error;
  return { options: checkDeleteOptions(given), dryRun: (given.dryRun ?? []).length > 0 };
}

async function readDeleteBody(request: HttpRequest, bytes: Buffer): Promise<unknown> {
  const type = bodyType(request.headers['content-type']);
  if (type === 'protobuf') return readProtobuf(bytes, deleteOptionsBody);
  const parsed = type === 'yaml' ? await parseYamlBody(bytes) : parseJsonBody(bytes);
  if (parsed.ok) return parsed.value;
  throw badRequest(
    `the object provided is unrecognized (must be of type DeleteOptions): ${parsed.error} (${summary(bytes)})`,
  );
}

/** DeleteOptions may come as that of any group; their fields are the same. Any other object is a mistake that would delete something. */
function decodeDeleteOptions(value: unknown): GivenOptions {
  const { apiVersion = 'v1', kind = '' } = (value ?? {}) as { apiVersion?: string; kind?: string };
  if (kind !== '' && kind !== deleteOptionsBody.kind)
    throw badRequest(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`,
    );
  try {
    return decodeObject(shape('meta.v1.DeleteOptions'), value, []) as GivenOptions;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    throw badRequest(`DeleteOptions in version "v1" cannot be handled as a DeleteOptions: ${error.message}`);
  }
}
