// The order in which discovery names groups and their versions: clients prefer what comes first. Pure.
import { compareVersions } from '../custom-resources/custom-kind.ts';
import type { GroupVersion } from './remote-apis.ts';

export type PriorityOf = (at: GroupVersion) => readonly [group: number, version: number];

/**
 * Groups by the highest minimum that an APIService of theirs asks for, then by name; versions by their priority, then as Kubernetes
 * ranks version names. The aggregator's own group is always the first.
 */
export function orderGroups(
  groups: ReadonlyMap<string, readonly string[]>,
  priorityOf: PriorityOf,
): Map<string, string[]> {
  const ranked = [...groups].map(([group, versions]) => {
    const ofVersions = versions.map((version) => ({ version, priority: priorityOf({ group, version }) }));
    const rank =
      group === 'apiregistration.k8s.io'
        ? Number.POSITIVE_INFINITY
        : Math.max(...ofVersions.map(({ priority }) => priority[0]));
    ofVersions.sort((a, b) => b.priority[1] - a.priority[1] || compareVersions(a.version, b.version));
    return { group, rank, versions: ofVersions.map(({ version }) => version) };
  });
  ranked.sort((a, b) => (a.rank === b.rank ? (a.group < b.group ? -1 : 1) : b.rank - a.rank));
  return new Map(ranked.map(({ group, versions }) => [group, versions]));
}
