import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { FakeClock, settle } from '../base/index.ts';
import { KubeconfigError, mergeKubeconfig, readKubeconfig, removeFromKubeconfig } from './kubeconfig.ts';

let folder: string;
let path: string;
const clock = new FakeClock();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'kubeconfig-'));
  path = join(folder, 'deep', 'config');
});
afterEach(() => rmSync(folder, { recursive: true }));

const entry = { name: 'c1', server: 'https://127.0.0.1:6443', ca: 'CA\n', cert: 'CERT\n', key: 'KEY\n' };
const write = (text: string) => writeFileSync((path = join(folder, 'config')), text);

const base = (user: string, cluster = 'server: https://h:1') => `
current-context: x
clusters: [{ name: c, cluster: { ${cluster} } }]
users: [{ name: u, user: { ${user} } }]
contexts: [{ name: x, context: { cluster: c, user: u, namespace: n } }]
`;

describe('kubeconfig', () => {
  it('reads back what it wrote, and nobody else may read it', async () => {
    await mergeKubeconfig(path, entry, clock);
    expect(await readKubeconfig(path)).toEqual({
      server: entry.server,
      ca: 'CA\n',
      cert: 'CERT\n',
      key: 'KEY\n',
      token: undefined,
      serverName: undefined,
      insecureSkipTlsVerify: false,
      namespace: 'default',
    });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'deep'))).toEqual(['config']);
  });

  it('keeps what others put there, replaces its own, and takes only that out again', async () => {
    write(`${base('token: secret')}preferences: { colors: true }\nextra: kept\n`);
    const before = parse(readFileSync(path, 'utf8'));
    await mergeKubeconfig(path, entry, clock);
    await mergeKubeconfig(path, { ...entry, server: 'https://127.0.0.1:7443' }, clock);
    const merged = parse(readFileSync(path, 'utf8'));
    expect(merged).toMatchObject({ 'current-context': 'c1', extra: 'kept', preferences: { colors: true } });
    expect(merged.clusters.map((c: { name: string }) => c.name)).toEqual(['c', 'c1']);
    expect((await readKubeconfig(path)).server).toBe('https://127.0.0.1:7443');
    expect(await readKubeconfig(path, 'x')).toMatchObject({ token: 'secret', namespace: 'n' });
    await removeFromKubeconfig(path, 'c1', clock);
    expect(parse(readFileSync(path, 'utf8'))).toEqual({
      ...before,
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': '',
    });
  });

  it('replaces the target of a link, not the link', async () => {
    write(base('token: t'));
    const link = join(folder, 'link');
    symlinkSync(path, link);
    await mergeKubeconfig(link, entry, clock);
    expect(readFileSync(path, 'utf8')).toContain('c1');
    expect(readdirSync(folder).sort()).toEqual(['config', 'link']);
  });

  it('reads files that it names, relative to itself', async () => {
    write(
      base('tokenFile: token, client-certificate: crt', 'server: https://h:1, certificate-authority: ca.pem'),
    );
    writeFileSync(join(folder, 'token'), 'abc\n');
    writeFileSync(join(folder, 'crt'), 'CRT');
    writeFileSync(join(folder, 'ca.pem'), 'PEM');
    expect(await readKubeconfig(path)).toMatchObject({ token: 'abc', cert: 'CRT', ca: 'PEM' });
    rmSync(join(folder, 'crt'));
    await expect(readKubeconfig(path)).rejects.toThrow(join(folder, 'crt'));
  });

  it.each([
    [base('exec: { command: x }'), 'user "u": exec is not supported'],
    [base('username: x'), 'username is not supported'],
    [base('token: t', 'proxy-url: http://p'), 'proxy-url is not supported'],
    [base('token: t', 'x: y'), 'cluster "c" has no server'],
    [base('token: t').replace('name: u,', 'name: v,'), 'there is no user "u"'],
    ['clusters: []', 'no current-context is set'],
    ['- a', 'not a kubeconfig'],
    ['clusters: 5', 'clusters is not a list'],
    ['a: [', 'cannot be read'],
  ])('says what it cannot do with %j', async (text, message) => {
    write(text);
    const failure = await readKubeconfig(path).catch((e: unknown) => e);
    expect(failure).toBeInstanceOf(KubeconfigError);
    expect((failure as Error).message).toContain(message);
    expect((failure as Error).message).toContain(path);
  });

  it('does not touch a file that it cannot read', async () => {
    write('a: [');
    await expect(mergeKubeconfig(path, entry, clock)).rejects.toThrow(KubeconfigError);
    expect([readFileSync(path, 'utf8'), readdirSync(folder)]).toEqual(['a: [', ['config']]);
  });

  it('does not wait for a program that was killed while it wrote', async () => {
    write(base('token: t'));
    writeFileSync(`${path}.lock`, '');
    const made = clock.nowMs() / 1000 - 3;
    utimesSync(`${path}.lock`, made, made);
    await mergeKubeconfig(path, entry, clock);
    expect(readdirSync(folder)).toEqual(['config']);
  });

  it('waits for another program that writes, but not for ever', async () => {
    write(base('token: t'));
    writeFileSync(`${path}.lock`, '');
    const time = new FakeClock();
    let done = false;
    const waiting = mergeKubeconfig(path, entry, time).then(() => (done = true));
    await time.advance(200);
    expect(done).toBe(false);
    rmSync(`${path}.lock`);
    await time.advance(100);
    await waiting;
    writeFileSync(`${path}.lock`, '');
    const refused = expect(mergeKubeconfig(path, entry, time)).rejects.toThrow(`${path}.lock`);
    await settle();
    await time.advance(6000);
    await refused;
  });
});
