// URLs as Go's net/url reads them, with its words for what it cannot read: stricter than browsers on escapes, laxer on hosts.

export interface GoUrl {
  /** In lower case. */
  readonly scheme: string;
  /** As written; undefined = there is none. */
  readonly user: string | undefined;
  readonly host: string;
  /** Without `?`, as written. */
  readonly query: string;
  readonly fragment: string;
}

/** Why a text is no URL, as Go says it. */
export class GoUrlError extends Error {}

const fail = (message: string): never => {
  throw new GoUrlError(message);
};

/** Throws GoUrlError. */
export function parseGoUrl(text: string): GoUrl {
  const [beforeHash, fragment] = cut(text, '#');
  if (/[\x00-\x1f\x7f]/.test(beforeHash)) fail('net/url: invalid control character in URL');
  if (beforeHash.startsWith(':')) fail('missing protocol scheme');
  const named = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/s.exec(beforeHash);
  const scheme = named?.[1]?.toLowerCase() ?? '';
  const [rest, query] = cut(named?.[2] ?? beforeHash, '?');
  const none = { scheme, user: undefined, host: '', query, fragment: checkEscapes(fragment, 'path') };
  if (!rest.startsWith('/')) {
    // After a scheme it may be anything, e.g. `mailto:someone`.
    if (scheme !== '') return none;
    if (rest.split('/', 1)[0]!.includes(':')) fail('first path segment in URL cannot contain colon');
  }
  if (!rest.startsWith('//') || (scheme === '' && rest.startsWith('///'))) {
    checkEscapes(rest, 'path');
    return none;
  }
  const end = rest.indexOf('/', 2);
  const authority = rest.slice(2, end < 0 ? undefined : end);
  const at = authority.lastIndexOf('@');
  const user = at < 0 ? undefined : authority.slice(0, at);
  if (user !== undefined) {
    if (/[^a-zA-Z0-9\-._:~!$&'()*+,;=%@]/.test(user)) fail('net/url: invalid userinfo');
    checkEscapes(user, 'path');
  }
  const host = parseHost(authority.slice(at + 1));
  checkEscapes(end < 0 ? '' : rest.slice(end), 'path');
  return { ...none, user, host };
}

function cut(text: string, mark: string): [before: string, after: string] {
  const i = text.indexOf(mark);
  return i < 0 ? [text, ''] : [text.slice(0, i), text.slice(i + 1)];
}

function parseHost(host: string): string {
  let port = '';
  if (host.startsWith('[')) {
    const end = host.lastIndexOf(']');
    if (end < 0) fail("missing ']' in host");
    port = host.slice(end + 1);
  } else if (host.includes(':')) port = host.slice(host.lastIndexOf(':'));
  if (!/^(?::\d*)?$/.test(port)) fail(`invalid port ${JSON.stringify(port)} after host`);
  return checkEscapes(host, 'host');
}

/** In a host only bytes outside ASCII, and the mark of an IPv6 zone, may be escaped. */
function checkEscapes(text: string, part: 'host' | 'path'): string {
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (char === '%') {
      const escaped = text.slice(i, i + 3);
      const isGood =
        /^%[0-9a-fA-F]{2}$/.test(escaped) &&
        (part === 'path' || escaped === '%25' || Number.parseInt(escaped[1]!, 16) >= 8);
      if (!isGood) fail(`invalid URL escape ${JSON.stringify(escaped)}`);
      i += 2;
    } else if (part === 'host' && char < '\x80' && !/[a-zA-Z0-9!$&'()*+,;=:[\]<>"\-_.~]/.test(char))
      fail(`invalid character ${JSON.stringify(char)} in host name`);
  }
  return text;
}
