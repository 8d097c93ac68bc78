import { describe, expect, test } from 'vitest';
import type { coreV1, Pod } from '../../api/index.ts';
import type { ContainerStatus } from '../../os/index.ts';
import { CrashBackoff } from './crash-backoff.ts';
import { buildPodStatus, type StatusInput } from './pod-status.ts';
import { planStatusPatch } from './status-patch.ts';

const t0 = Date.UTC(2026, 0, 1);
const pod = (spec: Partial<coreV1.PodSpec> = {}, status?: coreV1.PodStatus): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name: 'p',
      namespace: 'd',
      uid: 'u',
      resourceVersion: '1',
      creationTimestamp: '',
      generation: 2,
    },
    spec: { restartPolicy: 'Always', containers: [{ name: 'a', image: 'img:1' }], ...spec },
    status,
  }) as Pod;

const container = (name: string, more: Partial<ContainerStatus> = {}): ContainerStatus => ({
  id: `${name}${more.attempt ?? 0}`,
  sandboxId: 's',
  name,
  attempt: 0,
  state: 'running',
  createdAtMs: t0,
  image: 'img:1',
  imageRef: 'sha256:1',
  labels: {},
  annotations: {},
  startedAtMs: t0 + 1000,
  finishedAtMs: 0,
  exitCode: 0,
  reason: '',
  message: '',
  logPath: '',
  ...more,
});
const exited = (name: string, exitCode: number, more: Partial<ContainerStatus> = {}) =>
  container(name, { state: 'exited', exitCode, finishedAtMs: t0 + 2000, ...more });

const build = (input: Partial<StatusInput> & { containers?: ContainerStatus[] } = {}) =>
  buildPodStatus({
    pod: pod(),
    runtime: {
      sandboxes: [
        {
          id: 's',
          metadata: { name: 'p', namespace: 'd', uid: 'u', attempt: 0 },
          ready: true,
          createdAtMs: t0,
          labels: {},
          annotations: {},
          ips: ['10.1.0.2'],
        },
      ],
      containers: input.containers ?? [],
    },
    previous: undefined,
    waiting: new Map(),
    isStarted: () => true,
    isReady: () => true,
    messages: new Map(),
    nodeIps: ['10.0.0.1'],
    failure: undefined,
    stopped: false,
    nowMs: t0 + 5000,
    ...input,
  });

describe('phase', () => {
  const one = (policy: string, ...containers: ContainerStatus[]) =>
    build({ pod: pod({ restartPolicy: policy }), containers }).phase;
  test.each([
    ['nothing runs yet', one('Always'), 'Pending'],
    ['running', one('Always', container('a')), 'Running'],
    ['ended and to be restarted', one('Always', exited('a', 1)), 'Running'],
    ['ended well', one('Never', exited('a', 0)), 'Succeeded'],
    ['ended badly', one('Never', exited('a', 1)), 'Failed'],
    ['OnFailure, ended badly', one('OnFailure', exited('a', 1)), 'Running'],
    ['stopped for good, well', build({ containers: [exited('a', 0)], stopped: true }).phase, 'Succeeded'],
    ['stopped for good, killed', build({ containers: [exited('a', 137)], stopped: true }).phase, 'Failed'],
    [
      'failed as a whole',
      build({ containers: [exited('a', 0)], failure: { reason: 'DeadlineExceeded' } }).phase,
      'Failed',
    ],
    [
      'failed as a whole, and its containers are still being ended',
      build({ containers: [container('a')], failure: { reason: 'DeadlineExceeded' } }).phase,
      'Running',
    ],
  ])('%s', (_, phase, want) => expect(phase).toBe(want));

  test('an init container that failed for good fails the pod', () => {
    const spec = { restartPolicy: 'Never', initContainers: [{ name: 'i' }] };
    const status = build({ pod: pod(spec), containers: [exited('i', 1)] });
    expect(status.phase).toBe('Failed');
    expect(status.containerStatuses?.[0]?.state).toEqual({ waiting: { reason: 'PodInitializing' } });
  });
});

