// What keeps pods from starting, over fakes: the agent tells it, and tries again.
import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { ConfigMap, Secret } from '../api/index.ts';
import { RuntimeError } from '../os/index.ts';
import { container, isReady, world } from './testdata/agent-world.ts';

describe('a pod', () => {
  test('waits for a missing ConfigMap, starts when it comes, and sees changes of a mounted one', async () => {
    const w = await world();
    await w.start();
    await w.create('needs', {
      containers: [
        container('main', {
          env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'cm', key: 'a' } } }],
          volumeMounts: [{ name: 'v', mountPath: '/v' }],
        }),
      ],
      volumes: [{ name: 'v', secret: { secretName: 'sec' } }],
    } as never);
    await w.until('FailedMount', async () =>
      (await w.events('needs')).some((e) => e.includes('FailedMount')),
    );
    expect(await w.events('needs')).toContain(
      'Warning FailedMount: MountVolume.SetUp failed for volume "v" : secret "sec" not found',
    );
    const text = (value: string) => ({ data: { s: Buffer.from(value).toString('base64') } });
    await w.client(Secret).create({ metadata: { name: 'sec', namespace: 'default' }, ...text('one') });
    const reason = await w.until('CreateContainerConfigError', async () => {
      const state = (await w.pod('needs'))?.status?.containerStatuses?.[0]?.state?.waiting;
      return state?.reason === 'CreateContainerConfigError' && state;
    });
    expect(reason.message).toBe('configmap "cm" not found');
    await w.client(ConfigMap).create({ metadata: { name: 'cm', namespace: 'default' }, data: { a: '1' } });
    await w.until('ready', async () => isReady(await w.pod('needs')));
    const config = w.runtime.configOf(w.runtime.find('needs', 'main')!.id);
    expect(config.env).toContainEqual({ name: 'A', value: '1' });
    const mount = config.mounts.find((m) => m.containerPath === '/v')!;
    expect(mount.readOnly).toBe(true);
    expect(fs.readFileSync(path.join(mount.hostPath, 's'), 'utf8')).toBe('one');
    await w.client(Secret).patch({ name: 'sec', namespace: 'default' }, 'merge', text('two'));
    await w.until(
      'the new value',
      async () => fs.readFileSync(path.join(mount.hostPath, 's'), 'utf8') === 'two',
    );
  });

  test('whose image cannot be pulled says so and backs off', async () => {
    const w = await world();
    await w.start();
    await w.create('nope', { containers: [container('main', { image: 'example.com/nope:1' })] });
    const reasons = new Set<string>();
    await w.until('ImagePullBackOff', async () => {
      const reason = (await w.pod('nope'))?.status?.containerStatuses?.[0]?.state?.waiting?.reason;
      if (reason !== undefined) reasons.add(reason);
      return reason === 'ImagePullBackOff';
    });
    expect(reasons).toContain('ErrImagePull');
    const said = await w.events('nope');
    expect(said).toContain('Normal Pulling: Pulling image "example.com/nope:1"');
    expect(
      said.some((e) => e.startsWith('Warning Failed: Failed to pull image "example.com/nope:1": ')),
    ).toBe(true);
  });

  test('starts no container before it is isolated; what hinders that is told and tried again', async () => {
    const asked: string[] = [];
    let problem: Error | undefined = new Error('no rules');
    let release = (): void => {};
    const w = await world(undefined, {
      isolate: async ({ metadata }, ips) => {
        asked.push(`${metadata.name} ${ips.join()}`);
        if (problem !== undefined) throw problem;
        await new Promise<void>((resolve) => (release = resolve));
      },
    });
    await w.start();
    await w.create('web', {});
    await w.until('it is told', async () =>
      (await w.events('web')).some((event) => event.includes('network is not ready: no rules')),
    );
    const asks = asked.length;
    problem = undefined;
    await w.until('it is asked again', async () => asked.length > asks);
    expect(new Set(asked)).toEqual(new Set(['web 10.244.0.1']));
    expect(await w.runtime.listContainers()).toEqual([]);
    release();
    await w.until('ready', async () => isReady(await w.pod('web')));
  });

  test('whose sandbox cannot be made is tried again', async () => {
    const w = await world();
    await w.start();
    w.runtime.failNext('runPodSandbox', new RuntimeError('failed', 'no network'));
    await w.create('web', {});
    await w.until('ready', async () => isReady(await w.pod('web')));
    expect(await w.events('web')).toContain(
      'Warning FailedCreatePodSandBox: Failed to create pod sandbox: no network',
    );
  });

  test('whose container was made but not started, because the runtime was killed, counts no restart', async () => {
    const w = await world();
    await w.start();
    w.runtime.failNext('startContainer', new RuntimeError('unavailable', 'Connection dropped'));
    await w.create('web', { restartPolicy: 'Never' });
    const pod = await w.until('ready', async () => isReady(await w.pod('web')));
    expect(pod.status?.containerStatuses?.map((s) => [s.restartCount, s.lastState])).toEqual([[0, {}]]);
    expect(await w.runtime.listContainers()).toHaveLength(1);
  });

  test('that lost its sandbox gets a new one', async () => {
    const w = await world();
    await w.start();
    await w.create('web', {});
    await w.until('ready', async () => isReady(await w.pod('web')));
    const [sandbox] = await w.runtime.listPodSandbox();
    await w.runtime.stopPodSandbox(sandbox!.id);
    const pod = await w.until('again', async () => {
      const now = await w.pod('web');
      return isReady(now) && now!.status!.podIP !== '10.244.0.1' && now;
    });
    expect(pod.status).toMatchObject({
      podIP: '10.244.0.2',
      podIPs: [{ ip: '10.244.0.2' }],
      containerStatuses: [{ restartCount: 1 }],
    });
  });
});
