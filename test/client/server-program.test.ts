// `jotasu server` as built: its config file, its ready line, what it refuses, and how it ends.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

const program = fileURLToPath(new URL('../../dist/jotasu.js', import.meta.url));
const haveKubectl = spawnSync('kubectl', ['version', '--client']).status === 0;

let dir: string;
const running = new Set<ChildProcess>();
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'jotasu-program-'));
});
afterEach(async () => {
  for (const child of running) child.kill('SIGKILL');
  for (const child of running) await ended(child);
  running.clear();
  rmSync(dir, { recursive: true, force: true });
});

const ended = (child: ChildProcess): Promise<number | NodeJS.Signals | null> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve(child.exitCode ?? child.signalCode)
    : new Promise((resolve) => child.once('close', (code, signal) => resolve(code ?? signal)));

interface Started {
  readonly child: ChildProcess;
  readonly url: string;
  readonly text: { out: string; err: string };
}

function launch(args: readonly string[]): { child: ChildProcess; text: { out: string; err: string } } {
  const child = spawn(process.execPath, [program, 'server', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const text = { out: '', err: '' };
  child.stdout.on('data', (chunk) => (text.out += chunk));
  child.stderr.on('data', (chunk) => (text.err += chunk));
  return { child, text };
}

/** A server over this config file. */
async function start(config: Record<string, unknown>): Promise<Started> {
  const file = join(dir, 'config.yaml');
  writeFileSync(file, JSON.stringify(config));
  const { child, text } = launch(['--config', file]);
  await expect.poll(() => child.exitCode ?? text.out.includes('is ready'), { interval: 20 }).toBe(true);
  const url = /is ready: (https:\/\/\S+?)(?:,|\n)/.exec(text.out)?.[1] ?? '';
  return { child, url, text };
}

const usual = () => ({
  'data-dir': join(dir, 'data'),
  'bind-address': '127.0.0.1',
  'https-listen-port': 0,
  'write-kubeconfig': join(dir, 'kubeconfig'),
});

const credentials = () => ({
  ca: readFileSync(join(dir, 'data/pki/ca.crt')),
  cert: readFileSync(join(dir, 'data/pki/admin.crt')),
  key: readFileSync(join(dir, 'data/pki/admin.key')),
});

/** What comes of a command that must fail. */
async function fails(args: readonly string[]): Promise<[code: unknown, err: string]> {
  const { child, text } = launch(args);
  return [await ended(child), text.err.replaceAll(/^\d{4}-.*\n/gm, '')];
}

describe('the server program', () => {
  test('takes its flags from a file, says where it is, and logs requests at -v 3', async () => {
    const { url, text } = await start({ ...usual(), v: 3, 'tls-san': ['jotasu.test'] });
    expect(text.out).toBe(`jotasu server is ready: ${url}, kubeconfig ${join(dir, 'kubeconfig')}\n`);
    const code = await new Promise((resolve, reject) => {
      const to = { ...credentials(), servername: 'jotasu.test', headers: { host: 'jotasu.test' } };
      httpsRequest(`${url}/readyz?verbose`, to, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(code).toBe(200);
    await expect
      .poll(() => text.err)
      .toMatch(/INFO {2}request verb=GET uri="\/readyz\?verbose" ms=\d+ code=200/);
  });

  test('SIGTERM: watches end, a request under way is finished, nothing is lost, the exit code is 0', async () => {
    const { child, url, text } = await start(usual());
    const session = connectHttp2(url, credentials());
    session.on('error', () => {});
    const watch = session.request({ ':path': '/api/v1/configmaps?watch=1&resourceVersion=0' });
    let watched = '';
    watch.on('data', (chunk) => (watched += chunk));
    const watchEnded = new Promise<number>((resolve) => watch.on('close', () => resolve(watch.rstCode)));
    await new Promise((resolve) => watch.on('response', resolve));

    const body = JSON.stringify({ metadata: { name: 'late' }, data: { k: 'v' } });
    const upload = httpsRequest(`${url}/api/v1/namespaces/default/configmaps`, {
      ...credentials(),
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': body.length,
        expect: '100-continue',
      },
    });
    const uploaded = new Promise((resolve, reject) => {
      upload.on('error', reject).on('response', (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
    });
    upload.flushHeaders();
    // Who is told to go on is a request under way, and no longer a connection that is being made.
    await new Promise((resolve) => upload.on('continue', resolve));
    upload.write(body.slice(0, 10));

    child.kill('SIGTERM');
    expect(await watchEnded).toBe(0);
    // It still runs, for the one that is not finished.
    expect(child.exitCode).toBe(null);
    upload.end(body.slice(10));
    expect(await uploaded).toBe(201);
    expect(await ended(child)).toBe(0);
    expect(watched).toContain('kube-root-ca.crt');
    expect(text.err).toMatch(/INFO {2}stopping signal=SIGTERM/);
    expect(text.err).not.toMatch(/ERROR/);

    const again = await start(usual());
    const found = await new Promise((resolve, reject) => {
      httpsRequest(`${again.url}/api/v1/namespaces/default/configmaps/late`, credentials(), (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(found).toBe(200);
  });

  test('a data directory in use, a port in use, mistakes in a config file', async () => {
    const first = await start(usual());
    expect(await fails(['--data-dir', join(dir, 'data'), '--https-listen-port', '0'])).toEqual([
      1,
      `jotasu: the data directory ${join(dir, 'data/db')} is in use by process ${first.child.pid}\n`,
    ]);
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    const other = ['--data-dir', join(dir, 'other'), '--bind-address', '127.0.0.1'];
    expect(await fails([...other, '--https-listen-port', `${port}`])).toEqual([
      1,
      `jotasu: cannot listen on 127.0.0.1:${port}: another program uses this port\n`,
    ]);
    taken.close();
    const config = join(dir, 'bad.yaml');
    writeFileSync(config, 'https-listen-port: many\n');
    expect(await fails(['--config', config])).toEqual([
      2,
      `jotasu: config file ${config}: https-listen-port must be a number, not "many"\n`,
    ]);
    expect(await fails(['--config', join(dir, 'none.yaml')])).toEqual([
      1,
      `jotasu: cannot read the config file ${join(dir, 'none.yaml')}: no such file\n`,
    ]);
    expect(existsSync(join(dir, 'none.yaml'))).toBe(false);
  });

  test.skipIf(!haveKubectl)('kubectl reads health and is told of what is not there', async () => {
    await start(usual());
    const kubectl = (...args: string[]) => {
      const end = spawnSync('kubectl', ['--kubeconfig', join(dir, 'kubeconfig'), ...args], {
        encoding: 'utf8',
      });
      return [end.status, end.stdout + end.stderr];
    };
    expect(kubectl('get', '--raw', '/readyz?verbose')).toEqual([
      0,
      expect.stringMatching(
        /^\[\+\]ping ok\n\[\+\]log ok\n\[\+\]etcd ok\n(?:\[\+\].* ok\n)*\[\+\]shutdown ok\nreadyz check passed\n$/,
      ),
    ]);
    expect(kubectl('get', '--raw', '/livez/etcd')).toEqual([0, 'ok']);
    const missing = 'Error from server (NotFound): the server could not find the requested resource\n';
    for (const path of ['/nowhere', '/apis/none/v1', '/api/v1/things'])
      expect(kubectl('get', '--raw', path)).toEqual([1, missing]);
    expect(kubectl('get', 'pods', '--request-timeout=20s')).toEqual([
      0,
      'No resources found in default namespace.\n',
    ]);
  });
});
