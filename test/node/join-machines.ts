// Machines that are not one cluster yet: network namespaces behind a router that knows nothing of pods, with a server in one and agents
// in others, as processes of their own. Two links, so that some machines share one and others do not.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, systemClock } from '../../src/base/index.ts';
import {
  applyLinks,
  ensureCgroup,
  ensureNetns,
  identifyProcess,
  inNetns,
  joinFiles,
  killCgroup,
  leafOf,
  listProcesses,
  type ProcessIdentity,
  planBridge,
  planCommandInGroups,
  planNodeCommand,
  readCgroupLayout,
  removeCgroup,
  removeEmptyParents,
  removeLink,
  removeNetns,
  stopProcess,
  systemExec,
} from '../../src/os/index.ts';
import { bundle, mustRun, type RunOptions, run, type Said } from './tour-machine.ts';

const exec = systemExec;
const layout = readCgroupLayout();
/** Of the machines of one file alone: others may have theirs at the same time. */
const group = `/jotasu-join-${process.pid}`;

export interface JoinMachine {
  readonly name: string;
  readonly address: string;
  readonly link: 'a' | 'b' | 'c';
}

const isServer = (name: string): boolean => name.startsWith('server');
const prefixes = { a: '10.90.1', b: '10.90.2', c: '10.90.3' } as const;

/** What stays beside each container when its agent and containerd have ended. */
function isShim(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('containerd-shim');
  } catch {
    // It has just ended.
    return false;
  }
}

export class JoinMachines {
  readonly directory = mkdtempSync(join(tmpdir(), 'jt-join-'));
  readonly kubeconfig = join(this.directory, 'kubeconfig');
  readonly #machines: readonly JoinMachine[];
  readonly #running = new Map<string, ProcessIdentity>();
  /** What runs beside the machines. */
  readonly #helpers: string[] = [];

  constructor(machines: readonly JoinMachine[]) {
    this.#machines = machines;
  }

  netns(name: string): string {
    return join(this.directory, 'netns', name);
  }

  stateDir(name: string): string {
    return join(this.directory, name, 'state');
  }

  log(name: string): string {
    return readFileSync(join(this.directory, `${name}.log`), 'utf8');
  }

  /** The router, its bridges, and a cable to each machine. */
  async make(): Promise<void> {
    const router = this.netns('router');
    await ensureNetns(exec, router);
    for (const link of ['a', 'b', 'c'] as const)
      await applyLinks(
        exec,
        planBridge({ name: `jtj-${link}`, address: `${prefixes[link]}.1/24`, mtu: 1500 }),
        router,
      );
    await applyLinks(exec, ['link set lo up'], router);
    await mustRun(inNetns(router, ['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']));
    for (const { name, address, link } of this.#machines) {
      const own = this.netns(name);
      await ensureNetns(exec, own);
      await applyLinks(
        exec,
        [
          `link add name jtj-${name} mtu 1500 type veth peer name eth0 mtu 1500 netns ${own}`,
          `link set jtj-${name} master jtj-${link}`,
          `link set jtj-${name} up`,
        ],
        router,
      );
      await applyLinks(
        exec,
        [
          'link set lo up',
          `address add ${address}/24 dev eth0`,
          'link set eth0 up',
          `route add default via ${prefixes[link]}.1`,
        ],
        own,
      );
    }
  }

  /** The program in a machine, to its end. */
  jotasu(name: string, args: readonly string[], options: RunOptions = {}): Promise<Said> {
    return run(inNetns(this.netns(name), [process.execPath, bundle, ...args]), options);
  }

  /** On the machine `server`. */
  kubectl(...args: string[]): Promise<string> {
    return this.kubectlOn('server', '--kubeconfig', this.kubeconfig, ...args);
  }

  kubectlOn(name: string, ...args: string[]): Promise<string> {
    const command = ['kubectl', '--request-timeout=60s', ...args];
    return mustRun(inNetns(this.netns(name), command), { timeoutMs: 90_000 });
  }

