// One request as it is asked about: what it matches, and what policies see of it, made once for all of them.
import { type admissionregistrationV1, Namespace } from '../../../api/index.ts';
import {
  type AccessAnswer,
  type AccessQuestion,
  Authorizer,
  type KindDef,
  type KubeObject,
  type Labels,
  PolicyRequest,
} from '../../../machinery/index.ts';
import type { UserInfo } from '../../auth/attributes.ts';
import type { Authorize } from '../../auth/authorize.ts';
import { keyFor, objectOf } from '../../registry/objects.ts';
import type { AdmissionRequest } from '../admission.ts';
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
    const { namespace = '', name, subresource, context } = request;
    const facts = {
      namespaceObject: this.#namespaceObject(),
      authorizer: new Authorizer((question) => this.#mayThey(question, context.user), {
        group: request.kind.group,
        resource: request.kind.plural,
        subresource,
        namespace,
        name,
      }),
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

  #mayThey({ serviceAccount, path, ...question }: AccessQuestion, user: UserInfo): AccessAnswer {
    const { decision, reason } = this.#options.authorize.decide({
      ...question,
      user: serviceAccount === undefined ? user : accountUser(serviceAccount),
      version: '*',
      path,
    });
    return { allowed: decision === 'allow', reason, error: '' };
  }
}

const accountUser = ({ namespace, name }: { namespace: string; name: string }): UserInfo => ({
  name: `system:serviceaccount:${namespace}:${name}`,
  uid: '',
  groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
});
