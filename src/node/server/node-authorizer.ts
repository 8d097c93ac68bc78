// Who may ask the node's HTTPS server for what, as the kubelet's webhook mode decides it: a client certificate of the cluster's CA or a
// token that the API server knows says who it is; whether that one may is the API server's to say. Members of `system:masters`, such as
// the API server itself, are not asked about, so that logs and exec do not hang on a second call.
import { createHash } from 'node:crypto';
import { SubjectAccessReview, TokenReview } from '../../api/index.ts';
import type { Clock } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';

/** What of a request matters here. */
export interface NodeCall {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly authorization: string | undefined;
  /** The client's certificate, verified; undefined = it showed none. */
  readonly peer:
    | { readonly commonName: string; readonly organizations: readonly string[]; readonly notAfterMs: number }
    | undefined;
}

export type Verdict = { readonly code: 200 } | { readonly code: 401 | 403 | 500; readonly message: string };

interface User {
  readonly name: string;
  readonly uid?: string | undefined;
  readonly groups: readonly string[];
  readonly extra?: Record<string, string[]> | undefined;
}

const adminGroup = 'system:masters';
const verbs: Readonly<Record<string, string>> = {
  POST: 'create',
  GET: 'get',
  HEAD: 'get',
  PUT: 'update',
  PATCH: 'patch',
  DELETE: 'delete',
};

/** Which of the node's subresources a path belongs to; any of them suffices. Pure. The kubelet's rules. */
export function subresourcesOf(path: string): string[] {
  const below = (prefix: string) => path === prefix || path.startsWith(`${prefix}/`);
  if (below('/stats')) return ['stats'];
  if (below('/metrics')) return ['metrics'];
  if (below('/logs')) return ['log'];
  if (below('/checkpoint')) return ['checkpoint'];
  if (below('/pods') || below('/runningpods')) return ['pods', 'proxy'];
  if (below('/healthz')) return ['healthz', 'proxy'];
  if (below('/configz')) return ['configz', 'proxy'];
  return ['proxy'];
}

const allowedMs = 300_000;
const deniedMs = 30_000;
const tokenMs = 120_000;
/** Who asks with ever new tokens does not fill the memory. */
const maxRemembered = 1000;

interface Remembered<T> {
  readonly value: T;
  readonly untilMs: number;
}

export interface NodeAuthorizerOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly nodeName: string;
}

export class NodeAuthorizer {
  readonly #options: NodeAuthorizerOptions;
  readonly #users = new Map<string, Remembered<User | undefined>>();
  readonly #access = new Map<string, Remembered<boolean>>();

  constructor(options: NodeAuthorizerOptions) {
    this.#options = options;
  }

  async judge(call: NodeCall): Promise<Verdict> {
    let user: User | undefined;
    try {
      user = await this.#identify(call);
    } catch (error) {
      return { code: 401, message: `Unauthorized: ${(error as Error).message}` };
    }
    if (user === undefined) return { code: 401, message: 'Unauthorized' };
    if (user.groups.includes(adminGroup)) return { code: 200 };
    const verb = verbs[call.method.toUpperCase()] ?? '';
    const subresources = subresourcesOf(call.path);
    try {
      for (const subresource of subresources)
        if (await this.#mayUse(user, verb, subresource)) return { code: 200 };
    } catch (error) {
      const why = `Authorization error (user=${user.name}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(' ')}])`;
      return { code: 500, message: `${why}: ${(error as Error).message}` };
    }
    return {
      code: 403,
      message: `Forbidden (user=${user.name}, verb=${verb}, resource=nodes, subresource(s)=[${subresources.join(' ')}])`,
    };
  }

  #identify({ peer, authorization }: NodeCall): Promise<User | undefined> | User | undefined {
    const { clock } = this.#options;
    if (peer !== undefined && peer.notAfterMs >= clock.nowMs())
      return { name: peer.commonName, groups: [...peer.organizations, 'system:authenticated'] };
    const token = /^Bearer\s+(\S+)$/i.exec(authorization ?? '')?.[1];
    return token === undefined ? undefined : this.#identifyToken(token);
  }

  async #identifyToken(token: string): Promise<User | undefined> {
    const { client, clock } = this.#options;
    const key = createHash('sha256').update(token).digest('base64');
    const known = recall(this.#users, key, clock.nowMs());
    if (known !== undefined) return known.value;
    const { status } = await client(TokenReview).create({ metadata: {}, spec: { token } });
    const said = status?.authenticated === true ? status.user : undefined;
    const user =
      said?.username === undefined
        ? undefined
        : { name: said.username, uid: said.uid, groups: said.groups ?? [], extra: said.extra };
    remember(this.#users, key, {
      value: user,
      untilMs: clock.nowMs() + (user === undefined ? deniedMs : tokenMs),
    });
    return user;
  }

  async #mayUse(user: User, verb: string, subresource: string): Promise<boolean> {
    const { client, clock, nodeName } = this.#options;
    const key = JSON.stringify([user, verb, subresource]);
    const known = recall(this.#access, key, clock.nowMs());
    if (known !== undefined) return known.value;
    const { status } = await client(SubjectAccessReview).create({
      metadata: {},
      spec: {
        user: user.name,
        groups: [...user.groups],
        ...(user.uid !== undefined && { uid: user.uid }),
        ...(user.extra !== undefined && { extra: user.extra }),
        resourceAttributes: { verb, version: 'v1', resource: 'nodes', subresource, name: nodeName },
      },
    });
    const allowed = status?.allowed === true;
    remember(this.#access, key, {
      value: allowed,
      untilMs: clock.nowMs() + (allowed ? allowedMs : deniedMs),
    });
    return allowed;
  }
}

function recall<T>(
  memory: ReadonlyMap<string, Remembered<T>>,
  key: string,
  nowMs: number,
): Remembered<T> | undefined {
  const found = memory.get(key);
  return found !== undefined && found.untilMs > nowMs ? found : undefined;
}

function remember<T>(memory: Map<string, Remembered<T>>, key: string, value: Remembered<T>): void {
  memory.delete(key);
  memory.set(key, value);
  // The oldest is the first.
  if (memory.size > maxRemembered) memory.delete(memory.keys().next().value!);
}
