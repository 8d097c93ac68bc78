// From a definition to the kinds it brings: one record for each served version, of the same form as those of built-in kinds. Pure.
import { type apiextensionsV1, type CustomResourceDefinition, shape } from '../../api/index.ts';
import {
  applyDefaults,
  type Column,
  DecodeError,
  decodeObject,
  defineKind,
  FieldAt,
  hasDefaults,
  hasRules,
  type JsonSchema,
  type KindDef,
  type KubeObject,
  parseJsonPath,
  prune,
  resourceShape,
  translateTimestampSince,
  validateRules,
  validateValue,
} from '../../machinery/index.ts';
import { type WebhookSurroundings, webhookTranslation } from './conversion-webhook.ts';
import { settleEmbedded, validateEmbedded } from './embedded.ts';

type Version = apiextensionsV1.CustomResourceDefinitionVersion;
type Json = Record<string, unknown>;

/** The kinds of an accepted definition, the preferred version first. */
export function customKinds(
  definition: CustomResourceDefinition,
  surroundings: WebhookSurroundings,
): readonly KindDef[] {
  return definition.spec.versions
    .filter(({ served }) => served)
    .toSorted((a, b) => compareVersions(a.name, b.name))
    .map((version) => customKind(definition, version, surroundings));
}

const needsWebhook = ({ spec }: CustomResourceDefinition): boolean => spec.conversion?.strategy === 'Webhook';

