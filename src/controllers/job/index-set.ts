// Sets of completion indexes as intervals, so that a job of a million indexes stays small. Written as in a job's status:
// `0,2-5,8,9`. Pure.
import type { IndexInterval } from '../../api/index.ts';

/** In increasing order, with a gap between each two. */
export type IndexSet = readonly IndexInterval[];

export const emptyIndexSet: IndexSet = [];

/** What a status or a policy says, without the indexes that `completions` leaves no room for and without what cannot be read. */
export function readIndexSet(text: string | undefined, completions: number): IndexSet {
  const found: IndexInterval[] = [];
  for (const part of (text ?? '').split(',')) {
    const limits = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (limits === null) continue;
    const first = Number(limits[1]);
    const last = Math.min(Number(limits[2] ?? first), completions - 1);
    if (first <= last) found.push([first, last]);
  }
  return union(found, emptyIndexSet);
}

export const indexSetOf = (indexes: Iterable<number>): IndexSet =>
  union(
    [...indexes].map((index): IndexInterval => [index, index]),
    emptyIndexSet,
  );

export function union(a: readonly IndexInterval[], b: readonly IndexInterval[]): IndexSet {
  const out: [number, number][] = [];
  for (const [first, last] of [...a, ...b].sort((x, y) => x[0] - y[0])) {
    const end = out.at(-1);
    if (end === undefined || first > end[1] + 1) out.push([first, last]);
    else if (end[1] < last) end[1] = last;
  }
  return out;
}

export const countOf = (set: IndexSet): number =>
  set.reduce((sum, [first, last]) => sum + last - first + 1, 0);

export function hasIndex(set: IndexSet, index: number): boolean {
  let low = 0;
  let high = set.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (set[middle]![1] >= index) high = middle;
    else low = middle + 1;
  }
  return low < set.length && set[low]![0] <= index;
}

/** How many indexes two sets have in common. */
export function countCommon(a: IndexSet, b: IndexSet): number {
  let common = 0;
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [x, y] = [a[i]!, b[j]!];
    common += Math.max(0, Math.min(x[1], y[1]) - Math.max(x[0], y[0]) + 1);
    if (x[1] <= y[1]) i++;
    if (y[1] <= x[1]) j++;
  }
  return common;
}

/** The first `count` indexes below `completions` that are not in the set. */
export function firstMissing(
  set: IndexSet,
  { count, completions }: { readonly count: number; readonly completions: number },
): readonly number[] {
  const out: number[] = [];
  let next = 0;
  for (const [first, last] of [...set, [completions, completions] as const]) {
    for (; next < Math.min(first, completions) && out.length < count; next++) out.push(next);
    next = Math.max(next, last + 1);
  }
  return out;
}

export const formatIndexSet = (set: IndexSet): string =>
  set
    .map(([first, last]) =>
      first === last ? `${first}` : last === first + 1 ? `${first},${last}` : `${first}-${last}`,
    )
    .join(',');
