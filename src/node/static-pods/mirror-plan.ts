// Which mirror pods there should be: one in the API for each static pod, so that people see it; made, replaced and removed by its node
// alone. Pure.
import type { Pod } from '../../api/index.ts';
import { annotation } from '../container/names.ts';

export interface MirrorInput {
  /** The static pods that should run. */
  readonly wanted: readonly Pod[];
  /** `NAMESPACE/NAME` of static pods that are still being ended: their mirrors stay until then. */
  readonly ending: ReadonlySet<string>;
  /** `NAMESPACE/NAME` of mirrors that somebody has deleted a moment ago: nobody takes their names yet. */
  readonly vacant: ReadonlySet<string>;
  readonly mirrors: readonly Pod[];
}

export interface MirrorPlan {
  /** Static pods that lack one. */
  readonly create: readonly Pod[];
  /** Mirrors of nothing, of something else, or that somebody has deleted. */
  readonly remove: readonly Pod[];
}

export const fullName = ({ metadata }: Pod): string => `${metadata.namespace}/${metadata.name}`;

export function planMirrors({ wanted, ending, vacant, mirrors }: MirrorInput): MirrorPlan {
  const byName = new Map(mirrors.map((pod) => [fullName(pod), pod]));
  const names = new Set(wanted.map(fullName));
  const create: Pod[] = [];
  const remove: Pod[] = [];
  for (const pod of wanted) {
    const mirror = byName.get(fullName(pod));
    if (mirror === undefined) {
      if (!vacant.has(fullName(pod))) create.push(pod);
    } else if (!isMirrorOf(mirror, pod) || mirror.metadata.deletionTimestamp !== undefined)
      remove.push(mirror);
  }
  for (const [name, mirror] of byName) if (!names.has(name) && !ending.has(name)) remove.push(mirror);
  return { create, remove };
}

export const isMirrorOf = (mirror: Pod, pod: Pod): boolean =>
  mirror.metadata.annotations?.[annotation.configMirror] ===
  pod.metadata.annotations?.[annotation.configHash];

/** What is sent to the API. `nodeUid` is of the Node that owns it. */
export function mirrorOf(pod: Pod, nodeUid: string): Pod {
  const { name, namespace, labels, annotations = {} } = pod.metadata;
  const { nodeName = '' } = pod.spec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace,
      ...(labels !== undefined && { labels }),
      annotations: { ...annotations, [annotation.configMirror]: annotations[annotation.configHash] ?? '' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeUid, controller: true }],
    },
    spec: pod.spec,
  } as unknown as Pod;
}
