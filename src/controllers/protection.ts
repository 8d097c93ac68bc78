// Finalizers that keep what is in use: what shall become of one, and the patch that does it. Pure.
import type { KubeObject } from '../machinery/index.ts';

/**
 * A deleted object loses the finalizer once it is unused, and one that is not deleted has it. `release` may still have to be
 * confirmed by the server: caches are late.
 */
export function planProtection(
  { metadata }: KubeObject,
  finalizer: string,
  isUsed: () => boolean,
): 'release' | 'protect' | 'nothing' {
  const has = metadata.finalizers?.includes(finalizer) === true;
  if (metadata.deletionTimestamp === undefined) return has ? 'nothing' : 'protect';
  return has && !isUsed() ? 'release' : 'nothing';
}

/** A merge patch; refused when the object has changed since. */
export const finalizersPatch = ({ metadata }: KubeObject, finalizers: readonly string[]) => ({
  metadata: { uid: metadata.uid, resourceVersion: metadata.resourceVersion, finalizers },
});

export const withFinalizer = ({ metadata }: KubeObject, finalizer: string): readonly string[] => [
  ...(metadata.finalizers ?? []),
  finalizer,
];

export const withoutFinalizer = ({ metadata }: KubeObject, finalizer: string): readonly string[] =>
  (metadata.finalizers ?? []).filter((one) => one !== finalizer);
