// Generates src/api/generated/protobuf-fields.ts: the field numbers of Kubernetes' protobuf messages, joined to the shapes of
// generated/shapes.ts by name. Sources: a file of facts (message → field → [number, type, "repeated"?]) given on the command
// line, and tools/facts/protobuf-fields-extra.json for the groups that file lacks. Every field is checked against the shape
// here, so that the server can trust the table. Run: node --import tsx tools/generate-protobuf.ts PROTOBUF-FIELDS.json
import { readFileSync, writeFileSync } from 'node:fs';

type Facts = Record<string, Record<string, readonly [number: number, type: string, repeated?: 'repeated']>>;

/** What tools/generate.ts made, read as data. */
const { shapes } = (await import(new URL('../src/api/generated/shapes.ts', import.meta.url).href)) as {
  shapes: Record<string, Record<string, string>>;
};

const source = process.argv[2];
if (source === undefined) {
  console.error('usage: node --import tsx tools/generate-protobuf.ts PROTOBUF-FIELDS.json');
  process.exit(2);
}
const facts: Facts = {
  ...(JSON.parse(readFileSync(source, 'utf8')) as Facts),
  ...(JSON.parse(
    readFileSync(new URL('./facts/protobuf-fields-extra.json', import.meta.url), 'utf8'),
  ) as Facts),
};

/** Fields that the shapes have and the messages do not: younger or older than the message, and alpha. They do not travel. */
const withoutNumber = new Set([
  'core.v1.NodeAllocatableResourceClaimStatus.resources',
  'resource.v1.Device.nodeAllocatableResourceMappings',
]);
const withoutMessage = new Set(['resource.v1.NodeAllocatableResourceMapping']);

const packages = ['k8s.io.apimachinery.pkg.apis.', 'k8s.io.api.'];
const longName = (short: string): string =>
  `${short.startsWith('meta.') ? packages[0] : packages[1]}${short}`;
const shortName = (long: string): string =>
  long.slice(packages.find((prefix) => long.startsWith(prefix))?.length ?? 0);

/** The message type of a field, in full. */
const typeOf = (type: string, holder: string): string =>
  type.includes('.')
    ? type.replace(/^\./, '')
    : `${longName(holder.slice(0, holder.lastIndexOf('.')))}.${type}`;

/** What one protobuf type must be in the JSON notation. */
const sameTypes: Readonly<Record<string, string>> = {
  'k8s.io.apimachinery.pkg.apis.meta.v1.Time': 'time',
  'k8s.io.apimachinery.pkg.apis.meta.v1.Timestamp': 'time',
  'k8s.io.apimachinery.pkg.apis.meta.v1.MicroTime': 'microTime',
  'k8s.io.apimachinery.pkg.apis.meta.v1.FieldsV1': 'any',
  'k8s.io.apimachinery.pkg.apis.meta.v1.Verbs': '[]string :list',
  'k8s.io.apimachinery.pkg.api.resource.Quantity': 'quantity',
  'k8s.io.apimachinery.pkg.util.intstr.IntOrString': 'intOrString',
  'k8s.io.apimachinery.pkg.runtime.RawExtension': 'any',
  'k8s.io.api.authentication.v1.ExtraValue': '[]string :list',
  'k8s.io.api.authorization.v1.ExtraValue': '[]string :list',
  'k8s.io.api.certificates.v1.ExtraValue': '[]string :list',
  'k8s.io.api.apiextensions.v1.JSON': 'any',
  'k8s.io.api.apiextensions.v1.JSONSchemaPropsOrArray': 'any :schemaOrArray',
  'k8s.io.api.apiextensions.v1.JSONSchemaPropsOrBool': 'any :schemaOrBool',
  'k8s.io.api.apiextensions.v1.JSONSchemaPropsOrStringArray': 'any :schemaOrStrings',
};
const plainTypes = new Set(['string', 'int32', 'int64', 'bool', 'double', 'bytes']);

