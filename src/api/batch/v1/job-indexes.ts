// Sets of completion indexes as jobs write them: `1,3-5,7`, in increasing order. Messages are those of kube-apiserver.
import type { Parsed } from '../../../machinery/index.ts';

/** First and last index, both included. */
export type IndexInterval = readonly [first: number, last: number];

const wrong = (error: string): { readonly ok: false; readonly error: string } => ({ ok: false, error });

function parseIndex(text: string, completions: number): Parsed<number> {
  if (!/^[+-]?\d+$/.test(text))
    return wrong(`cannot convert string to integer for index: ${JSON.stringify(text)}`);
  const index = Number(text);
  return index >= completions
    ? wrong(`too large index: ${JSON.stringify(text)}`)
    : { ok: true, value: index };
}

function parseInterval(text: string, completions: number): Parsed<IndexInterval> {
  const limits = text.split('-');
  if (limits.length > 2)
    return wrong(
      `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`,
    );
  const first = parseIndex(limits[0]!, completions);
  if (!first.ok) return first;
  if (limits.length === 1) return { ok: true, value: [first.value, first.value] };
  const last = parseIndex(limits[1]!, completions);
  if (!last.ok) return last;
  return first.value >= last.value
    ? wrong(`non-increasing order, previous: ${first.value}, current: ${last.value}`)
    : { ok: true, value: [first.value, last.value] };
}

/** The intervals of a list whose indexes are all below `completions`. The empty text is the empty list. */
export function parseIndexes(text: string, completions: number): Parsed<readonly IndexInterval[]> {
  const out: IndexInterval[] = [];
  if (text === '') return { ok: true, value: out };
  for (const part of text.split(',')) {
    const interval = parseInterval(part, completions);
    if (!interval.ok) return interval;
    const previous = out.at(-1)?.[1];
    if (previous !== undefined && previous >= interval.value[0])
      return wrong(`non-increasing order, previous: ${previous}, current: ${interval.value[0]}`);
    out.push(interval.value);
  }
  return { ok: true, value: out };
}

export function countIndexes(text: string, completions: number): Parsed<number> {
  const intervals = parseIndexes(text, completions);
  if (!intervals.ok) return intervals;
  return { ok: true, value: intervals.value.reduce((sum, [first, last]) => sum + last - first + 1, 0) };
}

/** The first index of the first overlap of two lists, if they have one; parts that do not parse are passed over. */
export function firstOverlap(a: string, b: string, completions: number): number | undefined {
  const intervals = (text: string): IndexInterval[] =>
    text.split(',').flatMap((part) => {
      const interval = parseInterval(part, completions);
      return interval.ok ? [interval.value] : [];
    });
  const [left, right] = [intervals(a), intervals(b)];
  for (let i = 0, j = 0; i < left.length && j < right.length; ) {
    const [x, y] = [left[i]!, right[j]!];
    if (x[0] <= y[1] && y[0] <= x[1]) return Math.max(x[0], y[0]);
    if (x[0] <= y[0]) i++;
    else j++;
  }
  return undefined;
}
