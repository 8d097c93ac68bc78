import { expect, it } from 'vitest';
import { checkListOptions, checkWatchOptions } from './list-options.ts';

const faults = (check: (query: URLSearchParams) => void, query: string): string[] => {
  try {
    check(new URLSearchParams(query));
    return [];
  } catch (error) {
    return (error as { toStatus(): { details: { causes: { field: string; message: string }[] } } })
      .toStatus()
      .details.causes.map(({ field, message }) => `${field}: ${message}`);
  }
};

const needsVersion =
  'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided';
const withContinue =
  'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided';
const needsMatch =
  'resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan';

it.each([
  ['', []],
  ['resourceVersion=5&resourceVersionMatch=Exact', []],
  ['resourceVersion=0&resourceVersionMatch=NotOlderThan', []],
  ['resourceVersionMatch=Exact', [needsVersion]],
  [
    'resourceVersionMatch=Near&continue=x',
    [
      needsVersion,
      withContinue,
      'resourceVersionMatch: Unsupported value: "Near": supported values: "Exact", "NotOlderThan", ""',
    ],
  ],
  [
    'resourceVersionMatch=Exact&resourceVersion=0',
    ['resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'],
  ],
  ['sendInitialEvents=false', ['sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list']],
])('a list with %j', (query, expected) => expect(faults(checkListOptions, query)).toEqual(expected));

it.each([
  ['watch=1', []],
  ['sendInitialEvents=true&resourceVersionMatch=NotOlderThan', []],
  ['sendInitialEvents=true', [needsMatch]],
  ['sendInitialEvents=false', [needsMatch]],
  [
    'sendInitialEvents=true&resourceVersionMatch=Exact',
    [needsMatch, 'resourceVersionMatch: Unsupported value: "Exact": supported values: "NotOlderThan"'],
  ],
  [
    'resourceVersionMatch=NotOlderThan&continue=x',
    [
      'resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided',
      withContinue,
    ],
  ],
])('a watch with %j', (query, expected) => expect(faults(checkWatchOptions, query)).toEqual(expected));
