import { describe, expect, it } from 'vitest';
import { Pod } from '../pod.ts';
import { type Body, container, context, createdPod, podOf, withStatus } from './fixture.ts';

/** The row of `kubectl get pods -o wide`, with a bar between cells. */
function row(spec: Body, status: Body, metadata: Body = {}): string {
  const pod = withStatus(podOf(spec, { creationTimestamp: '2026-01-02T03:00:00Z', ...metadata }), status);
  return Pod.columns.map((column) => String(column.cell(pod, context))).join('|');
}

/** name, ready, status, restarts */
const narrow = (spec: Body, status: Body, metadata?: Body): string =>
  row(spec, status, metadata).split('|').slice(1, 4).join(' ');

const named = (name: string, more: Body = {}): Body => ({
  name,
  image: 'i',
  imageID: '',
  ready: false,
  restartCount: 0,
  ...more,
});
const running = (name: string, more: Body = {}) =>
  named(name, { ready: true, state: { running: {} }, ...more });
const waiting = (name: string, reason: string) => named(name, { state: { waiting: { reason } } });
const ended = (name: string, terminated: Body) => named(name, { state: { terminated } });
const condition = (type: string, status: string, reason = '') => ({ type, status, reason });

describe('kubectl get pods', () => {
  it('has the columns of Kubernetes', () => {
    expect(Pod.columns.map((column) => [column.name, column.type, column.priority ?? 0])).toEqual([
      ['Name', 'string', 0],
      ['Ready', 'string', 0],
      ['Status', 'string', 0],
      ['Restarts', 'string', 0],
      ['Age', 'string', 0],
      ['IP', 'string', 1],
      ['Node', 'string', 1],
      ['Nominated Node', 'string', 1],
      ['Readiness Gates', 'string', 1],
    ]);
  });

  it('shows a new pod', () => {
    expect(row({}, { phase: 'Pending' })).toBe('p|0/1|Pending|0|4m5s|<none>|<none>|<none>|<none>');
  });

  it('shows a running pod', () => {
    const status = {
      phase: 'Running',
      podIP: '10.0.0.1',
      podIPs: [{ ip: '10.0.0.1' }],
      conditions: [condition('Ready', 'True'), condition('a/b', 'True')],
      containerStatuses: [
        running('web', {
          restartCount: 3,
          lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-02T02:59:05Z' } },
        }),
      ],
    };
    const spec = { nodeName: 'n1', readinessGates: [{ conditionType: 'a/b' }, { conditionType: 'a/c' }] };
    expect(row(spec, status)).toBe('p|1/1|Running|3 (5m ago)|4m5s|10.0.0.1|n1|<none>|1/2');
  });

  const two = { containers: [container(), container({ name: 'b' })] };
  const init = { initContainers: [container({ name: 'i1' }), container({ name: 'i2' })] };
  const sidecar = { initContainers: [container({ name: 's', restartPolicy: 'Always' })] };
  const cases: [string, Body, Body, Body | undefined, string][] = [
    [
      'being created',
      {},
      { phase: 'Pending', containerStatuses: [waiting('web', 'ContainerCreating')] },
      undefined,
      '0/1 ContainerCreating 0',
    ],
    [
      'crashing',
      {},
      { phase: 'Running', containerStatuses: [{ ...waiting('web', 'CrashLoopBackOff'), restartCount: 4 }] },
      undefined,
      '0/1 CrashLoopBackOff 4',
    ],
    [
      'done',
      {},
      { phase: 'Succeeded', containerStatuses: [ended('web', { exitCode: 0, reason: 'Completed' })] },
      undefined,
      '0/1 Completed 0',
    ],
    [
      'failed',
      {},
      { phase: 'Failed', containerStatuses: [ended('web', { exitCode: 1, reason: 'Error' })] },
      undefined,
      '0/1 Error 0',
    ],
    [
      'a code',
      {},
      { phase: 'Failed', containerStatuses: [ended('web', { exitCode: 3 })] },
      undefined,
      '0/1 ExitCode:3 0',
    ],
    [
      'a signal',
      {},
      { phase: 'Failed', containerStatuses: [ended('web', { exitCode: 137, signal: 9 })] },
      undefined,
      '0/1 Signal:9 0',
    ],
    ['evicted', {}, { phase: 'Failed', reason: 'Evicted' }, undefined, '0/1 Evicted 0'],
    [
      'gated',
      {},
      { phase: 'Pending', conditions: [condition('PodScheduled', 'False', 'SchedulingGated')] },
      undefined,
      '0/1 SchedulingGated 0',
    ],
    [
      'half done, ready',
      two,
      {
        phase: 'Running',
        conditions: [condition('Ready', 'True')],
        containerStatuses: [ended('web', { exitCode: 0, reason: 'Completed' }), running('b')],
      },
      undefined,
      '1/2 Running 0',
    ],
    [
      'half done, not ready',
      two,
      {
        phase: 'Running',
        containerStatuses: [ended('web', { exitCode: 0, reason: 'Completed' }), running('b')],
      },
      undefined,
      '1/2 NotReady 0',
    ],
    [
      'starting',
      init,
      {
        phase: 'Pending',
        initContainerStatuses: [ended('i1', { exitCode: 0 }), waiting('i2', 'PodInitializing')],
      },
      undefined,
      '0/1 Init:1/2 0',
    ],
    [
      'failing to start',
      init,
      {
        phase: 'Pending',
        initContainerStatuses: [{ ...ended('i1', { exitCode: 1, reason: 'Error' }), restartCount: 2 }],
      },
      undefined,
      '0/1 Init:Error 2',
    ],
    [
      'failing with a code',
      init,
      { initContainerStatuses: [ended('i1', { exitCode: 7 })] },
      undefined,
      '0/1 Init:ExitCode:7 0',
    ],
    [
      'no init image',
      init,
      { initContainerStatuses: [waiting('i1', 'ImagePullBackOff')] },
      undefined,
      '0/1 Init:ImagePullBackOff 0',
    ],
    [
      'a sidecar beside',
      sidecar,
      {
        phase: 'Running',
        conditions: [condition('Initialized', 'True'), condition('Ready', 'True')],
        initContainerStatuses: [running('s', { started: true, restartCount: 1 })],
        containerStatuses: [running('web', { restartCount: 2 })],
      },
      undefined,
      '2/2 Running 3',
    ],
    [
      'a sidecar that has not started',
      sidecar,
      { phase: 'Pending', initContainerStatuses: [waiting('s', 'PodInitializing')] },
      undefined,
      '0/2 Init:0/1 0',
    ],
    [
      'going',
      {},
      { phase: 'Running', containerStatuses: [running('web')] },
      { deletionTimestamp: '2026-01-02T03:04:00Z' },
      '1/1 Terminating 0',
    ],
    [
      'gone with its node',
      {},
      { phase: 'Running', reason: 'NodeLost' },
      { deletionTimestamp: '2026-01-02T03:04:00Z' },
      '0/1 Unknown 0',
    ],
    [
      'done and deleted',
      {},
      { phase: 'Succeeded', containerStatuses: [ended('web', { exitCode: 0, reason: 'Completed' })] },
      { deletionTimestamp: '2026-01-02T03:04:00Z' },
      '0/1 Completed 0',
    ],
  ];
  it.each(cases)('shows a pod that is %s', (_, spec, status, metadata, expected) =>
    expect(narrow(spec, status, metadata)).toBe(expected),
  );
});

