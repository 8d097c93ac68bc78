// One request as it is asked about: what it matches, and what policies see of it, made once for all of them.
import { type admissionregistrationV1, Namespace } from '../../../api/index.ts';
import { type KindDef, type KubeObject, type Labels, PolicyRequest } from '../../../machinery/index.ts';
import type { Authorize } from '../../auth/authorize.ts';
import { keyFor, objectOf } from '../../registry/objects.ts';
import type { AdmissionRequest } from '../admission.ts';
import { authorizerOf } from '../request-authorizer.ts';
import { matchedKind } from '../request-match.ts';
import type { ParamSource } from './params.ts';
import { subjectOf } from './subject.ts';

export interface AskingOptions extends ParamSource {
  readonly authorize: Authorize;
}

/** One request, and what is known of it already. */
export class Asking {
  readonly request: AdmissionRequest;
  readonly #options: AskingOptions;
  readonly #shown = new Map<KindDef, PolicyRequest | Promise<PolicyRequest>>();

  constructor(options: AskingOptions, request: AdmissionRequest) {
    this.#options = options;
    this.request = request;
  }

  /** undefined = the request does not match. Without constraints everything does. */
  matched(match: admissionregistrationV1.MatchResources | undefined): KindDef | undefined {
    const { request } = this;
    if (match === undefined) return request.kind;
    const { resourceRules: rules, excludeResourceRules: excluded } = match;
    return matchedKind({ ...match, rules, excluded }, request, {
      others: () =>
        this.#options.kinds.all.filter(
          (kind) => kind !== request.kind && kind.storagePrefix === request.kind.storagePrefix,
        ),
      namespaceLabels: (name): Labels | undefined => {
        const namespace = this.#namespace(name);
        return namespace && (namespace.metadata.labels ?? {});
      },
    });
  }

  #namespace(name: string): Namespace | undefined {
    const entry = this.#options.store.get(keyFor(Namespace as unknown as KindDef, undefined, name));
    return entry && objectOf<Namespace & KubeObject>(entry);
  }

  shown(kind: KindDef): PolicyRequest | Promise<PolicyRequest> {
    let known = this.#shown.get(kind);
    if (known === undefined) this.#shown.set(kind, (known = this.#show(kind)));
    return known;
  }

  #show(kind: KindDef): PolicyRequest | Promise<PolicyRequest> {
    const { request } = this;
    const facts = {
      namespaceObject: this.#namespaceObject(),
      authorizer: authorizerOf(request, this.#options.authorize),
    };
    const subject = subjectOf(request, kind);
    return subject instanceof Promise
      ? subject.then((made) => new PolicyRequest({ ...made, ...facts }))
      : new PolicyRequest({ ...subject, ...facts });
  }

  /** A namespace itself is in none. */
  #namespaceObject(): object | null {
    const { kind, namespace } = this.request;
    if (namespace === undefined || (kind.group === '' && kind.kind === 'Namespace')) return null;
    const found = this.#namespace(namespace);
    if (found === undefined) return null;
    const { managedFields: _, ownerReferences: _owners, ...metadata } = found.metadata;
    return { metadata, spec: found.spec, status: found.status };
  }
}
