// What holds for every history of updates and applies.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { difference, type FieldSet, has, intersection, paths, pathText } from './field-set.ts';
import { compare, fieldsOf, type Json, ownable } from './fields.ts';
import { sameOwnership } from './managers.ts';
import { type Story, schema, story } from './story.ts';

describe('invariants', () => {
  const word = fc.constantFrom('a', 'b', 'c');
  const dict = fc.dictionary(word, word, { maxKeys: 2 });
  const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const anyBody = fc
    .record({
      labels: some(dict),
      finalizers: some(fc.uniqueArray(word, { maxLength: 2 })),
      replicas: some(fc.integer({ min: 0, max: 2 })),
      paused: some(fc.boolean()),
      selector: some(dict),
      limits: some(dict),
      security: some(fc.record({ user: some(word), group: some(word) })),
      containers: some(
        fc.uniqueArray(
          fc.record({ name: word, image: some(word), args: some(fc.array(word, { maxLength: 2 })) }),
          {
            selector: ({ name }) => name,
            maxLength: 3,
          },
        ),
      ),
    })
    .map(
      ({ labels, finalizers, ...members }): Json =>
        JSON.parse(JSON.stringify({ metadata: { labels, finalizers }, spec: members })),
    );
  const step = fc.record({
    how: fc.constantFrom('apply' as const, 'update' as const),
    who: fc.constantFrom('x', 'y', 'z'),
    body: anyBody,
  });
  const play = (steps: readonly { how: 'apply' | 'update'; who: string; body: Json }[]): Story => {
    const s = story();
    for (const { how, who, body } of steps)
      if (how === 'apply') s.apply(who, body, { force: true });
      else s.update(who, body);
    return s;
  };
  const setOf = (s: Story, who: string, operation: string): FieldSet =>
    s.entries.find((e) => e.manager === who && e.operation === operation)?.fieldsV1 as FieldSet;

  it('what an update changes belongs to the updater alone', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 5 }), anyBody, (steps, body) => {
        const s = play(steps);
        const before = s.live!;
        s.update('me', body);
        if (before.metadata.managedFields === undefined) return;
        const { changed } = compare(
          schema,
          { before: before as unknown as Json, after: s.live as unknown as Json },
          'withoutStatus',
        );
        for (const path of paths(changed)) expect(has(setOf(s, 'me', 'Update'), path)).toBe(true);
        for (const entry of s.entries)
          if (entry.manager !== 'me')
            expect(intersection(entry.fieldsV1 as FieldSet, changed)).toBeUndefined();
      }),
    );
  });

  it('nobody owns what is not there, except an applier by name', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
        const s = play(steps);
        const there = compare(
          schema,
          { before: {}, after: s.live as unknown as Json },
          'withoutStatus',
        ).changed;
        for (const entry of s.entries)
          if (entry.operation === 'Update')
            expect([...paths(difference(entry.fieldsV1 as FieldSet, there))].map(pathText)).toEqual([]);
      }),
    );
  });

  it('applying the same again changes nothing', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 5 }), anyBody, (steps, body) => {
        const s = play(steps).apply('me', body, { force: true });
        const once = s.live!;
        const twice = s.apply('me', body).live!;
        expect(twice).toEqual(once);
        expect(sameOwnership(twice.metadata.managedFields, once.metadata.managedFields)).toBe(true);
      }),
    );
  });

  it('an applied configuration is in the object, owned, and takes nothing from others but what it changes', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 5 }), anyBody, (steps, body) => {
        const s = play(steps);
        const before = s.live;
        s.apply('me', body, { force: true });
        expect(setOf(s, 'me', 'Apply')).toEqual(ownable(fieldsOf(schema, body), 'withoutStatus'));
        if (before === undefined) return;
        const { changed, removed } = compare(
          schema,
          { before: before as unknown as Json, after: s.live as unknown as Json },
          'withoutStatus',
        );
        const others =
          before.metadata.managedFields?.filter((e) => e.manager !== 'me' || e.operation !== 'Apply') ?? [];
        // What others own is never pruned: it goes only with a list or map that the configuration empties by name.
        for (const { fieldsV1 } of others)
          for (const path of paths(intersection(fieldsV1 as FieldSet, removed)))
            expect(has(changed, path) || named(body, path)).toBe(true);
      }),
    );
  });

  const named = (body: Json, path: readonly string[]): boolean => {
    let set: FieldSet = fieldsOf(schema, body);
    for (const edge of path) {
      if (set === undefined) return false;
      set = set[edge];
    }
    return set !== undefined;
  };
});
