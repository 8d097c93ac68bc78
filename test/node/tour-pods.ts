// Pods as the tour looks at them: which are there, where they run, and what may not change while nothing happens to them.
import type { TourCluster } from './tour-machine.ts';

export interface Pod {
  readonly metadata: {
    readonly name: string;
    readonly deletionTimestamp?: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly nodeName?: string; readonly containers: readonly { readonly image: string }[] };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly containerStatuses?: readonly {
      readonly containerID: string;
      readonly restartCount: number;
      readonly ready: boolean;
    }[];
  };
}

/** Those that are not on their way out. */
export async function podsOf(cluster: TourCluster, selector: string): Promise<Pod[]> {
  const { items } = await cluster.json<{ items: Pod[] }>('get', 'pods', '-l', selector);
  return items.filter((pod) => pod.metadata.deletionTimestamp === undefined);
}

export const isReady = (pod: Pod): boolean =>
  pod.status.phase === 'Running' && (pod.status.containerStatuses ?? []).every((status) => status.ready);

export function countByNode(list: readonly Pod[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { spec } of list) counts[spec.nodeName ?? ''] = (counts[spec.nodeName ?? ''] ?? 0) + 1;
  return counts;
}

/** What may not change while nothing happens to a pod. */
export const lives = (list: readonly Pod[]): string[] =>
  list
    .map(({ metadata, spec, status }) => {
      const [container] = status.containerStatuses ?? [];
      return `${metadata.name} ${spec.nodeName} ${status.podIP} ${container?.containerID} ${container?.restartCount}`;
    })
    .sort();
