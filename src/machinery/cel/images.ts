// Kubernetes' library of image references, read as go-containerregistry reads them: what names no registry is of Docker Hub, and there
// what names no owner is of `library`.
import type { Environment } from '@marcbachmann/cel-js';

class CelImage {
  readonly registry: string;
  readonly repository: string;
  /** '' = it has a digest. */
  readonly tag: string;
  readonly digest: string;

  constructor(parts: Pick<CelImage, 'registry' | 'repository' | 'tag' | 'digest'>) {
    this.registry = parts.registry;
    this.repository = parts.repository;
    this.tag = parts.tag;
    this.digest = parts.digest;
  }
}

const hub = 'index.docker.io';
const repositoryForm = /^[a-z0-9_.-]+(?:\/[a-z0-9_.-]+)*$/;
const registryForm = /^(?:[a-zA-Z0-9.-]+|\[[0-9a-fA-F:]+\])(?::\d+)?$/;
const tagForm = /^[\w.-]{1,127}$/;
const digestForm = /^sha256:[0-9a-f]{64}$/;

function parseRepository(text: string): Pick<CelImage, 'registry' | 'repository'> | undefined {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  const named = /[.:]/.test(first) || first === 'localhost';
  const path = named ? text.slice(slash + 1) : text;
  const registry = named && first !== 'docker.io' ? first : hub;
  if (!registryForm.test(registry) || !repositoryForm.test(path) || path.length < 2 || path.length > 255)
    return undefined;
  return { registry, repository: registry === hub && !path.includes('/') ? `library/${path}` : path };
}

function splitTag(text: string): { readonly base: string; readonly tag: string } {
  const colon = text.lastIndexOf(':');
  return colon < 0 || text.includes('/', colon)
    ? { base: text, tag: 'latest' }
    : { base: text.slice(0, colon), tag: text.slice(colon + 1) };
}

function parseImage(text: string): CelImage | undefined {
  const at = text.indexOf('@');
  const digest = at < 0 ? '' : text.slice(at + 1);
  const { base, tag } = splitTag(at < 0 ? text : text.slice(0, at));
  const repository = parseRepository(base);
  if (repository === undefined || !tagForm.test(tag) || (at >= 0 && !digestForm.test(digest)))
    return undefined;
  return new CelImage({ ...repository, tag: at < 0 ? tag : '', digest });
}

function toImage(text: string): CelImage {
  const image = parseImage(text);
  if (image === undefined) throw new Error(`could not parse reference: ${text}`);
  return image;
}

// biome-ignore lint/suspicious/noExplicitAny: the signature beside it says what each takes
type Handler = (...args: any[]) => unknown;

const functions: Readonly<Record<string, Handler>> = {
  'isImage(string): bool': (text: string) => parseImage(text) !== undefined,
  'image(string): Image': toImage,
  'Image.containsDigest(): bool': ({ digest }: CelImage) => digest !== '',
  'Image.registry(): string': ({ registry }: CelImage) => registry,
  'Image.repository(): string': ({ repository }: CelImage) => repository,
  'Image.tag(): string': ({ tag }: CelImage) => tag,
  'Image.digest(): string': ({ digest }: CelImage) => digest,
  'Image.identifier(): string': ({ tag, digest }: CelImage) => digest || tag,
};

export function addImages(environment: Environment): Environment {
  environment.registerType('Image', CelImage);
  for (const [signature, handler] of Object.entries(functions))
    environment.registerFunction(signature, handler, { async: false } as never);
  return environment;
}
