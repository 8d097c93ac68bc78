// Generates src/api/generated from two files of facts: the public OpenAPI description of Kubernetes (names, types, required,
// list types, merge keys) and tools/facts/field-emission.json (which fields are pointers or always written in Kubernetes' own
// types, as their JSON tags say). Only facts are taken, no prose. The output is committed; run `npm run generate -- OPENAPI.json`
// after changing this file or the facts. Besides, it writes facts/definition-digests.json, by which a test of the server's own
// documents sees where they differ from the published ones.
import { readFileSync, writeFileSync } from 'node:fs';
import { definitionDigest } from './definition-digest.ts';

interface OpenApiField {
  type?: string;
  format?: string;
  $ref?: string;
  items?: OpenApiField;
  additionalProperties?: OpenApiField;
  'x-kubernetes-list-type'?: string;
  'x-kubernetes-list-map-keys'?: string[];
  'x-kubernetes-map-type'?: string;
  'x-kubernetes-patch-strategy'?: string;
  'x-kubernetes-patch-merge-key'?: string;
}
interface Definition extends OpenApiField {
  properties?: Record<string, OpenApiField>;
  required?: string[];
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string }[];
  'x-kubernetes-unions'?: unknown[];
}

const groupVersions = [
  'meta.v1',
  'core.v1',
  'apps.v1',
  'batch.v1',
  'autoscaling.v1',
  'autoscaling.v2',
  'networking.v1',
  'policy.v1',
  'rbac.v1',
  'storage.v1',
  'scheduling.v1',
  'coordination.v1',
  'discovery.v1',
  'events.v1',
  'node.v1',
  'certificates.v1',
  'admissionregistration.v1',
  'apiextensions.v1',
  'apiregistration.v1',
  'authentication.v1',
  'authorization.v1',
  'flowcontrol.v1',
  'resource.v1',
];

/** Definitions that are one JSON value, whatever their Go type. */
const scalars: Record<string, string> = {
  'resource.Quantity': 'quantity',
  'v1.Time': 'time',
  'v1.MicroTime': 'microTime',
  'intstr.IntOrString': 'intOrString',
  'runtime.RawExtension': 'any',
  'v1.FieldsV1': 'any',
  'v1.JSON': 'any',
  'v1.JSONSchemaPropsOrArray': 'any',
  'v1.JSONSchemaPropsOrBool': 'any',
  'v1.JSONSchemaPropsOrStringArray': 'any',
};

const source = process.argv[2];
if (source === undefined) {
  console.error('usage: npm run generate -- OPENAPI.json');
  process.exit(2);
}
const { definitions } = JSON.parse(readFileSync(source, 'utf8')) as {
  definitions: Record<string, Definition>;
};
const emission = JSON.parse(
  readFileSync(new URL('./facts/field-emission.json', import.meta.url), 'utf8'),
) as Record<string, Record<string, 'value' | 'always' | 'pointer' | 'nullable'>>;

const shortName = (full: string) => full.split('.').slice(-3).join('.');
const refName = (ref: string) => ref.slice('#/definitions/'.length);
const scalarOf = (full: string) => scalars[full.split('.').slice(-2).join('.')];

/** `[]core.v1.Container`, `{}string`, `int32` … the type notation of shapes.ts. */
function notation(f: OpenApiField): string {
  if (f.$ref !== undefined) {
    const name = refName(f.$ref);
    return scalarOf(name) ?? shortName(name);
  }
  switch (f.type) {
    case 'array':
      return `[]${notation(f.items ?? {})}`;
    case 'object':
      return f.additionalProperties === undefined ? 'any' : `{}${notation(f.additionalProperties)}`;
    case 'string':
      return f.format === 'byte' ? 'bytes' : 'string';
    case 'integer':
      return f.format === 'int32' ? 'int32' : 'int64';
    case 'number':
      return 'double';
    case 'boolean':
      return 'bool';
    default:
      return 'any';
  }
}

const scalarNames = new Set([
  'string',
  'int32',
  'int64',
  'double',
  'bool',
  'bytes',
  'quantity',
  'time',
  'microTime',
  'intOrString',
  'any',
]);

const goStructs = new Set(['time', 'microTime', 'quantity']);

