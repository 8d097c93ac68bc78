// Who sends a request: by its client certificate, else by its bearer token. HOT: the user of a certificate is made once a
// connection, that of a token once a server; per request there are two map look-ups.
import type { Clock } from '../../base/index.ts';
import { type Connection, connectionOf, type HttpRequest } from '../../http/index.ts';
import { type UserInfo, wellKnown } from './attributes.ts';

/** Knows some tokens. undefined = not one of mine. Returns the same object for the same user. */
export type TokenAuthenticator = (token: string) => UserInfo | undefined;

export interface AuthenticatorOptions {
  /** Whoever knows all tokens of this server (tokenChain). */
  readonly token: TokenAuthenticator;
  /**
   * Who shows nothing is system:anonymous: everywhere (allow, kube-apiserver's --anonymous-auth), only at the health endpoints,
   * which load balancers ask (health), or nowhere (refuse). Otherwise the answer is 401.
   */
  readonly anonymous: 'allow' | 'health' | 'refuse';
  readonly clock: Clock;
}

/** undefined = answer 401. A wrong credential never counts as none. */
export type Authenticate = (request: HttpRequest) => UserInfo | undefined;

const anonymousUser: UserInfo = { name: wellKnown.anonymous, uid: '', groups: [wellKnown.unauthenticated] };

const healthPath = /^\/(?:livez|readyz|healthz)(?:[/?]|$)/;

function withAuthenticated(user: UserInfo): UserInfo {
  if (user.groups.includes(wellKnown.authenticated)) return user;
  return { ...user, groups: [...user.groups, wellKnown.authenticated] };
}

export function createAuthenticator(options: AuthenticatorOptions): Authenticate {
  const { clock } = options;
  const ofConnection = new WeakMap<Connection, UserInfo>();

  return function authenticate(request) {
    const connection = connectionOf(request);
    const { peer } = connection;
    // A connection may outlive the certificate it was opened with.
    if (peer !== undefined && peer.commonName !== '' && peer.notAfterMs > clock.nowMs()) {
      let user = ofConnection.get(connection);
      if (user === undefined) {
        user = withAuthenticated({ name: peer.commonName, uid: '', groups: peer.organizations });
        ofConnection.set(connection, user);
      }
      return user;
    }
    const token = bearerToken(request.headers.authorization);
    if (token !== undefined) return options.token(token);
    if (peer !== undefined || connection.peerError !== undefined) return undefined;
    if (options.anonymous === 'refuse') return undefined;
    if (options.anonymous === 'health' && !healthPath.test(request.url ?? '')) return undefined;
    return anonymousUser;
  };
}

/** Asks each in order; the first that knows a token names the user, who is authenticated then. */
export function tokenChain(tokens: readonly TokenAuthenticator[]): TokenAuthenticator {
  const ofUser = new WeakMap<UserInfo, UserInfo>();
  return function userOfToken(token) {
    for (const known of tokens) {
      const found = known(token);
      if (found === undefined) continue;
      let user = ofUser.get(found);
      if (user === undefined) {
        user = withAuthenticated(found);
        ofUser.set(found, user);
      }
      return user;
    }
    return undefined;
  };
}

/** The token of an `Authorization: Bearer …` header; undefined when there is none. */
function bearerToken(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const match = /^\s*bearer +(\S+)\s*$/i.exec(header);
  return match?.[1];
}

/** The users of a token file (token-file.ts) as one of the authenticators. */
export function tokenTable(users: ReadonlyMap<string, UserInfo>): TokenAuthenticator {
  return (token) => users.get(token);
}
