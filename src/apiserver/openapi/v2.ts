// OpenAPI v2: the one document that older clients read, in JSON and in the protobuf form that kubectl asks for (gnostic's
// openapi.v2.Document). Both are made of the same components and paths as v3.
import type { KindDef } from '../../machinery/index.ts';
import { Components } from './components.ts';
import { pathsOf } from './paths.ts';

type Json = Record<string, unknown>;

export interface DocumentV2 extends Json {
  readonly swagger: string;
  readonly info: { readonly title: string; readonly version: string };
  readonly paths: Readonly<Record<string, Json>>;
  readonly definitions: Json;
}

export function documentV2(kinds: readonly KindDef[], version: string): DocumentV2 {
  const components = new Components(2);
  const paths: Record<string, Json> = {};
  for (const kind of kinds) {
    for (const [path, operations] of Object.entries(pathsOf(kind, components)))
      paths[path] = pathV2(operations);
  }
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version },
    paths,
    definitions: components.definitions,
  };
}

const mapValues = (object: Json, change: (value: Json) => Json): Json =>
  Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value as Json)]));

const pathV2 = ({ parameters, ...operations }: Json): Json => ({
  ...mapValues(operations, operationV2),
  ...(parameters !== undefined && { parameters: parametersV2(parameters) }),
});

/** Parameters carry their type themselves. */
const parametersV2 = (parameters: unknown): Json[] =>
  (parameters as Json[]).map(({ schema, ...said }) => ({
    ...said,
    type: (schema as Json)['type'],
    uniqueItems: true,
  }));

/** Bodies and contents are v3's way of saying things and are left out. */
function operationV2(operation: Json): Json {
  const parameters = parametersV2(operation['parameters'] ?? []);
  const extensions = Object.entries(operation).filter(([key]) => key.startsWith('x-'));
  return { parameters, responses: { 200: { description: 'OK' } }, ...Object.fromEntries(extensions) };
}

/** Field numbers are those of gnostic's OpenAPIv2.proto. */
export function encodeDocumentV2(document: DocumentV2): Buffer {
  const { info, paths, definitions } = document;
  return message(
    text(1, document.swagger),
    part(2, text(1, info.title), text(2, info.version)),
    part(
      8,
      ...Object.entries(paths).map(([path, item]) => part(2, text(1, path), part(2, ...pathItem(item)))),
    ),
    part(
      9,
      ...Object.entries(definitions).map(([name, value]) =>
        part(1, text(1, name), part(2, ...schema(value as Json))),
      ),
    ),
  );
}

const methodNumbers: Readonly<Record<string, number>> = { get: 2, put: 3, post: 4, delete: 5, patch: 8 };

const pathItem = ({ parameters = [], ...item }: Json): Buffer[] => [
  ...Object.entries(item).map(([method, value]) => part(methodNumbers[method]!, ...operation(value as Json))),
  ...(parameters as Json[]).map((one) => part(9, ...parameterItem(one))),
];

/** ParametersItem.parameter → Parameter.non_body_parameter → its kind: in a query, or in a path, where it is required. */
function parameterItem({ name, in: place, type }: Json): Buffer[] {
  const said = [text(2, String(place)), text(4, String(name))];
  const kind =
    place === 'path'
      ? part(4, Buffer.from([0x08, 1]), ...said, text(5, String(type)))
      : part(3, ...said, text(6, String(type)));
  return [part(1, part(2, kind))];
}

function operation(value: Json): Buffer[] {
  const parameters = (value['parameters'] as Json[]).map((one) => part(8, ...parameterItem(one)));
  return [...parameters, ...extensions(13, value)];
}

function schema(value: Json): Buffer[] {
  const out: Buffer[] = [];
  const {
    $ref,
    format,
    description,
    required,
    enum: values,
    type,
    items,
    properties,
    additionalProperties,
  } = value as {
    $ref?: string;
    format?: string;
    description?: string;
    required?: string[];
    enum?: readonly string[];
    type?: string;
    items?: Json;
    properties?: Json;
    additionalProperties?: Json;
  };
  if ($ref !== undefined) out.push(text(1, $ref));
  if (format !== undefined) out.push(text(2, format));
  if (description !== undefined) out.push(text(4, description));
  for (const name of required ?? []) out.push(text(19, name));
  for (const one of values ?? []) out.push(part(20, text(2, JSON.stringify(one))));
  if (additionalProperties !== undefined) out.push(part(21, part(1, ...schema(additionalProperties))));
  if (type !== undefined) out.push(part(22, text(1, type)));
  if (items !== undefined) out.push(part(23, part(1, ...schema(items))));
  if (properties !== undefined) {
    out.push(
      part(
        25,
        ...Object.entries(properties).map(([name, below]) =>
          part(1, text(1, name), part(2, ...schema(below as Json))),
        ),
      ),
    );
  }
  out.push(...extensions(31, value));
  return out;
}

/** `x-…` members as NamedAny, whose value is YAML; JSON is YAML too. */
const extensions = (number: number, value: Json): Buffer[] =>
  Object.entries(value)
    .filter(([key]) => key.startsWith('x-'))
    .map(([key, extension]) => part(number, text(1, key), part(2, text(2, JSON.stringify(extension)))));

const message = (...fields: readonly Buffer[]): Buffer => Buffer.concat(fields);

/** A field that is a message. */
function part(number: number, ...fields: readonly Buffer[]): Buffer {
  let length = 0;
  for (const { length: one } of fields) length += one;
  const { out, at } = openField(number, length);
  let end = at;
  for (const field of fields) end += field.copy(out, end);
  return out;
}

function text(number: number, value: string): Buffer {
  const { out, at } = openField(number, Buffer.byteLength(value));
  out.write(value, at);
  return out;
}

/** A buffer for the whole field, its number and length written: one allocation a field, of which a document has a hundred thousand. */
function openField(number: number, length: number): { readonly out: Buffer; readonly at: number } {
  const tag = (number << 3) | 2;
  const out = Buffer.allocUnsafe(varintSize(tag) + varintSize(length) + length);
  return { out, at: writeVarint(out, length, writeVarint(out, tag, 0)) };
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest >>>= 7) size++;
  return size;
}

/** Returns where the next byte goes. */
function writeVarint(out: Buffer, value: number, at: number): number {
  let rest = value;
  let end = at;
  for (; rest >= 0x80; rest >>>= 7) out[end++] = (rest & 0x7f) | 0x80;
  out[end++] = rest;
  return end;
}
