// The plan of a pod: cases by table, and its invariants over random pods and histories.
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { coreV1, Pod } from '../../api/index.ts';
import type { ContainerStatus, SandboxStatus } from '../../os/index.ts';
import { type PlanInput, type PodMemory, planPod } from './pod-plan.ts';
import type { PodRuntime } from './pod-runtime.ts';

const quiet: PodMemory = {
  liveness: () => undefined,
  startup: () => undefined,
  crashBackoffMs: () => 0,
  containerHash: () => 'h',
};

const pod = (spec: Partial<coreV1.PodSpec>): Pod =>
  ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'd', uid: 'u', resourceVersion: '1', creationTimestamp: '' },
    spec: { restartPolicy: 'Always', containers: [{ name: 'a' }], ...spec },
  }) as Pod;

const sandbox = (attempt = 0, ready = true): SandboxStatus => ({
  id: `s${attempt}`,
  metadata: { name: 'p', namespace: 'd', uid: 'u', attempt },
  ready,
  createdAtMs: attempt,
  labels: {},
  annotations: {},
  ips: ready ? ['10.0.0.9'] : [],
});

const container = (name: string, more: Partial<ContainerStatus> = {}): ContainerStatus => ({
  id: `${name}-${more.attempt ?? 0}`,
  sandboxId: 's0',
  name,
  attempt: 0,
  state: 'running',
  createdAtMs: 1,
  image: 'i',
  imageRef: 'i',
  labels: {},
  annotations: { 'io.kubernetes.container.hash': 'h' },
  startedAtMs: 1,
  finishedAtMs: 0,
  exitCode: 0,
  reason: '',
  message: '',
  logPath: '',
  ...more,
});

const exited = (name: string, exitCode: number, more: Partial<ContainerStatus> = {}) =>
  container(name, { state: 'exited', exitCode, finishedAtMs: 5, ...more });

function plan(p: Pod, runtime: Partial<PodRuntime>, memory: Partial<PodMemory> = {}) {
  const result = planPod({
    pod: p,
    runtime: { sandboxes: [sandbox()], containers: [], ...runtime },
    memory: { ...quiet, ...memory },
    lastStatus: undefined,
  });
  return {
    ...(result.newSandbox !== undefined && { newSandbox: result.newSandbox }),
    ...(result.stopSandboxes && { stopSandboxes: true }),
    ...(result.start.length > 0 && { start: result.start.map((s) => `${s.container.name}#${s.attempt}`) }),
    ...(result.kill.length > 0 && { kill: result.kill.map((k) => `${k.name} ${k.reason}`) }),
    ...(result.inBackoff.length > 0 && {
      inBackoff: result.inBackoff.map((b) => b.name),
      wakeInMs: result.wakeInMs,
    }),
    ...(result.update.length > 0 && { update: result.update.map((u) => u.id) }),
    ...(result.finished && { finished: true }),
  };
}

const two = { containers: [{ name: 'a' }, { name: 'b' }] } as Partial<coreV1.PodSpec>;
const withInit = { initContainers: [{ name: 'i1' }, { name: 'i2' }] } as Partial<coreV1.PodSpec>;
const withSidecar = {
  initContainers: [{ name: 'side', restartPolicy: 'Always' }, { name: 'i' }],
} as Partial<coreV1.PodSpec>;
const probed = {
  initContainers: [{ name: 'side', restartPolicy: 'Always', startupProbe: {} }],
} as Partial<coreV1.PodSpec>;

