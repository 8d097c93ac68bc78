// The agent as a whole, over fakes.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Lease, Node, Pod } from '../api/index.ts';
import { RuntimeError } from '../os/index.ts';
import { condition, container, image, isReady, world } from './testdata/agent-world.ts';
import { noCgroups } from './worker/pod-cgroups.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the node', () => {
  test('registers itself with labels, capacity and conditions, and renews its lease', async () => {
    const w = await world();
    await w.start();
    const node = await w.client(Node).get('n1');
    expect(node.metadata.labels).toMatchObject({
      'kubernetes.io/hostname': 'n1',
      'kubernetes.io/os': 'linux',
    });
    expect(node.status?.capacity).toMatchObject({ cpu: '4', memory: '8Gi', pods: '110' });
    const ready = await w.until('ready', async () =>
      (await w.client(Node).get('n1')).status?.conditions?.find(
        (c) => c.type === 'Ready' && c.status === 'True',
      ),
    );
    expect(ready).toMatchObject({ reason: 'KubeletReady', message: 'kubelet is posting ready status' });
    const lease = () =>
      w
        .client(Lease)
        .get('n1', 'kube-node-lease')
        .catch(() => undefined);
    const first = (await w.until('a lease', lease)).spec.renewTime!;
    await w.until('it is renewed', async () => (await lease())!.spec.renewTime! > first);
  });

  test('that was called unknown while it was silent says at once that it is ready', async () => {
    const { clock, client, until, start } = await world();
    await start();
    const readyOf = async () => {
      const { status } = await client(Node).get('n1');
      return status?.conditions?.find(({ type }) => type === 'Ready');
    };
    await until('it is ready', async () => (await readyOf())?.status === 'True');
    const conditions = [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown' }];
    await client(Node).patch({ name: 'n1', subresource: 'status' }, 'strategic', { status: { conditions } });
    expect(await readyOf()).toMatchObject({ status: 'Unknown' });
    const beganMs = clock.nowMs();
    await until('it is ready again', async () => (await readyOf())?.status === 'True');
    expect(clock.nowMs() - beganMs).toBeLessThan(1_000);
  });
});