  async json<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl(...args, '-o', 'json')) as T;
  }

  /** `ip …` in a machine. */
  ip(name: string, ...args: string[]): Promise<string> {
    return mustRun(inNetns(this.netns(name), ['ip', ...args]));
  }

  /** Resolves when it has said that it is ready; an error with its log when it ends instead. */
  async startServer(flags: readonly string[], name = 'server'): Promise<void> {
    await this.#spawn(name, inNetns(this.netns(name), [process.execPath, bundle, 'server', ...flags]));
  }

  /** One member on the router, which all machines reach. Resolves when it takes requests; what it keeps goes with the machines. */
  async startEtcd(): Promise<string> {
    const url = `http://${prefixes.a}.1:2379`;
    const peer = 'http://127.0.0.1:2380';
    const flags = [
      '--name=one',
      `--data-dir=${join(this.directory, 'etcd')}`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=one=${peer}`,
      '--unsafe-no-fsync',
    ];
    this.#helpers.push('etcd');
    await this.#spawn('etcd', inNetns(this.netns('router'), ['etcd', ...flags]), /serving \S+ client/);
    return url;
  }

  /** Ends a program as a lost machine does. */
  kill(name: string): void {
    this.#signal(name, 'SIGKILL');
    this.#running.delete(name);
  }

  /** Its connections stay, and nothing answers. */
  pause(name: string): void {
    this.#signal(name, 'SIGSTOP');
  }

  resume(name: string): void {
    this.#signal(name, 'SIGCONT');
  }

  #signal(name: string, signal: NodeJS.Signals): void {
    const identity = this.#running.get(name);
    if (identity !== undefined) process.kill(identity.pid, signal);
  }

  /** An agent on a machine of its own: mounts, control groups, containerd. */
  async startAgent(name: string, flags: readonly string[]): Promise<void> {
    const own = join(this.directory, name);
    const places = [
      ['/var/lib/cni', 'cni'],
      ['/var/log/pods', 'pods'],
      ['/var/log/containers', 'containers'],
    ] as const;
    for (const [place, folder] of places) {
      mkdirSync(place, { recursive: true });
      mkdirSync(join(own, folder), { recursive: true });
    }
    mkdirSync(this.#runDir(name), { recursive: true });
    writeFileSync(join(own, 'resolv.conf'), '');
    const leaf = leafOf(`${group}/${name}`);
    ensureCgroup(layout, leaf);
    const program = this.#agentCommand(name, flags);
    const command = planNodeCommand(
      {
        joins: joinFiles(layout, leaf),
        netns: this.netns(name),
        mounts: {
          hostname: name,
          binds: places.map(([place, folder]) => [join(own, folder), place] as const),
          hidden: ['/run'],
          folders: ['/run/netns', '/run/lock'],
          unmounted: layout.mode === 'hybrid' && layout.unified !== undefined ? [layout.unified] : [],
          resolver: undefined,
          released: ['/run'],
          settings: [['/proc/sys/net/ipv4/ip_forward', '1']],
        },
      },
      program,
    );
    await this.#spawn(name, command);
  }

  #agentCommand(name: string, flags: readonly string[]): string[] {
    return [
      process.execPath,
      bundle,
      'agent',
      `--node-name=${name}`,
      `--state-dir=${this.stateDir(name)}`,
      `--run-dir=${this.#runDir(name)}`,
      `--cgroup-parent=${group}/${name}`,
      ...flags,
    ];
  }

  /** Ends an agent and starts it again on the same machine: in the namespaces that its containers are still in. */
  async restartAgent(name: string, flags: readonly string[]): Promise<void> {
    const leaf = leafOf(`${group}/${name}`);
    await this.stop(name);
    const left = listProcesses(layout, leaf).find(isShim);
    if (left === undefined) throw new Error(`nothing runs on ${name} any more`);
    const enter = ['nsenter', `--mount=/proc/${left}/ns/mnt`, `--uts=/proc/${left}/ns/uts`];
    const inside = [...enter, `--net=${this.netns(name)}`, '--', ...this.#agentCommand(name, flags)];
    await this.#spawn(name, planCommandInGroups(joinFiles(layout, leaf), inside));
  }

  /** Short: the path of a socket has at most 107 letters. */
  #runDir(name: string): string {
    return join(this.directory, name, 'run');
  }

  async loadImage(name: string, archive: string): Promise<void> {
    const socket = join(this.#runDir(name), 'containerd/containerd.sock');
    await mustRun(['ctr', '--address', socket, '-n', 'k8s.io', 'images', 'import', archive]);
  }

  async #spawn(
    name: string,
    command: readonly string[],
    ready = /^jotasu (server|agent) is ready/m,
  ): Promise<void> {
    const logFile = join(this.directory, `${name}.log`);
    writeFileSync(logFile, '');
    const { pid } = await exec.spawnDetached(command, { logFile });
    for (let tries = 0; tries < 900; tries++) {
      const identity = identifyProcess(pid);
      if (identity === undefined) throw new Error(`${name} ended:\n${this.log(name)}`);
      this.#running.set(name, identity);
      if (ready.test(this.log(name))) return;
      await sleep(systemClock, 100);
    }
    throw new Error(`${name} is not ready:\n${this.log(name)}`);
  }

  /** SIGTERM; its containers go on. */
  async stop(name: string): Promise<void> {
    const identity = this.#running.get(name);
    if (identity !== undefined) await stopProcess(identity, 10_000, systemClock);
    this.#running.delete(name);
  }

  async clear(): Promise<void> {
    for (const { name } of this.#machines) {
      if (!isServer(name)) await killCgroup(layout, `${group}/${name}`, systemClock);
      await this.stop(name);
    }
    for (const name of this.#helpers) await this.stop(name);
    for (const { name } of this.#machines) {
      if (!isServer(name)) await removeCgroup(layout, `${group}/${name}`, systemClock);
      await removeNetns(exec, this.netns(name));
    }
    await removeCgroup(layout, group, systemClock);
    removeEmptyParents(layout, group);
    await removeNetns(exec, this.netns('router'));
    // Of a run that was cut off: a namespace takes its links with it.
    for (const { name } of this.#machines) await removeLink(exec, `jtj-${name}`);
    rmSync(this.directory, { recursive: true, force: true });
  }
}
