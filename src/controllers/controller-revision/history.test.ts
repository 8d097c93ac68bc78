import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ControllerRevision, DaemonSet } from '../../api/index.ts';
import { buildTemplate } from '../../testkit/index.ts';
import { expendable, planHistory, revisionData, revisionDraft, templateOf } from './history.ts';

const template = (image: string) => buildTemplate({ app: 'web' }, image);
const owner = (image: string, annotations?: Record<string, string>) =>
  ({
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'web', namespace: 'default', uid: 'u', ...(annotations && { annotations }) },
    spec: { template: template(image) },
  }) as unknown as DaemonSet;
const revision = (name: string, number: number, image: string): ControllerRevision =>
  ({
    metadata: { name, creationTimestamp: '' },
    revision: number,
    data: revisionData(template(image)),
  }) as ControllerRevision;
const names = (all: readonly ControllerRevision[]) => all.map(({ metadata }) => metadata.name);

const a = revision('a', 1, 'i:1');
const b = revision('b', 2, 'i:2');

test.each([
  ['the first', 'i:1', [], { do: 'create', number: 1 }],
  ['the newest', 'i:2', [b, a], { do: 'keep', revision: b }],
  ['one of before', 'i:1', [a, b], { do: 'renumber', revision: a, number: 3 }],
  ['another', 'i:3', [b, a], { do: 'create', number: 3 }],
  [
    'doubled: the newer one',
    'i:1',
    [a, b, revision('c', 3, 'i:1')],
    { do: 'keep', revision: revision('c', 3, 'i:1') },
  ],
])('%s', (_, image, revisions, expected) => {
  expect(planHistory(owner(image), revisions)).toEqual(expected);
});

test('a draft has the patch that kubectl sends to undo, the labels of the template and the annotations of the owner', () => {
  const options = { hashLabel: 'h', collisionCount: 0 };
  const draft = revisionDraft(owner('i:1', { 'kubernetes.io/change-cause': 'because' }), 4, options);
  const hash = draft.metadata.labels!['h']!;
  expect(draft).toMatchObject({
    metadata: {
      name: `web-${hash}`,
      labels: { app: 'web', h: hash },
      annotations: { 'kubernetes.io/change-cause': 'because' },
      ownerReferences: [{ kind: 'DaemonSet', uid: 'u', controller: true }],
    },
    revision: 4,
    data: { spec: { template: { ...template('i:1'), $patch: 'replace' } } },
  });
  expect(templateOf(draft as ControllerRevision)).toEqual(template('i:1'));
  const other = revisionDraft(owner('i:1'), 4, { ...options, collisionCount: 1 });
  expect(other.metadata.name).not.toBe(draft.metadata.name);
});

test('the same data in another order are the same', () => {
  const { metadata, spec } = template('i:1');
  expect(JSON.stringify(revisionData({ spec, metadata } as never))).toBe(
    JSON.stringify(revisionData({ metadata, spec } as never)),
  );
});

test('the oldest go first, those that are needed stay, and what stays comes to the limit', () => {
  expect(names(expendable([b, a, revision('c', 3, 'i')], 1, () => false))).toEqual(['a']);
  expect(names(expendable([b, a], 1, ({ metadata }) => metadata.name === 'a'))).toEqual(['b']);
  expect(expendable([a, b], -1, () => false)).toEqual([]);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(99), fc.boolean())), fc.nat(9), (given, limit) => {
      const live = new Set(given.flatMap(([, isLive], i) => (isLive ? [`r${i}`] : [])));
      const all = given.map(([number], i) => revision(`r${i}`, number, 'i'));
      const idle = all.filter(({ metadata }) => !live.has(metadata.name));
      const gone = expendable(all, idle.length - limit, ({ metadata }) => live.has(metadata.name));
      expect(idle.length - gone.length).toBe(Math.min(idle.length, limit));
      const kept = idle.filter((one) => !gone.includes(one));
      for (const one of gone)
        for (const other of kept) expect(one.revision).toBeLessThanOrEqual(other.revision);
    }),
  );
});
