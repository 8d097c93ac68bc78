// The smaller parts: image names, credentials, log entries, volumes on disk, routes, probes' counting, the places of a limiter.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { Node, Secret } from '../api/index.ts';
import { systemClock } from '../base/index.ts';
import { normalizeImage, referenceFault } from './images.ts';
import { Limiter } from './limiter.ts';
import { isInside, planMasquerade, planRouteChanges, planRoutes } from './network.ts';
import { countOutcome, initialCount } from './probes/probe-plan.ts';
import { credentialsFor } from './pull-secrets.ts';
import { orderIps } from './runtime-cache.ts';
import { LineSplitter, lastLogLines, parseEntry } from './server/log-file.ts';
import { streamLog } from './server/log-stream.ts';
import { humanSpan } from './span.ts';
import { writeAtomically } from './volumes/atomic-writer.ts';
import { ensureHostPath } from './volumes/host-path.ts';

const dirs: string[] = [];
function temporary(): string {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-parts-'));
  dirs.push(dir);
  return dir;
}
afterEach(() => {
  for (const dir of dirs.splice(0)) fs.rmSync(dir, { recursive: true, force: true });
});

describe('image names', () => {
  test.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['busybox:1.36', 'docker.io/library/busybox:1.36'],
    ['org/app', 'docker.io/org/app:latest'],
    ['docker.io/library/busybox:1.36', 'docker.io/library/busybox:1.36'],
    ['localhost/x:1', 'localhost/x:1'],
    ['localhost:5000/x/y', 'localhost:5000/x/y:latest'],
    ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10'],
    [`a@sha256:${'0'.repeat(64)}`, `docker.io/library/a@sha256:${'0'.repeat(64)}`],
    ['UPPER', undefined],
    ['', undefined],
    ['a b', undefined],
    ['x/', undefined],
    ['HOST/app', 'HOST/app:latest'],
  ])('%s', (image, want) => expect(normalizeImage(image)).toBe(want));

  test.each([
    ['Nginx:1', 'invalid reference format: repository name (library/Nginx) must be lowercase'],
    ['org/App', 'invalid reference format: repository name (org/App) must be lowercase'],
    ['HOST/App', 'invalid reference format: repository name (App) must be lowercase'],
    ['a b', 'invalid reference format'],
  ])('%s is none, and why', (image, want) => {
    expect(normalizeImage(image)).toBeUndefined();
    expect(referenceFault(image)).toBe(want);
  });
});

test('credentials: the most specific registry first, Docker Hub by all its names', () => {
  const config = {
    auths: {
      'https://index.docker.io/v1/': { auth: Buffer.from('u:p:q').toString('base64') },
      'example.com': { username: 'a', password: 'b' },
      'example.com/team': { username: 'c', password: 'd' },
      '*.corp.io': { username: 'e', password: 'f' },
    },
  };
  const secret = {
    type: 'kubernetes.io/dockerconfigjson',
    data: { '.dockerconfigjson': Buffer.from(JSON.stringify(config)).toString('base64') },
  } as unknown as Secret;
  const users = (image: string) => credentialsFor(image, [secret]).map((a) => a.username);
  expect(users('example.com/team/app:1')).toEqual(['c', 'a']);
  expect(users('docker.io/library/busybox:1')).toEqual(['u']);
  expect(credentialsFor('docker.io/library/busybox:1', [secret])[0]?.password).toBe('p:q');
  expect(users('reg.corp.io/x:1')).toEqual(['e']);
  expect(users('elsewhere.net/x:1')).toEqual([]);
});

