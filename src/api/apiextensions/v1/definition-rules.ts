// The rules of a definition but for its schemas: names, versions, columns, subresources, conversion.
import {
  type Causes,
  checkDns1035Label,
  checkDns1123Subdomain,
  FieldAt,
  type JsonSchema,
  nameIsDnsSubdomain,
  parseJsonPath,
  propertyOf,
  semanticEqual,
  valuesOf,
} from '../../../machinery/index.ts';
import type {
  CustomResourceColumnDefinition,
  CustomResourceConversion,
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
  CustomResourceDefinitionVersion,
  CustomResourceSubresources,
  SelectableField,
} from '../../generated/apiextensions-v1.ts';
import { validateSchema } from './schema-rules.ts';

const scopes = ['Cluster', 'Namespaced'];
const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];
const reviewVersions = ['v1', 'v1beta1'];
const maxWarning = 256;
const selectableTypes = new Set(['string', 'boolean', 'integer']);
const maxSelectable = 8;

/** Once the older object is served, what its storage depends on cannot change any more. */
export function validateDefinition(
  { metadata, spec }: CustomResourceDefinition,
  old: CustomResourceDefinition | undefined,
  causes: Causes,
): void {
  const field = new FieldAt('spec', causes);
  const established = old?.status?.conditions?.some(
    ({ type, status }) => type === 'Established' && status === 'True',
  );
  const { group = '', names, versions, scope } = spec;
  const wanted = `${names?.plural ?? ''}.${group}`;
  const { name } = metadata;
  if (name && nameIsDnsSubdomain(name, false).length === 0 && name !== wanted)
    causes.invalid('metadata.name', name, `must be spec.names.plural+"."+spec.group`);
  if (group === '') field.child('group').required();
  else if (checkDns1123Subdomain(group).length > 0)
    field.child('group').invalid(group, checkDns1123Subdomain(group).join(','));
  else if (!group.includes('.'))
    field.child('group').invalid(group, 'should be a domain with at least one dot');
  field.child('scope').requiredOneOf(scope, scopes);
  validateVersions(spec, field);
  for (const required of ['plural', 'singular', 'kind', 'listKind'] as const)
    if (!names?.[required]) field.child('names', required).required();
  validateNames(names, field.child('names'));
  const shared = sharedParts(versions ?? []);
  if (versions?.[0] !== undefined)
    validateParts(versions[0], field, {
      only: shared,
      schemaField: field.child('validation', 'openAPIV3Schema'),
      statusEnabled: versions.some(hasStatus),
    });
  if (spec.preserveUnknownFields === true && old?.spec?.preserveUnknownFields !== true)
    field
      .child('preserveUnknownFields')
      .invalid(
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      );
  validateConversion(spec.conversion, field.child('conversion'), spec.preserveUnknownFields === true);
  if (old === undefined) return;
  if (established) {
    field.child('scope').immutable(scope, old.spec.scope);
    field.child('names', 'kind').immutable(names?.kind, old.spec.names?.kind);
  }
  field.child('group').immutable(group, old.spec.group);
  field.child('names', 'plural').immutable(names?.plural, old.spec.names?.plural);
  validateStoredVersions(old.status?.storedVersions ?? [], versions ?? [], causes);
}

function validateVersions(spec: CustomResourceDefinition['spec'], field: FieldAt): void {
  const versions = spec.versions ?? [];
  const here = field.child('versions');
  const shared = sharedParts(versions);
  const own = new Set(parts.filter((part) => !shared.has(part)));
  for (const [i, version] of versions.entries())
    if (version.schema?.openAPIV3Schema === undefined)
      here.index(i).child('schema', 'openAPIV3Schema').required('schemas are required');
  for (const [i, version] of versions.entries()) {
    const bad = checkDns1035Label(version.name);
    if (bad.length > 0) here.index(i).child('name').invalid(version.name, bad.join(','));
    validateVersion(version, here.index(i));
    validateParts(version, here.index(i), {
      only: own,
      schemaField: here.index(i).child('schema', 'openAPIV3Schema'),
      statusEnabled: hasStatus(version),
    });
  }
  if (new Set(versions.map(({ name }) => name)).size !== versions.length)
    here.invalid(spec.versions, 'must contain unique version names');
  if (versions.filter(({ storage }) => storage).length !== 1)
    here.invalid(spec.versions ?? null, 'must have exactly one version marked as storage version');
}

const parts = ['schema', 'subresources', 'additionalPrinterColumns', 'selectableFields'] as const;
type Part = (typeof parts)[number];

