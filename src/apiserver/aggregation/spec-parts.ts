// The OpenAPI v2 documents of other servers as parts of ours: cut down to one version of a group, and put beside our own definitions.
// Pure. Operations are reduced to what our own have (parameters of the query, marks): bodies and answers are v3's to tell.
import { semanticEqual } from '../../machinery/index.ts';
import type { DocumentV2 } from '../openapi/v2.ts';
import { type GroupVersion, shownVersion } from './remote-apis.ts';

type Json = Record<string, unknown>;

/** What a version of a group adds to the document. */
export interface SpecPart {
  readonly paths: Readonly<Record<string, Json>>;
  readonly definitions: Readonly<Record<string, Json>>;
}

const methods = ['get', 'put', 'post', 'delete', 'patch'];
const refPrefix = '#/definitions/';

/** Of a document from outside, the paths of the version and all that they refer to. */
export function cutSpec(document: unknown, at: GroupVersion): SpecPart {
  const { paths, definitions, parameters } = objectOf(document);
  const shared = objectOf(parameters);
  const known = objectOf(definitions);
  const prefix = `/apis/${shownVersion(at)}/`;
  const out: SpecPart = { paths: {}, definitions: {} };
  const wanted = new Set<string>();
  for (const [path, item] of Object.entries(objectOf(paths))) {
    if (!path.startsWith(prefix)) continue;
    noteRefs(item, wanted);
    (out.paths as Record<string, Json>)[path] = reducedPath(objectOf(item), shared);
  }
  // Grows while it is walked: what a definition refers to is wanted too.
  for (const name of wanted) {
    const definition = known[name];
    if (definition === undefined) continue;
    noteRefs(definition, wanted);
    (out.definitions as Record<string, Json>)[name] = cleaned(definition) as Json;
  }
  return out;
}

function reducedPath(item: Json, shared: Json): Json {
  const ofAll = listOf(item['parameters']);
  const out: Json = {};
  for (const method of methods) {
    if (item[method] === undefined) continue;
    const operation = objectOf(item[method]);
    const parameters = [...ofAll, ...listOf(operation['parameters'])]
      .map((one) => objectOf(resolved(one, shared)))
      .filter((one) => one['in'] === 'query' && typeof one['type'] === 'string')
      .map(({ name, in: place, type }) => ({ name, in: place, type, uniqueItems: true }));
    const marks = Object.entries(operation).filter(([key]) => key.startsWith('x-'));
    out[method] = { parameters, responses: { 200: { description: 'OK' } }, ...Object.fromEntries(marks) };
  }
  return out;
}

function resolved(parameter: unknown, shared: Json): unknown {
  const ref = objectOf(parameter)['$ref'];
  return typeof ref === 'string' ? shared[ref.replace('#/parameters/', '')] : parameter;
}

function noteRefs(value: unknown, into: Set<string>): void {
  if (Array.isArray(value)) for (const one of value) noteRefs(one, into);
  else if (typeof value === 'object' && value !== null)
    for (const [key, below] of Object.entries(value))
      if (key === '$ref' && typeof below === 'string' && below.startsWith(refPrefix))
        into.add(below.slice(refPrefix.length));
      else noteRefs(below, into);
}

/** Where a schema names its type in a way that OpenAPI v2 has not, it names none. */
function cleaned(schema: unknown): unknown {
  if (typeof schema !== 'object' || schema === null || Array.isArray(schema)) return {};
  const { properties, items, additionalProperties, type, ...rest } = schema as Json;
  return {
    ...rest,
    ...(typeof type === 'string' && { type }),
    ...(items !== undefined && { items: cleaned(items) }),
    ...(additionalProperties !== undefined && { additionalProperties: cleaned(additionalProperties) }),
    ...(properties !== undefined && { properties: mapValues(objectOf(properties), cleaned) }),
  };
}

/** What every server of this kind has by the same name is the same everywhere, whatever it says of it. */
const isCommon = (name: string): boolean => name.startsWith('io.k8s.apimachinery.');

/**
 * Our document with the parts of others. A definition whose name is taken by another is renamed as kube-aggregator does it, NAME_v2, and
 * those of its part refer to it by that name.
 */
export function mergeSpecs(document: DocumentV2, parts: readonly SpecPart[]): DocumentV2 {
  if (parts.length === 0) return document;
  const paths: Record<string, Json> = { ...document.paths };
  const definitions: Json = { ...document.definitions };
  for (const part of parts) {
    const renamed = new Map<string, string>();
    for (const [name, definition] of Object.entries(part.definitions)) {
      const taken = definitions[name];
      if (taken === undefined || isCommon(name) || semanticEqual(taken, definition)) continue;
      let count = 2;
      while (definitions[`${name}_v${count}`] !== undefined) count++;
      renamed.set(name, `${name}_v${count}`);
    }
    for (const [name, definition] of Object.entries(part.definitions)) {
      const called = renamed.get(name) ?? name;
      if (definitions[called] === undefined) definitions[called] = withRefs(definition, renamed);
    }
    Object.assign(paths, part.paths);
  }
  return { ...document, paths, definitions };
}

function withRefs(value: unknown, renamed: ReadonlyMap<string, string>): unknown {
  if (renamed.size === 0) return value;
  return mapRefs(value, (name) => `${refPrefix}${renamed.get(name) ?? name}`);
}

function mapRefs(value: unknown, refTo: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((one) => mapRefs(one, refTo));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, below]) =>
      key === '$ref' && typeof below === 'string' && below.startsWith(refPrefix)
        ? [key, refTo(below.slice(refPrefix.length))]
        : [key, mapRefs(below, refTo)],
    ),
  );
}

/** An OpenAPI v3 document for a server that has none of its own. */
export function specV3Of({ paths, definitions }: SpecPart, version: string): object {
  const asV3 = ({ name, in: place, type }: Json) => ({
    name,
    in: place,
    schema: { type, uniqueItems: true },
  });
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version },
    paths: mapValues(paths, (item) =>
      mapValues(objectOf(item), (operation) => ({
        ...objectOf(operation),
        parameters: listOf(objectOf(operation)['parameters']).map((one) => asV3(objectOf(one))),
      })),
    ),
    components: {
      schemas: mapValues(definitions, (one) => mapRefs(one, (name) => `#/components/schemas/${name}`)),
    },
  };
}

const mapValues = (object: Readonly<Json>, change: (value: unknown) => unknown): Json =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));

const objectOf = (value: unknown): Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {};

const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
