// kubeconfig files: reading the connection of a context, and merging a cluster of ours into a file that others use too. Other
// entries are kept as they are; the file is replaced whole or not at all. Loads the YAML library only when called.
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Clock, sleep } from '../base/index.ts';

/** How to reach and convince an API server: what http's client needs. */
export interface Connection {
  readonly server: string;
  /** PEM */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  readonly token: string | undefined;
  readonly serverName: string | undefined;
  readonly insecureSkipTlsVerify: boolean;
  /** The context's namespace; `default` when it names none. */
  readonly namespace: string;
}

/** The file is missing, is no kubeconfig, or asks for what is not supported. The message names the file and the entry. */
export class KubeconfigError extends Error {
  constructor(message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'KubeconfigError';
  }
}

interface Named {
  name: string;
  [field: string]: unknown;
}

interface Kubeconfig {
  clusters: Named[];
  users: Named[];
  contexts: Named[];
  [field: string]: unknown;
}

type Section = 'clusters' | 'users' | 'contexts';
const sections: readonly Section[] = ['clusters', 'users', 'contexts'];

/** Ways to log in that would need a browser, a helper program or a secret we cannot use. */
const unsupportedUser = ['exec', 'auth-provider', 'username', 'password'];
const impersonation = ['as', 'as-uid', 'as-groups', 'as-user-extra'];

/** Throws KubeconfigError. `context` defaults to the current one. */
export async function readKubeconfig(path: string, context?: string): Promise<Connection> {
  if (!existsSync(path)) throw new KubeconfigError(`${path}: no such file`);
  const config = await parseFile(path);
  const wanted = context ?? config['current-context'];
  if (typeof wanted !== 'string' || wanted === '')
    throw new KubeconfigError(`${path}: no current-context is set`);
  const find = (section: Section, name: unknown): Record<string, unknown> => {
    const found = config[section].find((entry) => entry.name === name);
    const one = section.slice(0, -1);
    if (found === undefined) throw new KubeconfigError(`${path}: there is no ${one} ${JSON.stringify(name)}`);
    return (found[one] ?? {}) as Record<string, unknown>;
  };
  const chosen = find('contexts', wanted);
  const cluster = find('clusters', chosen['cluster']);
  const user = chosen['user'] === undefined || chosen['user'] === '' ? {} : find('users', chosen['user']);

  for (const field of [...unsupportedUser, ...impersonation])
    if (user[field] !== undefined)
      throw new KubeconfigError(`${path}: user ${JSON.stringify(chosen['user'])}: ${field} is not supported`);
  if (cluster['proxy-url'] !== undefined)
    throw new KubeconfigError(
      `${path}: cluster ${JSON.stringify(chosen['cluster'])}: proxy-url is not supported`,
    );

  const text = (from: Record<string, unknown>, field: string): string | undefined => {
    const value = from[field];
    return typeof value === 'string' && value !== '' ? value : undefined;
  };
  const readBeside = (file: string): string => {
    const at = resolve(dirname(path), file);
    try {
      return readFileSync(at, 'utf8');
    } catch (cause) {
      throw new KubeconfigError(`${path}: cannot read ${at}`, { cause });
    }
  };
  /** Inline data wins over a file, as in client-go. */
  const pem = (from: Record<string, unknown>, field: string): string | undefined => {
    const data = text(from, `${field}-data`);
    if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
    const file = text(from, field);
    return file === undefined ? undefined : readBeside(file);
  };
  const server = text(cluster, 'server');
  if (server === undefined)
    throw new KubeconfigError(`${path}: cluster ${JSON.stringify(chosen['cluster'])} has no server`);
  const tokenFile = text(user, 'tokenFile');
  return {
    server,
    ca: pem(cluster, 'certificate-authority'),
    cert: pem(user, 'client-certificate'),
    key: pem(user, 'client-key'),
    token: tokenFile === undefined ? text(user, 'token') : readBeside(tokenFile).trim(),
    serverName: text(cluster, 'tls-server-name'),
    insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
    namespace: text(chosen, 'namespace') ?? 'default',
  };
}

export interface ContextEntry {
  /** Names cluster, user and context alike. */
  readonly name: string;
  readonly server: string;
  /** PEM */
  readonly ca: string;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly token?: string | undefined;
  readonly namespace?: string | undefined;
}

/** Adds or replaces the entries of one cluster and makes its context current. Makes the file and its folder if need be. */
export async function mergeKubeconfig(path: string, entry: ContextEntry, clock: Clock): Promise<void> {
  await edit(path, clock, (config) => {
    putContext(config, entry);
    return true;
  });
}

/** The text of a file that holds this one cluster. */
export async function printKubeconfig(entry: ContextEntry): Promise<string> {
  const { stringify } = await import('yaml');
  const config = emptyConfig();
  putContext(config, entry);
  return stringify(config, { lineWidth: 0 });
}