describe('logs', () => {
  const line = (text: string, tag = 'F', stream = 'stdout', second = 0) =>
    `2026-01-01T00:00:${String(second).padStart(2, '0')}.5Z ${stream} ${tag} ${text}\n`;
  const read = async (file: string, options: Partial<Parameters<typeof streamLog>[1]> = {}) => {
    let text = '';
    const source = { file, ended: () => true, clock: systemClock, signal: new AbortController().signal };
    const all = {
      follow: false,
      timestamps: false,
      tailLines: undefined,
      sinceMs: undefined,
      limitBytes: undefined,
      stream: undefined,
    };
    for await (const piece of streamLog(source, { ...all, ...options })) text += piece;
    return text;
  };

  test('entries', () => {
    expect(parseEntry(Buffer.from(line('a b').trimEnd()))).toMatchObject({
      stream: 'stdout',
      partial: false,
      text: Buffer.from('a b'),
    });
    expect(parseEntry(Buffer.from('2026 stdout F '))?.text).toEqual(Buffer.alloc(0));
    expect(parseEntry(Buffer.from('nonsense'))).toBeUndefined();
  });

  test('options', async () => {
    const file = path.join(temporary(), '0.log');
    fs.writeFileSync(
      file,
      line('one') +
        line('tw', 'P') +
        line('o') +
        line('err', 'F', 'stderr', 9) +
        line('last', 'F', 'stdout', 10),
    );
    expect(await read(file)).toBe('one\ntwo\nerr\nlast\n');
    expect(await read(file, { tailLines: 2 })).toBe('err\nlast\n');
    expect(await read(file, { tailLines: 0 })).toBe('');
    expect(await read(file, { tailLines: 99 })).toBe('one\ntwo\nerr\nlast\n');
    expect(await read(file, { stream: 'stderr' })).toBe('err\n');
    expect(await read(file, { limitBytes: 5 })).toBe('one\nt');
    expect(await read(file, { sinceMs: Date.UTC(2026, 0, 1, 0, 0, 10) })).toBe('last\n');
    expect(await read(file, { timestamps: true, tailLines: 1 })).toBe(
      '2026-01-01T00:00:10.500000000Z last\n',
    );
    expect(await lastLogLines(file, { lines: 2, bytes: 100 })).toBe('err\nlast\n');
  });

  test('following goes on through rotation until the container has ended', async () => {
    const dir = temporary();
    const file = path.join(dir, '0.log');
    fs.writeFileSync(file, line('one'));
    let ended = false;
    const pieces: string[] = [];
    const source = { file, ended: () => ended, clock: systemClock, signal: new AbortController().signal };
    const options = {
      follow: true,
      timestamps: false,
      tailLines: undefined,
      sinceMs: undefined,
      limitBytes: undefined,
      stream: undefined,
    };
    for await (const piece of streamLog(source, options)) {
      pieces.push(piece.toString());
      if (pieces.length === 1) {
        fs.appendFileSync(file, line('two'));
        fs.renameSync(file, `${file}.1`);
        fs.writeFileSync(file, line('three'));
      } else if (pieces.join('').includes('three')) ended = true;
    }
    expect(pieces.join('')).toBe('one\ntwo\nthree\n');
  });

  test('lines come out whole however the pieces are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.stringMatching(/^[a-z]{0,5}$/)),
        fc.array(fc.integer({ min: 1, max: 4 })),
        (lines, cuts) => {
          const data = Buffer.from(lines.map((l) => `${l}\n`).join(''));
          const splitter = new LineSplitter();
          const out: string[] = [];
          for (let at = 0, i = 0; at < data.length; i++) {
            const size = cuts[i % Math.max(1, cuts.length)] ?? 3;
            out.push(...splitter.push(data.subarray(at, at + size)).map(String));
            at += size;
          }
          expect(out).toEqual(lines);
        },
      ),
    );
  });
});