/** JSON notation of a protobuf type and the word that says how it travels. */
function notationOf(type: string, holder: string): [json: string, word: string] {
  const map = /^map<string,(.*)>$/.exec(type);
  if (map !== null) {
    const [json, word] = notationOf(map[1]!, holder);
    return [`{}${json}`, word];
  }
  if (plainTypes.has(type)) return [type, ''];
  const full = typeOf(type, holder);
  const [json, word = ''] = (sameTypes[full] ?? shortName(full)).split(' ');
  return [json!, word];
}

const messages = new Map<string, string>();
const problems: string[] = [];

/**
 * Writes the message `name`, whose JSON form is (a part of) the fields of the shape `of`. Returns the JSON fields it covers.
 * A field of the message that the shape does not have, but whose own message covers fields that are still missing, is a Go
 * struct embedded in another: flat in JSON, nested in protobuf.
 */
function write(name: string, of: string): Set<string> {
  const shape = shapes[of]!;
  const message = facts[longName(name)];
  const covered = new Set<string>();
  if (message === undefined) {
    problems.push(`${name} has no message`);
    return covered;
  }
  const words: string[] = [];
  const byLower = new Map(Object.keys(shape).map((field) => [field.toLowerCase(), field]));
  const entries = Object.entries(message).sort(([, a], [, b]) => a[0] - b[0]);
  const rest: typeof entries = [];
  for (const entry of entries) {
    const [key, [number, type, repeated]] = entry;
    const field = key in shape ? key : byLower.get(key.toLowerCase());
    if (field === undefined) {
      rest.push(entry);
      continue;
    }
    const [json, word] = notationOf(type, name);
    const expected = shape[field]!.split(' ')[0]!;
    const found = `${repeated === 'repeated' ? '[]' : ''}${json}`;
    if (expected !== found) problems.push(`${name}.${field} is ${expected} in JSON, ${found} in protobuf`);
    covered.add(field);
    words.push(`${field}=${number}${word}`);
  }
  for (const [, [number, type, repeated]] of rest) {
    if (repeated === 'repeated' || plainTypes.has(type) || type.startsWith('map<')) continue;
    const inner = shortName(typeOf(type, name));
    const missing = Object.keys(shape).filter((field) => !covered.has(field));
    if (!embeds(inner, missing)) continue;
    for (const field of write(inner, of)) covered.add(field);
    words.push(`>${inner}=${number}`);
  }
  messages.set(name, words.join(' '));
  return covered;
}

function embeds(message: string, missing: readonly string[]): boolean {
  const fields = facts[longName(message)];
  if (fields === undefined) return false;
  return Object.entries(fields).some(
    ([key, [, type]]) =>
      missing.includes(key) ||
      (!plainTypes.has(type) && !type.startsWith('map<') && key.toLowerCase() === type.toLowerCase()
        ? embeds(shortName(typeOf(type, message)), missing)
        : false),
  );
}

for (const name of Object.keys(shapes)) {
  if (withoutMessage.has(name)) continue;
  const covered = write(name, name);
  for (const field of Object.keys(shapes[name]!)) {
    // apiVersion and kind travel in the envelope.
    if (covered.has(field) || field === 'apiVersion' || field === 'kind') continue;
    if (!withoutNumber.has(`${name}.${field}`)) problems.push(`${name}.${field} has no number`);
  }
}
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}

const lines = [...messages].sort(([a], [b]) => (a < b ? -1 : 1));
writeFileSync(
  new URL('../src/api/generated/protobuf-fields.ts', import.meta.url),
  `// Generated by tools/generate-protobuf.ts from the facts of Kubernetes. Do not edit.
// One line a message: field=number, in the notation that machinery/codec/protobuf-message.ts reads.

export const protobufFields: Readonly<Record<string, string>> = {
${lines.map(([name, words]) => `  '${name}': '${words}',`).join('\n')}
};
`,
);
console.log(`${lines.length} messages`);
