// A create owns the same fields whether its set was built for it or is shared with an object made before.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeObject } from '../schema/decode.ts';
import { createdSet, sharedText } from './created.ts';
import { equalSets } from './field-set.ts';
import { compare, emptyOf, type Json } from './fields.ts';
import { schema } from './story.ts';

const built = (after: Json) => compare(schema, { before: emptyOf(schema), after }, 'withoutStatus').changed;
const decoded = (body: Json): Json => decodeObject(schema, body, []) as Json;

describe('what a create owns', () => {
  const word = fc.constantFrom('a', 'b');
  const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });
  const dict = fc.dictionary(word, word, { maxKeys: 2 });
  const anyBody = fc
    .record({
      labels: some(dict),
      finalizers: some(fc.array(word, { maxLength: 2 })),
      owners: some(fc.array(fc.record({ uid: word, kind: word }), { maxLength: 2 })),
      replicas: some(fc.integer({ min: 0, max: 1 })),
      selector: some(dict),
      limits: some(dict),
      security: some(fc.record({ user: some(word) })),
      phase: some(word),
      // Names repeat: items that share a key are owned together.
      containers: some(
        fc.array(
          fc.record({
            name: word,
            image: some(word),
            args: some(fc.array(word, { maxLength: 1 })),
            ports: some(
              fc.array(fc.record({ containerPort: fc.constantFrom(80, 81), protocol: some(word) }), {
                maxLength: 2,
              }),
            ),
          }),
          { maxLength: 3 },
        ),
      ),
    })
    .map(
      ({ labels, finalizers, owners, phase, ...spec }): Json =>
        JSON.parse(
          JSON.stringify({
            metadata: { name: 'n', labels, finalizers, ownerReferences: owners },
            spec,
            status: { phase },
          }),
        ),
    );

  it('is what differs from an empty object, whatever was made before', () => {
    fc.assert(
      fc.property(fc.array(anyBody, { minLength: 1, maxLength: 8 }), (bodies) => {
        for (const body of bodies) {
          const after = decoded(body);
          expect(equalSets(createdSet(schema, after, 'withoutStatus'), built(after))).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('is one set for objects that are alike, with its text', () => {
    const body = (image: string): Json => ({
      metadata: { name: image, labels: { app: 'x' } },
      spec: { replicas: 1, containers: [{ name: 'web', image, ports: [{ containerPort: 80 }] }] },
    });
    const first = createdSet(schema, decoded(body('one')), 'all')!;
    expect(createdSet(schema, decoded(body('two')), 'all')).toBe(first);
    expect(sharedText(first)).toBe(JSON.stringify(first));
  });
});
