// Bootstrap tokens: `ID.SECRET`, kept as Secrets of their own type in kube-system, by which a machine that has no certificate yet may
// ask for one. After Kubernetes' plugin/pkg/auth/authenticator/token/bootstrap. HOT when used, which is rarely: a look-up in memory.
import { timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../api/index.ts';
import type { Clock } from '../../base/index.ts';
import { parseTime } from '../../machinery/index.ts';
import { type UserInfo, wellKnown } from './attributes.ts';
import type { TokenAuthenticator } from './authenticate.ts';

export interface BootstrapTokensOptions {
  /** A Secret of kube-system by its name. From memory, the same object while it does not change. */
  readonly secret: (name: string) => Secret | undefined;
  readonly clock: Pick<Clock, 'nowMs'>;
}

const form = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const tokenType = 'bootstrap.kubernetes.io/token';
const groupForm = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** Tokens of another form are not ours; one of ours that is wrong, expired or not for this use stands for nobody. */
export function bootstrapTokens({ secret: find, clock }: BootstrapTokensOptions): TokenAuthenticator {
  const users = new WeakMap<Secret, UserInfo>();
  return (token) => {
    const match = form.exec(token);
    if (match === null) return undefined;
    const [, id = '', password = ''] = match;
    const secret = find(`bootstrap-token-${id}`);
    if (secret === undefined || secret.type !== tokenType) return undefined;
    if (secret.metadata.deletionTimestamp !== undefined) return undefined;
    const read = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
    if (!isSame(read('token-secret'), password) || read('token-id') !== id) return undefined;
    const expiration = read('expiration');
    // A time that cannot be read is over.
    if (expiration !== '' && !((parseTime(expiration) ?? 0) > clock.nowMs())) return undefined;
    if (read('usage-bootstrap-authentication') !== 'true') return undefined;
    let user = users.get(secret);
    if (user === undefined) {
      const extra = read('auth-extra-groups');
      const groups = extra === '' ? [] : [...new Set(extra.split(','))].sort();
      if (!groups.every((group) => groupForm.test(group))) return undefined;
      user = {
        name: `${wellKnown.bootstrapUserPrefix}${id}`,
        uid: '',
        groups: [wellKnown.bootstrappers, ...groups],
      };
      users.set(secret, user);
    }
    return user;
  };
}

/** Takes as long for every wrong one. */
function isSame(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
