// This server calls no admission webhooks and evaluates no policies. It does not pass over them: a request that one of them is about is
// treated as when the webhook does not answer. With the failure policy Fail it is refused, with Ignore it goes on, as everywhere.
import {
  MutatingWebhookConfiguration,
  Namespace,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
  ValidatingWebhookConfiguration,
} from '../../api/index.ts';
import {
  forbidden,
  internalError,
  type KindDef,
  type KubeObject,
  type Labels,
} from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { loopbackUser } from '../registry/context.ts';
import { refOf } from '../registry/core.ts';
import { keyFor, objectOf } from '../registry/objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from './admission.ts';
import { matches } from './request-match.ts';

/** What could lock itself in: whoever wrote a webhook that refuses everything must be able to take it away. */
const exempt = new Set<unknown>([
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicyBinding,
]);

type WebhookConfiguration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

/** What the server itself makes while `isStarting` is its own affair: otherwise a webhook could keep it from starting again. */
export function uncalledWebhooks(store: Store, isStarting: () => boolean): AdmissionPlugin {
  const all = <T extends KubeObject>(kind: KindDef<T>): readonly T[] =>
    store.list(kind.storagePrefix).map((entry) => objectOf<T>(entry));
  const labelsOf = (name: string): Labels | undefined => {
    const entry = store.get(keyFor(Namespace as unknown as KindDef, undefined, name));
    return entry === undefined ? undefined : (objectOf(entry).metadata.labels ?? {});
  };

  const callWebhooks = (kind: KindDef<never>, request: AdmissionRequest): void => {
    if (store.count(kind.storagePrefix) === 0) return;
    for (const { webhooks = [] } of all(kind as unknown as KindDef<WebhookConfiguration>))
      for (const webhook of webhooks ?? []) {
        if (webhook.failurePolicy === 'Ignore') continue;
        if (!matches({ ...webhook, rules: webhook.rules ?? [] }, request, labelsOf)) continue;
        throw internalError(
          new Error(
            `failed calling webhook ${JSON.stringify(webhook.name)}: failed to call webhook: this server does not call admission webhooks`,
          ),
        );
      }
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

  const passes = ({ kind, context }: AdmissionRequest): boolean =>
    exempt.has(kind) || (context.user === loopbackUser && isStarting());

  return {
    name: 'UncalledWebhooks',
    mutate(request) {
      if (!passes(request)) callWebhooks(MutatingWebhookConfiguration as KindDef<never>, request);
    },
    validate(request) {
      if (passes(request)) return;
      if (request.operation === 'delete')
        callWebhooks(MutatingWebhookConfiguration as KindDef<never>, request);
      callWebhooks(ValidatingWebhookConfiguration as KindDef<never>, request);
      askPolicies(request);
    },
  };
}

/** A binding without rules narrows nothing. */
const everyRequest = [
  { operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*', '*'], scope: '*' },
];
