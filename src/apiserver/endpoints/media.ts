// Which form of an answer the client wants (Accept) and which form its body has (Content-Type).
import type { HttpRequest } from '../../http/index.ts';
import { type KindDef, notAcceptable, unsupportedMediaType } from '../../machinery/index.ts';
import { messageOf } from './protobuf-answer.ts';
import { splitTarget } from './query.ts';

/** What the answer holds: the object itself, a Table for printing, or only metadata. */
export type Form = 'object' | 'table' | 'metadata';

export interface Wanted {
  readonly form: Form;
  /** 'v1' or 'v1beta1' of meta.k8s.io, for tables and metadata. */
  readonly version: string;
  readonly encoding: 'json' | 'yaml' | 'protobuf';
}

export const protobufType = 'application/vnd.kubernetes.protobuf';

const plain: Wanted = { form: 'object', version: 'v1', encoding: 'json' };

const encodings: ReadonlyMap<string, Wanted['encoding']> = new Map([
  ['application/json', 'json'],
  ['application/*', 'json'],
  ['*/*', 'json'],
  ['application/yaml', 'yaml'],
  ['text/yaml', 'yaml'],
  [protobufType, 'protobuf'],
]);

/**
 * Picks the first clause of an Accept header that this server can serve for a kind. HOT: the usual headers are answered without
 * parsing. Tables have no protobuf, nor have the objects of kinds without field numbers. Throws 406 when none fits.
 */
export function wantedForm(accept: string | undefined, kind: KindDef): Wanted {
  if (accept === undefined || accept === '' || accept === '*/*' || accept === 'application/json')
    return plain;
  for (const clause of accept.split(',')) {
    const [type, ...parameters] = clause.split(';').map((p) => p.trim()) as [string, ...string[]];
    const encoding = encodings.get(type);
    if (encoding === undefined) continue;
    const as = parameter(parameters, 'as');
    const version = parameter(parameters, 'v') ?? 'v1';
    if (as === undefined) {
      if (encoding === 'json') return plain;
      if (encoding === 'yaml' || messageOf(kind) !== undefined) return { ...plain, encoding };
      continue;
    }
    if (parameter(parameters, 'g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) continue;
    if (as === 'Table' && encoding !== 'protobuf' && canBeRead(kind))
      return { form: 'table', version, encoding };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
      return { form: 'metadata', version, encoding };
  }
  const yaml = 'application/json, application/yaml';
  throw notAcceptable(
    `only the following media types are accepted: ${messageOf(kind) === undefined ? yaml : `${yaml}, ${protobufType}`}`,
  );
}

/** The same for a watch, of which there is no YAML. */
export function watchedForm(accept: string | undefined, kind: KindDef): Wanted {
  const wanted = wantedForm(accept, kind);
  if (wanted.encoding !== 'yaml') return wanted;
  const types = ['application/json', ...(messageOf(kind) === undefined ? [] : [protobufType])];
  throw notAcceptable(
    `only the following media types are accepted: ${types.map((type) => `${type};stream=watch`).join(', ')}`,
  );
}

/** Reviews and bindings are answered and gone: there is no row to print of them. */
const canBeRead = ({ verbs }: KindDef): boolean => verbs.includes('get') || verbs.includes('list');

/** The encoding of a Status: whatever the client would take an answer in. */
export function statusEncoding(accept: string | undefined): 'json' | 'protobuf' {
  if (accept === undefined || !accept.includes(protobufType)) return 'json';
  for (const clause of accept.split(',')) {
    const encoding = encodings.get(clause.split(';')[0]!.trim());
    if (encoding !== undefined) return encoding === 'protobuf' ? 'protobuf' : 'json';
  }
  return 'json';
}

/** Browsers and tools by which people read with their own eyes. */
const humanClients = ['curl', 'Wget', 'Mozilla/5.0'];
const trueWords = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);

/** Whether JSON should be indented: `?pretty=`, else what the User-Agent suggests. HOT: without both it is two short looks. */
export function wantsPretty({ url = '', headers }: Pick<HttpRequest, 'url' | 'headers'>): boolean {
  if (url.includes('pretty')) {
    const said = splitTarget(url).query.get('pretty') ?? '';
    if (said !== '') return trueWords.has(said);
  }
  const agent = headers['user-agent'] ?? '';
  return humanClients.some((prefix) => agent.startsWith(prefix));
}

function parameter(parameters: readonly string[], name: string): string | undefined {
  for (const p of parameters) if (p.startsWith(`${name}=`)) return p.slice(name.length + 1);
  return undefined;
}

export type BodyType = 'json' | 'yaml' | 'protobuf';

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