const emptyConfig = (): Kubeconfig => ({
  apiVersion: 'v1',
  kind: 'Config',
  preferences: {},
  clusters: [],
  users: [],
  contexts: [],
});

function putContext(config: Kubeconfig, entry: ContextEntry): void {
  const base64 = (pem: string) => Buffer.from(pem).toString('base64');
  const { name } = entry;
  put(config.clusters, {
    name,
    cluster: { 'certificate-authority-data': base64(entry.ca), server: entry.server },
  });
  put(config.users, {
    name,
    user: {
      ...(entry.cert !== undefined && { 'client-certificate-data': base64(entry.cert) }),
      ...(entry.key !== undefined && { 'client-key-data': base64(entry.key) }),
      ...(entry.token !== undefined && { token: entry.token }),
    },
  });
  put(config.contexts, {
    name,
    context: {
      cluster: name,
      user: name,
      ...(entry.namespace !== undefined && { namespace: entry.namespace }),
    },
  });
  config['current-context'] = name;
}

/** Takes out the entries of one cluster. Nothing happens when there are none. */
export async function removeFromKubeconfig(path: string, name: string, clock: Clock): Promise<void> {
  if (!existsSync(path)) return;
  await edit(path, clock, (config) => {
    let changed = false;
    for (const section of sections) {
      const rest = config[section].filter((entry) => entry.name !== name);
      changed ||= rest.length < config[section].length;
      config[section] = rest;
    }
    if (config['current-context'] === name) {
      config['current-context'] = '';
      changed = true;
    }
    return changed;
  });
}

function put(entries: Named[], entry: Named): void {
  const at = entries.findIndex((other) => other.name === entry.name);
  if (at < 0) entries.push(entry);
  else entries[at] = entry;
}

async function parseFile(path: string): Promise<Kubeconfig> {
  const { parse } = await import('yaml');
  let value: unknown;
  try {
    value = parse(readFileSync(path, 'utf8'));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KubeconfigError(`${path}: cannot be read: ${why}`, { cause });
  }
  if (value === null || value === undefined) value = {};
  if (typeof value !== 'object' || Array.isArray(value))
    throw new KubeconfigError(`${path}: not a kubeconfig`);
  const config = value as Record<string, unknown>;
  for (const section of sections) {
    const entries = config[section] ?? [];
    if (!Array.isArray(entries)) throw new KubeconfigError(`${path}: ${section} is not a list`);
    config[section] = entries;
  }
  return config as Kubeconfig;
}

const lockWaitMs = 5_000;
const lockRetryMs = 50;
/** Nobody holds it for longer than it takes to write a small file: who made it was killed. */
const lockAbandonedMs = 3_000;

/** `change` returns whether there is something to write. */
async function edit(path: string, clock: Clock, change: (config: Kubeconfig) => boolean): Promise<void> {
  const { stringify } = await import('yaml');
  mkdirSync(dirname(path), { recursive: true });
  // A link stays a link; its target is replaced.
  const target = existsSync(path) ? realpathSync(path) : path;
  const release = await lock(target, clock);
  try {
    const config = existsSync(target) ? await parseFile(target) : emptyConfig();
    config['apiVersion'] ??= 'v1';
    config['kind'] ??= 'Config';
    if (change(config)) replaceFile(target, stringify(config, { lineWidth: 0 }));
  } finally {
    release();
  }
}

/** The lock that kubectl and kind take too: a file beside, made only if it is not there. */
async function lock(path: string, clock: Clock): Promise<() => void> {
  const lockPath = `${path}.lock`;
  const deadlineMs = clock.monotonicMs() + lockWaitMs;
  for (;;) {
    try {
      closeSync(openSync(lockPath, 'wx', 0o600));
      return () => rmSync(lockPath, { force: true });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST')
        throw new KubeconfigError(`${path}: cannot be written`, { cause });
      if (isAbandoned(lockPath, clock)) {
        rmSync(lockPath, { force: true });
        continue;
      }
      if (clock.monotonicMs() >= deadlineMs)
        throw new KubeconfigError(`${path}: another program holds ${lockPath}; remove it if none runs`, {
          cause,
        });
      await sleep(clock, lockRetryMs);
    }
  }
}

function isAbandoned(lockPath: string, clock: Clock): boolean {
  const made = statSync(lockPath, { throwIfNoEntry: false });
  return made !== undefined && clock.nowMs() - made.mtimeMs >= lockAbandonedMs;
}

function replaceFile(path: string, text: string): void {
  const next = `${path}.new`;
  const file = openSync(next, 'w', 0o600);
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  // The mode of an older, left-over file would have been kept.
  chmodSync(next, 0o600);
  renameSync(next, path);
}
