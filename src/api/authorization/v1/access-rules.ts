// The rules of the three questions "may he do this?": one of a resource or a path, and metadata that says nothing.
import {
  type Causes,
  checkQualifiedName,
  type DraftMeta,
  type FieldAt,
  semanticEqual,
} from '../../../machinery/index.ts';
import type { ResourceAttributes, SubjectAccessReviewSpec } from '../../generated/authorization-v1.ts';

/** What a question is about, without who asks. */
type Question = Pick<SubjectAccessReviewSpec, 'resourceAttributes' | 'nonResourceAttributes'>;

const both = 'cannot be specified in combination with resourceAttributes';
const neither = 'exactly one of nonResourceAttributes or resourceAttributes must be specified';

export function validateQuestion(spec: Question, field: FieldAt): void {
  const { resourceAttributes: resource, nonResourceAttributes: path } = spec;
  if (resource !== undefined && path !== undefined) field.child('nonResourceAttributes').invalid(path, both);
  if (resource === undefined && path === undefined) field.child('resourceAttributes').invalid(null, neither);
  if (resource !== undefined) validateSelectors(resource, field.child('resourceAttributes'));
}

/** Of somebody: the question names him or his groups. */
export function validateSubject(spec: SubjectAccessReviewSpec, field: FieldAt): void {
  validateQuestion(spec, field);
  if (!spec.user && (spec.groups?.length ?? 0) === 0)
    field.child('user').invalid(spec.user ?? '', 'at least one of user or group must be specified');
}

/** A question has no name, no labels, nothing. */
export function validateBareMeta(
  metadata: DraftMeta,
  { namespaced, causes }: { namespaced: boolean; causes: Causes },
): void {
  const { managedFields: _, namespace, creationTimestamp, ...rest } = metadata;
  if (semanticEqual(namespaced || !namespace ? rest : { ...rest, namespace }, {})) return;
  const shown = { ...metadata, ...(creationTimestamp === undefined && { creationTimestamp: null }) };
  causes.invalid('metadata', shown, namespaced ? 'must be empty except for namespace' : 'must be empty');
}

interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[] | undefined;
}

function validateSelectors(attributes: ResourceAttributes, field: FieldAt): void {
  for (const name of ['fieldSelector', 'labelSelector'] as const) {
    const selector = attributes[name];
    if (selector === undefined) continue;
    const here = field.child(name);
    const { rawSelector, requirements = [] } = selector;
    if (rawSelector !== undefined && rawSelector !== '' && requirements.length > 0)
      here.child('rawSelector').invalid(rawSelector, 'may not specified at the same time as requirements');
    if ((rawSelector ?? '') === '' && requirements.length === 0)
      here
        .child('requirements')
        .required(`when ${field.path}.${name} is specified, requirements or rawSelector is required`);
    for (const [i, requirement] of requirements.entries())
      validateRequirement(requirement, here.child('requirements').index(i), name === 'labelSelector');
  }
}

function validateRequirement(requirement: Requirement, field: FieldAt, isLabel: boolean): void {
  const { key, operator, values = [] } = requirement;
  if (key === '') field.child('key').required('must be specified');
  else if (isLabel) field.child('key').refuse(key, checkQualifiedName(key));
  if (operator === 'In' || operator === 'NotIn') {
    if (values.length === 0)
      field.child('values').required("must be specified when `operator` is 'In' or 'NotIn'");
  } else if (operator === 'Exists' || operator === 'DoesNotExist') {
    if (values.length > 0)
      field.child('values').forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
  } else field.child('operator').invalid(operator, 'not a valid selector operator');
}
