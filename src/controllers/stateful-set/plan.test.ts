import { describe, expect, test } from 'vitest';
import type { ControllerRevision, Pod, StatefulSet } from '../../api/index.ts';
import { buildPod, buildTemplate, epochMs } from '../../testkit/index.ts';
import { revisionData } from '../controller-revision/history.ts';
import { podIndexLabel, podNameLabel, revisionLabel } from './identity.ts';
import { maxUnavailable, planStatefulSet } from './plan.ts';

const nowMs = epochMs + 3_600_000;
const labels = { app: 'web' };
const build = (spec: object = {}): StatefulSet =>
  ({
    apiVersion: 'apps/v1',
    kind: 'StatefulSet',
    metadata: { name: 'web', namespace: 'default', uid: 'uid-web', generation: 3 },
    spec: {
      replicas: 3,
      selector: { matchLabels: labels },
      template: buildTemplate(labels, 'i:2'),
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
      ...spec,
    },
  }) as unknown as StatefulSet;
const revision = (name: string, image: string) =>
  ({
    metadata: { name },
    revision: 1,
    data: revisionData(buildTemplate(labels, image)),
  }) as ControllerRevision;
const current = revision('old', 'i:1');
const update = revision('new', 'i:2');

/** `0 old ready`: ordinal, revision, and `ready`, `unready`, `pending`, `failed` or `going`. */
function pod(text: string): Pod {
  const [ordinal, of, state] = text.split(' ') as [string, string, string];
  const name = `web-${ordinal}`;
  return buildPod(name, {
    owner: build(),
    labels: { ...labels, [podNameLabel]: name, [podIndexLabel]: ordinal, [revisionLabel]: of },
    ...(state === 'failed' && { phase: 'Failed' }),
    ...(state !== 'pending' && { node: 'n' }),
    ready: state === 'ready' || state === 'going',
    ...(state === 'going' && { deletedMs: nowMs }),
  });
}
const view = (spec: object, pods: readonly string[]) => ({
  set: build(spec),
  pods: pods.map(pod),
  claimNamed: () => undefined,
  current,
  update,
  collisionCount: 0,
  nowMs,
});
const plan = (spec: object, pods: readonly string[]) =>
  planStatefulSet(view(spec, pods)).steps.map((step) => {
    const { name, labels: its } = step.pod.metadata;
    return step.do === 'create' ? `create ${name} ${its?.[revisionLabel]}` : `${step.do} ${name}`;
  });
const all = (of: string) => ['0', '1', '2'].map((i) => `${i} ${of} ready`);
const upTo = (limit: number | string) => ({
  updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0, maxUnavailable: limit } },
});
const from = (partition: number) => ({
  updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition } },
});

describe('in order', () => {
  test.each<[string, object, string[], string[]]>([
    ['nothing there', {}, [], ['create web-0 new']],
    ['the first is not ready', {}, ['0 new unready'], []],
    ['the first is', {}, ['0 new ready'], ['create web-1 new']],
    ['a gap is filled first', {}, ['0 new ready', '2 new ready'], ['create web-1 new']],
    ['one is going', {}, ['0 new ready', '1 new going', '2 new ready'], []],
    ['one failed', {}, ['0 new failed', '1 old ready'], ['delete web-0']],
    ['done', {}, all('new'), []],
    ['below the partition', from(1), [], ['create web-0 old']],
    ['above it', from(1), ['0 old ready'], ['create web-1 new']],
    ['old ones', {}, all('old'), ['delete web-2']],
    ['from the partition on', from(2), ['0 old ready', '1 old ready', '2 new ready'], []],
    ['two at a time', upTo(2), all('old'), ['delete web-2', 'delete web-1']],
    ['one that is broken blocks', {}, ['0 old ready', '1 old ready', '2 old unready'], []],
    ['on delete', { updateStrategy: { type: 'OnDelete' } }, all('old'), []],
    ['too many', { replicas: 1 }, all('new'), ['delete web-2']],
    [
      'too many, and one before is not ready',
      { replicas: 1 },
      ['0 new ready', '1 new unready', '2 new ready'],
      ['delete web-2'],
    ],
    [
      'too many, the last is the one',
      { replicas: 1 },
      ['0 new ready', '1 new ready', '2 new unready'],
      ['delete web-2'],
    ],
    ['too many, two are not ready', { replicas: 1 }, ['0 new ready', '1 new unready', '2 new unready'], []],
    ['too many, two have ended', { replicas: 0 }, ['0 new failed', '1 new failed'], ['delete web-1']],
    ['too many, while one is missing', { replicas: 1 }, ['1 new ready'], ['create web-0 new']],
    ['another start', { replicas: 2, ordinals: { start: 1 } }, all('new'), ['delete web-0']],
  ])('%s', (_, spec, pods, expected) => {
    expect(plan(spec, pods)).toEqual(expected);
  });
});

describe('in parallel', () => {
  const parallel = { podManagementPolicy: 'Parallel' };
  test.each<[string, object, string[], string[]]>([
    ['nothing there', {}, [], ['create web-0 new', 'create web-1 new', 'create web-2 new']],
    ['too many', { replicas: 1 }, all('new'), ['delete web-2', 'delete web-1']],
    ['old ones', {}, all('old'), ['delete web-2']],
    ['a new one is on its way', {}, ['0 old ready', '1 old ready', '2 new pending'], []],
    ['a broken one first', {}, ['0 old unready', '1 old ready', '2 old ready'], ['delete web-0']],
    ['broken ones one by one', {}, ['0 old unready', '1 old unready', '2 old ready'], ['delete web-1']],
    ['a broken one that is to stay', from(1), ['0 old unready', '1 old ready', '2 old ready'], []],
    [
      'as many as may',
      upTo('70%'),
      ['0 old unready', '1 old ready', '2 old ready'],
      ['delete web-2', 'delete web-0'],
    ],
    ['one failed', {}, ['0 old ready', '1 old ready', '2 old failed'], ['delete web-2']],
  ])('%s', (_, spec, pods, expected) => {
    expect(plan({ ...parallel, ...spec }, pods)).toEqual(expected);
  });
});

test.each([
  [undefined, 10, 1],
  [3, 10, 3],
  ['25%', 10, 2],
  ['5%', 10, 1],
  ['100%', 10, 10],
])('maxUnavailable %s of %d is %d', (value, replicas, expected) => {
  expect(
    maxUnavailable(build({ replicas, updateStrategy: { rollingUpdate: { maxUnavailable: value } } })),
  ).toBe(expected);
});

test('the status counts by revision, without what goes now, and is complete when all is new', () => {
  expect(planStatefulSet(view({}, ['0 old ready', '1 old ready', '2 old ready'])).status).toEqual({
    observedGeneration: 3,
    replicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    currentReplicas: 2,
    currentRevision: 'old',
    updateRevision: 'new',
    collisionCount: 0,
  });
  expect(planStatefulSet(view({}, all('new'))).status).toMatchObject({
    currentReplicas: 3,
    updatedReplicas: 3,
    currentRevision: 'new',
  });
});
