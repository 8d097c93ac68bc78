// Persistent storage as users meet it: the built program, the real kubectl, real containers on two nodes of this machine. What a test
// needs is applied before the first one, so that it has long started when its turn comes.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run, TourCluster, whyNot } from './tour-machine.ts';
import {
  byHand,
  claim,
  claimed,
  config,
  everyKind,
  only,
  pod,
  propagation,
  refused,
  set,
} from './volume-manifests.ts';

interface Named {
  metadata: { name: string; annotations?: Record<string, string>; deletionTimestamp?: string };
}
interface Pod extends Named {
  spec: { nodeName?: string };
  status: {
    phase: string;
    containerStatuses?: {
      containerID: string;
      restartCount: number;
      ready: boolean;
      state: { waiting?: { reason: string } };
    }[];
  };
}
interface Claim extends Named {
  spec: { volumeName?: string };
  status: { phase: string; capacity?: { storage: string }; conditions?: unknown[] };
}
interface Volume extends Named {
  spec: {
    capacity: { storage: string };
    persistentVolumeReclaimPolicy: string;
    local?: { path: string };
    nodeAffinity: { required: { nodeSelectorTerms: { matchExpressions: object[] }[] } };
  };
  status: { phase: string };
}

const why = whyNot();
const cluster = new TourCluster('jt-volumes');
const [node1, node2] = ['jt-volumes-node-1', 'jt-volumes-node-2'] as const;
const soon = { interval: 150 };
const shared = join(cluster.directory, 'shared');
const places = { shared, node1, node2 };

const { kubectl, json } = {
  kubectl: (...args: string[]) => cluster.kubectl(...args),
  json: <T>(...args: string[]) => cluster.json<T>(...args),
};
const shell = (pod: string, script: string) => kubectl('exec', pod, '--', 'sh', '-c', script);
const ready = (...pods: string[]) =>
  kubectl('wait', '--for=condition=Ready', ...pods.map((pod) => `pod/${pod}`), '--timeout=90s');
const names = async (kind: string) =>
  (await json<{ items: Named[] }>('get', kind)).items.map((o) => o.metadata.name);
const events = async (about: string, reason: string): Promise<string[]> =>
  (
    await json<{ items: { message: string }[] }>(
      'get',
      'events',
      '--field-selector',
      `involvedObject.name=${about},reason=${reason}`,
    )
  ).items.map((event) => event.message);
const volumeOf = async (claim: string): Promise<Volume> =>
  json<Volume>('get', 'pv', (await json<Claim>('get', 'pvc', claim)).spec.volumeName ?? '');

/** Ends a program as a crash does; its supervisor starts it again. */
function crash(pid: number | null): void {
  if (pid === null) throw new Error('it does not run');
  process.kill(pid, 'SIGKILL');
}

beforeAll(async () => {
  if (why !== undefined) return;
  await cluster.down();
  for (const name of ['local', 'mounts', 'made']) mkdirSync(join(shared, name), { recursive: true });
  writeFileSync(join(shared, 'local/old'), 'old');
  chmodSync(join(shared, 'local/old'), 0o600);
  await cluster.up('--nodes', '2', '--image', await cluster.busyboxArchive());
  await cluster.apply(
    config('one'),
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'secret' }, stringData: { password: 'hush' } },
    claim('kinds'),
    everyKind,
    set,
    ...byHand(places),
    ...refused(places),
    ...['life', 'kept'].map((name) => claim(name)),
    pod('life', {
      volumes: { life: claimed('life'), kept: claimed('kept') },
      spec: { nodeSelector: { 'kubernetes.io/hostname': node2 } },
    }),
    propagation('giver', 'Bidirectional', {
      ...places,
      container: { securityContext: { privileged: true } },
    }),
    propagation('taker', 'HostToContainer', places),
    propagation('alone', 'None', places),
  );
});
afterAll(async () => {
  if (why === undefined) await cluster.down();
  rmSync(cluster.directory, { recursive: true, force: true });
});

