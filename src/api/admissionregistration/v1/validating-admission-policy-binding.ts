// ValidatingAdmissionPolicyBinding: where a policy holds, with which parameters, and what happens when it is broken.
import { checkDns1123Subdomain, defineKind, FieldAt } from '../../../machinery/index.ts';
import { ageColumn, nameColumn, textColumn } from '../../columns.ts';
import type { ValidatingAdmissionPolicyBinding as ValidatingAdmissionPolicyBindingObject } from '../../generated/admissionregistration-v1.ts';
import { shape } from '../../shape.ts';
import { defaultMatchResources, validateMatchResources, validateParamRef } from './rules.ts';

export type ValidatingAdmissionPolicyBinding = ValidatingAdmissionPolicyBindingObject;

const actions = ['Audit', 'Deny', 'Warn'];

export const ValidatingAdmissionPolicyBinding = defineKind<ValidatingAdmissionPolicyBindingObject>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  plural: 'validatingadmissionpolicybindings',
  categories: ['api-extensions'],
  scope: 'Cluster',
  unconditionalUpdate: false,
  schema: shape('admissionregistration.v1.ValidatingAdmissionPolicyBinding'),
  generationFields: ['spec'],
  columns: [
    nameColumn,
    textColumn('PolicyName', 'The policy.', ({ spec }) => spec?.policyName ?? ''),
    textColumn('ParamRef', 'Its parameters.', ({ spec }) => {
      const reference = spec?.paramRef;
      if (reference === undefined) return '<unset>';
      const { namespace = '', name = '' } = reference;
      return name === '' ? '*' : `${namespace === '' ? '' : `${namespace}/`}${name}`;
    }),
    ageColumn,
  ],
  defaults: ({ spec }) => defaultMatchResources(spec?.matchResources),
  validate({ spec }, _old, causes) {
    const field = new FieldAt('spec', causes);
    field.child('policyName').requiredText(spec.policyName, checkDns1123Subdomain);
    if (spec.paramRef !== undefined) validateParamRef(spec.paramRef, field.child('paramRef'));
    // spelled like this in Kubernetes
    if (spec.matchResources !== undefined)
      validateMatchResources(spec.matchResources, field.child('matchResouces'));
    const given = spec.validationActions ?? [];
    const here = field.child('validationActions');
    for (const [i, action] of given.entries()) {
      here.index(i).oneOf(action, actions);
      if (given.indexOf(action) < i) here.index(i).duplicate(action);
    }
    if (given.includes('Deny') && given.includes('Warn'))
      here.invalid(
        given,
        'must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)',
      );
    if (given.length === 0) here.required('at least one validation action is required');
  },
});
