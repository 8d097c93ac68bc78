// This server evaluates no expressions, and so no policies. It does not pass over them: a request that a policy is about is treated as
// when the policy cannot be evaluated. With the failure policy Fail it is refused, with Ignore it goes on, as everywhere.
import { Namespace, ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '../../api/index.ts';
import { forbidden, type KindDef, type KubeObject, type Labels } from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { refOf } from '../registry/core.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { isExempt } from './exempt.ts';
import { matches } from './request-match.ts';

export function unevaluatedPolicies(store: Store, isStarting: () => boolean): AdmissionPlugin {
  const all = <T extends KubeObject>(kind: KindDef<T>): readonly T[] =>
    store.list(kind.storagePrefix).map((entry) => objectOf<T>(entry));
  const labelsOf = (name: string): Labels | undefined => {
    const entry = store.get(keyFor(Namespace as unknown as KindDef, undefined, name));
    return entry === undefined ? undefined : (objectOf(entry).metadata.labels ?? {});
  };

  const askPolicies = (request: AdmissionRequest): void => {
    if (store.count(ValidatingAdmissionPolicyBinding.storagePrefix) === 0) return;
    const policies = new Map(all(ValidatingAdmissionPolicy).map((policy) => [policy.metadata.name, policy]));
    for (const { metadata, spec: binding } of all(ValidatingAdmissionPolicyBinding)) {
      const policy = policies.get(binding?.policyName ?? '');
      if (policy?.spec === undefined || policy.spec.failurePolicy === 'Ignore') continue;
      if (!(binding?.validationActions ?? []).includes('Deny')) continue;
      const both = [policy.spec.matchConstraints, binding?.matchResources];
      const isAbout = both.every(
        (match) =>
          match === undefined ||
          matches(
            { ...match, rules: match.resourceRules ?? everyRequest, excluded: match.excludeResourceRules },
            request,
            labelsOf,
          ),
      );
      if (isAbout)
        throw forbidden(
          refOf(request.kind),
          request.name,
          `ValidatingAdmissionPolicy '${policy.metadata.name}' with binding '${metadata.name}' denied request: this server does not evaluate expressions`,
        );
    }
  };

  return {
    name: 'ValidatingAdmissionPolicy',
    validate(request) {
      if (!isExempt(request, isStarting)) askPolicies(request);
    },
  };
}

/** A binding without rules narrows nothing. */
const everyRequest = [
  { operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*', '*'], scope: '*' },
];
