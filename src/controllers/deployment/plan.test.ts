import { describe, expect, test } from 'vitest';
import type { Deployment, ReplicaSet } from '../../api/index.ts';
import { compileLabelSelector } from '../../machinery/index.ts';
import {
  buildDeployment,
  buildPod,
  buildSet,
  buildTemplate,
  epochMs,
  type SetParts,
} from '../../testkit/index.ts';
import { templateHash } from '../template-hash.ts';
import { planDeployment } from './plan.ts';
import { fenceposts, revisionAnnotation, revisionHistoryAnnotation, specReplicas } from './rollout.ts';

const nowMs = epochMs + 60_000;
const labels = { app: 'web' };
const plan = (
  deployment: Deployment,
  sets: readonly ReplicaSet[],
  pods = [] as ReturnType<typeof buildPod>[],
) =>
  planDeployment({
    deployment,
    sets,
    matches: compileLabelSelector(deployment.spec.selector),
    podsOf: (set) => pods.filter((pod) => pod.metadata.ownerReferences?.[0]?.uid === set.metadata.uid),
    nowMs,
  });
const owned = (
  deployment: Deployment,
  name: string,
  replicas: number,
  parts: SetParts & { image?: string } = {},
) =>
  buildSet(name, replicas, {
    owner: deployment,
    labels,
    ...parts,
    annotations: {
      [revisionAnnotation]: '1',
      'deployment.kubernetes.io/desired-replicas': String(deployment.spec.replicas),
      'deployment.kubernetes.io/max-replicas': String(
        specReplicas(deployment) + fenceposts(deployment).maxSurge,
      ),
      ...parts.annotations,
    },
    spec: { template: buildTemplate(labels, parts.image ?? 'i:1'), ...parts.spec },
    status: { replicas, readyReplicas: replicas, availableReplicas: replicas, ...parts.status },
  });
const texts = (got: ReturnType<typeof plan>) => got.change.map((change) => change.event);

