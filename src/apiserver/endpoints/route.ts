// The URL grammar of the API: what a path asks for. Pure. HOT: bench/api.ts.

export interface ResourceRoute {
  readonly group: string;
  readonly version: string;
  /** undefined = cluster-scoped path, or all namespaces */
  readonly namespace: string | undefined;
  readonly resource: string;
  readonly name: string;
  readonly subresource: string;
  /** What follows the subresource: the path handed on by proxy. Without a leading slash. */
  readonly rest: string;
  /** The old `/watch/` form of a path. */
  readonly legacyWatch: boolean;
}

/**
 * `/api/v1/namespaces/x/pods/y/log` and `/apis/apps/v1/…`. undefined = not a path of a resource (discovery, health, nonsense).
 * `/api/v1/namespaces/x` is the namespace itself, as are its subresources status and finalize.
 */
export function parseRoute(path: string): ResourceRoute | undefined {
  const parts = path.split('/');
  let at: number;
  let group: string;
  let version: string;
  if (parts[1] === 'api') {
    group = '';
    version = parts[2] ?? '';
    at = 3;
  } else if (parts[1] === 'apis') {
    group = parts[2] ?? '';
    version = parts[3] ?? '';
    at = 4;
  } else return undefined;
  let legacyWatch = false;
  if (parts[at] === 'watch') {
    legacyWatch = true;
    at++;
  }
  if (parts.length <= at || parts[at] === '') return undefined;
  let namespace: string | undefined;
  if (
    parts[at] === 'namespaces' &&
    parts.length > at + 2 &&
    !(group === '' && namespaceSubresources.has(parts[at + 2]!) && parts.length === at + 3)
  ) {
    if (parts[at + 2] === '') return undefined;
    namespace = decode(parts[at + 1]!);
    at += 2;
  }
  return {
    group,
    version,
    namespace,
    resource: parts[at]!,
    name: decode(parts[at + 1] ?? ''),
    subresource: parts[at + 2] ?? '',
    rest: parts.slice(at + 3).join('/'),
    legacyWatch,
  };
}

const namespaceSubresources = new Set(['status', 'finalize']);

function decode(part: string): string {
  if (!part.includes('%')) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