describe.skipIf(why !== undefined)('volumes', () => {
  test('of every kind that needs no administrator', async () => {
    await ready('kinds');
    expect(
      await shell(
        'kinds',
        `id -G; df -k /memory | awk 'NR>1{print $2}'; cat /file /conf/deep/a /all/conf /all/secret /all/note; echo; cat /all/labels /all/cpu; echo; cat /all/memory; echo
         stat -L -c '%a %u %g %n' /data /own /scratch /conf/deep /conf/deep/a /all/conf /all/secret /all/token
         for f in /data/x /own/x /scratch/x /memory/x /mine/y; do echo hello >$f || echo cannot; done
         for f in /reading/x /conf/x /all/x; do touch $f 2>/dev/null && echo can; done; cat /reading/x /reading/of/kinds/y; ls /late`,
      ),
    ).toBe(
      [
        '3000 2000',
        '8192',
        'oneoneonehushtwo',
        'lines',
        'app="kinds"50',
        '64',
        '2777 0 2000 /data',
        '2777 0 2000 /own',
        '2777 0 2000 /scratch',
        '2755 0 2000 /conf/deep',
        '440 0 2000 /conf/deep/a',
        '444 0 2000 /all/conf',
        '440 0 2000 /all/secret',
        '640 1000 2000 /all/token',
        'hello',
        'hello',
        '',
      ].join('\n'),
    );
    await expect(shell('kinds', 'head -c 9000000 /dev/zero >/memory/big')).rejects.toThrow();
  });

  test('what cannot be had is refused by name, and waited for', async () => {
    const said: [pod: string, message: string][] = [
      ['of-nfs', 'volumes of kind nfs are not supported by this node'],
      ['of-csi', 'driver name a.csi not found in the list of registered CSI drivers'],
      ['of-file', `hostPath type check failed: ${shared} is not a file`],
      ['of-block', 'volume v has volumeMode Block, which is not supported by this node'],
      [
        'of-nowhere',
        `MountVolume.NewMounter initialization failed for volume "nowhere" : path "${join(shared, 'nowhere')}" does not exist`,
      ],
    ];
    for (const [name, message] of said) {
      await expect.poll(async () => (await events(name, 'FailedMount'))[0], soon).toContain(message);
      const shown = async () => {
        const { status } = await json<Pod>('get', 'pod', name);
        return [name, status.phase, status.containerStatuses?.[0]?.state.waiting?.reason];
      };
      await expect.poll(shown, soon).toEqual([name, 'Pending', 'ContainerCreating']);
    }
    const first = async (about: string, reason: string) => (await events(about, reason))[0];
    await expect
      .poll(() => first('foreign', 'ExternalProvisioning'), soon)
      .toContain(
        "created either by the external provisioner 'example.com/foreign' or manually by the system administrator",
      );
    await expect
      .poll(() => first('now', 'ProvisioningFailed'), soon)
      .toBe('Failed to provision volume with StorageClass "now": configuration error, no node was specified');
    await expect
      .poll(() => first('many', 'ProvisioningFailed'), soon)
      .toContain('only supports ReadWriteOnce');
    for (const name of ['foreign', 'now', 'many'])
      expect((await json<Claim>('get', 'pvc', name)).status.phase).toBe('Pending');
    // What comes after all is taken; the node looks again every few seconds.
    mkdirSync(join(shared, 'nowhere'));
    const ended = said.map(([name]) => name).filter((name) => name !== 'of-nowhere');
    await kubectl('delete', 'pod', ...ended, 'of-many', '--wait=false');
  });

  test('a change reaches files as a whole, and no sub path', async () => {
    await cluster.apply(config('two'), {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'late' },
      data: { came: 'late' },
      immutable: true,
    });
    await kubectl('label', 'pod', 'kinds', 'more=yes');
    await expect
      .poll(
        () => shell('kinds', 'cat /conf/deep/a /all/conf /file; cat /late/came; grep more /all/labels'),
        soon,
      )
      .toBe('twotwoonelatemore="yes"\n');
    expect(
      (await run(cluster.kubectlArgv('patch', 'cm', 'late', '-p', '{"data":{"came":"no"}}'))).err,
    ).toContain('field is immutable when `immutable` is set');
  });

  test('made by hand: local and hostPath, where their affinity says', async () => {
    await ready('hand');
    expect((await json<Pod>('get', 'pod', 'hand')).spec.nodeName).toBe(node2);
    expect(
      await shell(
        'hand',
        'touch /local/new; touch /path/x 2>&1; stat -c "%a %g %n" /local /local/old; echo hi >/file; test -c /null && echo device',
      ),
    ).toBe('touch: /path/x: Read-only file system\n2775 2000 /local\n660 2000 /local/old\ndevice\n');
    expect([
      readFileSync(join(shared, 'made/file'), 'utf8'),
      statSync(join(shared, 'local/new')).gid,
    ]).toEqual(['hi\n', 2000]);
    const { nodes } = await cluster.status();
    const mounts = readFileSync(`/proc/${nodes[1]!.pid}/mountinfo`, 'utf8');
    expect(mounts).toMatch(/local-volume\/hand-local rw,noexec,/);
    // Whoever goes past the scheduler is stopped by the node.
    await kubectl('delete', 'pod', 'hand');
    await cluster.apply(
      pod('hand', { volumes: { local: claimed('hand-local') }, spec: { nodeName: node1 } }),
    );
    await expect
      .poll(() => events('hand', 'FailedMount'), soon)
      .toContain(
        'MountVolume.NodeAffinity check failed for volume "hand-local" : no matching NodeSelectorTerms',
      );
    await kubectl('delete', 'pod', 'hand', '--wait=false');
    expect(readdirSync(join(shared, 'local')).sort()).toEqual(['new', 'old']);
  });

  test('an ephemeral claim goes with its pod', async () => {
    const { spec } = await volumeOf('kinds-own');
    expect(existsSync(join(spec.local!.path, 'x'))).toBe(true);
    await kubectl('delete', 'pod', 'kinds', '--wait=false');
    await expect.poll(() => existsSync(spec.local!.path), soon).toBe(false);
    expect(await names('pvc')).toContain('kinds');
  });

  test('mounts propagate as asked', async () => {
    await ready('giver', 'taker', 'alone');
    await shell('giver', 'mkdir -p /host/m && mount -t tmpfs tmpfs /host/m && echo seen >/host/m/f');
    expect(await shell('taker', 'cat /host/m/f')).toBe('seen\n');
    expect(await shell('alone', 'ls /host/m')).toBe('');
    await shell('giver', 'umount /host/m');
    expect(await shell('taker', 'ls /host/m')).toBe('');
    await ready('of-nowhere');
  });
});