/** What is the same in all versions. kube-apiserver keeps it once, beside the versions, and names that place in its complaints. */
const sharedParts = (versions: readonly CustomResourceDefinitionVersion[]): ReadonlySet<Part> =>
  new Set(
    parts.filter((part) => versions.every((version) => semanticEqual(version[part], versions[0]?.[part]))),
  );

function validateVersion(version: CustomResourceDefinitionVersion, field: FieldAt): void {
  const { deprecated, deprecationWarning: warning } = version;
  if (warning === undefined) return;
  const here = field.child('deprecationWarning');
  if (!deprecated) here.invalid(warning, 'can only be set for deprecated versions');
  if (warning.length > maxWarning) here.invalid(warning, `must be <= ${maxWarning} characters long`);
  if (warning === '') here.invalid(warning, 'must not be an empty string');
  const odd = [...warning].findIndex((c) => /[\p{C}\p{Zl}\p{Zp}]/u.test(c));
  if (odd >= 0)
    here.invalid(
      warning,
      `must only contain printable UTF-8 characters; non-printable character found at index ${odd}`,
    );
}

const hasStatus = ({ subresources }: CustomResourceDefinitionVersion): boolean =>
  subresources?.status !== undefined;

/** `field` is a version, or the spec for what its versions share. */
function validateParts(
  { schema, subresources, additionalPrinterColumns, selectableFields }: CustomResourceDefinitionVersion,
  field: FieldAt,
  options: { only: ReadonlySet<Part>; schemaField: FieldAt; statusEnabled: boolean },
): void {
  const { only } = options;
  const root = schema?.openAPIV3Schema;
  if (only.has('schema') && root !== undefined) validateSchema(root, options.schemaField, options);
  if (only.has('subresources')) validateSubresources(subresources, field.child('subresources'));
  if (only.has('additionalPrinterColumns'))
    for (const [i, column] of (additionalPrinterColumns ?? []).entries())
      validateColumn(column, field.child('additionalPrinterColumns').index(i));
  if (only.has('selectableFields') && root !== undefined)
    validateSelectableFields(selectableFields ?? [], root as JsonSchema, field.child('selectableFields'));
}

function validateSelectableFields(
  fields: readonly SelectableField[],
  root: JsonSchema,
  field: FieldAt,
): void {
  const seen = new Set<string>();
  for (const [i, { jsonPath }] of fields.entries()) {
    const here = field.index(i).child('jsonPath');
    if (jsonPath === '') {
      here.required();
      continue;
    }
    const found = follow(jsonPath, root);
    if (typeof found === 'string') {
      here.invalid(jsonPath, `is an invalid path: ${found}`);
      continue;
    }
    if (/^\.metadata(?:\.|$)/.test(jsonPath)) here.invalid(jsonPath, 'must not point to fields in metadata');
    if (!selectableTypes.has(found.type ?? ''))
      here.invalid(
        jsonPath,
        'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.',
      );
    if (seen.has(jsonPath)) here.duplicate(jsonPath);
    seen.add(jsonPath);
  }
  if (seen.size > maxSelectable) field.causes.tooMany(field.path, seen.size, maxSelectable);
}

/** The schema of what a path leads to, or why it leads nowhere. */
function follow(path: string, root: JsonSchema): JsonSchema | string {
  let schema = root;
  for (let rest = path; rest !== ''; ) {
    if (rest.startsWith('[')) return 'array notation is not allowed';
    const [whole, name] = /^\.([^.[\]]*)/.exec(rest) ?? [];
    if (whole === undefined) return `expected [ or . but got: ${/^[^.[\]]*/.exec(rest)?.[0] || rest[0]}`;
    if (!name) return 'unexpected end of JSON path';
    const next = propertyOf(schema, name) ?? valuesOf(schema);
    if (next === undefined) return 'does not refer to a valid field';
    schema = next;
    rest = rest.slice(whole.length);
  }
  return schema;
}

/** Paths of the scale subresource and of selectors lead through fields alone. */
function checkPath(path: string, field: FieldAt, simple: boolean): boolean {
  if (!path.startsWith('.')) {
    field.invalid(path, 'must be a simple json path starting with .');
    return false;
  }
  const parsed = parseJsonPath(path);
  if (!parsed.ok) field.invalid(path, `is an invalid JSON path: ${parsed.error}`);
  else if (simple && !parsed.value.simple) field.invalid(path, 'must be a dot notation JSON path');
  else return true;
  return false;
}

