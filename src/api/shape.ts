// Turns the generated notation (generated/shapes.ts) into schemas, each on first use.
import {
  type Emit,
  type Field,
  type ListSchema,
  ObjectSchema,
  type ScalarType,
  type Schema,
  scalar,
} from '../machinery/index.ts';
import { shapes } from './generated/shapes.ts';
import { metricsShapes } from './metrics/v1beta1/shapes.ts';

const made = new Map<string, ObjectSchema>();

/** The schema of a shape by its short name, e.g. `apps.v1.Deployment`. Throws when there is none of that name. */
export function shape(name: string): ObjectSchema {
  let schema = made.get(name);
  if (schema === undefined) {
    const fields = shapes[name] ?? metricsShapes[name];
    if (fields === undefined) throw new Error(`there is no shape ${name}`);
    schema = new ObjectSchema(
      name,
      () =>
        new Map(
          Object.entries(fields).map(([key, notation]) => [
            key,
            {
              ...parseField(key, notation),
              emptyIsNull: keepsNoEmptyLists(name) && /^\[\].* always\b/.test(notation),
            },
          ]),
        ),
    );
    made.set(name, schema);
  }
  return schema;
}

/** Kubernetes stores most groups as protobuf, which does not tell an empty list from none: both are read back as null. */
const keepsNoEmptyLists = (name: string): boolean => !/^(apiextensions|apiregistration)\./.test(name);

const scalars = new Map<string, Schema>(
  (
    [
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
    ] satisfies ScalarType[]
  ).map((type) => [type, scalar(type)]),
);

function parseField(name: string, notation: string): Field {
  const [type, ...words] = notation.split(' ') as [string, ...string[]];
  let required = false;
  let emit: Emit = 'nonzero';
  let atomic = false;
  let listType: ListSchema['listType'] = 'atomic';
  let mapKeys: readonly string[] = [];
  let itemsAtomic = false;
  let patchStrategy: readonly string[] = [];
  let mergeKey: string | undefined;
  for (const word of words) {
    const [flag, value = ''] = word.split('=') as [string, string?];
    if (flag === 'required') required = true;
    else if (flag === 'present' || flag === 'always' || flag === 'nullable') emit = flag;
    else if (flag === 'atomic') atomic = true;
    else if (flag === 'atomicItems') itemsAtomic = true;
    else if (flag === 'set') listType = 'set';
    else if (flag === 'map') {
      listType = 'map';
      mapKeys = value.split(',');
    } else if (flag === 'strategy') patchStrategy = value.split(',');
    else if (flag === 'key') mergeKey = value;
    else throw new Error(`shape field ${name}: unknown word ${word}`);
  }
  return {
    name,
    schema: parseType(type, { listType, mapKeys, itemsAtomic }),
    required,
    emit,
    atomic,
    patchStrategy,
    mergeKey,
  };
}

type ListTraits = Pick<ListSchema, 'listType' | 'mapKeys' | 'itemsAtomic'>;
const plain: ListTraits = { listType: 'atomic', mapKeys: [], itemsAtomic: false };

function parseType(type: string, traits: ListTraits): Schema {
  if (type.startsWith('[]')) return { type: 'list', items: parseType(type.slice(2), plain), ...traits };
  if (type.startsWith('{}')) return { type: 'map', values: parseType(type.slice(2), plain) };
  return scalars.get(type) ?? shape(type);
}
