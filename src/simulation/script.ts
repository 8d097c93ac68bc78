// What simulated nodes are and what happens on them, as data: kinds of machines, stages that pods go through, and incidents that
// befall nodes. docs/simulation.md describes the file; script-file.ts reads it.
import { jobNameLabel, type Pod } from '../api/index.ts';
import type { Random } from '../base/index.ts';

/** A delay drawn anew each time, evenly between the two. */
export interface Delay {
  readonly fromMs: number;
  readonly toMs: number;
}

export const draw = ({ fromMs, toMs }: Delay, random: Random): number =>
  fromMs === toMs ? fromMs : fromMs + random.next() * (toMs - fromMs);

export interface MachineType {
  readonly name: string;
  /** How many of all machines are of this type, against the shares of the others. */
  readonly share: number;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly storageBytes: number;
  readonly pods: number;
  readonly labels: Readonly<Record<string, string>>;
  /** Extended resources: `example.com/gpu: "4"`. */
  readonly resources: Readonly<Record<string, string>>;
}

export interface MachinePark {
  readonly region: string;
  /** Nodes are dealt out over them in turn. */
  readonly zones: readonly string[];
  readonly types: readonly MachineType[];
}

export interface Ending {
  /** After the container has started. */
  readonly after: Delay;
  readonly exitCode: number;
  /** '' = Completed or Error, by the exit code. */
  readonly reason: string;
  readonly message: string;
  /** The container ends so this often, then runs on. */
  readonly times: number;
}

export interface Usage {
  readonly cpuMilli: number;
  readonly memoryBytes: number;
}

/** What becomes of the pods it is for. The first stage that fits a pod decides. */
export interface Stage {
  readonly name: string;
  matches(pod: Pod): boolean;
  /** From the binding until its containers start: sandbox, network, images. */
  readonly start: Delay;
  /** From a container's start until it is ready. */
  readonly ready: Delay | 'never';
  /** How init containers end. */
  readonly init: Ending;
  /** How containers end; undefined = they run until they are told to stop. */
  readonly ends: Ending | undefined;
  /** How often a container's image cannot be pulled. */
  readonly pullFailures: number;
  /** The node gives up the pod as a whole, as an eviction does, so long after it first heard of it. */
  readonly fails: { readonly after: Delay; readonly reason: string; readonly message: string } | undefined;
  /** How long a pod takes to end when it is told to. What is longer than the grace period ends in a kill. */
  readonly stop: Delay;
  /** The containers that `ready`, `ends` and `pullFailures` are about; empty = all. The others run and are ready. */
  readonly containers: readonly string[];
  /** undefined = half of what the pod requests. */
  readonly usage: Usage | undefined;
}

/** What befalls a node. Also what its annotations ask for (node-faults.ts). */
export interface Fault {
  /** Nothing runs and nothing is heard; pods start again when it is back. */
  readonly off: boolean;
  /** Pods run on; nothing gets in or out. */
  readonly cut: boolean;
  /** Everything it says arrives this much later. */
  readonly delayMs: number;
  /** Conditions that are true: MemoryPressure, DiskPressure, PIDPressure. */
  readonly conditions: readonly string[];
}

export interface Incident {
  readonly name: string;
  matches(labels: Readonly<Record<string, string>> | undefined): boolean;
  /** After the node has joined. */
  readonly after: Delay;
  /** undefined = for good */
  readonly lasts: Delay | undefined;
  /** Of the nodes that match, the share it befalls. */
  readonly share: number;
  readonly fault: Fault;
}

export interface Script {
  readonly park: MachinePark;
  readonly stages: readonly Stage[];
  readonly incidents: readonly Incident[];
}

export const noFault: Fault = { off: false, cut: false, delayMs: 0, conditions: [] };

export const between = (fromMs: number, toMs: number): Delay => ({ fromMs, toMs });

const initEnding: Ending = {
  after: between(100, 300),
  exitCode: 0,
  reason: '',
  message: '',
  times: Number.POSITIVE_INFINITY,
};

/** The stage of pods that no other is for: they start within half a second and run until they are told to stop. */
export const plainStage: Stage = {
  name: 'run',
  matches: () => true,
  start: between(100, 400),
  ready: between(0, 0),
  init: initEnding,
  ends: undefined,
  pullFailures: 0,
  fails: undefined,
  // As on a real node. kubectl asks three times before it follows a pod that it deletes; if this one were over by then, and the next of
  // its name there, it would wait for that one.
  stop: between(300, 600),
  containers: [],
  usage: undefined,
};

/** Pods of Jobs do their work and succeed. */
export const jobStage: Stage = {
  ...plainStage,
  name: 'job',
  matches: ({ metadata }) => metadata.labels?.[jobNameLabel] !== undefined,
  ends: { ...initEnding, after: between(1000, 2000) },
};

const gibi = 1024 ** 3;

export const defaultPark: MachinePark = {
  region: 'sim',
  zones: ['sim-a', 'sim-b', 'sim-c'],
  types: [
    {
      name: 'sim.standard',
      share: 1,
      cpus: 32,
      memoryBytes: 128 * gibi,
      storageBytes: 512 * gibi,
      pods: 110,
      labels: {},
      resources: {},
    },
  ],
};

/** When no file is given. */
export const defaultScript: Script = { park: defaultPark, stages: [jobStage, plainStage], incidents: [] };

export const stageOf = ({ stages }: Script, pod: Pod): Stage =>
  stages.find((stage) => stage.matches(pod)) ?? plainStage;