describe('rolling', () => {
  test('makes the first set in full', () => {
    const deployment = buildDeployment('web', 3, { annotations: { note: 'x', [revisionAnnotation]: '7' } });
    const got = plan(deployment, []);
    const hash = templateHash(deployment.spec.template, 0);
    expect(got.create).toEqual({
      metadata: {
        name: `web-${hash}`,
        namespace: 'default',
        labels: { app: 'web', 'pod-template-hash': hash },
        annotations: {
          note: 'x',
          [revisionAnnotation]: '1',
          'deployment.kubernetes.io/desired-replicas': '3',
          'deployment.kubernetes.io/max-replicas': '4',
        },
        ownerReferences: [
          {
            apiVersion: 'apps/v1',
            kind: 'Deployment',
            name: 'web',
            uid: 'uid-web',
            controller: true,
            blockOwnerDeletion: true,
          },
        ],
      },
      spec: {
        replicas: 3,
        selector: { matchLabels: { app: 'web', 'pod-template-hash': hash } },
        template: buildTemplate({ app: 'web', 'pod-template-hash': hash }),
      },
    });
    expect(got.revision).toBe('1');
  });

  test('a new template: the surge first', () => {
    const deployment = buildDeployment('web', 4, { image: 'i:2' });
    const got = plan(deployment, [owned(deployment, 'old', 4)]);
    expect(got.create?.spec.replicas).toBe(1);
    expect(got.create?.metadata.annotations?.[revisionAnnotation]).toBe('2');
    expect(got.change).toEqual([]);
  });

  test('then the old set gives up what may be missing', () => {
    const deployment = buildDeployment('web', 4, { image: 'i:2' });
    const sets = [
      owned(deployment, 'old', 4),
      owned(deployment, 'new', 1, {
        image: 'i:2',
        annotations: { [revisionAnnotation]: '2' },
        status: { availableReplicas: 0 },
      }),
    ];
    expect(texts(plan(deployment, sets))).toEqual(['Scaled down replica set old from 4 to 3']);
  });

  test('going back makes the old set the newest, and its former revision is remembered', () => {
    const deployment = buildDeployment('web', 4);
    const sets = [
      owned(deployment, 'first', 0, {
        annotations: { [revisionAnnotation]: '3', [revisionHistoryAnnotation]: '1' },
      }),
      owned(deployment, 'second', 4, { image: 'i:2', annotations: { [revisionAnnotation]: '4' } }),
    ];
    const got = plan(deployment, sets);
    expect(got.create).toBeUndefined();
    expect(texts(got)).toEqual(['Scaled up replica set first from 0 to 1']);
    expect(got.change[0]?.next.metadata.annotations).toMatchObject({
      [revisionAnnotation]: '5',
      [revisionHistoryAnnotation]: '1,3',
    });
    expect(got.revision).toBe('5');
  });

  test.each([
    ['3546343826724305832', '3546343826724305833'],
    ['9223372036854775808', '1'],
    ['none', '1'],
  ])('after revision %s comes %s', (revision, next) => {
    const deployment = buildDeployment('web', 3, { image: 'i:2' });
    const old = owned(deployment, 'first', 3, { annotations: { [revisionAnnotation]: revision } });
    const got = plan(deployment, [old]);
    expect([got.revision, got.create?.metadata.annotations?.[revisionAnnotation]]).toEqual([next, next]);
  });

  test('the list of former revisions does not grow for ever', () => {
    const deployment = buildDeployment('web', 4);
    const long = Array.from({ length: 600 }, (_, i) => String(1000 + i)).join(',');
    const sets = [
      owned(deployment, 'first', 0, {
        annotations: { [revisionAnnotation]: '3', [revisionHistoryAnnotation]: long },
      }),
      owned(deployment, 'second', 4, { image: 'i:2', annotations: { [revisionAnnotation]: '4' } }),
    ];
    const history = plan(deployment, sets).change[0]?.next.metadata.annotations?.[revisionHistoryAnnotation];
    expect(history?.length).toBeLessThanOrEqual(2000);
    expect(history?.endsWith(',1599,3')).toBe(true);
  });

  test('annotations and minReadySeconds follow the Deployment', () => {
    const deployment = buildDeployment('web', 1, {
      annotations: { note: 'y', [revisionAnnotation]: '1' },
      spec: { minReadySeconds: 5 },
    });
    const got = plan(deployment, [owned(deployment, 'only', 1)]);
    expect(texts(got)).toEqual([undefined]);
    expect(got.change[0]?.next.metadata.annotations?.note).toBe('y');
    expect(got.change[0]?.next.spec.minReadySeconds).toBe(5);
  });

  test('old sets beyond the history go once the rollout is complete', () => {
    const deployment = buildDeployment('web', 1, { spec: { revisionHistoryLimit: 1 } });
    const empty = (name: string, revision: string, parts: SetParts = {}) =>
      owned(deployment, name, 0, { image: name, ...parts, annotations: { [revisionAnnotation]: revision } });
    const newest = owned(deployment, 'new', 1, { annotations: { [revisionAnnotation]: '4' } });
    const sets = [newest, empty('c', '3'), empty('a', '1'), empty('b', '2', { meta: { generation: 2 } })];
    expect(plan(deployment, sets).remove.map((s) => s.metadata.name)).toEqual(['a']);
    const going = owned(deployment, 'new', 1, { status: { availableReplicas: 0 } });
    expect(plan(deployment, [going, ...sets.slice(1)]).remove).toEqual([]);
  });
});

describe('scale', () => {
  const wanted = (name: string, size: string) => ({ [name]: size });
  test('a settled Deployment scales its one set', () => {
    const before = buildDeployment('web', 3);
    const deployment = buildDeployment('web', 5);
    const got = plan(deployment, [owned(before, 'only', 3)]);
    expect(texts(got)).toEqual(['Scaled up replica set only from 3 to 5']);
    expect(got.change[0]?.next.metadata.annotations).toMatchObject(
      wanted('deployment.kubernetes.io/desired-replicas', '5'),
    );
  });

  test('in the middle of a rollout every active set gets its share', () => {
    const before = buildDeployment('web', 10, { image: 'i:2', status: { replicas: 13 } });
    const deployment = buildDeployment('web', 20, { image: 'i:2', status: { replicas: 13 } });
    const sets = [
      owned(before, 'old', 8),
      owned(before, 'new', 5, { image: 'i:2', annotations: { [revisionAnnotation]: '2' } }),
    ];
    const got = plan(deployment, sets);
    expect(texts(got)).toEqual([
      'Scaled up replica set new from 5 to 10',
      'Scaled up replica set old from 8 to 15',
    ]);
  });

  test('a size that is right already is noted, so that a rollout can go on', () => {
    const before = buildDeployment('web', 3, { image: 'i:2' });
    const deployment = buildDeployment('web', 5, { image: 'i:2' });
    const got = plan(deployment, [owned(before, 'only', 5)]);
    expect(texts(got)).toEqual([undefined]);
    expect(got.change[0]?.next.metadata.annotations).toMatchObject(
      wanted('deployment.kubernetes.io/desired-replicas', '5'),
    );
  });

  test('a saturated new set ends the old ones', () => {
    const before = buildDeployment('web', 3, { image: 'i:2' });
    const deployment = buildDeployment('web', 5, { image: 'i:2' });
    const sets = [
      owned(before, 'old', 2),
      owned(deployment, 'new', 5, { image: 'i:2', annotations: { [revisionAnnotation]: '2' } }),
    ];
    expect(texts(plan(deployment, sets))).toEqual(['Scaled down replica set old from 2 to 0']);
  });
});

