// The paths of a kind as OpenAPI operations: enough for clients to learn which verbs and parameters a kind takes.
import type { KindDef, Verb } from '../../machinery/index.ts';
import { findSubresource, subresources } from '../subresources/all.ts';

type Json = Record<string, unknown>;

const parameter = (name: string, type: 'string' | 'integer' | 'boolean') => ({
  name,
  in: 'query',
  schema: { type, uniqueItems: true },
});

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

/** All paths of a kind, each with its operations. `schemaRef` refers to the kind's component. */
export function pathsOf(kind: KindDef, schemaRef: string): Record<string, Json> {
  const gvk = { group: kind.group, kind: kind.kind, version: kind.version };
  const content = { content: { 'application/json': { schema: { $ref: schemaRef } } } };
  const listContent = { content: { 'application/json': { schema: { $ref: `${schemaRef}List` } } } };
  const operation = (action: string, parameters: readonly unknown[], answer: unknown, hasBody: boolean) => ({
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': gvk,
    parameters,
    ...(hasBody && { requestBody: content }),
    responses: { 200: { description: 'OK', ...(answer as Json) } },
  });
  const patch = () => ({
    ...operation('patch', [...writeParameters, parameter('force', 'boolean')], content, false),
    requestBody: {
      content: Object.fromEntries(
        [
          'application/json-patch+json',
          'application/merge-patch+json',
          'application/strategic-merge-patch+json',
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
  const lists = operation('list', listParameters, listContent, false);
  const out: Record<string, Json> = {
    [place]: has({
      list: ['get', lists],
      create: ['post', operation('post', writeParameters, content, true)],
      deletecollection: [
        'delete',
        operation('deletecollection', [...listParameters, ...deleteParameters], {}, false),
      ],
    }),
    [`${place}/{name}`]: has({
      get: ['get', operation('get', [], content, false)],
      update: ['put', operation('put', writeParameters, content, true)],
      patch: ['patch', patch()],
      delete: ['delete', operation('delete', deleteParameters, content, false)],
    }),
  };
  if (kind.scope === 'Namespaced') out[`${base}/${kind.plural}`] = has({ list: ['get', lists] });
  for (const [path, operations] of Object.entries(out))
    if (Object.keys(operations).length === 0) delete out[path];
  for (const { name } of subresources) {
    const sub = findSubresource(kind, name);
    if (sub === undefined) continue;
    const operations: Json = {};
    if (sub.verbs.includes('get')) operations['get'] = operation('get', [], content, false);
    if (sub.verbs.includes('update')) operations['put'] = operation('put', writeParameters, content, true);
    if (sub.verbs.includes('patch')) operations['patch'] = patch();
    if (sub.verbs.includes('create')) operations['post'] = operation('post', writeParameters, content, true);
    out[`${place}/{name}/${name}`] = operations;
  }
  return out;
}
