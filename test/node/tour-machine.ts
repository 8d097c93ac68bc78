// What the tour drives: the built program, the real kubectl, and the traces a cluster leaves on this machine. A command that fails
// is an error that shows all it said.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { findProgram, readCgroupLayout } from '../../src/os/index.ts';

export const root = resolve(import.meta.dirname, '../..');
export const bundle = join(root, 'dist/jotasu.js');
export const busyboxImage = 'docker.io/library/busybox:1.36';

const needed = [
  'kubectl',
  'containerd',
  'ctr',
  'nft',
  'conntrack',
  'haproxy',
  'ip',
  'nsenter',
  'setpriv',
  'busybox',
];

/** Why the tour cannot be made here; throws instead when JOTASU_REQUIRE_ALL is set. */
export function whyNot(...alsoNeeded: readonly string[]): string | undefined {
  const searchPath = process.env['PATH'] ?? '';
  const missing = [...needed, ...alsoNeeded].filter((name) => findProgram(name, searchPath) === undefined);
  if (!['crun', 'runc'].some((name) => findProgram(name, searchPath) !== undefined))
    missing.push('crun or runc');
  if (!['/usr/lib/cni/bridge', '/opt/cni/bin/bridge'].some((path) => existsSync(path)))
    missing.push('containernetworking-plugins');
  if (!existsSync(bundle)) missing.push('dist/jotasu.js (node tools/build.mjs)');
  const why =
    process.getuid?.() !== 0 ? 'not root' : missing.length > 0 ? `missing: ${missing.join(', ')}` : undefined;
  if (why === undefined) return undefined;
  const line = `SKIPPED the tour with real containers: ${why}`;
  if (process.env['JOTASU_REQUIRE_ALL'] === '1') throw new Error(line);
  console.warn(line);
  return why;
}

/**
 * What a pod bears that is to stay where it is whatever becomes of its node: on a machine with much else to do an agent may be silent
 * for longer than the server waits. It is also YAML.
 */
export const staysPut = JSON.stringify(
  ['not-ready', 'unreachable'].map((key) => ({
    key: `node.kubernetes.io/${key}`,
    operator: 'Exists',
    effect: 'NoExecute',
    tolerationSeconds: 600,
  })),
);

export interface Said {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Called with all that was said so far, whenever more is. */
  readonly onOutput?: (text: string, kill: (signal: NodeJS.Signals) => void) => void;
}

export function run(argv: readonly string[], options: RunOptions = {}): Promise<Said> {
  const [command, ...args] = argv;
  return new Promise((done, reject) => {
    const child = spawn(command!, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 150_000,
      killSignal: 'SIGKILL',
      env: { ...process.env, ...options.env },
    });
    let out = '';
    let err = '';
    // Once: a second Ctrl-C ends a program that is still cleaning up.
    const kill = (signal: NodeJS.Signals) => {
      if (!child.killed) child.kill(signal);
    };
    const told = () => options.onOutput?.(out + err, kill);
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      told();
    });
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      err += text;
      told();
    });
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input);
    child.on('error', reject);
    child.on('close', (code) => done({ code, out, err }));
  });
}

/** What it printed on standard output; an error unless it ended with 0. */
export async function mustRun(argv: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, out, err } = await run(argv, options);
  if (code !== 0) throw new Error(`${argv.join(' ')}: exit code ${code}\n${out}${err}`);
  return out;
}

export class TourCluster {
  readonly name: string;
  readonly directory = mkdtempSync(join(tmpdir(), 'jotasu-tour-'));
  readonly kubeconfig = join(this.directory, 'kubeconfig');
  constructor(name: string) {
    this.name = name;
  }
  argv(...args: string[]): string[] {
    return [process.execPath, bundle, ...args, '--name', this.name];
  }
  async jotasu(...args: string[]): Promise<string> {
    return withoutWaiting(await mustRun(this.argv(...args)));
  }
  /** Ends with another code than 0; returns what it said. */
  async refused(...args: string[]): Promise<Said> {
    const said = await run(this.argv(...args));
    if (said.code === 0) throw new Error(`${args.join(' ')}: was to fail\n${said.out}`);
    return said;
  }
  up(...args: string[]): Promise<string> {
    return this.jotasu('up', '--kubeconfig', this.kubeconfig, '--no-install', ...args);
  }
  kubectl(...args: string[]): Promise<string> {
    return mustRun(this.kubectlArgv(...args));
  }
  /** `kubectl apply` of YAML, of objects, or of both. */
  apply(...manifests: readonly (string | object)[]): Promise<string> {
    // kubectl takes what begins with a brace for JSON alone.
    const texts = manifests.map((one) => `---\n${typeof one === 'string' ? one : JSON.stringify(one)}\n`);
    return mustRun(this.kubectlArgv('apply', '-f', '-'), { input: texts.join('') });
  }
  /** Makes an archive of busybox 1.35 and 1.36, for `--image`; in the cluster's directory. */
  async busyboxArchive(): Promise<string> {
    const archive = join(this.directory, 'busybox.tar');
    await mustRun([process.execPath, join(root, 'tools/busybox-image.mjs'), archive]);
    return archive;
  }
  kubectlArgv(...args: string[]): string[] {
    return ['kubectl', '--kubeconfig', this.kubeconfig, ...args];
  }
  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl(...args, '-o', 'json')) as T;
  }
  async status(): Promise<ClusterStatus> {
    return JSON.parse(await this.jotasu('status', '-o', 'json')) as ClusterStatus;
  }
  async down(): Promise<void> {
    await run(this.argv('down'));
  }

  /** Everything on this machine that bears its name, or is one of these links. Empty when nothing is left. */
  traces(links: readonly string[] = []): string[] {
    const { name } = this;
    const found: string[] = [];
    const note = (what: string, lines: readonly string[]) => {
      for (const line of lines) found.push(`${what}: ${line}`);
    };
    const bears = (text: string) => text.split('\n').filter((line) => line.includes(name));
    note('mount', bears(readFileSync('/proc/self/mountinfo', 'utf8')));
    note('table', bears(said('nft', 'list', 'tables')));
    const present = said('ip', '-o', 'link').split('\n');
    note(
      'link',
      links.filter((link) => present.some((line) => new RegExp(`: ${link}[@:]`).test(line))),
    );
    note(
      'process',
      bears(said('ps', '-eo', 'pid,args')).filter((line) => !line.includes('vitest')),
    );
    const layout = readCgroupLayout();
    for (const path of [...layout.legacy.map((one) => one.path), ...(layout.unified ? [layout.unified] : [])])
      note(
        'cgroup',
        [join(path, 'jotasu', name)].filter((folder) => existsSync(folder)),
      );
    for (const folder of ['/run/jotasu', '/var/lib/jotasu'])
      note('directory', existsSync(folder) ? readdirSync(folder).filter((entry) => entry === name) : []);
    note('kubeconfig', existsSync(this.kubeconfig) ? [this.kubeconfig] : []);
    return found;
  }
}

/** One command at a time changes this machine: another file's may be under way. */
const withoutWaiting = (said: string): string =>
  said.replace('Waiting for another jotasu command to finish.\n', '');

export interface ClusterStatus {
  readonly server: { readonly state: string; readonly pid: number | null };
  readonly nodes: readonly {
    readonly name: string;
    readonly state: string;
    readonly pid: number | null;
    readonly link: string;
    readonly containers: number | null;
  }[];
}

function said(command: string, ...args: string[]): string {
  return spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 << 20 }).stdout ?? '';
}