describe('recreate', () => {
  const strategy = { type: 'Recreate' };
  const deployment = buildDeployment('web', 2, { image: 'i:2', strategy });
  const old = owned(deployment, 'old', 2);
  const drained = owned(deployment, 'old', 0);

  test('ends the old pods first', () => {
    const got = plan(deployment, [old]);
    expect(got.create).toBeUndefined();
    expect(texts(got)).toEqual(['Scaled down replica set old from 2 to 0']);
  });

  test('waits while one runs or ends', () => {
    const pod = (phase: string) => buildPod('p', { owner: drained, node: 'n', phase, deletedMs: nowMs });
    expect(plan(deployment, [drained], [pod('Running')]).create).toBeUndefined();
    expect(plan(deployment, [drained], [pod('Failed')]).create?.spec.replicas).toBe(2);
    const counted = owned(deployment, 'old', 0, { status: { replicas: 1 } });
    expect(plan(deployment, [counted]).create).toBeUndefined();
  });

  test('nothing may be missing afterwards', () => {
    const made = owned(deployment, 'new', 2, { image: 'i:2', status: { availableReplicas: 1 } });
    const available = plan(deployment, [made]).status.conditions?.find((c) => c.type === 'Available');
    expect(available?.status).toBe('False');
  });
});

describe('paused, deleted, foreign', () => {
  test('says that it is paused, then that it goes on', () => {
    const paused = buildDeployment('web', 1, { spec: { paused: true } });
    const got = plan(paused, []);
    expect(got.create).toBeUndefined();
    expect(got.status.conditions).toMatchObject([
      { type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused', message: 'Deployment is paused' },
    ]);
    const resumed = buildDeployment('web', 1, { status: got.status });
    expect(plan(resumed, []).status.conditions).toMatchObject([
      {
        type: 'Progressing',
        status: 'Unknown',
        reason: 'DeploymentResumed',
        message: 'Deployment is resumed',
      },
    ]);
  });

  test('a paused one scales and rolls nothing out', () => {
    const status = { conditions: [{ type: 'Progressing', status: 'Unknown', reason: 'DeploymentPaused' }] };
    const deployment = buildDeployment('web', 5, { image: 'i:2', spec: { paused: true }, status });
    const got = plan(deployment, [owned(buildDeployment('web', 3), 'old', 3)]);
    expect(got.create).toBeUndefined();
    expect(texts(got)).toEqual(['Scaled up replica set old from 3 to 5']);
  });

  test('one that is being deleted only counts', () => {
    const deployment = buildDeployment('web', 3, { meta: { deletionTimestamp: '2026-01-01T00:00:00Z' } });
    const got = plan(deployment, [owned(deployment, 'only', 2), buildSet('orphan', 1, { labels })]);
    expect([got.adopt, got.release, got.change, got.create]).toEqual([[], [], [], undefined]);
    expect(got.status).toMatchObject({ replicas: 2, updatedReplicas: 2 });
  });

  test('adopts what matches and lets go what does not', () => {
    const deployment = buildDeployment('web', 3);
    const going = { deletionTimestamp: '2026-01-01T00:00:00Z' };
    const got = plan(deployment, [
      buildSet('orphan', 1, { labels }),
      buildSet('going', 1, { labels, meta: going }),
      buildSet('stranger', 1, { labels, owner: buildDeployment('other', 1) }),
      owned(deployment, 'relabelled', 1, { labels: { app: 'x' } }),
    ]);
    expect(got.adopt.map((s) => s.metadata.name)).toEqual(['orphan']);
    expect(got.release.map((s) => s.metadata.name)).toEqual(['relabelled']);
    expect(got.create).toBeUndefined();
  });
});
