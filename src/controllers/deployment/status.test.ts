import { describe, expect, test } from 'vitest';
import type { Deployment, ReplicaSet } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';
import { buildDeployment, buildSet, epochMs } from '../../testkit/index.ts';
import { createFailedStatus, pauseCondition, rolloutStatus, withCondition } from './status.ts';

const nowMs = epochMs + 3_600_000;
const now = formatTime(nowMs);
const before = formatTime(epochMs);
type Status = NonNullable<Deployment['status']>;

const progressing = (status: string, reason: string, since = before) => ({
  type: 'Progressing',
  status,
  reason,
  message: 'm',
  lastUpdateTime: since,
  lastTransitionTime: since,
});
const set = (name: string, replicas: number, status: object = {}) =>
  buildSet(name, replicas, {
    status: { replicas, readyReplicas: replicas, availableReplicas: replicas, ...status },
  });
const statusOf = (
  status: Partial<Status> | undefined,
  newSet: ReplicaSet | undefined,
  old: readonly ReplicaSet[] = [],
  spec: Partial<Deployment['spec']> = {},
) =>
  rolloutStatus({
    deployment: buildDeployment('web', 3, { spec, ...(status !== undefined && { status }) }),
    newSet,
    old,
    nowMs,
    report: undefined,
  });
const condition = (status: Status, type: string) => status.conditions?.find((c) => c.type === type);

test('counts', () => {
  const { status } = statusOf(
    undefined,
    set('new', 2, { readyReplicas: 1, availableReplicas: 0, terminatingReplicas: 1 }),
    [set('old', 2, { terminatingReplicas: 2 })],
  );
  expect(status).toMatchObject({
    observedGeneration: 1,
    replicas: 4,
    updatedReplicas: 2,
    readyReplicas: 3,
    availableReplicas: 2,
    unavailableReplicas: 2,
    terminatingReplicas: 3,
  });
});

describe('Available', () => {
  test.each([
    [3, 'True', 'MinimumReplicasAvailable', 'Deployment has minimum availability.'],
    [2, 'False', 'MinimumReplicasUnavailable', 'Deployment does not have minimum availability.'],
  ])('with %d of 3', (availableReplicas, status, reason, message) => {
    const got = statusOf(undefined, set('new', 3, { availableReplicas })).status;
    expect(condition(got, 'Available')).toEqual({
      type: 'Available',
      status,
      reason,
      message,
      lastUpdateTime: now,
      lastTransitionTime: now,
    });
  });
});

describe('Progressing', () => {
  const partly = set('new', 3, { availableReplicas: 1, readyReplicas: 1 });
  const seen: Partial<Status> = { replicas: 3, updatedReplicas: 3, readyReplicas: 1, availableReplicas: 1 };
  test.each([
    [
      'complete',
      { conditions: [progressing('True', 'ReplicaSetUpdated')] },
      set('new', 3),
      'True',
      'NewReplicaSetAvailable',
      'ReplicaSet "new" has successfully progressed.',
    ],
    [
      'a step',
      { ...seen, readyReplicas: 0, conditions: [progressing('True', 'ReplicaSetUpdated')] },
      partly,
      'True',
      'ReplicaSetUpdated',
      'ReplicaSet "new" is progressing.',
    ],
    [
      'too slow',
      { ...seen, conditions: [progressing('True', 'ReplicaSetUpdated')] },
      partly,
      'False',
      'ProgressDeadlineExceeded',
      'ReplicaSet "new" has timed out progressing.',
    ],
    [
      'too slow, then a step',
      { ...seen, readyReplicas: 0, conditions: [progressing('False', 'ProgressDeadlineExceeded')] },
      partly,
      'True',
      'ReplicaSetUpdated',
      'ReplicaSet "new" is progressing.',
    ],
    [
      'in time',
      { ...seen, conditions: [progressing('True', 'ReplicaSetUpdated', formatTime(nowMs - 1000))] },
      partly,
      'True',
      'ReplicaSetUpdated',
      'm',
    ],
    [
      'complete once, and losing pods',
      { ...seen, availableReplicas: 3, conditions: [progressing('True', 'NewReplicaSetAvailable')] },
      partly,
      'True',
      'NewReplicaSetAvailable',
      'm',
    ],
    [
      'without a set',
      { conditions: [progressing('True', 'NewReplicaSetCreated')] },
      undefined,
      'False',
      'ProgressDeadlineExceeded',
      'Deployment "web" has timed out progressing.',
    ],
  ] as [string, Partial<Status>, ReplicaSet | undefined, string, string, string][])(
    '%s',
    (_, status, newSet, value, reason, message) => {
      expect(condition(statusOf(status, newSet).status, 'Progressing')).toMatchObject({
        status: value,
        reason,
        message,
      });
    },
  );

  test('each step restarts the deadline and keeps the time of the transition', () => {
    const conditions = [progressing('True', 'ReplicaSetUpdated')];
    const got = statusOf({ ...seen, readyReplicas: 0, conditions }, partly);
    expect(condition(got.status, 'Progressing')).toMatchObject({
      lastUpdateTime: now,
      lastTransitionTime: before,
    });
    expect(got.wakeInMs).toBe(601_000);
  });

  test('without a deadline nothing is said', () => {
    const conditions = [progressing('True', 'ReplicaSetUpdated')];
    const got = statusOf({ ...seen, conditions }, partly, [], { progressDeadlineSeconds: 2147483647 });
    expect(condition(got.status, 'Progressing')).toBeUndefined();
    expect(got.wakeInMs).toBeUndefined();
  });
});

test('a failure of a replica set shows, the new one first, and goes', () => {
  const failing = (name: string, message: string) =>
    set(name, 1, {
      conditions: [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message }],
    });
  const got = statusOf(undefined, failing('new', 'quota'), [failing('old', 'webhook')]).status;
  expect(condition(got, 'ReplicaFailure')).toMatchObject({
    status: 'True',
    reason: 'FailedCreate',
    message: 'quota',
  });
  expect(condition(statusOf(got, set('new', 1)).status, 'ReplicaFailure')).toBeUndefined();
});

test('a set that cannot be made', () => {
  const got = createFailedStatus(
    buildDeployment('web', 3),
    'Failed to create new replica set "web-x": no',
    nowMs,
  );
  expect(got?.conditions).toMatchObject([
    { type: 'Progressing', status: 'False', reason: 'ReplicaSetCreateError' },
  ]);
});

test('a condition that does not change keeps its times', () => {
  const old = progressing('True', 'ReplicaSetUpdated');
  const { lastUpdateTime: _, lastTransitionTime: __, ...same } = old;
  expect(withCondition([old], same, nowMs)).toEqual([old]);
  expect(withCondition([old], { ...same, reason: 'x' }, nowMs)).toEqual([
    { ...same, reason: 'x', lastUpdateTime: now, lastTransitionTime: before },
  ]);
});

test.each([
  [true, undefined, 'DeploymentPaused'],
  [true, progressing('True', 'ReplicaSetUpdated'), 'DeploymentPaused'],
  [true, progressing('Unknown', 'DeploymentPaused'), undefined],
  [true, progressing('False', 'ProgressDeadlineExceeded'), undefined],
  [false, progressing('Unknown', 'DeploymentPaused'), 'DeploymentResumed'],
  [false, progressing('True', 'NewReplicaSetAvailable'), undefined],
])('paused %s after %j says %s', (paused, last, reason) => {
  const status = { conditions: last === undefined ? [] : [last] };
  expect(pauseCondition(buildDeployment('web', 1, { spec: { paused }, status }))?.reason).toBe(reason);
});
