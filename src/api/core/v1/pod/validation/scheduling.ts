// Rules of where a pod may run: affinity, tolerations, spreading. Node selectors are also checked for persistent volumes.
import {
  checkDns1123Label,
  checkDns1123Subdomain,
  checkLabelKey,
  checkLabelValue,
  type FieldAt,
  validateLabelSelector,
} from '../../../../../machinery/index.ts';
import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  Toleration,
  TopologySpreadConstraint,
} from '../../../../generated/core-v1.ts';
import type { LabelSelector } from '../../../../generated/meta-v1.ts';

const required = 'requiredDuringSchedulingIgnoredDuringExecution';
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';

export function validateAffinity(
  { nodeAffinity, podAffinity, podAntiAffinity }: Affinity,
  field: FieldAt,
): void {
  if (nodeAffinity !== undefined) {
    const here = field.child('nodeAffinity');
    if (nodeAffinity[required] !== undefined)
      validateNodeSelector(nodeAffinity[required], here.child(required));
    for (const [i, term] of (nodeAffinity[preferred] ?? []).entries()) {
      const at = here.child(preferred).index(i);
      validateWeight(term.weight, at.child('weight'));
      // A preference that no label can fulfil does no harm, so its values are not judged.
      validateNodeTerm(term.preference, at.child('preference'), 'anyValue');
    }
  }
  if (podAffinity !== undefined) validatePodAffinity(podAffinity, field.child('podAffinity'));
  if (podAntiAffinity !== undefined) validatePodAffinity(podAntiAffinity, field.child('podAntiAffinity'));
}

function validateWeight(weight: number, field: FieldAt): void {
  if (weight <= 0 || weight > 100) field.invalid(weight, 'must be in the range 1-100');
}

export function validateNodeSelector(selector: NodeSelector, field: FieldAt): void {
  const terms = selector.nodeSelectorTerms ?? [];
  const here = field.child('nodeSelectorTerms');
  if (terms.length === 0) {
    here.required('must have at least one node selector term');
    return;
  }
  for (const [i, term] of terms.entries()) validateNodeTerm(term, here.index(i), 'labelValues');
}

type ValueRule = 'labelValues' | 'anyValue';

function validateNodeTerm(term: NodeSelectorTerm, field: FieldAt, values: ValueRule): void {
  for (const [i, requirement] of (term.matchExpressions ?? []).entries())
    validateNodeRequirement(requirement, field.child('matchExpressions').index(i), values);
  for (const [i, requirement] of (term.matchFields ?? []).entries())
    validateFieldRequirement(requirement, field.child('matchFields').index(i));
}

function validateNodeRequirement(
  requirement: NodeSelectorRequirement,
  field: FieldAt,
  rule: ValueRule,
): void {
  const { key, operator, values = [] } = requirement;
  const here = field.child('values');
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) here.required("must be specified when `operator` is 'In' or 'NotIn'");
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0)
        here.forbidden("may not be specified when `operator` is 'Exists' or 'DoesNotExist'");
      break;
    case 'Gt':
    case 'Lt':
      if (values.length !== 1)
        here.required("must be specified single value when `operator` is 'Lt' or 'Gt'");
      break;
    default:
      field.child('operator').invalid(operator, 'not a valid selector operator');
  }
  field.child('key').refuse(key, checkLabelKey(key));
  if (rule === 'anyValue') return;
  for (const [i, value] of values.entries()) here.index(i).refuse(value, checkLabelValue(value));
}

function validateFieldRequirement(
  { key, operator, values = [] }: NodeSelectorRequirement,
  field: FieldAt,
): void {
  if (operator !== 'In' && operator !== 'NotIn')
    field.child('operator').invalid(operator, 'not a valid selector operator');
  else if (values.length !== 1)
    field
      .child('values')
      .required("must be only one value when `operator` is 'In' or 'NotIn' for node field selector");
  if (key !== 'metadata.name') field.child('key').invalid(key, 'not a valid field selector key');
  else
    for (const [i, value] of values.entries())
      field.child('values').index(i).refuse(value, checkDns1123Subdomain(value));
}

function validatePodAffinity(affinity: PodAffinity, field: FieldAt): void {
  for (const [i, term] of (affinity[required] ?? []).entries())
    validatePodTerm(term, field.child(required).index(i));
  for (const [i, { weight, podAffinityTerm }] of (affinity[preferred] ?? []).entries()) {
    const here = field.child(preferred).index(i);
    validateWeight(weight, here.child('weight'));
    validatePodTerm(podAffinityTerm, here.child('podAffinityTerm'));
  }
}

