import { expect, test } from 'vitest';
import { formatTime } from '../../machinery/index.ts';
import { buildPod, epochMs } from '../../testkit/index.ts';
import { contentConditions } from './conditions.ts';

const pods = { group: '', plural: 'pods' };
const sets = { group: 'apps', plural: 'replicasets' };
const held = (name: string, ...finalizers: string[]) => buildPod(name, { meta: { finalizers } });

test('what is left, and why', () => {
  const remaining = [
    { kind: sets, items: [held('a', 'foregroundDeletion')] },
    { kind: pods, items: [held('b', 'x/y', 'foregroundDeletion'), held('c')] },
  ];
  const got = contentConditions(
    { remaining, failures: ['secrets: no', 'configmaps: no'], undiscovered: ['b/v1', 'c/v2'] },
    undefined,
    epochMs,
  );
  expect(got.map((c) => [c.type, c.status, c.reason, c.message])).toEqual([
    [
      'NamespaceDeletionDiscoveryFailure',
      'True',
      'DiscoveryFailed',
      'Discovery failed for some groups, 2 failing: unable to retrieve the complete list of server APIs: b/v1: stale GroupVersion discovery: b/v1, c/v2: stale GroupVersion discovery: c/v2',
    ],
    [
      'NamespaceDeletionGroupVersionParsingFailure',
      'False',
      'ParsedGroupVersions',
      'All legacy kube types successfully parsed',
    ],
    [
      'NamespaceDeletionContentFailure',
      'True',
      'ContentDeletionFailed',
      'Failed to delete all resource types, 2 remaining: configmaps: no, secrets: no',
    ],
    [
      'NamespaceContentRemaining',
      'True',
      'SomeResourcesRemain',
      'Some resources are remaining: pods. has 2 resource instances, replicasets.apps has 1 resource instances',
    ],
    [
      'NamespaceFinalizersRemaining',
      'True',
      'SomeFinalizersRemain',
      'Some content in the namespace has finalizers remaining: foregroundDeletion in 2 resource instances, x/y in 1 resource instances',
    ],
  ]);
});

test('times change with the status only, and other conditions stay', () => {
  const other = { type: 'Other', status: 'True', lastTransitionTime: '2025-01-01T00:00:00Z' };
  const first = contentConditions(
    { remaining: [{ kind: pods, items: [held('a')] }], failures: [], undiscovered: [] },
    [other],
    epochMs,
  );
  const then = contentConditions({ remaining: [], failures: [], undiscovered: [] }, first, epochMs + 5000);
  expect(then[0]).toEqual(other);
  const at = (type: string) => then.find((c) => c.type === type)?.lastTransitionTime;
  expect(at('NamespaceContentRemaining')).toBe(formatTime(epochMs + 5000));
  expect(at('NamespaceFinalizersRemaining')).toBe(formatTime(epochMs));
  expect(then.map((c) => c.status)).toEqual(['True', 'False', 'False', 'False', 'False', 'False']);
});
