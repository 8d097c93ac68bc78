// `node stop` is a machine that is shut down: its pods hear of it, end in their own way, and say why; `node start` brings the node back.
import { rmSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Node, Pod } from '../../src/api/index.ts';
import { busyboxImage, staysPut, TourCluster, whyNot } from './tour-machine.ts';

const why = whyNot();
const cluster = new TourCluster('jt-stop');
const node = 'jt-stop-node-1';

const pod = (name: string, script: string, more: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    nodeName: node,
    tolerations: JSON.parse(staysPut) as object[],
    containers: [{ name: 'main', image: busyboxImage, command: ['sh', '-c', script] }],
    ...more,
  },
});

beforeAll(async () => {
  if (why !== undefined) return;
  await cluster.down();
  await cluster.up('--nodes', '1');
  await cluster.jotasu('image', 'load', await cluster.busyboxArchive());
});
afterAll(async () => {
  if (why === undefined) await cluster.down();
  rmSync(cluster.directory, { recursive: true });
});

describe.skipIf(why !== undefined)('node stop', () => {
  const statusOf = async (name: string) => (await cluster.json<Pod>('get', 'pod', name)).status!;
  const ready = async () =>
    (await cluster.json<Node>('get', 'node', node)).status?.conditions?.find(({ type }) => type === 'Ready');

  test('pods end in their own way and say why; the node comes back', async () => {
    await cluster.apply(
      pod('polite', 'trap "exit 7" TERM; touch /trap-is-set; while :; do sleep 0.1; done'),
      // Deaf to SIGTERM, as the first process of a container is by itself.
      pod('deaf', 'while :; do sleep 1; done', { terminationGracePeriodSeconds: 1 }),
      pod('done', 'exit 0', { restartPolicy: 'Never' }),
    );
    await cluster.kubectl('wait', 'pod', 'polite', 'deaf', '--for=condition=Ready', '--timeout=90s');
    await cluster.kubectl('wait', 'pod', 'done', '--for=jsonpath={.status.phase}=Succeeded', '--timeout=90s');
    await expect.poll(() => cluster.kubectl('exec', 'polite', '--', 'ls', '/trap-is-set')).not.toBe('');

    expect(await cluster.jotasu('node', 'stop', node)).toBe(
      `Ending the pods of node ${node}.\nNode ${node} is stopped.\n`,
    );
    const ended = {
      phase: 'Failed',
      reason: 'Terminated',
      message: 'Pod was terminated in response to imminent node shutdown.',
    };
    const polite = await statusOf('polite');
    expect(polite).toMatchObject(ended);
    expect(polite.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 7, reason: 'Error' });
    expect(polite.conditions).toContainEqual(
      expect.objectContaining({
        type: 'DisruptionTarget',
        status: 'True',
        reason: 'TerminationByKubelet',
        message: ended.message,
      }),
    );
    const deaf = await statusOf('deaf');
    expect(deaf).toMatchObject(ended);
    expect(deaf.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 137 });
    expect(await statusOf('done')).toMatchObject({ phase: 'Succeeded' });
    expect((await ready())?.status).not.toBe('True');
    await expect
      .poll(() => cluster.kubectl('get', 'events', '--field-selector', `involvedObject.name=${node}`))
      .toMatch(/Normal +NodeShutdown +node\/jt-stop-node-1 +Shutdown manager detected shutdown event/);

    await cluster.jotasu('node', 'start', node);
    await expect.poll(async () => (await ready())?.status).toBe('True');
    // What is over stays over.
    expect(await statusOf('polite')).toMatchObject(ended);
    await cluster.apply(pod('next', 'while :; do sleep 1; done'));
    await cluster.kubectl('wait', 'pod', 'next', '--for=condition=Ready', '--timeout=90s');
  });
});
