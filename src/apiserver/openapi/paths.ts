// The paths of a kind as OpenAPI operations: enough for clients to learn which verbs and parameters a kind takes.
import type { KindDef, Verb } from '../../machinery/index.ts';
import { findSubresource, subresources } from '../subresources/all.ts';
import type { Components } from './components.ts';

type Json = Record<string, unknown>;

const parameter = (name: string, type: 'string' | 'integer' | 'boolean') => ({
  name,
  in: 'query',
  schema: { type, uniqueItems: true },
});
/** Documents without the parameters that their paths name are refused by generators of clients. */
const pathParameters = (path: string) =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string', uniqueItems: true },
  }));

const writeParameters = [
  parameter('dryRun', 'string'),
  parameter('fieldManager', 'string'),
  parameter('fieldValidation', 'string'),
];
const listParameters = [
  parameter('allowWatchBookmarks', 'boolean'),
  parameter('continue', 'string'),
  parameter('fieldSelector', 'string'),
  parameter('labelSelector', 'string'),
  parameter('limit', 'integer'),
  parameter('resourceVersion', 'string'),
  parameter('resourceVersionMatch', 'string'),
  parameter('sendInitialEvents', 'boolean'),
  parameter('timeoutSeconds', 'integer'),
  parameter('watch', 'boolean'),
];
const deleteParameters = [
  parameter('dryRun', 'string'),
  parameter('gracePeriodSeconds', 'integer'),
  parameter('orphanDependents', 'boolean'),
  parameter('propagationPolicy', 'string'),
];

/** The object that an operation is about, as the documents name it. */
interface Subject {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** The published name of its definition. */
  readonly name: string;
}

const contentOf = (ref: string): Json => ({
  content: { 'application/json': { schema: { $ref: ref } } },
});

/** All paths of a kind, each with its operations. Adds what they refer to. */
export function pathsOf(kind: KindDef, components: Components): Record<string, Json> {
  const whole: Subject = { ...kind, name: components.addKind(kind) };
  const contentBy = ({ name }: Subject) => contentOf(components.refTo(name));
  const operation = (action: string, parameters: readonly unknown[], sent: Sent) => {
    const subject = sent.about ?? whole;
    const { group, version } = subject;
    return {
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': { group, kind: subject.kind, version },
      parameters,
      ...(sent.body && { requestBody: contentBy(subject) }),
      responses: { 200: { description: 'OK', ...(sent.answer ?? contentBy(subject)) } },
    };
  };
  const patch = (about = whole) => ({
    ...operation('patch', [...writeParameters, parameter('force', 'boolean')], { about }),
    requestBody: {
      content: Object.fromEntries(
        [
          'application/json-patch+json',
          'application/merge-patch+json',
          // How lists of a custom resource merge is said to nobody but the server.
          ...(kind.custom === null ? ['application/strategic-merge-patch+json'] : []),
          'application/apply-patch+yaml',
        ].map((type) => [type, { schema: { type: 'object' } }]),
      ),
    },
  });
  const base = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`;
  const place =
    kind.scope === 'Namespaced' ? `${base}/namespaces/{namespace}/${kind.plural}` : `${base}/${kind.plural}`;
  /** Of these operations, those of verbs that the kind has. */
  const has = (operations: Partial<Record<Verb, readonly [method: string, operation: Json]>>): Json =>
    Object.fromEntries(
      Object.entries(operations)
        .filter(([verb]) => kind.verbs.includes(verb as Verb))
        .map(([, named]) => named),
    );
  const lists = operation('list', listParameters, {
    answer: contentOf(components.refTo(`${whole.name}List`)),
  });
  const out: Record<string, Json> = {
    [place]: has({
      list: ['get', lists],
      create: ['post', operation('post', writeParameters, { body: true })],
      deletecollection: [
        'delete',
        operation('deletecollection', [...listParameters, ...deleteParameters], { answer: {} }),
      ],
    }),
    [`${place}/{name}`]: has({
      get: ['get', operation('get', [], {})],
      update: ['put', operation('put', writeParameters, { body: true })],
      patch: ['patch', patch()],
      delete: ['delete', operation('delete', deleteParameters, {})],
    }),
  };
  if (kind.scope === 'Namespaced') out[`${base}/${kind.plural}`] = has({ list: ['get', lists] });
  for (const [path, operations] of Object.entries(out))
    if (Object.keys(operations).length === 0) delete out[path];
  for (const { name } of subresources) {
    const sub = findSubresource(kind, name);
    if (sub === undefined) continue;
    const about = sub.body === undefined ? whole : { ...sub.body, name: components.addBody(sub.body) };
    const written = { about, body: true };
    const operations: Json = {};
    if (sub.verbs.includes('get')) operations['get'] = operation('get', [], { about });
    if (sub.verbs.includes('update')) operations['put'] = operation('put', writeParameters, written);
    if (sub.verbs.includes('patch')) operations['patch'] = patch(about);
    if (sub.verbs.includes('create')) operations['post'] = operation('post', writeParameters, written);
    out[`${place}/{name}/${name}`] = operations;
  }
  for (const [path, operations] of Object.entries(out)) {
    const parameters = pathParameters(path);
    if (parameters.length > 0) operations['parameters'] = parameters;
  }
  return out;
}

/** What an operation sends to and fro. */
interface Sent {
  /** Left out = the kind itself. */
  readonly about?: Subject;
  /** Whether the object is sent; left out = no. */
  readonly body?: boolean;
  /** What comes back; left out = the object. */
  readonly answer?: Json;
}
