// Rights by role on several servers over one etcd: what one is told, the other knows. Real time: another process keeps the records.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ClusterRole, ClusterRoleBinding, SubjectAccessReview } from '../../src/api/index.ts';
import { type RunningServer, serverDefaults, startServer } from '../../src/app/index.ts';
import { silentLog as log, systemClock, systemRandom } from '../../src/base/index.ts';
import { EtcdProcess, whyNoEtcd } from '../../src/testkit/index.ts';

const noEtcd = whyNoEtcd();
const cleanups: (() => void | Promise<void>)[] = [];
afterAll(async () => {
  for (let cleanup = cleanups.pop(); cleanup !== undefined; cleanup = cleanups.pop()) await cleanup();
});

async function start(url: string): Promise<RunningServer> {
  const dataDir = mkdtempSync(join(tmpdir(), 'jotasu-rbac-'));
  cleanups.push(() => rmSync(dataDir, { recursive: true, force: true }));
  const server = await startServer(
    {
      ...serverDefaults,
      dataDir,
      datastoreEndpoint: `etcd=${url}`,
      token: 'of-these-servers',
      bindAddress: '127.0.0.1',
      httpsListenPort: 0,
      without: ['controllers', 'scheduler'],
    },
    { clock: systemClock, random: systemRandom(), log },
  );
  cleanups.push(() => server.stop());
  return server;
}

const mayList = async ({ client }: RunningServer, user: string): Promise<boolean> => {
  const resourceAttributes = { verb: 'list', resource: 'nodes' };
  const review = await client(SubjectAccessReview).create({
    metadata: {},
    spec: { user, resourceAttributes },
  });
  return review.status?.allowed === true;
};

describe.skipIf(noEtcd !== undefined)('two servers on one etcd', () => {
  test('have the same roles, and see each other’s bindings as soon as they are told of them', async () => {
    const etcd = await EtcdProcess.start();
    cleanups.push(() => etcd.remove());
    const one = await start(etcd.url);
    const two = await start(etcd.url);
    const roles = await one.client(ClusterRole).list();
    expect((await two.client(ClusterRole).list()).items.map(({ metadata }) => metadata.uid)).toEqual(
      roles.items.map(({ metadata }) => metadata.uid),
    );
    const apiGroup = 'rbac.authorization.k8s.io';
    await one.client(ClusterRole).create({
      metadata: { name: 'lister' },
      rules: [{ verbs: ['list'], apiGroups: [''], resources: ['nodes'] }],
    });
    expect(await mayList(two, 'user-0')).toBe(false);
    for (let i = 0; i < 10; i++) {
      const name = `user-${i}`;
      const [here, there] = i % 2 === 0 ? [one, two] : [two, one];
      await here.client(ClusterRoleBinding).create({
        metadata: { name },
        roleRef: { apiGroup, kind: 'ClusterRole', name: 'lister' },
        subjects: [{ apiGroup, kind: 'User', name }],
      });
      // At once where it was made; elsewhere when the watch has brought it, which a read of the binding waits for.
      expect(await mayList(here, name)).toBe(true);
      await there.client(ClusterRoleBinding).get(name);
      expect(await mayList(there, name)).toBe(true);
      await here.client(ClusterRoleBinding).delete(name);
      expect(await mayList(here, name)).toBe(false);
    }
  });
});
