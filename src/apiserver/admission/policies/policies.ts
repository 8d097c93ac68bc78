// ValidatingAdmissionPolicy: rules written as expressions, asked of every request that a policy and one of its bindings are about. All of
// them are asked; the first that denies is told, the others warn. A write that no policy is about is decided without a promise. What a
// policy wants to be noted of a request goes into the audit log, and this server writes none: as in a kube-apiserver without an audit
// policy it is evaluated, since its faults may deny the request, and forgotten.
import { ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding } from '../../../api/index.ts';
import type { Counter, MetricFamily, MetricRegistry } from '../../../base/index.ts';
import {
  CompiledPolicy,
  forbidden,
  type KindDef,
  type KubeObject,
  type PolicyOutcome,
  StatusError,
} from '../../../machinery/index.ts';
import type { Store } from '../../../storage/index.ts';
import type { Authorize } from '../../auth/authorize.ts';
import { refOf } from '../../registry/core.ts';
import type { KindTable } from '../../registry/kind-table.ts';
import { keyFor, objectOf } from '../../registry/objects.ts';
import type { AdmissionPlugin, AdmissionRequest, Admitted } from '../admission.ts';
import { isExempt } from '../exempt.ts';
import { Asking } from './asking.ts';
import { type ParamSource, paramKindOf, paramsOf, unknownParamKind } from './params.ts';
import { attempt, each, settled, type Waited } from './waiting.ts';

export interface PolicyOptions extends ParamSource {
  readonly store: Store;
  readonly kinds: KindTable;
  readonly authorize: Authorize;
  readonly metrics: MetricRegistry;
  readonly isStarting: () => boolean;
}

type PolicySpec = NonNullable<ValidatingAdmissionPolicy['spec']>;
type BindingSpec = NonNullable<ValidatingAdmissionPolicyBinding['spec']>;

interface Denial {
  readonly policy: string;
  /** undefined = the policy itself cannot be asked. */
  readonly binding: string | undefined;
  readonly message: string;
  readonly reason: string;
}

const codes: Readonly<Record<string, number>> = {
  Forbidden: 403,
  Unauthorized: 401,
  RequestEntityTooLarge: 413,
};

export function validatingPolicies(options: PolicyOptions): AdmissionPlugin {
  const judges = new Judges(options);
  const { store, isStarting } = options;
  return {
    name: 'ValidatingAdmissionPolicy',
    // HOT: asked of every write.
    validate(request) {
      if (store.count(ValidatingAdmissionPolicyBinding.storagePrefix) === 0) return;
      if (!isExempt(request, isStarting)) return judges.ask(request);
    },
  };
}

interface Binding {
  readonly name: string;
  readonly spec: BindingSpec;
}

/** A policy and what binds it. */
interface Bound {
  readonly name: string;
  readonly spec: PolicySpec;
  readonly bindings: readonly Binding[];
}

/** What a policy makes of a request by one of its bindings. */
interface Judged {
  readonly policy: string;
  readonly binding: Binding;
  readonly outcome: PolicyOutcome;
}

class Judges {
  readonly #options: PolicyOptions;
  readonly #checks: MetricFamily<Counter>;
  readonly #compiled = new WeakMap<PolicySpec, CompiledPolicy>();

