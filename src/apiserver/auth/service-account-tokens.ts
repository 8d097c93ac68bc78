// Tokens of service accounts: signed by this cluster (ES256), bound to what they were asked for, good until they expire or what they are
// bound to is gone. What stands in them is Kubernetes' (pkg/serviceaccount/claims.go), so its clients and verifiers read them.
//
// Signing and checking is node:crypto, which is synchronous: authentication asks once a request. A token that was checked once is
// remembered; whether its account and its pod still exist is asked of the store each time. HOT: bench/api.ts.
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { Clock, Random } from '../../base/index.ts';
import type { UserInfo } from './attributes.ts';
import type { TokenAuthenticator } from './authenticate.ts';

export interface Named {
  readonly name: string;
  readonly uid: string;
}

/** What a token is good for. */
export interface TokenGrant {
  readonly namespace: string;
  readonly account: Named;
  readonly pod?: Named | undefined;
  readonly node?: Named | undefined;
  readonly secret?: Named | undefined;
  readonly audiences: readonly string[];
  readonly seconds: number;
  /** After this many seconds whoever still uses it is late; undefined = never. */
  readonly warnAfterSeconds?: number | undefined;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresMs: number;
}

/** Whether these are still there, under the same uid. From memory. */
export interface Existence {
  account(namespace: string, account: Named): boolean;
  pod(namespace: string, pod: Named): boolean;
  secret(namespace: string, secret: Named): boolean;
  node(node: Named): boolean;
}

export interface ServiceAccountTokensOptions {
  /** Who signs, as tokens name it: a URL. */
  readonly issuer: string;
  /** PEM, EC P-256 */
  readonly publicKey: string;
  readonly privateKey: string;
  /** For whom a token must be to be taken here. */
  readonly audiences: readonly string[];
  readonly exists: Existence;
  readonly clock: Clock;
  readonly random: Random;
}

interface Claims {
  readonly aud: readonly string[];
  readonly exp: number;
  readonly iat: number;
  readonly iss: string;
  readonly jti: string;
  readonly nbf: number;
  readonly sub: string;
  readonly 'kubernetes.io': {
    readonly namespace: string;
    readonly serviceaccount: Named;
    readonly pod?: Named;
    readonly node?: Named;
    readonly secret?: Named;
    readonly warnafter?: number;
  };
}

interface Checked {
  readonly claims: Claims;
  readonly user: UserInfo;
}

const maxRemembered = 4096;

export class ServiceAccountTokens {
  readonly #options: ServiceAccountTokensOptions;
  readonly #private: KeyObject;
  readonly #public: KeyObject;
  readonly #keyId: string;
  readonly #checked = new Map<string, Checked>();

  constructor(options: ServiceAccountTokensOptions) {
    this.#options = options;
    this.#private = createPrivateKey(options.privateKey);
    this.#public = createPublicKey(options.publicKey);
    const der = this.#public.export({ type: 'spki', format: 'der' });
    this.#keyId = createHash('sha256').update(der).digest('base64url');
  }

  get audiences(): readonly string[] {
    return this.#options.audiences;
  }

  issue(grant: TokenGrant): IssuedToken {
    const { clock, random, issuer } = this.#options;
    const now = Math.floor(clock.nowMs() / 1000);
    const { namespace, account, pod, node, secret } = grant;
    const claims: Claims = {
      aud: [...grant.audiences],
      exp: now + grant.seconds,
      iat: now,
      iss: issuer,
      jti: random.uuid(),
      nbf: now,
      sub: `system:serviceaccount:${namespace}:${account.name}`,
      'kubernetes.io': {
        namespace,
        ...(node !== undefined && { node }),
        ...(pod !== undefined && { pod }),
        ...(secret !== undefined && { secret }),
        serviceaccount: account,
        ...(grant.warnAfterSeconds !== undefined && { warnafter: now + grant.warnAfterSeconds }),
      },
    };
    const head = encoded({ alg: 'ES256', kid: this.#keyId, typ: 'JWT' });
    const text = `${head}.${encoded(claims)}`;
    const signature = sign('sha256', Buffer.from(text), { key: this.#private, dsaEncoding: 'ieee-p1363' });
    return { token: `${text}.${signature.toString('base64url')}`, expiresMs: claims.exp * 1000 };
  }

  /** The account that a token stands for; undefined for tokens of others, and for those that are no longer, or not yet, good. */
  readonly userOf: TokenAuthenticator = (token) => {
    const checked = this.#checked.get(token) ?? this.#check(token);
    if (checked === undefined) return undefined;
    const { claims, user } = checked;
    const now = this.#options.clock.nowMs() / 1000;
    if (claims.exp <= now || claims.nbf > now + 60 || !this.#stillThere(claims)) return undefined;
    return user;
  };

  /** The public key, as anybody who checks tokens reads it (RFC 7517). */
  keySet(): object {
    const { kty, crv, x, y } = this.#public.export({ format: 'jwk' });
    return { keys: [{ use: 'sig', kty, kid: this.#keyId, crv, alg: 'ES256', x, y }] };
  }

  /** OpenID Connect discovery: where the keys of the issuer are. */
  discovery(host: string): object {
    return {
      issuer: this.#options.issuer,
      jwks_uri: `https://${host}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    };
  }

  #check(token: string): Checked | undefined {
    const [head = '', body = '', signature, ...rest] = token.split('.');
    if (signature === undefined || rest.length > 0) return undefined;
    if (decoded(head)?.['alg'] !== 'ES256') return undefined;
    const good = verify(
      'sha256',
      Buffer.from(`${head}.${body}`),
      { key: this.#public, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    );
    // What we signed has our claims.
    const claims = good ? (decoded(body) as Claims | undefined) : undefined;
    if (claims === undefined || claims.iss !== this.#options.issuer) return undefined;
    if (!claims.aud.some((audience) => this.#options.audiences.includes(audience))) return undefined;
    const checked = { claims, user: userOf(claims) };
    if (this.#checked.size >= maxRemembered) this.#checked.clear();
    this.#checked.set(token, checked);
    return checked;
  }

  #stillThere({ 'kubernetes.io': bound }: Claims): boolean {
    const { exists } = this.#options;
    const { namespace, serviceaccount, pod, secret, node } = bound;
    if (!exists.account(namespace, serviceaccount)) return false;
    if (pod !== undefined) return exists.pod(namespace, pod);
    if (secret !== undefined) return exists.secret(namespace, secret);
    return node === undefined || exists.node(node);
  }
}

/** As Kubernetes' authenticator describes the account and what its token is bound to. */
function userOf({ jti, sub, 'kubernetes.io': bound }: Claims): UserInfo {
  const { namespace, serviceaccount, pod, node } = bound;
  return {
    name: sub,
    uid: serviceaccount.uid,
    groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`],
    extra: {
      'authentication.kubernetes.io/credential-id': [`JTI=${jti}`],
      ...(node !== undefined && {
        'authentication.kubernetes.io/node-name': [node.name],
        'authentication.kubernetes.io/node-uid': [node.uid],
      }),
      ...(pod !== undefined && {
        'authentication.kubernetes.io/pod-name': [pod.name],
        'authentication.kubernetes.io/pod-uid': [pod.uid],
      }),
    },
  };
}

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function decoded(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