function validatePodTerm(term: PodAffinityTerm, field: FieldAt): void {
  validateLabelSelector(term.labelSelector, field.child('labelSelector').path, field.causes);
  validateLabelSelector(term.namespaceSelector, field.child('namespaceSelector').path, field.causes);
  for (const namespace of term.namespaces ?? [])
    field.child('namespace').refuse(namespace, checkDns1123Label(namespace));
  const { matchLabelKeys = [], mismatchLabelKeys = [], labelSelector } = term;
  for (const [name, keys] of [
    ['matchLabelKeys', matchLabelKeys],
    ['mismatchLabelKeys', mismatchLabelKeys],
  ] as const)
    validateLabelKeys(keys, labelSelector, field.child(name));
  refuseKeysOfSelector(matchLabelKeys, labelSelector, field);
  for (const [i, key] of matchLabelKeys.entries())
    if (mismatchLabelKeys.includes(key))
      field
        .child('matchLabelKeys')
        .index(i)
        .invalid(key, 'exists in both matchLabelKeys and mismatchLabelKeys');
  const topology = field.child('topologyKey');
  if (term.topologyKey === '') topology.required('can not be empty');
  topology.refuse(term.topologyKey, checkLabelKey(term.topologyKey));
}

function validateLabelKeys(
  keys: readonly string[],
  selector: LabelSelector | undefined,
  field: FieldAt,
): void {
  if (keys.length === 0) return;
  if (selector === undefined) {
    field.forbidden('must not be specified when labelSelector is not set');
    return;
  }
  for (const [i, key] of keys.entries()) field.index(i).refuse(key, checkLabelKey(key));
}

/**
 * A key in matchLabelKeys has its own requirement, which a create adds to the end of the selector; so a key that the selector
 * holds twice was also written by the author.
 */
function refuseKeysOfSelector(
  keys: readonly string[],
  selector: LabelSelector | undefined,
  field: FieldAt,
): void {
  if (selector === undefined) return;
  const seen = new Set(Object.keys(selector.matchLabels ?? {}));
  for (const { key } of selector.matchExpressions ?? []) {
    const i = keys.lastIndexOf(key);
    if (i >= 0 && seen.has(key))
      field.index(i).invalid(key, 'exists in both matchLabelKeys and labelSelector');
    seen.add(key);
  }
}

const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

export function validateTolerations(tolerations: readonly Toleration[], field: FieldAt): void {
  for (const [i, toleration] of tolerations.entries()) {
    const { key = '', operator = '', value = '', effect = '' } = toleration;
    const here = field.index(i);
    const operatorAt = here.child('operator');
    if (key !== '') here.child('key').refuse(key, checkLabelKey(key));
    else if (operator !== 'Exists')
      operatorAt.invalid(
        operator,
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      );
    if (toleration.tolerationSeconds !== undefined && effect !== 'NoExecute')
      here.child('effect').invalid(effect, "effect must be 'NoExecute' when `tolerationSeconds` is set");
    if (operator === '' || operator === 'Equal') {
      const found = checkLabelValue(value);
      if (found.length > 0) operatorAt.invalid(value, found.join(';'));
    } else if (operator === 'Exists') {
      if (value !== '') operatorAt.invalid(value, "value must be empty when `operator` is 'Exists'");
    } else operatorAt.notSupported(operator, ['Equal', 'Exists']);
    if (effect !== '') here.child('effect').oneOf(effect, taintEffects);
  }
}

const nodePolicies = ['Honor', 'Ignore'];

export function validateTopologySpread(
  constraints: readonly TopologySpreadConstraint[],
  field: FieldAt,
): void {
  for (const [i, constraint] of constraints.entries()) {
    const {
      maxSkew,
      minDomains,
      topologyKey,
      whenUnsatisfiable,
      labelSelector,
      matchLabelKeys = [],
    } = constraint;
    const here = field.index(i);
    if (maxSkew <= 0) here.child('maxSkew').invalid(maxSkew, 'must be greater than zero');
    if (topologyKey === '') here.child('topologyKey').required('can not be empty');
    here.child('whenUnsatisfiable').oneOf(whenUnsatisfiable, ['DoNotSchedule', 'ScheduleAnyway']);
    if (
      constraints
        .slice(i + 1)
        .some((other) => other.topologyKey === topologyKey && other.whenUnsatisfiable === whenUnsatisfiable)
    )
      here.child('{topologyKey, whenUnsatisfiable}').duplicate(`{${topologyKey}, ${whenUnsatisfiable}}`);
    if (minDomains !== undefined && minDomains <= 0)
      here.child('minDomains').invalid(minDomains, 'must be greater than zero');
    if (minDomains !== undefined && whenUnsatisfiable !== 'DoNotSchedule')
      here
        .child('minDomains')
        .invalid(
          minDomains,
          `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`,
        );
    here.child('nodeAffinityPolicy').oneOf(constraint.nodeAffinityPolicy, nodePolicies);
    here.child('nodeTaintsPolicy').oneOf(constraint.nodeTaintsPolicy, nodePolicies);
    validateLabelKeys(matchLabelKeys, labelSelector, here.child('matchLabelKeys'));
    refuseKeysOfSelector(matchLabelKeys, labelSelector, here.child('matchLabelKeys'));
    validateLabelSelector(labelSelector, here.child('labelSelector').path, field.causes);
  }
}
