// Credentials for an image from a pod's imagePullSecrets, most specific registry first. Pure.
import type { Secret } from '../api/index.ts';
import type { RegistryAuth } from '../os/index.ts';

interface DockerEntry {
  readonly username?: string;
  readonly password?: string;
  readonly auth?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

function entriesOf(secret: Secret): [string, DockerEntry][] {
  const read = (key: string): unknown => {
    const text = secret.data?.[key];
    if (text === undefined) return undefined;
    try {
      return JSON.parse(Buffer.from(text, 'base64').toString('utf8'));
    } catch {
      return undefined;
    }
  };
  if (secret.type === 'kubernetes.io/dockerconfigjson')
    return Object.entries(
      (read('.dockerconfigjson') as { auths?: Record<string, DockerEntry> })?.auths ?? {},
    );
  if (secret.type === 'kubernetes.io/dockercfg')
    return Object.entries((read('.dockercfg') as Record<string, DockerEntry>) ?? {});
  return [];
}

const withoutScheme = (registry: string): string =>
  registry
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/$/, '');

/** Docker Hub is known by several names. */
const canonical = (registry: string): string =>
  registry === 'index.docker.io' || registry === 'registry-1.docker.io' ? 'docker.io' : registry;

function matches(image: string, registry: string): boolean {
  const [host = '', ...path] = canonical(withoutScheme(registry)).split('/');
  const [imageHost = '', ...imagePath] = image.split('/');
  const pattern = host.split('.');
  const parts = imageHost.split('.');
  if (pattern.length !== parts.length) return false;
  const sameHost = pattern.every((p, i) =>
    new RegExp(`^${p.split('*').map(escapePattern).join('.*')}$`).test(parts[i]!),
  );
  return sameHost && imagePath.join('/').startsWith(path.join('/'));
}

const escapePattern = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');

/** For an image in its full form (`docker.io/library/…`). */
export function credentialsFor(image: string, secrets: readonly Secret[]): RegistryAuth[] {
  return secrets
    .flatMap(entriesOf)
    .filter(([registry]) => matches(image, registry))
    .sort(([a], [b]) => b.length - a.length)
    .map(([registry, entry]) => {
      const [username, password] = decodeAuth(entry);
      return {
        username,
        password,
        serverAddress: registry,
        identityToken: entry.identitytoken,
        registryToken: entry.registrytoken,
      };
    });
}

function decodeAuth(entry: DockerEntry): [string | undefined, string | undefined] {
  if (entry.username !== undefined || entry.auth === undefined) return [entry.username, entry.password];
  const text = Buffer.from(entry.auth, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
}