describe('container status', () => {
  test('waits with the reason that was noted, and tells how it ended before', () => {
    const status = build({
      containers: [exited('a', 3, { attempt: 2 })],
      waiting: new Map([['a', { reason: 'CrashLoopBackOff', message: 'back-off 10s' }]]),
      messages: new Map([['a2', 'last words']]),
    }).containerStatuses![0];
    expect(status).toMatchObject({
      restartCount: 2,
      ready: false,
      started: false,
      state: { waiting: { reason: 'CrashLoopBackOff', message: 'back-off 10s' } },
      lastState: {
        terminated: { exitCode: 3, reason: 'Error', message: 'last words', containerID: 'containerd://a2' },
      },
    });
  });

  test('an ephemeral container runs, but is neither ready nor started', () => {
    const debug = { name: 'debug', image: 'img:1' } as coreV1.EphemeralContainer;
    const { ephemeralContainerStatuses } = build({
      pod: pod({ ephemeralContainers: [debug] }),
      containers: [container('a'), container('debug')],
    });
    expect(ephemeralContainerStatuses).toMatchObject([
      { name: 'debug', ready: false, state: { running: { startedAt: '2026-01-01T00:00:01Z' } } },
    ]);
    expect(ephemeralContainerStatuses?.[0]).not.toHaveProperty('started');
  });

  test('of a container the runtime has lost', () => {
    const previous = build({ containers: [container('a')] });
    const lost = build({ previous });
    expect(lost.containerStatuses![0]).toMatchObject({
      state: { waiting: { reason: 'ContainerCreating' } },
      lastState: { terminated: { exitCode: 137, reason: 'ContainerStatusUnknown' } },
    });
    const gone = build({ previous, stopped: true });
    expect(gone.containerStatuses![0]?.state).toMatchObject({
      terminated: { exitCode: 137, reason: 'ContainerStatusUnknown' },
    });
    expect(gone.phase).toBe('Failed');
  });

  test('the last state survives as long as the container', () => {
    const first = build({ containers: [exited('a', 1)] });
    const second = build({ previous: first, containers: [container('a', { attempt: 1 }), exited('a', 1)] });
    const third = build({ previous: second, containers: [container('a', { attempt: 1 })] });
    expect(second.containerStatuses![0]!.lastState?.terminated?.exitCode).toBe(1);
    expect(third.containerStatuses![0]!.lastState).toEqual(second.containerStatuses![0]!.lastState);
  });
});

describe('conditions', () => {
  const of = (status: coreV1.PodStatus, type: string) => status.conditions!.find((c) => c.type === type)!;
  test('name what is not ready, and keep the time of the last change', () => {
    const first = build({ containers: [container('a')], isReady: () => false });
    expect(of(first, 'Ready')).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [a]',
    });
    const second = build({
      containers: [container('a')],
      isReady: () => false,
      previous: first,
      nowMs: t0 + 60_000,
    });
    expect(of(second, 'Ready').lastTransitionTime).toBe(of(first, 'Ready').lastTransitionTime);
    const third = build({ containers: [container('a')], previous: second, nowMs: t0 + 90_000 });
    expect(of(third, 'Ready')).toMatchObject({ status: 'True', observedGeneration: 2 });
    expect(of(third, 'Ready').lastTransitionTime).not.toBe(of(first, 'Ready').lastTransitionTime);
    expect(of(third, 'Initialized').lastTransitionTime).toBe(of(first, 'Initialized').lastTransitionTime);
  });

  test('readiness gates hold up Ready but not ContainersReady', () => {
    const status = build({
      pod: pod({ readinessGates: [{ conditionType: 'x/y' }] }),
      containers: [container('a')],
    });
    expect(of(status, 'ContainersReady').status).toBe('True');
    expect(of(status, 'Ready')).toMatchObject({
      reason: 'ReadinessGatesNotReady',
      message: 'corresponding condition of pod readiness gate "x/y" does not exist.',
    });
  });
});

describe('status patch', () => {
  test('is nothing for equal statuses, and names only what changed', () => {
    const first = build({ containers: [container('a')], isReady: () => false });
    expect(planStatusPatch('u', first, structuredClone(first))).toBeUndefined();
    const patch = planStatusPatch('u', first, build({ containers: [container('a')], previous: first })) as {
      status: { conditions: coreV1.PodCondition[] };
    };
    expect(Object.keys(patch.status).sort()).toEqual(['conditions', 'containerStatuses']);
    expect(patch.status.conditions.map((c) => [c.type, c.reason, c.message])).toEqual([
      ['Ready', null, null],
      ['ContainersReady', null, null],
    ]);
  });

  test('an address that changed replaces the old one', () => {
    const a = build({ containers: [container('a')] });
    const patch = planStatusPatch('u', a, { ...a, podIP: '10.1.0.3', podIPs: [{ ip: '10.1.0.3' }] });
    expect(patch).toEqual({
      metadata: { uid: 'u' },
      status: { podIP: '10.1.0.3', podIPs: [{ ip: '10.1.0.3' }, { $patch: 'replace' }] },
    });
  });
});

test('crash back-off doubles to five minutes and is forgotten after ten', () => {
  const backoff = new CrashBackoff();
  let nowMs = 0;
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    const wait = backoff.remainingMs('k', nowMs, nowMs);
    waits.push(wait / 1000);
    backoff.restarted('k', nowMs, nowMs + wait);
    nowMs += wait + 1;
  }
  expect(waits).toEqual([0, 10, 20, 40, 80, 160, 300, 300]);
  expect(backoff.remainingMs('k', nowMs + 700_000, nowMs + 700_000)).toBe(0);
});
