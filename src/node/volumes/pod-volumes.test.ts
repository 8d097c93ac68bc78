// The volumes of pods on a real disk, with the API and the machine's programs as fakes.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type ConfigMap,
  type coreV1,
  PersistentVolume,
  PersistentVolumeClaim,
  type Pod,
  type Secret,
} from '../../api/index.ts';
import { FakeClock, seededRandom } from '../../base/index.ts';
import { type Client, createClient } from '../../client/index.ts';
import type { Draft, KubeObject } from '../../machinery/index.ts';
import { FakeExec } from '../../os/index.ts';
import { buildClaim, buildPod, buildVolume, FakeTransport } from '../../testkit/index.ts';
import { ensureContainerMounts } from './container-mounts.ts';
import { memoryVolumeBytes } from './empty-dir.ts';
import { PodVolumes, type VolumeContext } from './pod-volumes.ts';

let dir: string;
let exec: FakeExec;
let client: Client;
let transport: FakeTransport;
let volumes: PodVolumes;
let configMaps: Map<string, ConfigMap>;
let events: string[];
beforeEach(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-volumes-'));
  exec = new FakeExec();
  const clock = new FakeClock();
  transport = new FakeTransport({ clock, random: seededRandom(1) });
  client = createClient(transport);
  configMaps = new Map();
  events = [];
  start();
});
afterEach(() => fs.rmSync(dir, { recursive: true }));

/** As an agent does that was restarted: nothing is remembered. */
function start(): void {
  volumes = new PodVolumes({
    stateDir: dir,
    exec,
    clock: new FakeClock(),
    client,
    token: async () => 'token',
    node: () => ({ name: 'n1', labels: { 'kubernetes.io/hostname': 'n1' } }),
    directories: undefined,
    event: (pod, type, { reason, message }) =>
      events.push(`${pod.metadata.name} ${type} ${reason} ${message}`),
  });
}

function create<T extends KubeObject>(kind: Parameters<typeof client<T>>[0], { metadata, ...rest }: T) {
  const { uid: _, resourceVersion: __, creationTimestamp: ___, ...own } = metadata;
  return client(kind).create({ ...rest, metadata: own } as unknown as Draft<T>);
}
const podWith = (name: string, of: coreV1.Volume[], spec: object = {}): Pod =>
  buildPod(name, {
    spec: {
      containers: [
        {
          name: 'c',
          image: 'i',
          volumeMounts: of.map((volume) => ({ name: volume.name, mountPath: `/${volume.name}` })),
        },
      ],
      volumes: of,
      ...spec,
    },
  });
const context = (pod: Pod): VolumeContext => ({
  objects: {
    configMap: (name) => configMaps.get(name),
    secret: (): Secret | undefined => undefined,
  },
  downward: { pod, podIps: [], nodeIps: [], allocatable: { memory: '1Gi' } },
});
const ensure = (pod: Pod) => volumes.ensure(pod, context(pod));
/** As one would type it where nothing needs quotes. */
const ran = () => exec.ran.map((line) => line.replaceAll("'", ''));
const modeOf = (file: string) => (fs.statSync(file).mode & 0o7777).toString(8);
const config = (data: Record<string, string>) =>
  ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' }, data }) as unknown as ConfigMap;
const gid = process.getuid?.() === 0 ? 4321 : (process.getgid?.() ?? 0);

describe('how large a volume in memory is', () => {
  const pod = (...limits: (string | undefined)[]) =>
    buildPod('p', {
      spec: {
        containers: limits.map((memory, i) => ({
          name: `c${i}`,
          image: 'i',
          ...(memory !== undefined && { resources: { limits: { memory } } }),
        })),
      },
    });
  it.each<[string, Pod, string | undefined, number]>([
    ['as the node has for pods', pod(undefined), undefined, 2 ** 30],
    ['as it says', pod(undefined), '1Mi', 2 ** 20],
    ['as the pod may use', pod('1Mi', '1Mi'), undefined, 2 ** 21],
    ['no more than the pod may use', pod('1Mi'), '4Mi', 2 ** 20],
    ['not bounded by some of its containers', pod('1Mi', undefined), '4Mi', 2 ** 22],
    ['no more than the node has', pod(undefined), '8Gi', 2 ** 30],
  ])('%s', (_, of, sizeLimit, bytes) => {
    expect(memoryVolumeBytes(of, sizeLimit === undefined ? {} : { sizeLimit }, { memory: '1Gi' })).toBe(
      bytes,
    );
  });
});