  constructor(options: PolicyOptions) {
    this.#options = options;
    this.#checks = options.metrics.counter({
      name: 'apiserver_validating_admission_policy_check_total',
      help: 'Validations of policies that did not hold, or could not be asked, by what came of it.',
      labels: ['policy', 'policy_binding', 'error_type', 'enforcement_action'],
    });
  }

  /** Throws the refusal, or rejects with it. */
  ask(request: AdmissionRequest): Admitted {
    const asking = new Asking(this.#options, request);
    const bindings = new Map<string, Binding[]>();
    for (const entry of this.#options.store.list(ValidatingAdmissionPolicyBinding.storagePrefix)) {
      const { metadata, spec } = objectOf<ValidatingAdmissionPolicyBinding & KubeObject>(entry);
      if (spec === undefined) continue;
      const binding = { name: metadata.name, spec };
      const known = bindings.get(spec.policyName);
      if (known === undefined) bindings.set(spec.policyName, [binding]);
      else known.push(binding);
    }
    const waiting: Promise<void>[] = [];
    const denials: Denial[][] = [];
    for (const [name, all] of bindings) {
      const entry = this.#options.store.get(
        keyFor(ValidatingAdmissionPolicy as unknown as KindDef, undefined, name),
      );
      const spec = entry && objectOf<ValidatingAdmissionPolicy & KubeObject>(entry).spec;
      if (spec === undefined) continue;
      const denied: Denial[] = [];
      denials.push(denied);
      const judged = this.#judge(asking, { name, spec, bindings: all }, denied);
      if (judged !== undefined) waiting.push(judged);
    }
    const end = (): void => {
      const [denial] = denials.flat();
      if (denial !== undefined) throw refusalOf(request, denial);
    };
    if (waiting.length === 0) return end();
    return Promise.all(waiting).then(end);
  }

  #judge(asking: Asking, { name, spec, bindings }: Bound, denied: Denial[]): Admitted {
    const kind = asking.matched(spec.matchConstraints);
    if (kind === undefined) return;
    const misconfigured = (what: string, error: unknown, binding?: string): void => {
      if (spec.failurePolicy === 'Ignore') return;
      const why = error instanceof Error ? error.message : String(error);
      const message = `failed to configure ${what}: ${why}`;
      denied.push({ policy: name, binding, message, reason: '' });
    };
    const paramKind = spec.paramKind && paramKindOf(this.#options.kinds, spec.paramKind);
    if (spec.paramKind !== undefined && paramKind === undefined)
      return misconfigured('policy', unknownParamKind(spec.paramKind));
    const about = bindings.filter((one) => asking.matched(one.spec.matchResources) !== undefined);
    if (about.length === 0) return;
    return settled(
      asking.shown(kind),
      (request) =>
        each(about, (binding) =>
          settled(
            attempt(() => this.#paramsFor(asking, paramKind, binding.spec)),
            (params) => {
              for (const param of params) {
                const outcome = this.#compiledOf(spec).judge(request, param);
                this.#act(asking.request, { policy: name, binding, outcome }, denied);
              }
            },
            (error) => misconfigured('binding', error, binding.name),
          ),
        ),
      (error) => misconfigured('policy', `failed to convert object version: ${(error as Error).message}`),
    );
  }

  #compiledOf(spec: PolicySpec): CompiledPolicy {
    let compiled = this.#compiled.get(spec);
    if (compiled === undefined) this.#compiled.set(spec, (compiled = new CompiledPolicy(spec)));
    return compiled;
  }

  #paramsFor(
    { request }: Asking,
    kind: KindDef | undefined,
    { paramRef: reference }: BindingSpec,
  ): Waited<readonly (KubeObject | undefined)[]> {
    if (kind === undefined || reference === undefined) return [undefined];
    return paramsOf(this.#options, kind, { reference, namespace: request.namespace });
  }

  #act({ context }: AdmissionRequest, { policy, binding, outcome }: Judged, denied: Denial[]): void {
    const { name, spec } = binding;
    const { objections, failures } = outcome;
    for (const { message, reason, failed } of objections)
      for (const action of spec.validationActions ?? []) {
        this.#checks
          .of(policy, name, failed ? 'invalid_error' : 'no_error', action.toLowerCase())
          .increment();
        if (action === 'Deny') denied.push({ policy, binding: name, message, reason });
        if (action !== 'Warn') continue;
        const text = `Validation failed for ValidatingAdmissionPolicy '${policy}' with binding '${name}': ${message}`;
        // A write that lost a race is asked about again.
        if (!context.warnings.includes(text)) context.warnings.push(text);
      }
    for (const message of failures) denied.push({ policy, binding: name, message, reason: '' });
  }
}

function refusalOf(
  { kind, name }: AdmissionRequest,
  { policy, binding, message, reason }: Denial,
): StatusError {
  const by = `ValidatingAdmissionPolicy '${policy}'${binding === undefined ? '' : ` with binding '${binding}'`}`;
  const text = `${by} denied request: ${message}`;
  const { message: whole, details } = forbidden(refOf(kind), name, text);
  return new StatusError(codes[reason] ?? 422, (reason || 'Invalid') as StatusError['reason'], whole, {
    ...details,
    causes: [{ message: text }],
  });
}
