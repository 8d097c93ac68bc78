// How another API server is told who asks: headers that it believes because of the certificate they come with.
import type { UserInfo } from '../auth/attributes.ts';

/** What this server shows to other API servers. PEM. */
export interface FrontProxy {
  readonly cert: string;
  readonly key: string;
  /** The authority behind it. */
  readonly ca: string;
}

/** As whom the server itself asks others what they serve: they let it, whatever their rules are. */
export const aggregatorUser: UserInfo = {
  name: 'system:kube-aggregator',
  uid: '',
  groups: ['system:masters'],
};

/** Under these names nothing that a client sent may pass. */
export const isIdentityHeader = (name: string): boolean => name.toLowerCase().startsWith('x-remote-');

export function identityHeaders(user: UserInfo): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = { 'x-remote-user': headerValue(user.name) };
  if (user.uid !== '') headers['x-remote-uid'] = headerValue(user.uid);
  if (user.groups.length > 0) headers['x-remote-group'] = user.groups.map(headerValue);
  for (const [key, values] of Object.entries(user.extra ?? {}))
    if (values.length > 0) headers[`x-remote-extra-${escapeHeaderName(key)}`] = values.map(headerValue);
  return headers;
}

/** Header values are bytes. */
const headerValue = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

const plain = /[!#$&'*+.^_`|~0-9A-Za-z-]/;

/** What may not stand in the name of a header, and `%` itself, as `%` and two hexadecimal digits a byte. */
export function escapeHeaderName(key: string): string {
  let out = '';
  for (const byte of Buffer.from(key, 'utf8')) {
    const character = String.fromCharCode(byte);
    out += plain.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}