describe('emptyDir', () => {
  it('is everybody’s, in memory a mount of its size', async () => {
    const pod = podWith('p', [
      { name: 'disk', emptyDir: {} },
      { name: 'memory', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    ]);
    const paths = await ensure(pod);
    expect(modeOf(paths.get('disk')!.path)).toBe('777');
    expect(ran()).toEqual([`mount -t tmpfs -o mode=1777,size=1048576 tmpfs ${paths.get('memory')!.path}`]);
    fs.writeFileSync(path.join(paths.get('disk')!.path, 'f'), '');
    await ensure(pod);
    expect(fs.readdirSync(paths.get('disk')!.path)).toEqual(['f']);
    await volumes.remove(pod.metadata.uid);
    expect(await volumes.list()).toEqual([]);
  });

  it('is its group’s', async () => {
    const paths = await ensure(podWith('p', [{ name: 'd' }], { securityContext: { fsGroup: gid } }));
    const at = paths.get('d')!.path;
    expect([modeOf(at), fs.statSync(at).gid]).toEqual(['2777', gid]);
  });

  it.each([
    ['HugePages-2Mi', 'emptyDir medium HugePages-2Mi is not supported by this node'],
    ['Tape', 'unknown storage medium "Tape"'],
  ])('of %s is refused', async (medium, why) => {
    await expect(ensure(podWith('p', [{ name: 'd', emptyDir: { medium } }]))).rejects.toThrow(
      `MountVolume.SetUp failed for volume "d" : ${why}`,
    );
  });
});

describe('files of objects', () => {
  it('follow their object, keep what they had when it goes, and are written only when they differ', async () => {
    const pod = podWith('p', [{ name: 'v', configMap: { name: 'c' } }], {
      securityContext: { fsGroup: gid },
    });
    await expect(ensure(pod)).rejects.toThrow(
      'MountVolume.SetUp failed for volume "v" : configmap "c" not found',
    );
    configMaps.set('c', config({ a: '1' }));
    const at = (await ensure(pod)).get('v')!.path;
    const read = () => fs.readFileSync(path.join(at, 'a'), 'utf8');
    const version = () => fs.readlinkSync(path.join(at, '..data'));
    expect([read(), modeOf(path.join(at, 'a')), modeOf(path.join(at, '..data/'))]).toEqual([
      '1',
      '644',
      '2755',
    ]);
    const first = version();
    await volumes.refresh(pod, context(pod));
    expect(version()).toBe(first);
    configMaps.set('c', config({ a: '2' }));
    await volumes.refresh(pod, context(pod));
    expect(read()).toBe('2');
    configMaps.clear();
    await volumes.refresh(pod, context(pod));
    expect(read()).toBe('2');
  });

  it('are not made for volumes that nobody mounts', async () => {
    const pod = podWith('p', []);
    const unused = { ...pod, spec: { ...pod.spec, volumes: [{ name: 'v', configMap: { name: 'none' } }] } };
    expect((await ensure(unused)).size).toBe(0);
  });

  it('tokens are for the one user or the group, else for all', async () => {
    const source = { projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } };
    const modeFor = async (name: string, securityContext: object) => {
      const pod = podWith(name, [{ name: 'v', ...source }], { securityContext });
      return modeOf(path.join((await ensure(pod)).get('v')!.path, 'token'));
    };
    const me = process.getuid?.() ?? 0;
    expect([
      await modeFor('a', {}),
      await modeFor('b', { runAsUser: me }),
      await modeFor('c', { fsGroup: gid }),
    ]).toEqual(['644', '600', '640']);
  });
});

describe('sources of a projected volume', () => {
  const files = async (source: coreV1.VolumeProjection) => {
    const pod = podWith('p', [{ name: 'v', projected: { sources: [source] } }]);
    const at = (await ensure(pod)).get('v')!.path;
    return fs.readdirSync(at).filter((name) => !name.startsWith('..'));
  };
  const bundle = { name: 'roots', path: 'roots.pem' };
  it.each<[string, coreV1.VolumeProjection]>([
    ['clusterTrustBundle', { clusterTrustBundle: bundle }],
    ['podCertificate', { podCertificate: { signerName: 'a/b', keyType: 'ED25519' } }],
  ])('%s is refused by name', (kind, source) =>
    expect(files(source)).rejects.toThrow(
      `MountVolume.SetUp failed for volume "v" : projected volume source ${kind} is not supported by this node`,
    ),
  );
  it('a bundle that may be missing is an empty file', async () =>
    expect(await files({ clusterTrustBundle: { ...bundle, optional: true } })).toEqual(['roots.pem']));
  it('one that names nothing gives nothing', async () => expect(await files({})).toEqual([]));
});

