import { describe, expect, test } from 'vitest';
import type { PersistentVolumeClaim, StatefulSet } from '../../api/index.ts';
import { controllerRef, type OwnerReference } from '../../machinery/index.ts';
import { buildPod, buildTemplate } from '../../testkit/index.ts';
import { hasStaleClaim, planClaims } from './claims.ts';
import { ordinalOf, podDraft, withIdentity } from './identity.ts';

type Policy = StatefulSet['spec']['persistentVolumeClaimRetentionPolicy'];
const build = (policy?: Policy, more: object = {}): StatefulSet =>
  ({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'web', namespace: 'default', uid: 'uid-web' },
    spec: {
      replicas: 2,
      serviceName: 'svc',
      selector: { matchLabels: { app: 'web' } },
      template: buildTemplate({ app: 'web' }),
      volumeClaimTemplates: [
        { metadata: { name: 'data', labels: { tier: 'db' } }, spec: { accessModes: ['ReadWriteOnce'] } },
      ],
      ...(policy !== undefined && { persistentVolumeClaimRetentionPolicy: policy }),
      ...more,
    },
  }) as unknown as StatefulSet;
const retain = 'Retain';
const remove = 'Delete';
const pod = (ordinal: number) => ({ ...buildPod(`web-${ordinal}`), apiVersion: 'v1', kind: 'Pod' });
const setRef = controllerRef(build());
const podRef = (ordinal: number) => controllerRef(pod(ordinal));
const foreign = { ...setRef, kind: 'Other', name: 'other', uid: 'uid-other' };
const formerSet = { ...setRef, uid: 'uid-former' };
const formerPod = { ...podRef(0), uid: 'uid-former' };

const owners = (set: StatefulSet, ordinal: number, refs: readonly OwnerReference[]) => {
  const claim = {
    metadata: { name: `data-web-${ordinal}`, ownerReferences: refs },
  } as unknown as PersistentVolumeClaim;
  const { update, conflicting } = planClaims({ set, ordinal, pod: pod(ordinal), claimNamed: () => claim });
  const kinds = (update[0]?.metadata.ownerReferences ?? refs).map((ref) => ref.kind);
  return [
    update.length === 0 ? 'kept' : 'changed',
    ...kinds,
    ...(conflicting.length > 0 ? ['conflict'] : []),
  ];
};

describe('owners of a claim', () => {
  const plain = { ...setRef, controller: undefined };
  test.each<[string, string, number, OwnerReference[], string[]]>([
    [retain, retain, 0, [], ['kept']],
    [retain, retain, 0, [setRef], ['changed']],
    [retain, retain, 0, [foreign], ['kept', 'Other']],
    [remove, retain, 0, [], ['changed', 'StatefulSet']],
    [remove, retain, 0, [setRef], ['kept', 'StatefulSet']],
    [remove, retain, 0, [plain], ['changed', 'StatefulSet']],
    [remove, retain, 7, [], ['changed', 'StatefulSet']],
    [retain, remove, 0, [], ['kept']],
    [retain, remove, 7, [], ['changed', 'Pod']],
    [retain, remove, 0, [podRef(0)], ['changed']],
    [remove, remove, 0, [], ['changed', 'StatefulSet']],
    [remove, remove, 7, [setRef], ['changed', 'Pod']],
    [remove, remove, 7, [podRef(7)], ['kept', 'Pod']],
    [remove, remove, 0, [podRef(0)], ['changed', 'StatefulSet']],
    [remove, remove, 0, [foreign], ['kept', 'Other', 'conflict']],
    [remove, remove, 0, [foreign, plain], ['changed', 'Other', 'conflict']],
    [remove, remove, 0, [formerSet], ['kept', 'StatefulSet']],
    [remove, remove, 0, [formerPod], ['kept', 'Pod']],
  ])(
    'when deleted %s, when scaled %s, ordinal %d, %j',
    (whenDeleted, whenScaled, ordinal, refs, expected) => {
      expect(owners(build({ whenDeleted, whenScaled }), ordinal, refs)).toEqual(expected);
    },
  );
});

test('a missing claim is made with its labels and its owner', () => {
  const set = build({ whenDeleted: remove, whenScaled: retain });
  const { create } = planClaims({ set, ordinal: 1, pod: undefined, claimNamed: () => undefined });
  expect(create).toEqual([
    {
      metadata: {
        name: 'data-web-1',
        namespace: 'default',
        labels: { tier: 'db', app: 'web' },
        ownerReferences: [setRef],
      },
      spec: { accessModes: ['ReadWriteOnce'] },
    },
  ]);
});

test.each([
  [remove, [formerPod], true],
  [remove, [setRef], false],
  [retain, [formerPod], false],
])(
  'when scaled %s, a new pod waits for the claim of its predecessor',
  (whenScaled, ownerReferences, stale) => {
    const claim = { metadata: { name: 'data-web-0', ownerReferences } } as unknown as PersistentVolumeClaim;
    const set = build({ whenDeleted: retain, whenScaled });
    expect(hasStaleClaim({ set, ordinal: 0, pod: undefined, claimNamed: () => claim })).toBe(stale);
  },
);

test.each([
  ['web-0', 0],
  ['web-12', 12],
  ['web-01', undefined],
  ['web-', undefined],
  ['web-x', undefined],
  ['web-1-2', undefined],
  ['other-1', undefined],
  ['web-2147483648', undefined],
])('%s is ordinal %s', (name, ordinal) => {
  expect(ordinalOf(build(), name)).toBe(ordinal);
});

test('a claim takes the place of a volume of its name', () => {
  const set = build();
  const template = buildTemplate({ app: 'web' });
  template.spec!.volumes = [
    { name: 'data', emptyDir: {} },
    { name: 'tmp', emptyDir: {} },
  ];
  const { spec } = podDraft(set, 1, { template, revision: 'r' });
  expect(spec.volumes).toEqual([
    { name: 'data', persistentVolumeClaim: { claimName: 'data-web-1' } },
    { name: 'tmp', emptyDir: {} },
  ]);
  expect([spec.hostname, spec.subdomain]).toEqual(['web-1', 'svc']);
});

test('a pod that lost its name label gets it again, and one that has it is left alone', () => {
  const set = build(undefined, { volumeClaimTemplates: [] });
  const found = buildPod('web-1', { labels: { app: 'web' } });
  const next = withIdentity(set, found, 1);
  expect(next.metadata.labels).toEqual({
    app: 'web',
    'apps.kubernetes.io/pod-index': '1',
    'statefulset.kubernetes.io/pod-name': 'web-1',
  });
  expect(withIdentity(set, next, 1)).toBe(next);
});
