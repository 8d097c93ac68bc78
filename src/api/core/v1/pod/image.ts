// Image names as container runtimes read them: domain/path:tag@digest. Only what defaulting needs: which tag is meant.

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const domainPart = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const domain = `(?:${domainPart}(?:\\.${domainPart})*|\\[(?:[a-fA-F0-9:]+)\\])(?::[0-9]+)?`;
const reference = new RegExp(
  `^(?<name>${domain}/${component}(?:/${component})*)(?::(?<tag>\\w[\\w.-]{0,127}))?(?:@(?<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
);
const bareId = /^[a-f0-9]{64}$/;
const digestLength: Record<string, number> = { sha256: 64, sha384: 96, sha512: 128 };

/** The tag that an image name means: `latest` when it names neither tag nor digest, '' for a digest alone. undefined = no image name. */
export function imageTag(image: string): string | undefined {
  if (bareId.test(image)) return undefined;
  const match = reference.exec(withDomain(image));
  if (match === null) return undefined;
  const { name, tag = '', digest = '' } = match.groups as { name: string; tag?: string; digest?: string };
  if (name.length > 255 || (digest !== '' && !isDigest(digest))) return undefined;
  return tag === '' && digest === '' ? 'latest' : tag;
}

/** A first part with a dot or a port, or `localhost`, is a registry; everything else lives on docker.io. */
function withDomain(image: string): string {
  const slash = image.indexOf('/');
  const first = image.slice(0, Math.max(slash, 0));
  if (slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase()))
    return image;
  return slash < 0 ? `docker.io/library/${image}` : `docker.io/${image}`;
}

function isDigest(digest: string): boolean {
  const colon = digest.indexOf(':');
  const hex = digest.slice(colon + 1);
  return digestLength[digest.slice(0, colon)] === hex.length && hex === hex.toLowerCase();
}

/** `Always` for the tag latest, written or implied; otherwise `IfNotPresent`. */
export function defaultPullPolicy(image: string | undefined): 'Always' | 'IfNotPresent' {
  return imageTag(image ?? '') === 'latest' ? 'Always' : 'IfNotPresent';
}