describe('a pod', () => {
  test('is started, becomes ready, and says so in few writes', async () => {
    const w = await world();
    await w.start();
    await w.create('web', {});
    const pod = await w.until('ready', async () => isReady(await w.pod('web')));
    expect(pod.status).toMatchObject({
      phase: 'Running',
      hostIP: '10.0.0.1',
      podIP: '10.244.0.1',
      podIPs: [{ ip: '10.244.0.1' }],
      containerStatuses: [{ name: 'main', ready: true, started: true, restartCount: 0, image }],
    });
    expect(pod.status?.conditions?.map((c) => `${c.type}=${c.status}`)).toEqual([
      'PodReadyToStartContainers=True',
      'Initialized=True',
      'Ready=True',
      'ContainersReady=True',
      'PodScheduled=True',
    ]);
    const writes = w.transport.calls.filter(
      (c) => c.verb === 'patch' && c.target.subresource === 'status' && c.target.kind.kind === 'Pod',
    );
    expect(writes.length).toBeLessThanOrEqual(2);
    await w.until('events', async () => (await w.events('web')).length >= 3);
    expect((await w.events('web')).sort()).toEqual([
      'Normal Created: Container created',
      `Normal Pulled: Container image "${image}" already present on machine and can be accessed by the pod`,
      'Normal Started: Container started',
    ]);
  });

  test('that is deleted stops within its grace period, tells its end, and is gone everywhere', async () => {
    const w = await world(() => ({ stopAfterMs: 400, stopExitCode: 0 }));
    await w.start();
    await w.create('web', {});
    await w.until('ready', async () => isReady(await w.pod('web')));
    const phases: string[] = [];
    w.client(Pod).watch(
      { namespace: 'default' },
      {
        onEvents: (events) => {
          for (const e of events)
            if (e.type !== 'BOOKMARK') phases.push(`${e.type} ${e.object.status?.phase}`);
        },
        onEnd: () => {},
      },
      new AbortController().signal,
    );
    await w.client(Pod).delete('web', 'default');
    await w.until('gone', async () => (await w.pod('web')) === undefined);
    expect(phases.at(-1)).toBe('DELETED Succeeded');
    await w.until('removed', async () => (await w.runtime.listPodSandbox()).length === 0);
    expect(await w.runtime.listContainers()).toEqual([]);
    await w.until(
      'no directory left',
      async () => fs.readdirSync(path.join(w.stateDir, 'pods')).length === 0,
    );
    expect(w.agent.podCount).toBe(0);
  });

  test('that crashes is restarted with back-off', async () => {
    const w = await world(() => ({ exitAfterMs: 1_000, exitCode: 3 }));
    await w.start();
    await w.create('crash', {});
    const waiting = await w.until('CrashLoopBackOff', async () => {
      const pod = await w.pod('crash');
      return pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff' && pod;
    });
    const status = waiting.status!.containerStatuses![0]!;
    expect(status).toMatchObject({
      restartCount: 1,
      ready: false,
      state: {
        waiting: {
          message: expect.stringMatching(
            /^back-off 10s restarting failed container=main pod=crash_default\(/,
          ),
        },
      },
      lastState: { terminated: { exitCode: 3, reason: 'Error' } },
    });
    expect(waiting.status?.phase).toBe('Running');
    await w.until('a second restart', async () => (w.runtime.find('crash', 'main')?.attempt ?? 0) >= 2);
    const pod = await w.until('count', async () => {
      const now = await w.pod('crash');
      return now!.status!.containerStatuses![0]!.restartCount === 2 && now;
    });
    expect(pod).toBeDefined();
    // Only the running instance and the last dead one are kept.
    expect((await w.runtime.listContainers()).length).toBeLessThanOrEqual(2);
  });

  test('with init containers runs them in order, sidecars first started then kept', async () => {
    const w = await world((name) =>
      name.startsWith('init') ? { exitAfterMs: 500, exitCode: 0 } : { stopAfterMs: 0 },
    );
    await w.start();
    await w.create('init', {
      initContainers: [
        container('init1'),
        container('side', { restartPolicy: 'Always' }),
        container('init2'),
      ],
    } as never);
    const pod = await w.until('ready', async () => isReady(await w.pod('init')));
    expect(w.runtime.calls.filter((c) => c.method === 'startContainer').map((c) => c.detail)).toEqual([
      'init1',
      'side',
      'init2',
      'main',
    ]);
    expect(
      pod.status?.initContainerStatuses?.map((s) => [s.name, s.ready, Object.keys(s.state!)[0]]),
    ).toEqual([
      ['init1', true, 'terminated'],
      ['side', true, 'running'],
      ['init2', true, 'terminated'],
    ]);
  });

  test('that never restarts ends as Succeeded or Failed, and its sandbox is stopped', async () => {
    const w = await world((name) => ({ exitAfterMs: 200, exitCode: name === 'bad' ? 1 : 0 }));
    await w.start();
    await w.create('good', { restartPolicy: 'Never' });
    await w.create('bad', { restartPolicy: 'Never', containers: [container('bad')] });
    const done = (name: string, phase: string) =>
      w.until(phase, async () => {
        const pod = await w.pod(name);
        return pod?.status?.phase === phase && pod;
      });
    const good = await done('good', 'Succeeded');
    expect(condition(good, 'Ready')).toMatchObject({ status: 'False', reason: 'PodCompleted' });
    expect(good.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({
      exitCode: 0,
      reason: 'Completed',
    });
    await done('bad', 'Failed');
    await w.until('stopped', async () => (await w.runtime.listPodSandbox()).every((s) => !s.ready));
  });

  test('with a failing liveness probe is restarted', async () => {
    const w = await world(() => ({
      stopAfterMs: 0,
      exec: () => ({ exitCode: 1, stdout: Buffer.from('sick') }),
    }));
    await w.start();
    await w.create('sick', {
      containers: [
        container('main', {
          livenessProbe: {
            exec: { command: ['check'] },
            periodSeconds: 1,
            failureThreshold: 2,
            timeoutSeconds: 1,
          },
        }),
      ],
    });
    await w.until(
      'a restart',
      async () => (await w.pod('sick'))?.status?.containerStatuses?.[0]?.restartCount === 1,
    );
    const said = await w.events('sick');
    expect(said).toContain('Warning Unhealthy: Liveness probe failed: sick');
    expect(said).toContain('Normal Killing: Container main failed liveness probe, will be restarted');
  });

  test('whose probes cannot be made is neither restarted nor ready', async () => {
    let tries = 0;
    const w = await world(() => ({
      stopAfterMs: 0,
      exec: () => {
        tries++;
        throw new RuntimeError('failed', 'no such process');
      },
    }));
    await w.start();
    const readinessProbe = { httpGet: { port: 'web' }, periodSeconds: 1 };
    const livenessProbe = { exec: { command: ['check'] }, periodSeconds: 1, failureThreshold: 1 };
    await w.create('odd', { containers: [container('main', { readinessProbe, livenessProbe })] });
    await w.until('a second try', async () => tries > 3);
    const status = (await w.pod('odd'))?.status?.containerStatuses?.[0];
    expect([status?.restartCount, status?.ready]).toEqual([0, false]);
    const said = await w.events('odd');
    const unknown = 'probe errored and resulted in unknown state:';
    expect(said).toContain(`Warning Unhealthy: Liveness ${unknown} no such process`);
    expect(said).toContain(
      `Warning Unhealthy: Readiness ${unknown} strconv.Atoi: parsing "web": invalid syntax`,
    );
  });

  test('is not touched by a restart of the agent; what was deleted meanwhile is removed', async () => {
    const w = await world();
    await w.start();
    await w.create('stays', {});
    await w.create('goes', {});
    await w.until('ready', async () => isReady(await w.pod('stays')) && isReady(await w.pod('goes')));
    const before = w.runtime.find('stays', 'main')!;
    await w.agent.stop();
    await w.client(Pod).delete('goes', 'default', { gracePeriodSeconds: 0 });
    const starts = w.runtime.calls.length;
    const { uid } = (await w.pod('stays'))!.metadata;
    vi.spyOn(noCgroups, 'list').mockReturnValue([uid, 'of-one-whose-sandbox-is-gone']);
    const groupsGone = vi.spyOn(noCgroups, 'remove');
    await w.start();
    await w.until('the orphan is gone', async () => (await w.runtime.listPodSandbox()).length === 1);
    await w.until('and the group', async () =>
      groupsGone.mock.calls.flat().includes('of-one-whose-sandbox-is-gone'),
    );
    expect(groupsGone.mock.calls.flat()).not.toContain(uid);
    expect(w.runtime.find('stays', 'main')).toMatchObject({ id: before.id, state: 'running' });
    expect(w.runtime.calls.slice(starts).filter((c) => c.method === 'startContainer')).toEqual([]);
    expect(isReady(await w.pod('stays'))).toBeTruthy();
  });

  test('is removed from the runtime in the end, when that could not at first', async () => {
    const w = await world();
    await w.start();
    await w.create('goes', {});
    await w.until('ready', async () => isReady(await w.pod('goes')));
    const away = new RuntimeError('unavailable', 'Connection dropped');
    for (let tries = 0; tries < 3; tries++) w.runtime.failNext('removePodSandbox', away);
    await w.client(Pod).delete('goes', 'default', { gracePeriodSeconds: 0 });
    const beganMs = w.clock.nowMs();
    await w.until('it is gone', async () => (await w.runtime.listPodSandbox()).length === 0);
    expect(w.runtime.calls.filter((c) => c.method === 'removePodSandbox')).toHaveLength(4);
    expect(w.clock.nowMs() - beganMs).toBeLessThan(10_000);
  });

  test('past its deadline fails', async () => {
    const w = await world();
    await w.start();
    await w.create('late', { activeDeadlineSeconds: 5 });
    const pod = await w.until('Failed', async () => {
      const now = await w.pod('late');
      return now?.status?.phase === 'Failed' && now;
    });
    expect(pod.status).toMatchObject({
      reason: 'DeadlineExceeded',
      message: 'Pod was active on the node longer than the specified deadline',
    });
  });
});