describe('claims', () => {
  const use = (readOnly = false): coreV1.Volume => ({
    name: 'data',
    persistentVolumeClaim: { claimName: 'c', ...(readOnly && { readOnly }) },
  });
  async function bind(spec: Partial<coreV1.PersistentVolumeSpec> = {}): Promise<string> {
    const target = path.join(dir, 'target');
    fs.mkdirSync(target, { recursive: true });
    const claim = await create(PersistentVolumeClaim, buildClaim('c', { bound: true, volume: 'v' }));
    await client(PersistentVolumeClaim).patch(
      { name: 'c', namespace: 'default', subresource: 'status' },
      'merge',
      { status: { phase: 'Bound' } },
    );
    await create(
      PersistentVolume,
      buildVolume('v', { claim, spec: { hostPath: undefined, local: { path: target }, ...spec } }),
    );
    return target;
  }
  const gets = () => transport.calls.filter(({ verb }) => verb === 'get').length;

  it('are looked up once a pod, and again after a restart', async () => {
    const target = await bind();
    const pod = podWith('p', [use(true)]);
    expect((await ensure(pod)).get('data')).toEqual({ path: target, readOnly: true });
    const before = gets();
    await ensure(pod);
    expect(gets()).toBe(before);
    start();
    await ensure(pod);
    expect(gets()).toBe(before + 2);
  });

  it('that are going serve whoever had them, also after a restart', async () => {
    await bind();
    const [old, late] = [podWith('old', [use()]), podWith('late', [use()])];
    await ensure(old);
    const at = { name: 'c', namespace: 'default' };
    await client(PersistentVolumeClaim).patch(at, 'merge', { metadata: { finalizers: ['x/y'] } });
    await client(PersistentVolumeClaim).delete('c', 'default');
    start();
    await ensure(old);
    await expect(ensure(late)).rejects.toThrow(
      'Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[data]: error processing PVC default/c: PVC is being deleted',
    );
  });

  it('that are not there are told', async () => {
    await expect(ensure(podWith('p', [use()]))).rejects.toThrow(
      'error processing PVC default/c: failed to fetch PVC from API server: persistentvolumeclaims "c" not found',
    );
  });

  it('data outlives the pod, and what is mounted for it goes with it', async () => {
    const target = await bind({ mountOptions: ['noexec'] });
    fs.writeFileSync(path.join(target, 'f'), '1');
    const pod = podWith('p', [use()]);
    const at = (await ensure(pod)).get('data')!.path;
    expect(ran()).toEqual([`mount --bind ${target} ${at}`, `mount -o remount,bind,noexec ${at}`]);
    await volumes.remove(pod.metadata.uid);
    expect([fs.existsSync(at), fs.readFileSync(path.join(target, 'f'), 'utf8')]).toEqual([false, '1']);
  });

  it('a pod that has ended holds nothing but its last words', async () => {
    const target = await bind();
    fs.writeFileSync(path.join(target, 'f'), '1');
    const pod = podWith('p', [use(), { name: 'own' }]);
    const own = (await ensure(pod)).get('own')!.path;
    const words = path.join(volumes.podDir(pod.metadata.uid), 'containers/c/0.message');
    fs.mkdirSync(path.dirname(words), { recursive: true });
    fs.writeFileSync(words, 'bye');
    await volumes.release(pod.metadata.uid);
    await volumes.release(pod.metadata.uid);
    expect([own, words, path.join(target, 'f')].map((file) => fs.existsSync(file))).toEqual([
      false,
      true,
      true,
    ]);
  });

  it('without its options a mount is undone', async () => {
    await bind({ mountOptions: ['nonsense'] });
    exec.answer(/remount/, { code: 32, stderr: 'bad option' });
    await expect(ensure(podWith('p', [use()]))).rejects.toThrow(
      /^MountVolume.SetUp failed for volume "v" : .*bad option/,
    );
    expect(exec.ran.at(-1)).toMatch(/^umount -l /);
  });

  it('the first pod decides whose the files are', async () => {
    const target = await bind();
    fs.chmodSync(target, 0o755);
    const file = path.join(target, 'f');
    fs.writeFileSync(file, '');
    fs.chmodSync(file, 0o600);
    const first = podWith('first', [use()], { securityContext: { fsGroup: gid } });
    await ensure(first);
    expect([modeOf(target), modeOf(file), fs.statSync(file).gid]).toEqual(['2775', '660', gid]);
    fs.chmodSync(file, 0o600);
    await ensure(first);
    await ensure(podWith('second', [use()], { securityContext: { fsGroup: gid } }));
    expect(modeOf(file)).toBe('600');
    await volumes.release('uid-first');
    await volumes.remove('uid-second');
    await ensure(podWith('third', [use()], { securityContext: { fsGroup: gid } }));
    expect(modeOf(file)).toBe('660');
    expect(events).toEqual([]);
  });

  it('a path that is a link leads to them', async () => {
    const link = path.join(dir, 'link');
    const target = await bind({ local: { path: link } });
    fs.symlinkSync(target, link);
    fs.chmodSync(target, 0o755);
    await ensure(podWith('p', [use()], { securityContext: { fsGroup: gid } }));
    expect([modeOf(target), fs.statSync(target).gid]).toEqual(['2775', gid]);
  });

  it('a pod that wants them to be of another group is told, and they stay as they are', async () => {
    const target = await bind();
    await ensure(podWith('first', [use()], { securityContext: { fsGroup: gid } }));
    const second = podWith('second', [use()], { securityContext: { fsGroup: gid + 1 } });
    await ensure(second);
    await ensure(second);
    expect(fs.statSync(target).gid).toBe(gid);
    expect(events).toEqual([
      `second Warning AlreadyMountedVolume The requested fsGroup is ${gid + 1}, but the volume v has GID ${gid}. The volume may not be shareable.`,
    ]);
  });
});

