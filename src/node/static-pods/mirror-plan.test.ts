import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Pod } from '../../api/index.ts';
import { buildPod } from '../../testkit/index.ts';
import { fullName, isMirrorOf, mirrorOf, planMirrors } from './mirror-plan.ts';

const staticPod = (name: string, hash: string): Pod =>
  buildPod(name, {
    node: 'n1',
    meta: {
      uid: hash,
      annotations: { 'kubernetes.io/config.hash': hash, 'kubernetes.io/config.source': 'file' },
    },
  });
const mirror = (name: string, hash: string, deletedMs?: number): Pod =>
  buildPod(name, {
    node: 'n1',
    ...(deletedMs !== undefined && { deletedMs }),
    meta: { uid: `mirror-${name}`, annotations: { 'kubernetes.io/config.mirror': hash } },
  });
const none: ReadonlySet<string> = new Set();

describe('mirror pods', () => {
  test.each<[string, Parameters<typeof planMirrors>[0], string[], string[]]>([
    [
      'one is made for a new pod',
      { wanted: [staticPod('a', '1')], ending: none, vacant: none, mirrors: [] },
      ['a'],
      [],
    ],
    [
      'one that fits stays',
      { wanted: [staticPod('a', '1')], ending: none, vacant: none, mirrors: [mirror('a', '1')] },
      [],
      [],
    ],
    [
      'one of an older manifest goes, and is made anew afterwards',
      { wanted: [staticPod('a', '2')], ending: none, vacant: none, mirrors: [mirror('a', '1')] },
      [],
      ['a'],
    ],
    [
      'one that somebody deletes goes at once',
      { wanted: [staticPod('a', '1')], ending: none, vacant: none, mirrors: [mirror('a', '1', 5)] },
      [],
      ['a'],
    ],
    [
      'one that somebody has deleted comes again later',
      {
        wanted: [staticPod('a', '1'), staticPod('b', '1')],
        ending: none,
        vacant: new Set(['default/a']),
        mirrors: [],
      },
      ['b'],
      [],
    ],
    [
      'one of nothing goes',
      { wanted: [], ending: none, vacant: none, mirrors: [mirror('a', '1')] },
      [],
      ['a'],
    ],
    [
      'one of a pod that still ends stays',
      { wanted: [], ending: new Set(['default/a']), vacant: none, mirrors: [mirror('a', '1')] },
      [],
      [],
    ],
  ])('%s', (_, input, create, remove) => {
    const plan = planMirrors(input);
    expect(plan.create.map((p) => p.metadata.name)).toEqual(create);
    expect(plan.remove.map((p) => p.metadata.name)).toEqual(remove);
  });

  test('come to what is wanted, whatever there was', () => {
    const names = fc.constantFrom('a', 'b', 'c');
    const hashes = fc.constantFrom('1', '2');
    const unique = { selector: fullName };
    fc.assert(
      fc.property(
        fc.uniqueArray(
          fc.tuple(names, hashes).map(([n, h]) => staticPod(n, h)),
          unique,
        ),
        fc.uniqueArray(
          fc.tuple(names, hashes).map(([n, h]) => mirror(n, h)),
          unique,
        ),
        (wanted, before) => {
          let mirrors = before;
          for (let round = 0; round < 2; round++) {
            const plan = planMirrors({ wanted, ending: none, vacant: none, mirrors });
            mirrors = mirrors.filter((m) => !plan.remove.includes(m));
            mirrors = [...mirrors, ...plan.create.map((p) => mirrorOf(p, 'node-uid'))];
          }
          expect(mirrors.map(fullName).sort()).toEqual(wanted.map(fullName).sort());
          for (const pod of wanted)
            expect(mirrors.some((m) => fullName(m) === fullName(pod) && isMirrorOf(m, pod))).toBe(true);
        },
      ),
    );
  });

  test('are owned by the node, and carry the hash of what they show', () => {
    const { metadata, spec } = mirrorOf(staticPod('a', '1'), 'node-uid');
    expect(metadata).toMatchObject({
      name: 'a',
      annotations: {
        'kubernetes.io/config.hash': '1',
        'kubernetes.io/config.mirror': '1',
        'kubernetes.io/config.source': 'file',
      },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'node-uid', controller: true }],
    });
    expect(metadata.uid).toBeUndefined();
    expect(spec.nodeName).toBe('n1');
  });
});