describe('volumes', () => {
  const payload = (files: Record<string, string>, mode = 0o644) =>
    new Map(Object.entries(files).map(([name, text]) => [name, { data: Buffer.from(text), mode }]));
  const tree = (dir: string) =>
    fs
      .readdirSync(dir)
      .filter((name) => !name.startsWith('..'))
      .sort()
      .map((name) => [
        name,
        fs.statSync(path.join(dir, name)).isDirectory()
          ? 'dir'
          : fs.readFileSync(path.join(dir, name), 'utf8'),
      ]);

  test('files change all at once, by one symlink', async () => {
    const dir = temporary();
    expect(await writeAtomically(dir, payload({ a: '1', 'd/e': '2' }), { nowMs: 0 })).toBe(true);
    expect(tree(dir)).toEqual([
      ['a', '1'],
      ['d', 'dir'],
    ]);
    expect(fs.readlinkSync(path.join(dir, 'a'))).toBe('..data/a');
    const before = fs.readlinkSync(path.join(dir, '..data'));
    expect(await writeAtomically(dir, payload({ a: '1', 'd/e': '2' }), { nowMs: 0 })).toBe(false);
    expect(await writeAtomically(dir, payload({ a: '3', b: '4' }, 0o600), { nowMs: 0 })).toBe(true);
    expect(tree(dir)).toEqual([
      ['a', '3'],
      ['b', '4'],
    ]);
    expect(fs.readlinkSync(path.join(dir, '..data'))).not.toBe(before);
    expect(fs.existsSync(path.join(dir, before))).toBe(false);
    expect(fs.statSync(path.join(dir, 'a')).mode & 0o777).toBe(0o600);
  });

  test.each(['../x', '/x', '..x', 'a/../b', ''])('the path %j is refused', async (name) => {
    await expect(writeAtomically(temporary(), payload({ [name]: '' }), { nowMs: 0 })).rejects.toThrow(
      'invalid path in volume',
    );
  });

  test('hostPath types', async () => {
    const dir = temporary();
    expect(await ensureHostPath({ path: path.join(dir, 'new'), type: 'DirectoryOrCreate' })).toBe(
      path.join(dir, 'new'),
    );
    expect(await ensureHostPath({ path: path.join(dir, 'f'), type: 'FileOrCreate' })).toBe(
      path.join(dir, 'f'),
    );
    await expect(ensureHostPath({ path: path.join(dir, 'f'), type: 'Directory' })).rejects.toThrow(
      /^hostPath type check failed: .* is not a directory$/,
    );
    await expect(ensureHostPath({ path: path.join(dir, 'no'), type: 'File' })).rejects.toThrow(
      /is not a file$/,
    );
  });
});

describe('routes', () => {
  const node = (name: string, ip: string, cidr?: string) =>
    ({
      metadata: { name },
      spec: cidr === undefined ? {} : { podCIDR: cidr, podCIDRs: [cidr] },
      status: { addresses: [{ type: 'InternalIP', address: ip }] },
    }) as unknown as Node;
  const nodes = [
    node('n1', '10.0.0.1', '10.244.0.0/24'),
    node('n2', '10.0.0.2', '10.244.1.0/24'),
    node('n3', '10.0.0.3'),
  ];
  test('one to each other node that has a subnet', () => {
    expect(planRoutes(nodes, 'n1')).toEqual([{ destination: '10.244.1.0/24', gateway: '10.0.0.2' }]);
  });
  test('only our own are touched', () => {
    const have = [
      { destination: 'default', gateway: '10.0.0.254', device: 'eth0' },
      { destination: '10.244.0.0/24', gateway: undefined, device: 'cni0' },
      { destination: '10.244.9.0/24', gateway: '10.0.0.9', device: 'eth0' },
      { destination: '192.168.0.0/24', gateway: '10.0.0.9', device: 'eth0' },
    ];
    expect(planRouteChanges(planRoutes(nodes, 'n1'), have, '10.244.0.0/16')).toEqual([
      'route del 10.244.9.0/24 via 10.0.0.9',
      'route replace 10.244.1.0/24 via 10.0.0.2',
    ]);
  });
  test('applied, nothing is left to do', () => {
    const want = planRoutes(nodes, 'n3');
    expect(
      planRouteChanges(
        want,
        want.map((r) => ({ ...r, device: 'eth0' })),
        '10.244.0.0/16',
      ),
    ).toEqual([]);
  });
  test.each([
    ['10.244.3.0/24', '10.244.0.0/16', true],
    ['10.245.0.0/24', '10.244.0.0/16', false],
    ['10.0.0.0/8', '10.244.0.0/16', false],
    ['10.244.3.4', '10.244.0.0/16', true],
    ['default', '0.0.0.0/0', false],
    ['fd00:10:244:1::/64', 'fd00:10:244::/56', true],
    ['fd00:10:245::/64', 'fd00:10:244::/56', false],
    ['fd00:10:244::5', 'fd00:10:244::/56', true],
    ['::/0', 'fd00:10:244::/56', false],
    ['10.244.3.0/24', '::/0', false],
  ])('%s in %s: %s', (range, outer, want) => expect(isInside(range, outer)).toBe(want));
  test('masquerade', () => {
    expect(planMasquerade('10.244.0.0/24', '10.244.0.0/16')).toContain(
      'ip saddr 10.244.0.0/24 ip daddr != 10.244.0.0/16',
    );
    const both = '10.244.0.0/16,fd00:10:244::/56';
    expect(planMasquerade('10.244.0.0/24', both)).toBe(planMasquerade('10.244.0.0/24', '10.244.0.0/16'));
    expect(planMasquerade('fd00:10:244::/64', both)).toContain(
      'ip6 saddr fd00:10:244::/64 ip6 daddr != fd00:10:244::/56 ip6 daddr != ff00::/8 masquerade',
    );
  });

  const dualNode = (name: string, number: number): Node => ({
    ...node(name, `10.0.0.${number}`),
    spec: { podCIDRs: [`10.244.${number}.0/24`, `fd00:10:244:0${number}::/64`] },
    status: {
      addresses: [
        { type: 'InternalIP', address: `10.0.0.${number}` },
        { type: 'InternalIP', address: `fd00::${number}` },
      ],
    },
  });
  const dual = [dualNode('n1', 1), dualNode('n2', 2)];
  const four = { destination: '10.244.2.0/24', gateway: '10.0.0.2' };
  const six = { destination: 'fd00:10:244:2::/64', gateway: 'fd00::2' };
  test('of both families, each by way of an address of its own', () => {
    expect(planRoutes(dual, 'n1')).toEqual([four, six]);
    expect(planRoutes([nodes[1]!, ...dual], 'n1', { versions: [4] })).toEqual([
      { destination: '10.244.1.0/24', gateway: '10.0.0.2' },
      four,
    ]);
  });
  test('of both families, those that are no longer wanted go', () => {
    const have = [
      { ...six, device: 'eth0' },
      { destination: 'fd00:10:244:9::/64', gateway: 'fd00::9', device: 'eth0' },
      { destination: '2001:db8::/64', gateway: 'fd00::9', device: 'eth0' },
    ];
    expect(planRouteChanges([four, six], have, '10.244.0.0/16,fd00:10:244::/56')).toEqual([
      'route del fd00:10:244:9::/64 via fd00::9',
      'route replace 10.244.2.0/24 via 10.0.0.2',
    ]);
  });
});

