// AdmissionReview v1: what a webhook is asked, and what its answer means. Pure. Worded as Kubernetes words it.
import { applyJsonPatch, badRequest, type Status, StatusError } from '../../../machinery/index.ts';
import type { CallContext } from '../../registry/context.ts';
import type { AdmissionRequest } from '../admission.ts';

const apiVersion = 'admission.k8s.io/v1';

const optionKinds = { create: 'CreateOptions', update: 'UpdateOptions', delete: 'DeleteOptions' } as const;

interface Review {
  readonly kind: string;
  readonly apiVersion: string;
  readonly request: {
    readonly uid: string;
    readonly object: object | null;
    readonly oldObject: object | null;
    readonly [field: string]: unknown;
  };
}

/** The body to send. `uid` comes back in the answer. */
export function reviewOf(request: AdmissionRequest, uid: string): Review {
  const { operation, kind, subresource, old, context, namespace } = request;
  const object = request.object ?? request.connect ?? null;
  const shown = object ?? old;
  const [group, version] = groupVersionOf(shown?.apiVersion ?? kind.apiVersion);
  const gvk = { group, version, kind: shown?.kind ?? kind.kind };
  const resource = { group, version, resource: kind.plural };
  const { name, uid: userUid, groups, extra } = context.user;
  return {
    kind: 'AdmissionReview',
    apiVersion,
    request: {
      uid,
      kind: gvk,
      resource,
      ...(subresource !== '' && { subResource: subresource, requestSubResource: subresource }),
      requestKind: gvk,
      requestResource: resource,
      ...(request.name !== '' && { name: request.name }),
      ...(namespace !== undefined
        ? { namespace }
        : kind.kind === 'Namespace' && kind.group === '' && { namespace: request.name }),
      operation: operation.toUpperCase(),
      userInfo: { username: name, ...(userUid !== '' && { uid: userUid }), groups, ...(extra && { extra }) },
      object,
      oldObject: old,
      dryRun: context.dryRun,
      options: operation === 'connect' ? null : optionsOf(operation, context),
    },
  };
}

const optionsOf = (operation: keyof typeof optionKinds, { dryRun, fieldManager }: CallContext): object => ({
  kind: optionKinds[operation],
  apiVersion: 'meta.k8s.io/v1',
  ...(dryRun && { dryRun: ['All'] }),
  ...(operation !== 'delete' && fieldManager !== '' && { fieldManager }),
});

function groupVersionOf(text: string): [string, string] {
  const slash = text.indexOf('/');
  return slash < 0 ? ['', text] : [text.slice(0, slash), text.slice(slash + 1)];
}

export interface Verdict {
  readonly warnings: readonly string[];
  /** undefined = it allows the request. */
  readonly refusal: StatusError | undefined;
  /** JSON Patch operations; undefined = the object stays as it is. */
  readonly patch: unknown;
}

interface Answer {
  readonly kind?: unknown;
  readonly apiVersion?: unknown;
  readonly response?: {
    readonly uid?: unknown;
    readonly allowed?: unknown;
    readonly status?: Partial<Status>;
    readonly patch?: unknown;
    readonly patchType?: unknown;
    readonly warnings?: unknown;
  };
}

/** What a parsed answer says. Throws an Error that tells why it is none: then the failure policy decides. */
export function readAnswer(
  value: unknown,
  { uid, webhook }: { readonly uid: string; readonly webhook: string },
): Verdict {
  const { kind, apiVersion: version, response } = (value ?? {}) as Answer;
  const invalid = (why: string): Error => new Error(`received invalid webhook response: ${why}`);
  if (kind !== 'AdmissionReview' || version !== apiVersion)
    throw invalid(
      `expected webhook response of ${apiVersion}, Kind=AdmissionReview, got ${String(version)}, Kind=${String(kind)}`,
    );
  if (response === undefined || response === null) throw invalid('webhook response was absent');
  if (response.uid !== uid)
    throw invalid(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  const warnings = Array.isArray(response.warnings)
    ? response.warnings.filter((one): one is string => typeof one === 'string')
    : [];
  if (response.allowed !== true)
    return { warnings, refusal: refusalOf(webhook, response.status), patch: undefined };
  const { patch, patchType } = response;
  if (patch === undefined || patch === null || patch === '') {
    if (patchType !== undefined) throw invalid('webhook returned response.patchType but not response.patch');
    return { warnings, refusal: undefined, patch: undefined };
  }
  if (patchType === undefined) throw invalid('webhook returned response.patch but not response.patchType');
  if (patchType !== 'JSONPatch' || typeof patch !== 'string')
    throw invalid(`webhook returned invalid response.patchType of ${JSON.stringify(patchType)}`);
  try {
    return { warnings, refusal: undefined, patch: JSON.parse(Buffer.from(patch, 'base64').toString('utf8')) };
  } catch {
    throw invalid('response.patch is not JSON');
  }
}

/** The webhook's own words, and never a code that means success. */
function refusalOf(webhook: string, status: Partial<Status> | undefined): StatusError {
  const by = `admission webhook ${JSON.stringify(webhook)} denied the request`;
  const why = status?.message || status?.reason;
  const message = why ? `${by}: ${why}` : `${by} without explanation`;
  const code = status?.code !== undefined && status.code >= 400 ? status.code : 400;
  return new StatusError(code, status?.reason ?? 'Unknown', message, status?.details);
}

export const dryRunUnsupported = (webhook: string): StatusError =>
  badRequest(`admission webhook ${JSON.stringify(webhook)} does not support dry run`);

/** The object after the webhook's patch, to be decoded anew. Throws an Error when the patch does not apply. */
export function patched(object: object, patch: unknown): unknown {
  const result = applyJsonPatch(object, patch);
  if (!result.ok) throw new Error(result.message);
  return result.value;
}
