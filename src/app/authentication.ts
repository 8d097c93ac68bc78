// Who somebody is on this server: the tokens that it knows, in the order in which they are tried, and what they are bound to, which is
// looked up in its store.
import { Node, Pod, Secret, ServiceAccount } from '../api/index.ts';
import {
  type ApiServerOptions,
  bootstrapTokens,
  createAuthenticator,
  type Existence,
  type parseTokenFile,
  ServiceAccountTokens,
  type TokenAuthenticator,
  tokenChain,
  tokenTable,
} from '../apiserver/index.ts';
import type { Clock, Random } from '../base/index.ts';
import type { Pki } from '../http/index.ts';
import type { KubeObject } from '../machinery/index.ts';
import type { Store } from '../storage/index.ts';
import { type Find, finder } from './stored-objects.ts';

export interface AuthenticationOptions {
  readonly store: Store;
  /** Those of a token file; undefined = there is none. */
  readonly users: ReturnType<typeof parseTokenFile> | undefined;
  /** Signs the tokens of service accounts. */
  readonly serviceAccount: Pki['serviceAccount'];
  readonly clusterDomain: string;
  readonly clock: Clock;
  readonly random: Random;
}

export interface Authentication {
  readonly authenticate: ApiServerOptions['authenticate'];
  /** Whose a token is. */
  readonly token: TokenAuthenticator;
  /** Those of service accounts: issues them too. */
  readonly tokens: ServiceAccountTokens;
  /** For whom tokens of this server are good. */
  readonly audiences: readonly string[];
}

/** What an API server needs to know who asks. A token of the file is that one's, whatever else it might be. */
export function createAuthentication(options: AuthenticationOptions): Authentication {
  const { store, users, clusterDomain, clock, random } = options;
  const find = finder(store);
  const issuer = `https://kubernetes.default.svc.${clusterDomain}`;
  const audiences = [issuer];
  const exists = existence(find);
  const tokens = new ServiceAccountTokens({
    ...options.serviceAccount,
    issuer,
    audiences,
    exists,
    clock,
    random,
  });
  const token = tokenChain([
    ...(users === undefined ? [] : [tokenTable(users)]),
    joinTokens(find, clock),
    tokens.userOf,
  ]);
  const authenticate = createAuthenticator({ token, anonymous: 'health', clock });
  return { authenticate, token, tokens, audiences };
}

/** The tokens by which machines join. */
const joinTokens = (find: Find, clock: Clock): TokenAuthenticator =>
  bootstrapTokens({ secret: (name) => find(Secret, { namespace: 'kube-system', name }), clock });

/** Whether what a token is bound to is still there, and no other of that name. */
function existence(find: Find): Existence {
  const isThat = (found: KubeObject | undefined, uid: string) =>
    found !== undefined && found.metadata.uid === uid;
  return {
    account: (namespace, { name, uid }) => isThat(find(ServiceAccount, { namespace, name }), uid),
    pod: (namespace, { name, uid }) => isThat(find(Pod, { namespace, name }), uid),
    secret: (namespace, { name, uid }) => isThat(find(Secret, { namespace, name }), uid),
    node: ({ name, uid }) => isThat(find(Node, { name }), uid),
  };
}
