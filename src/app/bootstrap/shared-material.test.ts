// Servers as directories on one datastore: who writes, who reads, and who is refused with which words.
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createLog, FakeClock, type LogLevel, silentLog } from '../../base/index.ts';
import { createCa, loadOrCreatePki, readSharedPki, sharedPkiFiles } from '../../http/index.ts';
import { createMemoryBackend, type NotedBackend } from '../../storage/index.ts';
import { seal } from './sealed-files.ts';
import { makeToken } from './server-token.ts';
import { planSharedPki, type SharedMaterialOptions, shareMaterial } from './shared-material.ts';

const nowMs = Date.parse('2026-01-02T03:04:05Z');
const dayMs = 86_400_000;
const clock = new FakeClock(nowMs);
let base: string;
let notes: NotedBackend;
let lines: string[];
beforeEach(async () => {
  base = mkdtempSync(join(tmpdir(), 'jotasu-shared-'));
  notes = await createMemoryBackend({ clock, log: silentLog });
  lines = [];
});
afterEach(async () => {
  await notes.close();
  rmSync(base, { recursive: true });
});

const pkiOf = (name: string) => join(base, name, 'pki');
const tokenOf = (name: string) => readFileSync(join(base, name, 'token'), 'utf8').trim();
const make = (directory: string, host = 'h') =>
  loadOrCreatePki(directory, {
    clusterDomain: 'cluster.local',
    firstServiceIp: '10.96.0.1',
    hosts: [host],
    nowMs,
    log: silentLog,
  });

/** One start of a server. */
async function start(name: string, options: Partial<SharedMaterialOptions> = {}) {
  const log = createLog({
    level: 'debug' as LogLevel,
    write: (line) => lines.push(line),
    nowMs: () => nowMs,
  });
  await shareMaterial({
    notes,
    place: 'etcd under /jotasu',
    dataDir: join(base, name),
    directory: pkiOf(name),
    complete: make,
    token: undefined,
    tokenFile: undefined,
    hasObjects: false,
    nowMs,
    log,
    ...options,
  });
  return make(pkiOf(name), name);
}

describe('the first server', () => {
  test('makes a token, tells where it is and nothing else of it, and needs it no more', async () => {
    const first = await start('a');
    const token = tokenOf('a');
    expect(token).toMatch(/^[0-9a-f]{32}$/);
    expect(statSync(join(base, 'a', 'token')).mode & 0o777).toBe(0o600);
    expect(statSync(pkiOf('a')).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(pkiOf('a')))
      expect(statSync(join(pkiOf('a'), name)).mode & 0o777, name).toBe(0o600);
    expect(lines.join()).toContain(join(base, 'a', 'token'));
    expect(lines.join()).not.toContain(token);
    expect(lines.join()).not.toContain('PRIVATE KEY');
    expect(existsSync(`${pkiOf('a')}.new`)).toBe(false);
    const again = await start('a', { hasObjects: true });
    expect({ ...again, ensure: 0 }).toEqual({ ...first, ensure: 0 });
  });

  test('takes one that is given, and keeps it', async () => {
    await start('a', { token: 'of-my-own' });
    expect(tokenOf('a')).toBe('of-my-own');
    writeFileSync(join(base, 'file'), 'of-my-own\n');
    await start('b', { tokenFile: join(base, 'file'), hasObjects: true });
    await start('a', { hasObjects: true });
  });

  test('brings the files it has', async () => {
    const before = await make(pkiOf('a'), 'a');
    await start('a', { hasObjects: true });
    expect(readSharedPki(pkiOf('a'))['ca.crt']).toBe(before.ca.cert);
    const joined = await start('b', { token: tokenOf('a'), hasObjects: true });
    expect(joined.ca).toEqual(before.ca);
  });

  test('that lost a file gets it back', async () => {
    const before = await start('a');
    for (const name of ['ca.key', 'sa.key', 'sa.pub']) rmSync(join(pkiOf('a'), name));
    const after = await start('a', { hasObjects: true });
    expect({ ...after, ensure: 0 }).toEqual({ ...before, ensure: 0 });
  });
});