/** Stable before beta before alpha, newer before older; what is no such version comes last, in the order of letters. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [rank(a), rank(b)];
  if (left === undefined || right === undefined) {
    if (left === right) return a < b ? -1 : a > b ? 1 : 0;
    return left === undefined ? 1 : -1;
  }
  for (let i = 0; i < 3; i++) if (left[i] !== right[i]) return right[i]! - left[i]!;
  return 0;
}

function rank(version: string): readonly number[] | undefined {
  const parts = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (parts === null) return undefined;
  const stability = { alpha: 0, beta: 1 }[parts[2] ?? ''] ?? 2;
  return [stability, Number(parts[1]), Number(parts[3] ?? 0)];
}

/** Complaints after which rules are not asked: the value may be of another type than they were checked for, or too large. */
const unfit = new Set<string | undefined>([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

function customKind(
  definition: CustomResourceDefinition,
  version: Version,
  surroundings: WebhookSurroundings,
): KindDef {
  const { spec, status } = definition;
  const { group, scope } = spec;
  const names = status?.acceptedNames ?? spec.names;
  const schema = (version.schema?.openAPIV3Schema ?? {}) as JsonSchema;
  const apiVersion = `${group}/${version.name}`;
  const metadata = shape('meta.v1.ObjectMeta');
  const subresources = version.subresources ?? {};
  const hasStatus = subresources.status !== undefined;
  const scale = subresources.scale;
  const ownFields = Object.keys(schema.properties ?? {}).filter((name) => !everyResource.has(name));
  const ruled = hasRules(schema);
  const validate = (object: KubeObject, old: KubeObject | undefined, causes: FieldAt['causes']): void => {
    validateValue(schema, object, new FieldAt('', causes), old);
    validateEmbedded(schema, object as unknown as Json, new FieldAt('', causes));
    if (!ruled) return;
    // Rules are written for values that fit.
    if (causes.list.some(({ reason }) => unfit.has(reason)))
      causes.invalid(
        '<nil>',
        null,
        'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation',
      );
    else validateRules(schema, { value: object, old }, new FieldAt('', causes));
  };
  const storedVersion = spec.versions.find(({ storage }) => storage)?.name ?? version.name;
  // Objects may be there from before a default was, or in another version: then none can be sent as it was stored.
  const readsAnew = spec.versions.length > 1 || hasDefaults(schema);

  return defineKind<KubeObject>({
    group,
    version: version.name,
    kind: names.kind,
    listKind: names.listKind ?? `${names.kind}List`,
    plural: names.plural,
    singular: names.singular ?? names.kind.toLowerCase(),
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    scope: scope === 'Cluster' ? 'Cluster' : 'Namespaced',
    unconditionalUpdate: false,
    schema: resourceShape(`${apiVersion}.${names.kind}`, schema, metadata),
    custom: {
      schema,
      storedVersion,
      decode(value, unknown) {
        if (typeof value !== 'object' || value === null || Array.isArray(value))
          throw new DecodeError(`json: cannot unmarshal into Go value of type map[string]interface {}`);
        const { metadata: given, ...rest } = value as Json;
        const below: string[] = [];
        const meta = decodeObject(metadata, given ?? {}, below);
        const object = structuredClone(rest);
        if (spec.preserveUnknownFields !== true) prune(schema, object, unknown);
        unknown.push(...below.map((path) => `metadata.${path}`));
        settleEmbedded(schema, object, unknown);
        const { apiVersion: _v, kind: _k, ...fields } = object;
        return { apiVersion, kind: names.kind, metadata: meta, ...fields } as unknown as KubeObject;
      },
    },
    subresources: {
      status: hasStatus,
      ...(scale !== undefined && {
        scale: {
          replicas: scale.specReplicasPath.slice(1),
          statusReplicas: scale.statusReplicasPath.slice(1),
          selector: (scale.labelSelectorPath ?? '').slice(1),
        },
      }),
    },
    generationFields: ownFields.filter((name) => !(hasStatus && name === 'status')) as never[],
    columns: columnsOf(version),
    selectableFields: Object.fromEntries(
      (version.selectableFields ?? []).map(({ jsonPath }) => [jsonPath.slice(1), readText(jsonPath)]),
    ),
    defaults: (object) => applyDefaults(schema, object),
    validate,
    validateStatus: validate,
    ...(version.deprecated === true && {
      deprecation: version.deprecationWarning ?? `${apiVersion} ${names.kind} is deprecated`,
    }),
    ...(needsWebhook(definition)
      ? { translation: webhookTranslation(definition, version.name, surroundings) }
      : readsAnew && {
          conversion: {
            toStored: (object) => ({ ...object, apiVersion: `${group}/${storedVersion}` }),
            fromStored(object) {
              const own = { ...structuredClone(object), apiVersion };
              applyDefaults(schema, own);
              return own;
            },
          },
        }),
  });
}

const everyResource = new Set(['apiVersion', 'kind', 'metadata']);

const nameColumn: Column<KubeObject> = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'The name of the object, unique within its namespace.',
  cell: ({ metadata }) => metadata.name ?? '',
};

const ageOnly = [{ name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }] as const;

function columnsOf({ additionalPrinterColumns: given = [] }: Version): readonly Column<KubeObject>[] {
  const columns: readonly apiextensionsV1.CustomResourceColumnDefinition[] =
    given.length === 0 ? ageOnly : given;
  return [
    nameColumn,
    ...columns.map((column): Column<KubeObject> => {
      const { name, type, format, description, priority = 0, jsonPath } = column;
      const find = finderOf(jsonPath);
      return {
        name,
        type: type as Column<KubeObject>['type'],
        ...(format !== undefined && { format }),
        description: description ?? `Custom resource definition column (in JSONPath format): ${jsonPath}`,
        // kubectl knows two: always, and only when wide.
        priority: priority === 0 ? 0 : 1,
        cell: (object, { nowMs }) => cellOf(type, find(object), nowMs),
      };
    }),
  ];
}

function finderOf(path: string): (object: KubeObject) => unknown {
  const parsed = parseJsonPath(path);
  return parsed.ok ? (object) => parsed.value.find(object)[0] : () => undefined;
}

const readText = (path: string): ((object: KubeObject) => string) => {
  const find = finderOf(path);
  return (object) => {
    const value = find(object);
    return value === undefined || value === null ? '' : String(value);
  };
};

/** A value that is not of the type of its column is not shown. */
function cellOf(type: string, value: unknown, nowMs: number): string | number | boolean | null {
  if (value === undefined || value === null) return null;
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      if (typeof value !== 'string') return null;
      return Number.isNaN(Date.parse(value)) ? '<invalid>' : translateTimestampSince(value, nowMs);
    default:
      return typeof value === 'object' ? JSON.stringify(value) : String(value);
  }
}
