// The order of keys: by the bytes of their UTF-8, as the backends and etcd sort them. JavaScript compares UTF-16 units, which
// differs where a surrogate pair meets a unit above it, so the first differing unit decides here.

/** Moves surrogates (D800–DFFF) above E000–FFFF, which is where UTF-8 puts the characters they encode. */
function weight(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

/** Negative, zero or positive, as the UTF-8 of `a` sorts before, with or after that of `b`. */
export function compareKeys(a: string, b: string): number {
  if (a === b) return 0;
  const common = Math.min(a.length, b.length);
  for (let i = 0; i < common; i++) {
    const left = a.charCodeAt(i);
    const right = b.charCodeAt(i);
    if (left !== right) return weight(left) - weight(right);
  }
  return a.length - b.length;
}

/**
 * The part of a key that names its kind: the first two segments with their slashes, `/core/pods/` of `/core/pods/default/web`.
 * A key with fewer segments belongs to its own folder.
 */
export function kindPrefixOf(key: string): string {
  const second = key.indexOf('/', 1);
  const third = second < 0 ? -1 : key.indexOf('/', second + 1);
  return key.slice(0, (third >= 0 ? third : key.lastIndexOf('/')) + 1);
}

/** The part of a key that names kind and namespace, `/core/pods/default/`; undefined for a key without a further segment. */
export function namespacePrefixOf(key: string, kindPrefix: string): string | undefined {
  const slash = key.indexOf('/', kindPrefix.length);
  return slash < 0 ? undefined : key.slice(0, slash + 1);
}