describe('a further server', () => {
  test('has what must be the same and its own certificates, from the token alone', async () => {
    const first = await start('a');
    const second = await start('b', { token: tokenOf('a'), hasObjects: true });
    expect(second.ca).toEqual(first.ca);
    expect(second.serviceAccount).toEqual(first.serviceAccount);
    expect(second.frontProxy.ca).toBe(first.frontProxy.ca);
    expect(second.serving.cert).not.toBe(first.serving.cert);
    expect(statSync(pkiOf('b')).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(pkiOf('b')))
      expect(statSync(join(pkiOf('b'), name)).mode & 0o777, name).toBe(0o600);
    expect(tokenOf('b')).toBe(tokenOf('a'));
    await start('b', { hasObjects: true });
  });

  test('of a later version adds what there was not, and the others take it', async () => {
    const first = await start('a');
    for (const name of ['front-proxy-ca.key', 'front-proxy-ca.crt']) rmSync(join(pkiOf('a'), name));
    const from = await notes.readNote('bootstrap');
    await notes.replaceNote('bootstrap', { from, to: await seal(readSharedPki(pkiOf('a')), tokenOf('a')) });
    const second = await start('b', { token: tokenOf('a'), hasObjects: true });
    expect(second.ca).toEqual(first.ca);
    expect((await start('a', { hasObjects: true })).frontProxy.ca).toBe(second.frontProxy.ca);
  });

  const refusals: [string, Partial<SharedMaterialOptions>, RegExp][] = [
    ['no token', {}, /^etcd under \/jotasu holds a cluster already: .*file `token`.*--token-file/],
    [
      'a wrong token',
      { token: 'another-one' },
      /^the token is not that of the cluster in etcd under \/jotasu: .*file `token`/,
    ],
    ['an empty token', { token: ' ' }, /^--token is empty/],
    ['two words', { token: 'a b' }, /^--token holds more than one word/],
    ['a token of nodes', { token: `K10${'0'.repeat(64)}::abcdef.0123456789abcdef` }, /by which nodes join/],
    ['two ways at once', { token: 'x', tokenFile: '/y' }, /exclude each other/],
    ['a file that is not there', { tokenFile: '/nowhere' }, /^cannot read the token file \/nowhere/],
  ];
  test.each(refusals)('with %s is refused, and leaves nothing', async (_, options, message) => {
    await start('a', { token: 'right-token' });
    const error: unknown = await start('b', { hasObjects: true, ...options }).catch((e: unknown) => e);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message).not.toMatch(/right-token|another-one/);
    expect(existsSync(join(base, 'b'))).toBe(false);
  });

  test('of another cluster is refused, told what to do, and keeps its files', async () => {
    await start('a');
    const other = await make(pkiOf('b'), 'b');
    const joining = start('b', { token: tokenOf('a'), hasObjects: true });
    await expect(joining).rejects.toThrow(
      /^ca\.key, ca\.crt, sa\.key in .* another cluster.* move .*pki away .*--etcd-prefix/,
    );
    expect(readSharedPki(pkiOf('b'))['ca.crt']).toBe(other.ca.cert);
    expect(existsSync(join(base, 'b', 'token'))).toBe(false);
  });

  test('does not make new authorities for objects that know others', async () => {
    await expect(start('b', { hasObjects: true })).rejects.toThrow(
      /holds a cluster without its certificates/,
    );
    expect(await notes.readNote('bootstrap')).toBeUndefined();
  });

  test('says so when what is there cannot be read', async () => {
    await notes.replaceNote('bootstrap', { from: undefined, to: Buffer.from('{"format":9}\nx') });
    await expect(start('b', { token: 'x' })).rejects.toThrow(/cannot be read: its format is 9/);
  });
});

describe('two first servers at once', () => {
  test('with one token have the same authorities', async () => {
    const token = makeToken();
    const [a, b] = await Promise.all(['a', 'b'].map((name) => start(name, { token })));
    expect(b!.ca).toEqual(a!.ca);
    expect(b!.serviceAccount).toEqual(a!.serviceAccount);
    expect(b!.frontProxy.ca).toBe(a!.frontProxy.ca);
  });

  test('without a token: one of them is the first, the other is told that it needs one', async () => {
    const both = await Promise.allSettled(['a', 'b'].map((name) => start(name)));
    expect(both.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const [winner, loser] = both[0]!.status === 'fulfilled' ? ['a', 'b'] : ['b', 'a'];
    for (const one of both)
      if (one.status === 'rejected') expect(String(one.reason)).toContain('holds a cluster already');
    expect(existsSync(join(base, loser, 'token'))).toBe(false);
    const joined = await start(loser, { token: tokenOf(winner), hasObjects: true });
    expect(joined.ca.cert).toBe(readSharedPki(pkiOf(winner))['ca.crt']);
  });
});

test('a directory that others may read is closed', async () => {
  await start('a');
  chmodSync(pkiOf('a'), 0o755);
  await start('a', { hasObjects: true });
  expect(statSync(pkiOf('a')).mode & 0o777).toBe(0o700);
});

test('the authority of the front proxy may change: the younger one is taken when the other ends', async () => {
  const front = async (days: number) => {
    const made = await createCa({ commonName: 'front-proxy-ca', days, nowMs });
    return { 'front-proxy-ca.crt': made.cert, 'front-proxy-ca.key': made.key };
  };
  const rest = Object.fromEntries(sharedPkiFiles.map((name) => [name, name]));
  const [short, long] = [await front(10), await front(100)];
  const plan = (local: object, stored: object) =>
    planSharedPki({ ...rest, ...local }, { ...rest, ...stored }, nowMs);
  expect(plan(short, long)).toEqual({ differs: [], files: { ...rest, ...long } });
  expect(plan(long, short)).toEqual({ differs: [], files: { ...rest, ...long } });
  const longer = await front(200);
  expect(plan(longer, long)).toEqual({ differs: [], files: { ...rest, ...long } });
  expect(planSharedPki({ ...rest, ...longer }, { ...rest, ...long }, nowMs + 90 * dayMs).files).toEqual({
    ...rest,
    ...longer,
  });
});
