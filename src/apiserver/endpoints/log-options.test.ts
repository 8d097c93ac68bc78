import { expect, test } from 'vitest';
import { StatusError } from '../../machinery/index.ts';
import { logQuery } from './log-options.ts';

const asked = (query: string): string => logQuery(new URLSearchParams(query), 'p').toString();

test.each([
  ['', ''],
  ['container=c&pretty=true', ''],
  ['follow=true&previous=false&timestamps=1', 'follow=true&timestamps=true'],
  ['follow', 'follow=true'],
  ['tailLines=0&limitBytes=1&sinceSeconds=1', 'sinceSeconds=1&tailLines=0&limitBytes=1'],
  ['tailLines=&sinceTime=', ''],
  ['sinceTime=2026-01-01T00:00:00Z', 'sinceTime=2026-01-01T00%3A00%3A00Z'],
  ['stream=Stdout', 'stream=Stdout'],
  ['stream=All&tailLines=3', 'tailLines=3&stream=All'],
])('%s is asked of the node as %s', (query, expected) => {
  expect(asked(query)).toBe(expected);
});

const invalid = (what: string) => [422, `PodLogOptions "p" is invalid: ${what}`] as const;
test.each([
  ['tailLines=-1', ...invalid('tailLines: Invalid value: -1: must be greater than or equal to 0')],
  ['limitBytes=0', ...invalid('limitBytes: Invalid value: 0: must be greater than 0')],
  ['sinceSeconds=0', ...invalid('sinceSeconds: Invalid value: 0: must be greater than 0')],
  [
    'sinceSeconds=1&sinceTime=2026-01-01T00:00:00Z',
    ...invalid('[]: Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified'),
  ],
  [
    'stream=stdout',
    ...invalid('stream: Unsupported value: "stdout": supported values: "All", "Stderr", "Stdout"'),
  ],
  [
    'stream=Stderr&tailLines=1',
    ...invalid('[]: Forbidden: `tailLines` and specific `stream` are mutually exclusive for now'),
  ],
  ['tailLines=x', 400, expect.stringContaining('strconv.ParseInt: parsing "x": invalid syntax')],
  ['sinceTime=now', 400, expect.stringContaining('parsing time "now"')],
])('%s is refused', (query, code, message) => {
  let refusal: unknown;
  try {
    asked(query);
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(StatusError);
  const { code: told, message: text } = refusal as StatusError;
  expect([told, text]).toEqual([code, message]);
});
