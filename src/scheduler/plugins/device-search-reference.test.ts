// Which devices claims get, against a search that tries everything in turn.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ResourceSlice, resourceV1 } from '../../api/index.ts';
import { buildSlice } from '../../testkit/index.ts';
import { attributeOf, sameValue } from './device-attributes.ts';
import type { Wanted, WantedClaim } from './device-search.ts';
import { cel, find, numa, poolsOf, sized, wanted } from './testdata/device-claims.ts';

/** Tries every device for every place, in turn. */
function reference(claims: readonly WantedClaim[], slice: ResourceSlice, taken: readonly string[]) {
  const devices = poolsOf([slice]).on({ name: 'n1' })[0]!.devices;
  type Pick = { claim: number; wanted: Wanted; device: (typeof devices)[number] };
  const places = (c: number, r: number): readonly (readonly [number, number])[] =>
    c >= claims.length
      ? []
      : r >= claims[c]!.requests.length
        ? places(c + 1, 0)
        : [[c, r], ...places(c, r + 1)];
  const holds = (picks: readonly Pick[]): boolean =>
    claims.every(({ claim }, c) =>
      (claim.spec.devices?.constraints ?? []).every(({ matchAttribute, requests = [] }) => {
        const of = picks.filter(
          ({ claim: at, wanted: w }) =>
            at === c && (requests.length === 0 || requests.includes(w.request) || requests.includes(w.name)),
        );
        const values = of.map(({ device }) => attributeOf(device, matchAttribute!));
        return values.every((v) => v !== undefined && sameValue(values[0]!, v));
      }),
    );
  const solve = (
    left: readonly (readonly [number, number])[],
    picks: readonly Pick[],
  ): readonly Pick[] | undefined => {
    if (!holds(picks)) return undefined;
    const [place, ...rest] = left;
    if (place === undefined) return picks;
    const [c, r] = place;
    for (const w of claims[c]!.requests[r]!) {
      const matching = devices.filter(({ answers }) =>
        [...(w.deviceClass.spec.selectors ?? []), ...(w.given.selectors ?? [])].every((s) =>
          answers.isSelectedBy(s.cel!.expression),
        ),
      );
      const free = (device: Pick['device'], so: readonly Pick[]) =>
        w.adminAccess
          ? !so.some((p) => p.claim === c && p.device === device)
          : !taken.includes(device.device.name) && !so.some((p) => p.device === device);
      const many = (n: number, so: readonly Pick[]): readonly Pick[] | undefined => {
        if (!holds(so)) return undefined;
        if (n === 0) return solve(rest, so);
        for (const device of matching) {
          if (!free(device, so)) continue;
          const found = many(n - 1, [...so, { claim: c, wanted: w, device }]);
          if (found !== undefined) return found;
        }
        return undefined;
      };
      const all = w.given.allocationMode === 'All';
      if (all && (matching.length === 0 || matching.some((d) => !free(d, picks)))) continue;
      const found = all
        ? solve(rest, [...picks, ...matching.map((device) => ({ claim: c, wanted: w, device }))])
        : many(w.given.count ?? 1, picks);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return solve(places(0, 0), []);
}

describe('any small case', () => {
  const given = fc.record({
    deviceClassName: fc.constantFrom('gpu', 'gpu', 'big'),
    allocationMode: fc.constantFrom('ExactCount', 'ExactCount', 'ExactCount', 'All'),
    count: fc.integer({ min: 1, max: 3 }),
    selectors: fc.constantFrom([], cel('device.attributes["gpu.example.com"].numa == 1').selectors),
  });
  const request = (name: string): fc.Arbitrary<resourceV1.DeviceRequest> =>
    fc.oneof(
      fc
        .tuple(given, fc.boolean())
        .map(([exactly, adminAccess]) => ({ name, exactly: { ...exactly, adminAccess } })),
      fc.tuple(given, given).map(([a, b]) => ({
        name,
        firstAvailable: [
          { ...a, name: 'a' },
          { ...b, name: 'b' },
        ],
      })),
    );
  const constraints = fc.constantFrom<resourceV1.DeviceConstraint[]>(
    [],
    [{ matchAttribute: numa }],
    [
      { matchAttribute: numa, requests: ['x'] },
      { matchAttribute: 'gpu.example.com/size', requests: ['y/a', 'x'] },
    ],
  );
  const claim = fc.record({
    requests: fc.oneof(fc.tuple(request('x')), fc.tuple(request('x'), request('y'))),
    constraints,
  });
  const device = fc.record({
    size: fc.integer({ min: 1, max: 2 }),
    numa: fc.integer({ min: 0, max: 1 }),
    taken: fc.boolean(),
  });

  it('comes to what trying everything in turn comes to', () => {
    fc.assert(
      fc.property(
        fc.array(claim, { minLength: 1, maxLength: 2 }),
        fc.array(device, { minLength: 1, maxLength: 5 }),
        (asked, have) => {
          const claims = asked.map((one, i) => wanted(`c${i}`, one));
          const slice = buildSlice(
            's',
            have.map((one, i) => sized(`d${i}`, one.size, one.numa)),
          );
          const taken = have.flatMap((one, i) => (one.taken ? [`d${i}`] : []));
          const expected = reference(claims, slice, taken);
          const found = find(claims, { slices: [slice], taken, steps: 1_000_000 });
          const shown = expected?.map((p) => `${p.claim} ${p.wanted.name}=${p.device.device.name}`);
          expect(
            found?.flatMap((chosen, c) =>
              chosen.map((one) => `${c} ${one.wanted.name}=${one.offered.device.name}`),
            ),
          ).toEqual(shown);
        },
      ),
      { numRuns: 400 },
    );
  });
});