describe.skipIf(why !== undefined)('the default class', () => {
  const lines = async (name: string) => Number(await shell(name, 'wc -l </data/log'));
  const livesOf = async (name: string) => {
    const { metadata, spec, status } = await json<Pod>('get', 'pod', name);
    const [one] = status.containerStatuses ?? [];
    return [metadata.name, spec.nodeName, one?.containerID, one?.restartCount];
  };

  test('a StatefulSet keeps its data through the loss of pods, the set, an agent and the server', async () => {
    await ready('db-0', 'db-1');
    const before = await Promise.all(['db-0', 'db-1'].map(livesOf));
    expect(before.map(([, node]) => node).sort()).toEqual([node1, node2]);
    const claimOf = await json<Claim>('get', 'pvc', 'data-db-0');
    expect(claimOf.metadata.annotations).toMatchObject({
      'volume.kubernetes.io/selected-node': before[0]![1],
      'volume.kubernetes.io/storage-provisioner': 'jotasu.dev/local-path',
      'pv.kubernetes.io/bind-completed': 'yes',
    });
    const made = await volumeOf('data-db-0');
    expect(made.metadata.annotations).toMatchObject({
      'pv.kubernetes.io/provisioned-by': 'jotasu.dev/local-path',
    });
    expect(made.spec.nodeAffinity).toEqual(only(String(before[0]![1])));

    const { server, nodes } = await cluster.status();
    crash(server.pid);
    crash(nodes[0]!.pid);
    await expect
      .poll(async () => (await run(cluster.kubectlArgv('get', '--raw', '/readyz'))).out, soon)
      .toBe('ok');
    await kubectl('wait', '--for=condition=Ready', 'node', '--all', '--timeout=90s');
    await expect.poll(() => Promise.all(['db-0', 'db-1'].map(livesOf)), soon).toEqual(before);

    await kubectl('delete', 'pod', 'db-0', 'db-1');
    await expect
      .poll(async () => (await run(cluster.kubectlArgv('get', 'pod', 'db-0', 'db-1'))).code, soon)
      .toBe(0);
    await ready('db-0', 'db-1');
    await expect.poll(() => Promise.all(['db-0', 'db-1'].map(lines)), soon).toEqual([2, 2]);
    await kubectl('delete', 'statefulset', 'db', '--cascade=foreground');
    expect((await names('pvc')).filter((name) => name.startsWith('data-'))).toEqual([
      'data-db-0',
      'data-db-1',
    ]);
    const policy = { persistentVolumeClaimRetentionPolicy: { whenScaled: 'Delete', whenDeleted: 'Delete' } };
    await cluster.apply({ ...set, spec: { ...set.spec, ...policy } });
    await kubectl('rollout', 'status', 'statefulset/db', '--timeout=90s');
    await expect.poll(() => Promise.all(['db-0', 'db-1'].map(lines)), soon).toEqual([3, 3]);
    expect((await livesOf('db-0'))[1]).toBe(before[0]![1]);
  });

  test('claims go with what is scaled down and deleted, and their directories with them', async () => {
    const directories = await Promise.all(
      ['data-db-0', 'data-db-1'].map(async (name) => (await volumeOf(name)).spec.local!.path),
    );
    expect(directories.map((directory) => readFileSync(join(directory, 'log'), 'utf8'))).toEqual([
      'start\n'.repeat(3),
      'start\n'.repeat(3),
    ]);
    await kubectl('scale', 'statefulset', 'db', '--replicas=1');
    await expect
      .poll(() => directories.map((directory) => existsSync(directory)), soon)
      .toEqual([true, false]);
    expect(await lines('db-0')).toBe(3);
    await kubectl('delete', 'statefulset', 'db');
    await expect
      .poll(() => directories.map((directory) => existsSync(directory)), soon)
      .toEqual([false, false]);
    await expect
      .poll(async () => (await names('pvc')).filter((name) => name.startsWith('data-')), soon)
      .toEqual([]);
  });

  test('a volume grows at once, is kept where its policy says so, and waits for a node that is off', async () => {
    await ready('life');
    await kubectl('patch', 'pvc', 'life', '-p', '{"spec":{"resources":{"requests":{"storage":"5Gi"}}}}');
    await expect
      .poll(async () => {
        const { status } = await json<Claim>('get', 'pvc', 'life');
        return [status.capacity?.storage, status.conditions];
      }, soon)
      .toEqual(['5Gi', undefined]);
    const [life, kept] = [await volumeOf('life'), await volumeOf('kept')];
    expect(life.spec.capacity.storage).toBe('5Gi');
    await kubectl(
      'patch',
      'pv',
      kept.metadata.name,
      '-p',
      '{"spec":{"persistentVolumeReclaimPolicy":"Retain"}}',
    );
    await shell('life', 'echo 1 >/life/x; echo 2 >/kept/x');
    await cluster.jotasu('node', 'kill', node2);
    await kubectl('delete', 'pod', 'life', '--force', '--grace-period=0');
    await kubectl('wait', '--for=condition=Ready=Unknown', `node/${node2}`, '--timeout=90s');
    await kubectl('delete', 'pvc', 'life', 'kept');
    const phase = async (name: string) => (await json<Volume>('get', 'pv', name)).status.phase;
    await expect
      .poll(() => Promise.all([life, kept].map(({ metadata }) => phase(metadata.name))), soon)
      .toEqual(['Released', 'Released']);
    const there = () => [life, kept].map(({ spec }) => existsSync(join(spec.local!.path, 'x')));
    expect(there()).toEqual([true, true]);
    await expect
      .poll(async () => (await events(life.metadata.name, 'VolumeDelete'))[0], soon)
      .toContain(`is removed when node "${node2}" is back: it is not ready`);
    await cluster.jotasu('node', 'start', node2);
    await expect.poll(there, soon).toEqual([false, true]);
    await expect.poll(() => names('pv'), soon).not.toContain(life.metadata.name);
    expect(await phase(kept.metadata.name)).toBe('Released');
    await kubectl('delete', 'pv', kept.metadata.name);
    expect(there()).toEqual([false, true]);
  });
});
