// `kubectl --as`: a user with the right to do so acts as another. The headers are never ignored: a request that carries them is
// either made as the other user or refused. Rules and wording after kube-apiserver's impersonation filter.
import { badRequest, type StatusError } from '../../machinery/index.ts';
import { type RequestAttributes, type UserInfo, wellKnown } from './attributes.ts';
import type { Authorize } from './authorize.ts';

const prefix = 'impersonate-';
const extraPrefix = 'impersonate-extra-';
const serviceAccount = /^system:serviceaccount:([^:]+):([^:]+)$/;

/**
 * The user as whom to go on: the same one when no header asks for another. `rawHeaders` are node's, because groups come as a
 * header repeated and may contain commas.
 */
export function impersonate(
  user: UserInfo,
  rawHeaders: readonly string[],
  authorize: Authorize,
): UserInfo | StatusError {
  let name = '';
  let uid = '';
  const groups: string[] = [];
  const extra: Record<string, string[]> = Object.create(null);
  let asked = false;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const header = rawHeaders[i]!;
    // Most requests end here for every header.
    if (header.length < prefix.length || (header.charCodeAt(0) | 32) !== 105) continue;
    const key = header.toLowerCase();
    if (!key.startsWith(prefix)) continue;
    const value = rawHeaders[i + 1]!;
    asked = true;
    if (key === 'impersonate-user') name = value;
    else if (key === 'impersonate-group') groups.push(value);
    else if (key === 'impersonate-uid') uid = value;
    else if (key.startsWith(extraPrefix)) {
      const extraKey = decode(key.slice(extraPrefix.length));
      (extra[extraKey] ??= []).push(value);
    } else return badRequest(`unknown header ${header}`);
  }
  if (!asked) return user;
  if (name === '')
    return badRequest('a group, uid or extra value was impersonated without impersonating a user');

  const ask = (part: Partial<RequestAttributes>) => authorize({ ...blank, user, ...part });
  const account = serviceAccount.exec(name);
  const refused =
    (account === null
      ? ask({ resource: 'users', name })
      : ask({ resource: 'serviceaccounts', namespace: account[1]!, name: account[2]! })) ??
    first(groups, (group) => ask({ resource: 'groups', name: group })) ??
    (uid === '' ? undefined : ask({ group: 'authentication.k8s.io', resource: 'uids', name: uid })) ??
    first(Object.entries(extra), ([subresource, values]) =>
      first(values, (value) =>
        ask({ group: 'authentication.k8s.io', resource: 'userextras', subresource, name: value }),
      ),
    );
  if (refused !== undefined) return refused;

  if (account !== null && groups.length === 0)
    groups.push('system:serviceaccounts', `system:serviceaccounts:${account[1]}`);
  const membership = name === wellKnown.anonymous ? wellKnown.unauthenticated : wellKnown.authenticated;
  if (!groups.includes(wellKnown.authenticated) && !groups.includes(wellKnown.unauthenticated))
    groups.push(membership);
  return { name, uid, groups, extra };
}

const blank: Omit<RequestAttributes, 'user'> = {
  verb: 'impersonate',
  group: '',
  version: 'v1',
  resource: '',
  subresource: '',
  namespace: '',
  name: '',
  path: '',
};

function first<T>(list: readonly T[], test: (item: T) => StatusError | undefined): StatusError | undefined {
  for (const item of list) {
    const found = test(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Keys are percent-encoded, because header names allow few characters. */
function decode(key: string): string {
  try {
    return decodeURIComponent(key);
  } catch {
    return key;
  }
}
