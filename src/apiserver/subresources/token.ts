// serviceaccounts/token: a token for an account, bound to a pod, a secret or a node when the caller says so. After Kubernetes'
// pkg/registry/core/serviceaccount/storage/token.go. Nothing is stored.
import {
  type authenticationV1,
  Node,
  Pod,
  type RequestBody,
  Secret,
  type ServiceAccount,
  shape,
} from '../../api/index.ts';
import {
  badRequest,
  Causes,
  conflict,
  forbidden,
  formatTime,
  isNotFound,
  type KindDef,
  type KubeObject,
  StatusError,
} from '../../machinery/index.ts';
import { nodeOfUser } from '../auth/node-authorizer.ts';
import type { Named, TokenGrant } from '../auth/service-account-tokens.ts';
import { catchUp, nowText, type RegistryCore, refOf, requireEntry } from '../registry/core.ts';
import { decodeRequestBody } from '../registry/decode.ts';
import { objectOf } from '../registry/objects.ts';
import type { Subresource, SubresourceCall } from './subresource.ts';
import { whyNotAudience } from './token-audience.ts';

type TokenRequest = authenticationV1.TokenRequest;

const tokenRequest: RequestBody = {
  group: 'authentication.k8s.io',
  version: 'v1',
  kind: 'TokenRequest',
  schema: shape('authentication.v1.TokenRequest'),
};

const minSeconds = 600;
const maxSeconds = 2 ** 32;
const defaultSeconds = 3600;
/** What nodes ask for when nobody chose a time. Such a token lives a year, for programs that read it once; late users are told apart. */
const unchosenSeconds = 3607;
const extendedSeconds = 365 * 86_400;

export const token: Subresource = {
  name: 'token',
  verbs: ['create'],
  body: tokenRequest,
  appliesTo: (kind) => kind.group === '' && kind.kind === 'ServiceAccount',

  async handle(core, call) {
    const { at, body, context } = call;
    const request = decodeRequestBody<TokenRequest>(tokenRequest, body, context);
    const { tokens } = core;
    if (tokens === null) throw new StatusError(501, 'Unknown', 'this server signs no service account tokens');
    const { metadata, spec } = request;
    if (metadata.name && metadata.name !== at.name)
      throw badRequest(
        `the token name "${metadata.name}" does not match the service account name "${at.name}"`,
      );
    if (metadata.namespace && metadata.namespace !== at.namespace)
      throw badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      );
    const seconds = spec.expirationSeconds ?? defaultSeconds;
    checkSeconds(at.name, seconds);
    if (core.store.shared) await catchUp(core);
    const account = objectOf<ServiceAccount>(requireEntry(core, at)).metadata;
    const bound = boundTo(core, call, spec);
    const audiences = spec.audiences?.length ? spec.audiences : [...tokens.audiences];
    const forHere = audiences.every((audience) => tokens.audiences.includes(audience));
    const extended = seconds === unchosenSeconds && bound.pod !== undefined && forHere;
    const issued = context.dryRun
      ? { token: '', expiresMs: core.clock.nowMs() + seconds * 1000 }
      : tokens.issue({
          ...bound,
          namespace: at.namespace!,
          account: { name: account.name, uid: account.uid },
          audiences,
          seconds: extended ? extendedSeconds : seconds,
          warnAfterSeconds: extended ? seconds : undefined,
        });
    const expiresMs = extended ? core.clock.nowMs() + seconds * 1000 : issued.expiresMs;
    const answer = {
      ...request,
      metadata: {
        ...metadata,
        name: at.name,
        namespace: at.namespace,
        creationTimestamp: nowText(core),
      },
      spec: { ...spec, audiences, expirationSeconds: seconds },
      status: { token: issued.token, expirationTimestamp: formatTime(expiresMs) },
    };
    return { code: 201, entry: null, object: answer as unknown as KubeObject };
  },
};

function checkSeconds(name: string, seconds: number): void {
  const causes = new Causes();
  if (seconds < minSeconds)
    causes.invalid('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes');
  if (seconds > maxSeconds)
    causes.invalid('spec.expirationSeconds', seconds, 'may not specify a duration larger than 2^32 seconds');
  const error = causes.toError('authentication.k8s.io', 'TokenRequest', name);
  if (error !== undefined) throw error;
}

type Bound = Pick<TokenGrant, 'pod' | 'node' | 'secret'>;

/** What the token dies with. A node may only ask for pods that run on it, and for audiences that they name. */
function boundTo(
  core: RegistryCore,
  { at, context }: SubresourceCall,
  { boundObjectRef, audiences }: TokenRequest['spec'],
): Bound {
  const ref = boundObjectRef ?? undefined;
  const node = nodeOfUser(context.user);
  const refuse = (why: string) => forbidden(refOf(at.kind), at.name, why);
  if (node !== undefined) {
    if (ref === undefined || ref.kind !== 'Pod' || ref.apiVersion !== 'v1')
      throw refuse('node requested token not bound to a pod');
    if (!ref.uid) throw refuse('node requested token with a pod binding without a uid');
  }
  if (ref === undefined) return {};
  const { kind = '', apiVersion = '', name = '' } = ref;
  const found = <T extends KubeObject>(of: KindDef<T>, namespace: string | undefined): T => {
    const object = objectOf<T>(requireEntry(core, { kind: of as unknown as KindDef, namespace, name }));
    if (ref.uid && ref.uid !== object.metadata.uid)
      throw conflict(
        { group: '', resource: kind },
        name,
        `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
      );
    return object;
  };
  switch (`${apiVersion} ${kind}`) {
    case 'v1 Pod': {
      const pod = found(Pod, at.namespace);
      if (pod.spec.serviceAccountName !== at.name)
        throw badRequest(
          `cannot bind token for serviceaccount "${at.name}" to pod running with different serviceaccount name.`,
        );
      const { nodeName } = pod.spec;
      if (node !== undefined) {
        if (nodeName !== node)
          throw refuse('node requested token bound to a pod scheduled on a different node');
        const asked = { user: context.user, namespace: at.namespace!, account: at.name, pod };
        const why = whyNotAudience({ ...asked, audiences: audiences ?? [] }, core);
        if (why !== undefined) throw refuse(why);
      }
      return { pod: named(pod), node: nodeName ? namedNode(core, nodeName) : undefined };
    }
    case 'v1 Secret':
      return { secret: named(found(Secret, at.namespace)) };
    case 'v1 Node':
      return { node: named(found(Node, undefined)) };
    default:
      throw badRequest(`cannot bind token to object of type ${apiVersion}, Kind=${kind}`);
  }
}

const named = ({ metadata: { name, uid } }: KubeObject): Named => ({ name, uid });

/** The node may be gone while its pod is still listed. */
function namedNode(core: RegistryCore, name: string): Named | undefined {
  try {
    return named(
      objectOf(requireEntry(core, { kind: Node as unknown as KindDef, namespace: undefined, name })),
    );
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
