// When enough of the right indexes have succeeded although others have not. Pure.
import type { Job } from '../../api/index.ts';
import { countCommon, countOf, type IndexSet, readIndexSet } from './index-set.ts';

/** The first rule of the job's successPolicy that is met, in words. */
export function metSuccessRule({ spec }: Job, succeeded: IndexSet): string | undefined {
  if (succeeded.length === 0) return undefined;
  const met = (spec.successPolicy?.rules ?? []).findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined)
      return succeededCount !== undefined && countOf(succeeded) >= succeededCount;
    const wanted = readIndexSet(succeededIndexes, spec.completions ?? 0);
    if (wanted.length === 0) return false;
    return (
      countCommon(wanted, succeeded) >= Math.min(succeededCount ?? Number.POSITIVE_INFINITY, countOf(wanted))
    );
  });
  return met < 0 ? undefined : `Matched rules at index ${met}`;
}
