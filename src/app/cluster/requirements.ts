// What a machine must have before a cluster can run on it.
import { readFileSync } from 'node:fs';
import { CommandFailure } from '../../cli/index.ts';
import {
  type CgroupLayout,
  CommandError,
  type Exec,
  findProgram,
  installPackages,
  listMissing,
  type Programs,
  type Requirement,
  systemPrograms,
} from '../../os/index.ts';
import type { Machine } from './machine.ts';

const program = (name: string, debianPackage: string): Requirement => ({
  what: name,
  programs: [name],
  debianPackage,
});

const always: readonly Requirement[] = [
  program('containerd', 'containerd'),
  program('ctr', 'containerd'),
  {
    what: 'the CNI plugins',
    programs: ['/usr/lib/cni/bridge', '/opt/cni/bin/bridge'],
    debianPackage: 'containernetworking-plugins',
  },
  program('nft', 'nftables'),
  program('conntrack', 'conntrack'),
  program('ip', 'iproute2'),
  program('nsenter', 'util-linux'),
  program('unshare', 'util-linux'),
  program('setpriv', 'util-linux'),
  program('flock', 'util-linux'),
  program('mount', 'mount'),
];

/** crun costs half of runc. */
const runtimes: Requirement = { what: 'crun or runc', programs: ['crun', 'runc'], debianPackage: 'crun' };

export interface ClusterNeeds {
  /** Parts that it is made without. */
  readonly without?: readonly string[];
  /** Its load balancers have addresses of their own. */
  readonly announces?: boolean;
}

const requirementsOf = ({ without = [], announces = false }: ClusterNeeds): readonly Requirement[] => [
  ...always,
  runtimes,
  ...(without.includes('ingress') ? [] : [program('haproxy', 'haproxy')]),
  ...(announces ? [program('arping', 'iputils-arping')] : []),
];

/** Throws unless the process is root's; for `up` with what can be had without. */
export function needRoot(machine: Pick<Machine, 'isRoot' | 'command'>, command: string): void {
  if (machine.isRoot) return;
  const { command: program } = machine;
  const why = `"jotasu ${command}" makes namespaces, cgroups and links of this machine and must be run as root: sudo ${program} ${command}`;
  if (command !== 'up') throw new CommandFailure(why);
  throw new CommandFailure(`${why}
Without root there are simulated nodes, which run no containers and are real in all else:
  ${program} server --simulate-nodes 3 --data-dir ~/.jotasu --write-kubeconfig ~/.kube/jotasu
  kubectl --kubeconfig ~/.kube/jotasu get nodes`);
}

/** Installs what is missing, after saying what; or, when it may not, throws with the list. */
export async function ensurePackages(
  machine: Pick<Machine, 'exec' | 'searchPath' | 'say'>,
  options: ClusterNeeds & { install: boolean; programs?: Programs },
): Promise<void> {
  const { exec, searchPath, say } = machine;
  const programs = options.programs ?? systemPrograms;
  const requirements = requirementsOf(options);
  const missing = listMissing(requirements, searchPath, programs);
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((requirement) => requirement.debianPackage))];
  const what = missing.map((requirement) => requirement.what).join(', ');
  const command = `apt-get install ${packages.join(' ')}`;
  if (!options.install)
    throw new CommandFailure(
      `this machine lacks ${what}, and --no-install was given. To install: ${command}`,
    );
  if (findProgram('apt-get', searchPath, programs) === undefined)
    throw new CommandFailure(
      `this machine lacks ${what}, and has no apt-get to install them with; please install them`,
    );
  say(`Missing: ${what}. Installing ${packages.join(', ')} with apt-get.`);
  try {
    await installPackages(exec, packages);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    throw new CommandFailure(`could not install ${packages.join(', ')}: ${error.message}`, { cause: error });
  }
  const still = listMissing(requirements, searchPath, programs);
  if (still.length > 0)
    throw new CommandFailure(`after ${command}, ${still.map((r) => r.what).join(', ')} is still missing`);
}

/** What the kernel offers. Pure but for what is handed in. */
export interface KernelFacts {
  readonly platform: string;
  readonly cgroups: CgroupLayout | undefined;
  /** The text of /proc/filesystems. */
  readonly filesystems: string;
  /** cgroup.controllers of the v2 root, or undefined. */
  readonly unifiedControllers: string | undefined;
}

const neededControllers = ['cpu', 'memory', 'pids'];

/** What is missing, as a person would read it. */
export function planKernelProblems(facts: KernelFacts): string[] {
  if (facts.platform !== 'linux') return [`containers need Linux, and this is ${facts.platform}`];
  const problems: string[] = [];
  if (facts.cgroups === undefined) problems.push('no cgroups are mounted (see mount -t cgroup2)');
  else {
    const have = new Set([
      ...facts.cgroups.legacy.flatMap((hierarchy) => hierarchy.controllers),
      ...(facts.unifiedControllers ?? '').trim().split(/\s+/),
    ]);
    const lack = neededControllers.filter((name) => !have.has(name));
    if (lack.length > 0)
      problems.push(`the cgroup controllers ${lack.join(', ')} are missing from this kernel`);
  }
  if (!/\toverlay$/m.test(facts.filesystems))
    problems.push('the kernel has no overlay file system (modprobe overlay)');
  return problems;
}

export async function ensureKernel(machine: Pick<Machine, 'exec' | 'cgroups' | 'searchPath'>): Promise<void> {
  const facts = readKernelFacts(machine);
  let problems = planKernelProblems(facts);
  if (problems.length > 0 && findProgram('modprobe', machine.searchPath) !== undefined) {
    // A module that was not needed yet may only have to be loaded.
    await loadModules(machine.exec, ['overlay', 'br_netfilter']);
    problems = planKernelProblems(readKernelFacts(machine));
  }
  if (problems.length > 0) throw new CommandFailure(`a cluster cannot run here: ${problems.join('; ')}`);
}

async function loadModules(exec: Exec, names: readonly string[]): Promise<void> {
  for (const name of names) await exec.run(['modprobe', '-q', name], { mayFail: true });
}

function readKernelFacts(machine: Pick<Machine, 'cgroups'>): KernelFacts {
  const read = (file: string): string | undefined => {
    try {
      return readFileSync(file, 'latin1');
    } catch {
      return undefined;
    }
  };
  let cgroups: CgroupLayout | undefined;
  try {
    cgroups = machine.cgroups();
  } catch {}
  return {
    platform: process.platform,
    cgroups,
    filesystems: read('/proc/filesystems') ?? '',
    unifiedControllers:
      cgroups?.unified === undefined ? undefined : read(`${cgroups.unified}/cgroup.controllers`),
  };
}