function emitOf(
  shape: string,
  name: string,
  f: OpenApiField,
  type: string,
  required: boolean,
): 'nonzero' | 'present' | 'always' | 'nullable' {
  const fact = emission[shape]?.[name];
  // The type of an object itself; a field of that name beside other words (names.kind of a definition) is one like any other.
  if ((name === 'apiVersion' || name === 'kind') && fact === undefined) return 'nonzero';
  // creationTimestamp is left out when zero since Kubernetes 1.34; the server always sets it on stored objects.
  if (shape === 'meta.v1.ObjectMeta' && name === 'creationTimestamp') return 'nonzero';
  // Its rules tell an empty list, which is refused, from none, which gets the default.
  if (shape === 'autoscaling.v2.HPAScalingRules' && name === 'policies') return 'present';
  const isStruct = f.$ref !== undefined && !scalarNames.has(type);
  if (fact === 'pointer') return 'present';
  // A pointer that is written as null when it points to nothing. Those that must not be nil when validated are just pointers.
  if (fact === 'nullable') return 'nullable';
  if (fact === 'always') return 'always';
  // A struct held by value (a time and a quantity are some) is written even when empty: omitempty does not apply to structs.
  if (fact === 'value') return isStruct || goStructs.has(type) ? 'always' : 'nonzero';
  if (name === 'metadata') return 'always';
  if (required) return 'always';
  // Newer fields follow today's API conventions: optional scalars and structs are pointers.
  return type.startsWith('[]') || type.startsWith('{}') ? 'nonzero' : 'present';
}

/** What a list of lists, or a map of maps, is made of in the end. */
const innermost = (f: OpenApiField): OpenApiField => {
  const inner = f.items ?? f.additionalProperties;
  return inner === undefined ? f : innermost(inner);
};

const isKind = (d: Definition) =>
  (d['x-kubernetes-group-version-kind']?.length ?? 0) > 0 && d.properties?.['metadata'] !== undefined;

function tsType(type: string, from: string, imports: Set<string>): string {
  if (type.startsWith('[]')) {
    const inner = tsType(type.slice(2), from, imports);
    return inner.includes('|') ? `(${inner})[]` : `${inner}[]`;
  }
  if (type.startsWith('{}')) return `Record<string, ${tsType(type.slice(2), from, imports)}>`;
  switch (type) {
    case 'string':
    case 'bytes':
    case 'quantity':
    case 'time':
    case 'microTime':
      return 'string';
    case 'int32':
    case 'int64':
    case 'double':
      return 'number';
    case 'bool':
      return 'boolean';
    case 'intOrString':
      return 'number | string';
    case 'any':
      return 'unknown';
  }
  if (type === 'meta.v1.ObjectMeta') {
    imports.add('DraftMeta');
    return 'DraftMeta';
  }
  const [group, version, name] = type.split('.') as [string, string, string];
  if (`${group}.${version}` === from) return name;
  imports.add(`${group}.${version}`);
  return `${group}${version.toUpperCase()}.${name}`;
}

const shapes: string[] = [];
/** What OpenAPI says of a shape and the notation does not: it is merged as one value, its members exclude each other, … */
const published: string[] = [];
const out = new URL('../src/api/generated/', import.meta.url);
const moduleOf = (gv: string) => `${gv.replace('.', '-')}.ts`;
const header = '// Generated by tools/generate.ts from the facts of Kubernetes 1.35. Do not edit.\n';