function validateColumn(column: CustomResourceColumnDefinition, field: FieldAt): void {
  const { name, type, format = '', jsonPath } = column;
  if (name === '') field.child('name').required();
  const types = `must be one of ${columnTypes.join(',')}`;
  if (type === '') field.child('type').required(types);
  else if (!columnTypes.includes(type)) field.child('type').invalid(type, types);
  if (format !== '' && !columnFormats.includes(format))
    field.child('format').invalid(format, `must be one of ${columnFormats.join(',')}`);
  const path = field.child('jsonPath');
  if (jsonPath === '') path.required();
  else checkPath(jsonPath, path, false);
}

function validateSubresources(subresources: CustomResourceSubresources | undefined, field: FieldAt): void {
  const { scale } = subresources ?? {};
  if (scale === undefined) return;
  for (const [name, below] of [
    ['specReplicasPath', '.spec.'],
    ['statusReplicasPath', '.status.'],
  ] as const) {
    const here = field.child(`scale.${name}`);
    const path = scale[name];
    if (path === '') here.required();
    else if (checkPath(path, here, true) && !path.startsWith(below))
      here.invalid(path, `should be a json path under ${below.slice(0, -1)}`);
  }
  const selector = scale.labelSelectorPath ?? '';
  if (selector === '') return;
  const here = field.child('scale.labelSelectorPath');
  if (checkPath(selector, here, true) && !selector.startsWith('.spec.') && !selector.startsWith('.status.'))
    here.invalid(selector, 'should be a json path under either .spec or .status');
}

export function validateNames(names: CustomResourceDefinitionNames | undefined, field: FieldAt): void {
  const { plural = '', singular = '', kind = '', listKind = '', shortNames, categories } = names ?? {};
  for (const [name, value] of [
    ['plural', plural],
    ['singular', singular],
  ] as const) {
    const bad = value === '' ? [] : checkDns1035Label(value);
    if (bad.length > 0) field.child(name).invalid(value, bad.join(','));
  }
  for (const [name, value] of [
    ['kind', kind],
    ['listKind', listKind],
  ] as const) {
    const bad = value === '' ? [] : checkDns1035Label(value.toLowerCase());
    if (bad.length > 0)
      field.child(name).invalid(value, `may have mixed case, but should otherwise match: ${bad.join(',')}`);
  }
  for (const [i, shortName] of (shortNames ?? []).entries()) {
    const bad = checkDns1035Label(shortName);
    if (bad.length > 0) field.child('shortNames').index(i).invalid(shortName, bad.join(','));
  }
  if (kind !== '' && kind === listKind)
    field.child('listKind').invalid(listKind, 'kind and listKind may not be the same');
  for (const [i, category] of (categories ?? []).entries()) {
    const bad = checkDns1035Label(category);
    if (bad.length > 0) field.child('categories').index(i).invalid(category, bad.join(','));
  }
}

function validateConversion(
  conversion: CustomResourceConversion | undefined,
  field: FieldAt,
  preservesAll: boolean,
): void {
  if (conversion === undefined) return;
  const { strategy, webhook } = conversion;
  if (strategy !== 'None' && preservesAll)
    field.child('strategy').invalid(strategy, 'must be None if spec.preserveUnknownFields is true');
  field.child('strategy').requiredOneOf(strategy, ['None', 'Webhook']);
  if (strategy !== 'Webhook') {
    if (webhook !== undefined)
      field.child('webhook').forbidden('should not be set when strategy is not set to Webhook');
    return;
  }
  const { clientConfig, conversionReviewVersions: versions } = webhook ?? {};
  const client = field.child('webhook', 'clientConfig');
  if (clientConfig === undefined) client.required('required when strategy is set to Webhook');
  else if ((clientConfig.url === undefined) === (clientConfig.service === undefined))
    client.required('exactly one of url or service is required');
  const here = field.child('webhook', 'conversionReviewVersions');
  if ((versions ?? []).length === 0) here.required();
  else if (!versions!.some((version) => reviewVersions.includes(version)))
    here.invalid(versions, `must include at least one of ${reviewVersions.join(', ')}`);
}

/** A version of which objects are stored may not vanish. */
function validateStoredVersions(
  stored: readonly string[],
  versions: readonly CustomResourceDefinitionVersion[],
  causes: Causes,
): void {
  for (const [i, name] of stored.entries())
    if (!versions.some((version) => version.name === name))
      causes.invalid(`status.storedVersions[${i}]`, name, 'must appear in spec.versions');
}