describe('mounts of a container', () => {
  const mount = async (pod: Pod, mounts: coreV1.VolumeMount[]) =>
    (
      await ensureContainerMounts({
        container: { name: 'c', image: 'i', volumeMounts: mounts },
        attempt: 0,
        volumes: await ensure(pod),
        environment: new Map([['POD', 'p']]),
        podDir: volumes.podDir(pod.metadata.uid),
        bindSubPath: volumes.bindSubPath,
        hosts: '',
      })
    ).filter(({ containerPath }) => containerPath !== '/etc/hosts');

  it('parts of a volume are mounts of their own, made by number', async () => {
    const pod = podWith('p', [{ name: 'v' }]);
    const [whole, part] = await mount(pod, [
      { name: 'v', mountPath: 'a', readOnly: true },
      { name: 'v', mountPath: '/b', subPathExpr: 'x/$(POD)', mountPropagation: 'HostToContainer' },
    ]);
    expect(whole).toMatchObject({ containerPath: '/a', readOnly: true, propagation: 'private' });
    const target = path.join(volumes.podDir(pod.metadata.uid), 'volume-subpaths/v/c/1');
    expect(part).toEqual({
      containerPath: '/b',
      hostPath: target,
      readOnly: false,
      propagation: 'hostToContainer',
    });
    expect(exec.ran.at(-1)).toMatch(
      new RegExp(`^mount --no-canonicalize --bind /proc/${process.pid}/fd/\\d+ ${target}$`),
    );
    expect(fs.statSync(path.join(whole!.hostPath, 'x/p')).isDirectory()).toBe(true);
  });

  it.each<[coreV1.VolumeMount, string]>([
    [{ name: 'x', mountPath: '/x' }, 'cannot find volume "x" to mount into container "c"'],
    [{ name: 'v', mountPath: '/x', subPathExpr: '$(NO)' }, 'missing value for "$(NO)"'],
    [
      { name: 'v', mountPath: '/x', subPath: '../x' },
      "unable to provision SubPath `../x`: must be a relative path without '..'",
    ],
    [
      { name: 'v', mountPath: '/x', readOnly: true, recursiveReadOnly: 'Enabled' },
      'failed to resolve recursive read-only mode: volume "v" requested recursive read-only mode, but it is not supported by the runtime',
    ],
  ])('%j is refused', async (one, message) => {
    await expect(mount(podWith('p', [{ name: 'v' }]), [one])).rejects.toThrow(message);
  });
});