for (const gv of groupVersions) {
  const imports = new Set<string>();
  const interfaces: string[] = [];
  for (const [full, d] of Object.entries(definitions).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const short = shortName(full);
    if (!short.startsWith(`${gv}.`) || full.includes('.v1beta') || full.includes('.v1alpha')) continue;
    if (
      scalarOf(full) !== undefined ||
      (short.endsWith('List') && isKind(d) === false && d.properties?.['items'] !== undefined)
    )
      continue;
    if (d.properties === undefined && d.type !== 'object') continue;
    const fields: string[] = [];
    const members: string[] = [];
    const name = short.slice(gv.length + 1);
    const kind = isKind(d) && !name.endsWith('List');
    if (name.endsWith('List') && d.properties?.['items'] !== undefined) continue;
    for (const [key, f] of Object.entries(d.properties ?? {})) {
      const type = notation(f);
      const required = d.required?.includes(key) ?? false;
      const emit = emitOf(short, key, f, type, required);
      const words = [type];
      if (required) words.push('required');
      if (emit !== 'nonzero') words.push(emit);
      const listType = f['x-kubernetes-list-type'];
      if (listType === 'map') words.push(`map=${f['x-kubernetes-list-map-keys']!.join(',')}`);
      else if (listType === 'set') words.push('set');
      const target = f.$ref === undefined ? undefined : definitions[refName(f.$ref)];
      // What the field says wins: a claim's reference is granular although references are atomic.
      if ((f['x-kubernetes-map-type'] ?? target?.['x-kubernetes-map-type']) === 'atomic')
        words.push('atomic');
      const item = f.items?.$ref === undefined ? undefined : definitions[refName(f.items.$ref)];
      if (listType === 'map' && item?.['x-kubernetes-map-type'] === 'atomic') words.push('atomicItems');
      if (f['x-kubernetes-patch-strategy'] !== undefined)
        words.push(`strategy=${f['x-kubernetes-patch-strategy']}`);
      if (f['x-kubernetes-patch-merge-key'] !== undefined)
        words.push(`key=${f['x-kubernetes-patch-merge-key']}`);
      fields.push(`${/^\w+$/.test(key) ? key : JSON.stringify(key)}: '${words.join(' ')}'`);
      if (kind && (key === 'apiVersion' || key === 'kind' || key === 'metadata')) continue;
      // Held by value and a struct: always there once decoded.
      const certain = required || (kind && key === 'spec' && emit === 'always');
      members.push(
        `  ${/^\w+$/.test(key) ? key : JSON.stringify(key)}${certain ? '' : '?'}: ${tsType(type, gv, imports)}${emit === 'nullable' ? ' | null' : ''}${certain ? '' : ' | undefined'};`,
      );
    }
    const marks: string[] = [];
    if (d['x-kubernetes-map-type'] === 'atomic') marks.push('atomic: true');
    const opaque = Object.entries(d.properties ?? {}).flatMap(([key, f]) => {
      const { $ref } = innermost(f);
      return $ref !== undefined && scalarOf(refName($ref)) === 'any' ? [`${key}: '${refName($ref)}'`] : [];
    });
    if (opaque.length > 0) marks.push(`opaque: { ${opaque.join(', ')} }`);
    if (d['x-kubernetes-unions'] !== undefined)
      marks.push(`unions: '${JSON.stringify(d['x-kubernetes-unions'])}'`);
    if (marks.length > 0) published.push(`  '${short}': { ${marks.join(', ')} },`);
    shapes.push(`  '${short}': {${fields.length === 0 ? '' : ` ${fields.join(', ')} `}},`);
    if (kind) imports.add('KubeObject');
    if (short === 'meta.v1.ObjectMeta') continue;
    interfaces.push(
      `export interface ${name}${kind ? ' extends KubeObject' : ''} {\n${members.join('\n')}${members.length > 0 ? '\n' : ''}}\n`,
    );
  }
  const machinery = ['DraftMeta', 'KubeObject'].filter((n) => imports.delete(n));
  let text = header;
  if (machinery.length > 0)
    text += `import type { ${machinery.join(', ')} } from '../../machinery/index.ts';\n`;
  for (const other of [...imports].sort()) {
    const [group, version] = other.split('.') as [string, string];
    text += `import type * as ${group}${version.toUpperCase()} from './${moduleOf(other)}';\n`;
  }
  writeFileSync(new URL(moduleOf(gv), out), `${text}\n${interfaces.join('\n')}`);
}

writeFileSync(
  new URL('shapes.ts', out),
  `${header}// One line a shape: field → type, then what holds for it. The notation is read by api/shape.ts.\n\nexport const shapes: Readonly<Record<string, Readonly<Record<string, string>>>> = {\n${shapes.join('\n')}\n};\n`,
);
writeFileSync(
  new URL('published.ts', out),
  `${header}// What OpenAPI documents say of shapes besides their fields.

export interface PublishedShape {
  /** Server-side apply treats a value of this shape as one. */
  readonly atomic?: true;
  /** Fields of any value, or of lists and maps of such, that have a definition of their own: field → definition. */
  readonly opaque?: Readonly<Record<string, string>>;
  /** x-kubernetes-unions, in JSON. */
  readonly unions?: string;
}

export const publishedShapes: Readonly<Record<string, PublishedShape>> = {
${published.join('\n')}
};
`,
);
const digests = Object.entries(definitions)
  .filter(([full]) => !/\.v\d+(alpha|beta)\d+\./.test(full))
  .sort(([a], [b]) => (a < b ? -1 : 1))
  .map(([full, d]) => [full, definitionDigest(d)]);
writeFileSync(
  new URL('./facts/definition-digests.json', import.meta.url),
  `${JSON.stringify(Object.fromEntries(digests), null, 2)}\n`,
);
console.log(`${shapes.length} shapes in ${groupVersions.length} group versions`);
