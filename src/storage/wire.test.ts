import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hasMetadata, itemOffset, respliceRevision, spliceRevision, withoutRevision } from './wire.ts';

const head = '{"kind":"Pod","apiVersion":"v1",';

describe('wire', () => {
  test.each([
    [`${head}"metadata":{}}`, `${head}"metadata":{"resourceVersion":"7"}}`],
    [`${head}"metadata":{"name":"a"}}`, `${head}"metadata":{"resourceVersion":"7","name":"a"}}`],
    [
      `${head}"metadata":{"name":"a"},"spec":{"template":{"metadata":{}}}}`,
      `${head}"metadata":{"resourceVersion":"7","name":"a"},"spec":{"template":{"metadata":{}}}}`,
    ],
  ])('%s', (stored, wire) => {
    const spliced = spliceRevision(Buffer.from(stored), 7);
    expect(spliced.toString()).toBe(wire);
    expect(withoutRevision(spliced).toString()).toBe(stored);
    expect(`{${spliced.subarray(itemOffset(spliced))}`).toBe(wire.replace(head, '{'));
  });

  test.each(['{}', '{"metadata":null}', '{"kind":"Pod"}', '{"metadata":{'])('refuses %s', (value) => {
    expect(hasMetadata(Buffer.from(value))).toBe(false);
    expect(() => spliceRevision(Buffer.from(value), 7)).toThrow(TypeError);
  });

  test('refuses to resplice what has no revision', () => {
    expect(() => respliceRevision(Buffer.from(`${head}"metadata":{"name":"a"}}`), 7)).toThrow(TypeError);
  });

  test('any object: parses to the same with the revision, and goes back', () => {
    const revision = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.jsonValue(),
        revision,
        revision,
        (metadata, spec, a, b) => {
          delete metadata['resourceVersion'];
          const object = { kind: 'Pod', apiVersion: 'v1', metadata, spec };
          const stored = Buffer.from(JSON.stringify(object));
          const wire = spliceRevision(stored, a);
          const want = JSON.parse(stored.toString());
          Object.assign(want.metadata, { resourceVersion: String(a) });
          expect(JSON.parse(wire.toString())).toEqual(want);
          expect(respliceRevision(wire, b).equals(spliceRevision(stored, b))).toBe(true);
          expect(withoutRevision(wire).equals(stored)).toBe(true);
        },
      ),
    );
  });
});