const cases: [string, Pod, Partial<PodRuntime>, Partial<PodMemory>, object][] = [
  [
    'a new pod gets a sandbox and all containers',
    pod(two),
    { sandboxes: [] },
    {},
    { newSandbox: 0, start: ['a#0', 'b#0'] },
  ],
  ['a running pod needs nothing', pod({}), { containers: [container('a')] }, {}, {}],
  ['what is missing is started', pod(two), { containers: [container('a')] }, {}, { start: ['b#0'] }],
  [
    'what was made and never started keeps its number',
    pod({ restartPolicy: 'Never' }),
    { containers: [container('a', { state: 'created' })] },
    {},
    { start: ['a#0'] },
  ],
  [
    'what the runtime was killed over while making it keeps its number too',
    pod({ restartPolicy: 'Never' }),
    { containers: [container('a', { state: 'unknown', createdAtMs: 0, startedAtMs: 0, attempt: 2 })] },
    {},
    { start: ['a#2'] },
  ],
  [
    'what may have run is ended first, and does not run twice',
    pod({ restartPolicy: 'Never' }),
    { containers: [container('a', { state: 'unknown' })] },
    {},
    { kill: ['a unknown'] },
  ],
  ['an ended container is restarted', pod({}), { containers: [exited('a', 0)] }, {}, { start: ['a#1'] }],
  [
    'in back-off it waits',
    pod({}),
    { containers: [exited('a', 1)] },
    { crashBackoffMs: () => 700 },
    { inBackoff: ['a'], wakeInMs: 700 },
  ],
  [
    'OnFailure: success ends the pod',
    pod({ restartPolicy: 'OnFailure' }),
    { containers: [exited('a', 0)] },
    {},
    { stopSandboxes: true, finished: true },
  ],
  [
    'OnFailure: failure restarts',
    pod({ restartPolicy: 'OnFailure' }),
    { containers: [exited('a', 2)] },
    {},
    { start: ['a#1'] },
  ],
  [
    'Never: failure ends the pod',
    pod({ restartPolicy: 'Never' }),
    { containers: [exited('a', 2)] },
    {},
    { stopSandboxes: true, finished: true },
  ],
  [
    'Never: one still runs',
    pod({ restartPolicy: 'Never', ...two }),
    { containers: [exited('a', 2), container('b')] },
    {},
    {},
  ],
  [
    'a rule of the container restarts it all the same',
    pod({
      restartPolicy: 'Never',
      containers: [
        {
          name: 'a',
          restartPolicy: 'Never',
          restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
        },
      ],
    }),
    { containers: [exited('a', 42)] },
    {},
    { start: ['a#1'] },
  ],
  [
    'a failed liveness probe restarts',
    pod({}),
    { containers: [container('a')] },
    { liveness: () => 'failure' },
    { kill: ['a liveness'], start: ['a#1'] },
  ],
  [
    'a liveness probe that failed before makes it wait once it is killed',
    pod({}),
    { containers: [container('a', { attempt: 1 }), exited('a', 137)] },
    { liveness: () => 'failure', crashBackoffMs: () => 500 },
    { kill: ['a liveness'], inBackoff: ['a'], wakeInMs: 500 },
  ],
  [
    'a resize that needs it restarts at once',
    pod({}),
    { containers: [container('a', { attempt: 1 }), exited('a', 1)] },
    { resize: () => 'restart', crashBackoffMs: () => 500 },
    { kill: ['a resize'], start: ['a#2'] },
  ],
  [
    'a resize that does not changes it as it runs',
    pod({ containers: [{ name: 'a' }, { name: 'b' }] as coreV1.Container[] }),
    { containers: [container('b'), exited('a', 0)] },
    { resize: () => 'update', crashBackoffMs: () => 500 },
    { inBackoff: ['a'], wakeInMs: 500, update: ['b-0'] },
  ],
  [
    'a changed image restarts',
    pod({}),
    { containers: [container('a')] },
    { containerHash: () => 'other' },
    { kill: ['a changed'], start: ['a#1'] },
  ],
  [
    'a failed startup probe of a Never pod kills only',
    pod({ restartPolicy: 'Never' }),
    { containers: [container('a')] },
    { startup: () => 'failure' },
    { kill: ['a startup'] },
  ],
  [
    'a dead sandbox is replaced',
    pod({}),
    { sandboxes: [sandbox(3, false)], containers: [exited('a', 137)] },
    {},
    { newSandbox: 4, start: ['a#1'] },
  ],
  [
    'but not for a pod that never restarts',
    pod({ restartPolicy: 'Never' }),
    { sandboxes: [sandbox(0, false)], containers: [exited('a', 137)] },
    {},
    { finished: true },
  ],
  [
    'two ready sandboxes are one too many',
    pod({}),
    { sandboxes: [sandbox(1), sandbox(0)] },
    {},
    { stopSandboxes: true, newSandbox: 2, start: ['a#0'] },
  ],
  ['init containers come first', pod(withInit), { sandboxes: [] }, {}, { newSandbox: 0, start: ['i1#0'] }],
  ['one after another', pod(withInit), { containers: [exited('i1', 0)] }, {}, { start: ['i2#0'] }],
  ['each must end', pod(withInit), { containers: [container('i1')] }, {}, {}],
  [
    'then the others',
    pod(withInit),
    { containers: [exited('i1', 0), exited('i2', 0)] },
    {},
    { start: ['a#0'] },
  ],
  ['a failed one is tried again', pod(withInit), { containers: [exited('i1', 1)] }, {}, { start: ['i1#1'] }],
  [
    'or ends the pod',
    pod({ ...withInit, restartPolicy: 'Never' }),
    { containers: [exited('i1', 1)] },
    {},
    { stopSandboxes: true, finished: true },
  ],
  [
    'after a new sandbox they run again',
    pod(withInit),
    { sandboxes: [sandbox(1)], containers: [exited('i1', 0), exited('a', 137)] },
    {},
    { start: ['i1#1'] },
  ],
  [
    'once initialized, lost records of init containers do not matter',
    pod(withInit),
    { containers: [container('a')] },
    {},
    {},
  ],
  [
    'a sidecar starts and does not hold up the next',
    pod(withSidecar),
    { containers: [container('side')] },
    {},
    { start: ['i#0'] },
  ],
  ['unless its startup probe has not succeeded', pod(probed), { containers: [container('side')] }, {}, {}],
  [
    'and goes on when it has',
    pod(probed),
    { containers: [container('side')] },
    { startup: () => 'success' },
    { start: ['a#0'] },
  ],
  [
    'a sidecar is restarted beside a running app',
    pod(withSidecar),
    { containers: [exited('side', 0), exited('i', 0), container('a')] },
    {},
    { start: ['side#1'] },
  ],
  [
    'sidecars end with the app',
    pod({ ...withSidecar, restartPolicy: 'Never' }),
    { containers: [container('side'), exited('i', 0), exited('a', 0)] },
    {},
    { kill: ['side podFinished'], stopSandboxes: true, finished: true },
  ],
];

