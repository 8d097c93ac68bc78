// What of a new version of a pod concerns its worker. A node writes the status of its pods itself: that coming back is no news. Pure.
import type { Pod } from '../../api/index.ts';
import { semanticEqual } from '../../machinery/index.ts';

export interface PodNews {
  /** Files in its volumes may say something else now. */
  readonly files: boolean;
  /** It is to be looked at. */
  readonly any: boolean;
}

export function newsOf(old: Pod, pod: Pod): PodNews {
  const { metadata: before } = old;
  const { metadata } = pod;
  // Resources that changed are in files too.
  const files =
    !semanticEqual(before.labels, metadata.labels) ||
    !semanticEqual(before.annotations, metadata.annotations) ||
    before.generation !== metadata.generation;
  const any =
    files ||
    before.deletionTimestamp !== metadata.deletionTimestamp ||
    before.deletionGracePeriodSeconds !== metadata.deletionGracePeriodSeconds ||
    old.status?.phase !== pod.status?.phase ||
    // Somebody else writes the conditions that they name.
    (pod.spec.readinessGates ?? []).length > 0;
  return { files, any };
}
