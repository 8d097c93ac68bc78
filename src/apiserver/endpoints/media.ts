// Which form of an answer the client wants (Accept) and which form its body has (Content-Type).
import { notAcceptable, unsupportedMediaType } from '../../machinery/index.ts';

/** What the JSON holds: the object itself, a Table for printing, or only metadata. */
export type Form = 'object' | 'table' | 'metadata';

export interface Wanted {
  readonly form: Form;
  /** 'v1' or 'v1beta1' of meta.k8s.io, for tables and metadata. */
  readonly version: string;
  readonly yaml: boolean;
}

const plain: Wanted = { form: 'object', version: 'v1', yaml: false };

/**
 * Picks the first clause of an Accept header that this server can serve. HOT: the usual headers are answered without parsing.
 * Throws 406 when none fits.
 */
export function wantedForm(accept: string | undefined): Wanted {
  if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/json')
    return plain;
  for (const clause of accept.split(',')) {
    const [type, ...parameters] = clause.split(';').map((p) => p.trim()) as [string, ...string[]];
    const as = parameter(parameters, 'as');
    const version = parameter(parameters, 'v') ?? 'v1';
    const yaml = type === 'application/yaml' || type === 'text/yaml';
    if (!yaml && type !== 'application/json' && type !== '*/*' && type !== 'application/*') continue;
    if (as === undefined) return yaml ? { ...plain, yaml } : plain;
    if (parameter(parameters, 'g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) continue;
    if (as === 'Table') return { form: 'table', version, yaml };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
      return { form: 'metadata', version, yaml };
  }
  throw notAcceptable(`only the following media types are accepted: application/json, application/yaml`);
}

function parameter(parameters: readonly string[], name: string): string | undefined {
  for (const p of parameters) if (p.startsWith(`${name}=`)) return p.slice(name.length + 1);
  return undefined;
}

export type BodyType = 'json' | 'yaml' | 'protobuf';

export const protobufType = 'application/vnd.kubernetes.protobuf';

/** The type of a request body; missing counts as JSON. Throws 415. */
export function bodyType(contentType: string | undefined): BodyType {
  const type = mediaType(contentType);
  if (type === '' || type === 'application/json') return 'json';
  if (type === protobufType) return 'protobuf';
  if (type === 'application/yaml') return 'yaml';
  throw unsupportedMediaType(
    `the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, ${protobufType}`,
  );
}

export const mediaType = (contentType: string | undefined): string =>
  (contentType ?? '').split(';')[0]!.trim().toLowerCase();