test.each([
  [['10.0.0.5', 'fd00::5'], ['10.0.0.1'], ['10.0.0.5', 'fd00::5']],
  [
    ['10.0.0.5', 'fd00::5'],
    ['fd00::1', '10.0.0.1'],
    ['fd00::5', '10.0.0.5'],
  ],
  [['10.0.0.5'], ['fd00::1'], ['10.0.0.5']],
  [['10.0.0.5', 'fd00::5'], undefined, ['10.0.0.5', 'fd00::5']],
  [[], ['fd00::1'], []],
])('addresses of a pod %j on a node with %j: %j', (ips, nodeIps, want) =>
  expect(orderIps(ips, nodeIps)).toEqual(want),
);

test('a verdict changes only after a row of equal outcomes', () => {
  const probe = { failureThreshold: 3, successThreshold: 2 };
  let count = initialCount('readiness');
  const verdicts = [true, true, false, false, true, false, false, false].map(
    (ok) => (count = countOutcome(count, probe, ok)).verdict,
  );
  expect(verdicts).toEqual([
    'failure',
    'success',
    'success',
    'success',
    'success',
    'success',
    'success',
    'failure',
  ]);
});

test('a limiter never lets more in than it has places, and in order', async () => {
  const limiter = new Limiter(2);
  let inside = 0;
  let most = 0;
  const order: number[] = [];
  await Promise.all(
    [0, 1, 2, 3, 4].map((i) =>
      limiter.run(async () => {
        order.push(i);
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setImmediate(resolve));
        inside--;
      }),
    ),
  );
  expect([most, order]).toEqual([2, [0, 1, 2, 3, 4]]);
});

test.each([
  [5, '5ms'],
  [1500, '1.5s'],
  [80_000, '1m20s'],
  [300_000, '5m0s'],
  [3_661_000, '1h1m1s'],
])('%i ms is %s', (ms, text) => expect(humanSpan(ms)).toBe(text));
