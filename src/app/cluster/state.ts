// What is known of a cluster of this machine between two commands: one small file in its data directory, replaced whole. The
// choice: it records what was made, so that it can be undone, and never what can be seen, such as whether a process lives.
import {
  closeSync,
  existsSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statfsSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { CommandFailure } from '../../cli/index.ts';
import type { ProcessIdentity } from '../../os/index.ts';

export interface NodeState {
  readonly name: string;
  /** From 1; never used twice in a cluster. Address and link follow from it. */
  readonly number: number;
  /** One, or one of each family with a comma between, in the order of `nodeCidr`. */
  readonly address: string;
  /** Its end of the cable on this machine, e.g. `jts0n1`. */
  readonly link: string;
  /** The agent, as last started. */
  readonly process: ProcessIdentity | null;
}

export interface KubeconfigEntry {
  readonly file: string;
  readonly context: string;
  /** Whether the file was not there before. */
  readonly isOurs: boolean;
}

export interface ClusterState {
  readonly format: 1;
  readonly name: string;
  /** Distinguishes the clusters of this machine: bridge and addresses follow from it. */
  readonly index: number;
  readonly dataDir: string;
  readonly bridge: string;
  readonly mtu: number;
  /** A range, or one of each address family with a comma between; so are the gateway and the other ranges. */
  readonly nodeCidr: string;
  /** This machine's own address on the bridge; at the first of two nodes reach the server. */
  readonly gateway: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly apiPort: number;
  /** Parts that its server leaves out; undefined = none. */
  readonly without?: readonly string[] | undefined;
  /** Ranges of addresses for load balancers; undefined = those of the nodes. */
  readonly servicelbPool?: readonly string[] | undefined;
  readonly kubeconfig: KubeconfigEntry;
  /** Files that an earlier `up --kubeconfig` wrote to; undefined = none. */
  readonly otherKubeconfigs?: readonly KubeconfigEntry[] | undefined;
  /** The program that made it. */
  readonly version: string;
  readonly server: ProcessIdentity | null;
  readonly nodes: readonly NodeState[];
  readonly lastNodeNumber: number;
  /** What is to be undone at the end, beyond what follows from the above. */
  readonly made: {
    /** Directories that were not there before, deepest last. */
    readonly directories: readonly string[];
    /** Whether this machine did not forward packets before. */
    readonly forwardingWasOff: boolean;
    /** The same for IPv6, and the links that were told to go on listening to routers; undefined = it was on, or is not needed. */
    readonly forwarding6?: { readonly links: readonly string[] } | undefined;
  };
}

const stateFile = 'cluster.json';

export function readStateOf(clustersDir: string, name: string): ClusterState | undefined {
  return readState(join(clustersDir, name));
}

/** Throws a CommandFailure when there is no such cluster, naming those there are. */
export function needState(clustersDir: string, name: string): ClusterState {
  const state = readStateOf(clustersDir, name);
  if (state !== undefined) return state;
  const others = listClusters(clustersDir).map((cluster) => cluster.name);
  throw new CommandFailure(
    others.length === 0
      ? `there is no cluster ${name} on this machine; "jotasu up" starts one`
      : `there is no cluster ${name} on this machine, only ${others.join(', ')} (see --name)`,
  );
}

export function readState(directory: string): ClusterState | undefined {
  const file = join(directory, stateFile);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'EACCES')
      throw new CommandFailure(`only root may read ${file}; run this with sudo`, { cause: error });
    throw new CommandFailure(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
  try {
    const state = JSON.parse(text) as ClusterState;
    if (state.format !== 1) throw new Error(`its format is ${state.format}, and this program knows 1`);
    return state;
  } catch (error) {
    throw new CommandFailure(`cannot use ${file}: ${(error as Error).message}`, { cause: error });
  }
}

/** Every cluster of this machine, by name. One whose file cannot be read is left out: it must not hinder the others. */
export function listClusters(clustersDir: string): ClusterState[] {
  const names = existsSync(clustersDir) ? readdirSync(clustersDir).sort() : [];
  return names.flatMap((name) => {
    try {
      return readStateOf(clustersDir, name) ?? [];
    } catch {
      return [];
    }
  });
}

/** Replaces the file: after a crash it is the old or the new one. Throws a CommandFailure when the disk is full. */
export function writeState(state: ClusterState): void {
  const file = join(state.dataDir, stateFile);
  const temporary = `${file}.new`;
  try {
    const fd = openSync(temporary, 'w', 0o600);
    try {
      writeFileSync(fd, `${JSON.stringify(state, undefined, 2)}\n`);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    if (!['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw new CommandFailure(`cannot write ${file}: the disk is full`, { cause: error });
  }
}

/** Bytes that are free on the disk of a path, of which the end may not be there yet. */
export function readFreeBytes(path: string): number {
  let at = path;
  while (!existsSync(at)) at = dirname(at);
  const { bavail, bsize } = statfsSync(at);
  return bavail * bsize;
}

/** The state of one cluster while a command changes it: every change is on disk before the call returns. */
export class StateHolder {
  #state: ClusterState;
  constructor(state: ClusterState) {
    this.#state = state;
  }
  get now(): ClusterState {
    return this.#state;
  }
  node(name: string): NodeState {
    const found = this.#state.nodes.find((node) => node.name === name);
    if (found !== undefined) return found;
    const names = this.#state.nodes.map((node) => node.name).join(', ');
    throw new CommandFailure(`cluster ${this.#state.name} has no node ${name}; it has ${names || 'none'}`);
  }
  change(change: Partial<ClusterState>): void {
    this.#state = { ...this.#state, ...change };
    writeState(this.#state);
  }
  changeNode(name: string, change: Partial<NodeState>): void {
    this.change({
      nodes: this.#state.nodes.map((node) => (node.name === name ? { ...node, ...change } : node)),
    });
  }
}

/**
 * Makes the directories of a new cluster, and the link by which its name leads to a data directory elsewhere. Returns those that
 * were not there before.
 */
export function makeDataDir(clustersDir: string, name: string, dataDir: string): string[] {
  const byName = join(clustersDir, name);
  const made: string[] = [];
  makeDirectories(clustersDir, made);
  makeDirectories(dataDir, made);
  if (realpathSync(dataDir) !== existingPath(byName)) {
    if (lstatSync(byName, { throwIfNoEntry: false }) !== undefined)
      throw new CommandFailure(`${byName} is in the way: it is not the data directory of a cluster`);
    symlinkSync(dataDir, byName);
  }
  return made;
}

const existingPath = (path: string): string | undefined =>
  existsSync(path) ? realpathSync(path) : undefined;

/** mkdir -p that notes what it made, outermost first. */
export function makeDirectories(path: string, made: string[]): void {
  if (existsSync(path)) return;
  makeDirectories(dirname(path), made);
  mkdirSync(path, { mode: 0o755 });
  made.push(path);
}
