// The rules of a pod spec, in the order in which Kubernetes reports them. What holds only for pods, not for templates, says so.
import {
  type Causes,
  checkDns1123Label,
  checkDns1123Subdomain,
  checkQualifiedName,
  type FieldAt,
  validateLabels,
} from '../../../../../machinery/index.ts';
import type { PodResourceClaim, PodSpec } from '../../../../generated/core-v1.ts';
import { validateAllContainers } from './containers.ts';
import {
  validateDns,
  validateHostAliases,
  validateHostNetworkPorts,
  validateHostnames,
  validateHostUsers,
} from './network.ts';
import { validateHostProcess, validateOperatingSystem } from './operating-system.ts';
import { validateOverhead, validatePodLevelResources } from './resources.ts';
import { validateAffinity, validateTolerations, validateTopologySpread } from './scheduling.ts';
import { openScope, type PodScopeInput } from './scope.ts';
import { validatePodSecurityContext } from './security.ts';

/** A pod spec inside another object: the rules of pods alone are left out. Pure; the spec must have its defaults. */
export function validatePodSpec(spec: PodSpec, path: string, causes: Causes): void {
  validateSpecIn({ spec, path, causes, isPod: false, podName: '' });
}

export function validateSpecIn(input: PodScopeInput): void {
  const { spec, isPod } = input;
  const scope = openScope(input);
  const { field } = scope;
  if (spec.terminationGracePeriodSeconds === undefined)
    field.child('terminationGracePeriodSeconds').required();
  validateResourceClaims(spec.resourceClaims ?? [], field.child('resourceClaims'));
  validateAllContainers(scope);
  validatePodLevelResources(spec, field.child('resources'));
  validateHostNetworkPorts(spec, isPod, field);
  field.child('restartPolicy').requiredOneOf(spec.restartPolicy, ['Always', 'OnFailure', 'Never']);
  field
    .child('dnsPolicy')
    .requiredOneOf(spec.dnsPolicy, ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None']);
  validateLabels(spec.nodeSelector, field.child('nodeSelector').path, field.causes);
  if (spec.securityContext !== undefined)
    validatePodSecurityContext(spec.securityContext, spec, field.child('securityContext'));
  if (spec.affinity !== undefined) validateAffinity(spec.affinity, field.child('affinity'));
  validateDns(spec, field);
  validateGates(spec, field);
  validateTopologySpread(spec.topologySpreadConstraints ?? [], field.child('topologySpreadConstraints'));
  validateHostProcess(spec, field);
  validateHostUsers(spec, field);
  validateNames(spec, field);
  const deadline = spec.activeDeadlineSeconds;
  if (deadline !== undefined && (deadline < 1 || deadline > maxInt32))
    field.child('activeDeadlineSeconds').invalid(deadline, `must be between 1 and ${maxInt32}, inclusive`);
  validateHostnames(spec, field);
  validateTolerations(spec.tolerations ?? [], field.child('tolerations'));
  validateHostAliases(spec.hostAliases ?? [], field.child('hostAliases'));
  if (spec.preemptionPolicy !== undefined)
    field.child('preemptionPolicy').requiredOneOf(spec.preemptionPolicy, ['PreemptLowerPriority', 'Never']);
  if (spec.overhead !== undefined) validateOverhead(spec.overhead, field.child('overhead'));
  validateOperatingSystem(spec, field);
}

const maxInt32 = 2147483647;

/** References to other objects are names of such objects. */
function validateNames(spec: PodSpec, field: FieldAt): void {
  for (const name of ['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName'] as const) {
    const value = spec[name];
    if (value === undefined || (value === '' && name !== 'runtimeClassName')) continue;
    field.child(name).refuse(value, checkDns1123Subdomain(value));
  }
}

function validateGates(spec: PodSpec, field: FieldAt): void {
  for (const [i, { conditionType }] of (spec.readinessGates ?? []).entries())
    field
      .child('readinessGates')
      .index(i)
      .child('conditionType')
      .refuse(conditionType, checkQualifiedName(conditionType));
  const seen = new Set<string>();
  for (const [i, { name }] of (spec.schedulingGates ?? []).entries()) {
    const here = field.child('schedulingGates').index(i);
    here.refuse(name, checkQualifiedName(name));
    if (seen.has(name)) here.duplicate(name);
    seen.add(name);
  }
}

function validateResourceClaims(claims: readonly PodResourceClaim[], field: FieldAt): void {
  const seen = new Set<string>();
  for (const [i, claim] of claims.entries()) {
    const here = field.index(i);
    const { name, resourceClaimName, resourceClaimTemplateName } = claim;
    if (seen.has(name)) here.child('name').duplicate(name);
    else here.child('name').requiredText(name, checkDns1123Label);
    if (name !== '') seen.add(name);
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined)
      here.invalid(
        claim,
        'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified',
      );
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined)
      here.invalid(claim, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`');
    if (resourceClaimName !== undefined)
      here.child('resourceClaimName').refuse(resourceClaimName, checkDns1123Subdomain(resourceClaimName));
    if (resourceClaimTemplateName !== undefined)
      here
        .child('resourceClaimTemplateName')
        .refuse(resourceClaimTemplateName, checkDns1123Subdomain(resourceClaimTemplateName));
  }
}