describe('the kind', () => {
  it.each([
    ['not scheduled', {}, {}, undefined, 0],
    ['its own period', { nodeName: 'n', terminationGracePeriodSeconds: 7 }, {}, undefined, 7],
    ['the default', { nodeName: 'n' }, {}, undefined, 30],
    ['what was asked for', { nodeName: 'n' }, {}, 3, 3],
    ['ended', { nodeName: 'n' }, { phase: 'Failed' }, 10, 0],
    ['negative', { nodeName: 'n', terminationGracePeriodSeconds: -5 }, {}, undefined, 1],
  ])('waits for a pod to end: %s', (_, spec, status, requested, seconds) =>
    expect(Pod.gracePeriodSeconds?.(withStatus(podOf(spec), status), requested)).toBe(seconds),
  );

  it('can be selected by fields', () => {
    const pod = withStatus(podOf({ nodeName: 'n', serviceAccountName: 's' }), {
      phase: 'Running',
      podIP: '1.1.1.1',
      podIPs: [{ ip: '1.1.1.1' }],
    });
    const values = Object.fromEntries(
      Object.entries(Pod.selectableFields).map(([name, read]) => [name, read(pod)]),
    );
    expect(values).toEqual({
      'spec.nodeName': 'n',
      'spec.restartPolicy': 'Always',
      'spec.schedulerName': 'default-scheduler',
      'spec.serviceAccountName': 's',
      'spec.hostNetwork': 'false',
      'status.phase': 'Running',
      'status.podIP': '1.1.1.1',
      'status.nominatedNodeName': '',
    });
    expect(Pod.indexes['byNode']?.(pod)).toEqual(['n']);
    expect(Pod.indexes['byNode']?.(createdPod())).toEqual([]);
  });
});