describe('planPod', () => {
  test.each(cases)('%s', (_, p, runtime, memory, want) => {
    expect(plan(p, runtime, memory)).toEqual(want);
  });

  test('restart counts go on when the runtime has lost everything', () => {
    const lastStatus: coreV1.PodStatus = {
      containerStatuses: [
        { name: 'a', restartCount: 4, containerID: 'containerd://x', image: '', imageID: '', ready: true },
      ],
    };
    const { start } = planPod({
      pod: pod({}),
      runtime: { sandboxes: [], containers: [] },
      memory: quiet,
      lastStatus,
    });
    expect(start[0]?.attempt).toBe(5);
  });

  const names = ['i1', 'side', 'a', 'b'];
  const history = fc
    .array(
      fc.record({
        name: fc.constantFrom(...names),
        attempt: fc.nat(3),
        state: fc.constantFrom('created', 'running', 'exited', 'unknown' as const),
        exitCode: fc.constantFrom(0, 1),
        sandboxId: fc.constantFrom('s0', 's1'),
      }),
      { maxLength: 8 },
    )
    .map((list) =>
      [
        ...new Map(
          list.map((c) => [`${c.name}-${c.attempt}`, container(c.name, c as Partial<ContainerStatus>)]),
        ).values(),
      ].sort((x, y) => y.attempt - x.attempt),
    );
  const input: fc.Arbitrary<PlanInput> = fc.record({
    pod: fc.constantFrom('Always', 'OnFailure', 'Never').map((restartPolicy) =>
      pod({
        restartPolicy,
        initContainers: [{ name: 'i1' }, { name: 'side', restartPolicy: 'Always' }],
        ...two,
      }),
    ),
    runtime: fc
      .record({
        sandboxes: fc.constantFrom([], [sandbox(1)], [sandbox(1, false)], [sandbox(1), sandbox(0, false)]),
        containers: history,
      })
      // Nothing runs in a sandbox that does not.
      .map(({ sandboxes, containers }) => ({
        sandboxes,
        containers: containers.map((c) =>
          sandboxes.some((s) => s.ready && s.id === c.sandboxId) ? c : { ...c, state: 'exited' as const },
        ),
      })),
    memory: fc.record({ dead: fc.boolean(), backoff: fc.constantFrom(0, 500) }).map(({ dead, backoff }) => ({
      ...quiet,
      liveness: () => (dead ? ('failure' as const) : undefined),
      crashBackoffMs: () => backoff,
    })),
    lastStatus: fc.constant(undefined),
  });

  test('its invariants hold for any history', () => {
    fc.assert(
      fc.property(input, (given) => {
        const p = planPod(given);
        const ready = given.runtime.sandboxes.some((s) => s.ready);
        // (1) nothing starts without a sandbox
        if (p.start.length > 0) expect(ready || p.newSandbox !== undefined).toBe(true);
        // (2) at most one instance runs
        const killed = new Set(p.kill.map((k) => k.id));
        for (const { container: c, attempt } of p.start) {
          const newest = given.runtime.containers.find((x) => x.name === c.name);
          if (ready && p.newSandbox === undefined && newest?.state === 'running')
            expect(killed.has(newest.id)).toBe(true);
          // Only what never ran is made again under its number.
          const unused = newest?.state === 'created' ? newest.attempt : (newest?.attempt ?? -1) + 1;
          expect(attempt).toBeGreaterThanOrEqual(unused);
        }
        expect(new Set(p.start.map((s) => s.container.name)).size).toBe(p.start.length);
        // (3) init before apps
        if (p.start.some((s) => s.container.name === 'i1'))
          expect(p.start.every((s) => s.kind === 'init')).toBe(true);
        // (4) nothing both starts and waits; a finished pod starts nothing
        for (const b of p.inBackoff) expect(p.start.some((s) => s.container.name === b.name)).toBe(false);
        if (p.finished) expect([p.start, p.newSandbox]).toEqual([[], undefined]);
      }),
    );
  });
});
