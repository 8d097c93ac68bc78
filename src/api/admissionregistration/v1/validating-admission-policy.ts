// ValidatingAdmissionPolicy: rules for objects, written as expressions. Bindings say where they hold.
import {
  checkCIdentifier,
  checkQualifiedName,
  defineKind,
  FieldAt,
  type PolicyExpressions,
  policyFaults,
  semanticEqual,
} from '../../../machinery/index.ts';
import { ageColumn, integerColumn, nameColumn, textColumn } from '../../columns.ts';
import { validateConditions } from '../../condition-rules.ts';
import type {
  ValidatingAdmissionPolicy as ValidatingAdmissionPolicyObject,
  Validation,
} from '../../generated/admissionregistration-v1.ts';
import { shape } from '../../shape.ts';
import {
  defaultMatchResources,
  failurePolicies,
  validateMatchConditions,
  validateMatchResources,
  validateParamKind,
} from './rules.ts';

export type ValidatingAdmissionPolicy = ValidatingAdmissionPolicyObject;

const maxAuditAnnotations = 20;
const maxValueExpressionBytes = 5 * 1024;
const reasons = ['Forbidden', 'Invalid', 'RequestEntityTooLarge'];
/** Words of the language that cannot be names in it. */
const reserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

export const ValidatingAdmissionPolicy = defineKind<ValidatingAdmissionPolicyObject>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicy',
  plural: 'validatingadmissionpolicies',
  categories: ['api-extensions'],
  scope: 'Cluster',
  unconditionalUpdate: false,
  schema: shape('admissionregistration.v1.ValidatingAdmissionPolicy'),
  subresources: { status: true },
  generationFields: ['spec'],
  columns: [
    nameColumn,
    integerColumn('Validations', 'How many rules it has.', ({ spec }) => spec?.validations?.length ?? 0),
    textColumn('ParamKind', 'The kind of its parameters.', ({ spec }) => {
      const { apiVersion = '', kind = '' } = spec?.paramKind ?? {};
      return spec?.paramKind === undefined ? '<unset>' : `${apiVersion}/${kind}`;
    }),
    ageColumn,
  ],

  defaults({ spec }) {
    if (spec === undefined) return;
    spec.failurePolicy ??= 'Fail';
    defaultMatchResources(spec.matchConstraints);
  },

  validate({ metadata, spec = {} }, old, causes) {
    const field = new FieldAt('spec', causes);
    if (spec.failurePolicy === undefined) field.child('failurePolicy').required();
    else field.child('failurePolicy').oneOf(spec.failurePolicy, failurePolicies);
    if (spec.paramKind !== undefined) validateParamKind(spec.paramKind, field.child('paramKind'));
    const constraints = field.child('matchConstraints');
    if (spec.matchConstraints === undefined) constraints.required();
    else {
      validateMatchResources(spec.matchConstraints, constraints);
      if ((spec.matchConstraints.resourceRules ?? []).length === 0)
        constraints.child('resourceRules').required();
    }
    validateMatchConditions(spec.matchConditions ?? [], field.child('matchConditions'));
    for (const [i, { name, expression }] of (spec.variables ?? []).entries()) {
      const here = field.child('variables').index(i);
      if (name.trim() === '') here.child('name').required('name is not specified');
      else if (checkCIdentifier(name).length > 0 || reserved.has(name))
        here.child('name').invalid(name, 'name is not a valid CEL identifier');
      if (expression.trim() === '') here.child('expression').required('expression is not specified');
    }
    const { validations = [], auditAnnotations = [] } = spec;
    if (validations.length + auditAnnotations.length === 0) {
      const detail = 'validations or auditAnnotations must contain at least one item';
      field.child('validations').required(detail);
      field.child('auditAnnotations').required(detail);
    }
    for (const [i, validation] of validations.entries())
      validateValidation(validation, field.child('validations').index(i));
    const auditAt = field.child('auditAnnotations');
    if (auditAnnotations.length > maxAuditAnnotations)
      auditAt.invalid(auditAnnotations, `must not have more than ${maxAuditAnnotations} auditAnnotations`);
    for (const [i, { key, valueExpression }] of auditAnnotations.entries()) {
      const here = auditAt.index(i);
      const full = `${metadata.name ?? ''}/${key}`;
      if (metadata.name) here.child('key').refuse(full, checkQualifiedName(full));
      else here.child('key').invalid(key, 'requires metadata.name be non-empty');
      const value = valueExpression.trim();
      if (value === '') here.child('valueExpression').required('valueExpression is not specified');
      else if (Buffer.byteLength(value) > maxValueExpressionBytes)
        here.child('valueExpression').required(`must not exceed ${maxValueExpressionBytes} bytes in length`);
      if (auditAnnotations.findIndex((other) => other.key === key) < i) here.child('key').duplicate(key);
    }
    if (old === undefined || !semanticEqual(old.spec, spec)) validateExpressions(spec, field);
  },

  validateStatus({ status }, _old, causes) {
    const field = new FieldAt('status', causes);
    for (const [i, { warning, fieldRef }] of (status?.typeChecking?.expressionWarnings ?? []).entries()) {
      const here = field.child('typeChecking', 'expressionWarnings').index(i);
      here.child('warning').requiredText(warning);
      here.child('fieldRef').requiredText(fieldRef.trim());
    }
    validateConditions(status?.conditions ?? [], field.child('conditions'));
  },
});

function validateExpressions(spec: PolicyExpressions, field: FieldAt): void {
  for (const { path, text, detail } of policyFaults(spec))
    path
      .reduce((at, part) => (typeof part === 'number' ? at.index(part) : at.child(part)), field)
      .invalid(text, detail);
}

function validateValidation(validation: Validation, field: FieldAt): void {
  const { expression, message = '', messageExpression = '', reason } = validation;
  if (expression.trim() === '') field.child('expression').required('expression is not specified');
  if (messageExpression !== '' && messageExpression.trim() === '')
    field.child('messageExpression').invalid(messageExpression, 'must be non-empty if specified');
  if (message !== '' && message.trim() === '')
    field.child('message').invalid(message, 'message must be non-empty if specified');
  else if (/[\n\r]/.test(message.trim()))
    field.child('message').invalid(message, 'message must not contain line breaks');
  field.child('reason').oneOf(reason, reasons);
}
