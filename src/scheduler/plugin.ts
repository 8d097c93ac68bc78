// The contract of scheduler plugins. A plugin is one file plus one line in profile.ts, whose order is the order of calls; why the
// contract is as it is stands in docs/design/0011-scheduler.md. HOT: filter and score run once a pod and node; they must not
// allocate or throw.
import type { Clock } from '../base/index.ts';
import type { ChangeHandlers, Client, Lister } from '../client/index.ts';
import type { KindDef, KubeObject } from '../machinery/index.ts';
import type { NodeInfo } from './node-info.ts';
import type { PodInfo } from './pod-info.ts';
import type { Tallies } from './tallies.ts';

/** The filter's answer for "fits"; every other number indexes `reasons`. */
export const fits = 0;

/**
 * Why a node is refused, worded as Kubernetes words it: it ends up in events. `unresolvable` = taking pods off the node would not
 * change it, so preemption does not look there.
 */
export type Reason = string | { readonly text: string; readonly unresolvable: true };

export const unresolvable = (text: string): Reason => ({ text, unresolvable: true });
export const reasonText = (reason: Reason): string => (typeof reason === 'string' ? reason : reason.text);
export const isUnresolvable = (reason: Reason): boolean => typeof reason !== 'string';

/** preFilter's answer when the pod as a whole cannot be placed now, whatever the nodes. */
export class PodRefusal {
  /** As it shall stand in the event, without a full stop. */
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

export type ChangeType = 'add' | 'update' | 'delete';

/**
 * A change that may let a pod fit which did not fit before. Of pods only those with a node count: `add` when one gets its node,
 * `update` when its labels, its requests or its deletion change, `delete` when it is gone or has ended.
 */
export interface WakeHint {
  readonly kind: KindDef;
  readonly on: ChangeType;
  /** Whether this change can help that pod; absent = any. Pure and cheap: it is asked for each sleeping pod. */
  readonly helps?:
    | ((waiting: PodInfo, object: KubeObject, old: KubeObject | undefined) => boolean)
    | undefined;
}

/** Something that happened in the cluster, as hints name it. */
export interface ClusterChange {
  readonly kind: KindDef;
  readonly on: ChangeType;
  readonly object: KubeObject;
  readonly old: KubeObject | undefined;
}

/** A typed hint. `old` is undefined unless it is an update. */
export function wakeOn<T extends KubeObject>(
  kind: KindDef<T>,
  on: ChangeType,
  helps?: (waiting: PodInfo, object: T, old: T | undefined) => boolean,
): WakeHint {
  return { kind, on, helps: helps as WakeHint['helps'] };
}

/**
 * What a postFilter may do about a pod that no node would take. All calls are synchronous and only in memory; what is to be done besides
 * goes through `PluginContext.background`.
 */
export interface FailedAttempt {
  readonly pod: PodInfo;
  readonly nodes: readonly NodeInfo[];
  /** Nodes that were not refused for an unresolvable reason. */
  readonly candidates: readonly NodeInfo[];
  /** Why the node is refused as things are assumed now, nominated pods of the same or higher priority counted; [] = it fits. */
  refusals(node: NodeInfo): readonly string[];
  /** Assumes that a pod left the node, or that it is back: filters see it. Whoever takes away puts back. */
  takeAway(pod: PodInfo, node: NodeInfo): void;
  putBack(pod: PodInfo, node: NodeInfo): void;
}

export interface Rescue {
  /** Appended to the event. */
  readonly message?: string;
  /**
   * Where the pod shall go once the victims are gone. undefined = nowhere, and an earlier nomination is void; unchanged = an earlier
   * one stands.
   */
  readonly node: NodeInfo | 'unchanged' | undefined;
  /** Pods to evict from there. */
  readonly victims: readonly PodInfo[];
}

/** A postFilter has no node to offer but does something, or has something to say: the next one is asked. */
export interface Remark {
  /** Appended to the event, before what the others say. */
  readonly message: string;
}

/**
 * State is what `preFilter` found out about the pod; it belongs to one pod and one decision. reserve, unreserve and preBind get
 * the same state later.
 */
export interface Plugin<State = unknown> {
  readonly name: string;
  /** Indexed by what `filter` answers; entry 0 is unused. */
  readonly reasons: readonly Reason[];
  readonly wakeOn: readonly WakeHint[];
  /** Weight of the score. */
  readonly weight: number;
  /**
   * Whether a pod must not be tried at all yet: the message for its condition. undefined = it may. Asked again when the pod changes,
   * and when something happens that the plugin waits for.
   */
  readonly gate: ((pod: PodInfo) => string | undefined) | null;
  /** Whether `a` is to be tried before `b`; null unless this is the plugin that orders the queue. */
  readonly before: ((a: PodInfo, b: PodInfo) => boolean) | null;
  /**
   * Once per pod, before the others. Its result is handed to them. undefined = this plugin does not matter for the pod: its
   * other hooks are not called.
   */
  readonly preFilter: (pod: PodInfo, nodes: readonly NodeInfo[]) => State | undefined | PodRefusal;
  /** The names of the only nodes worth looking at; null = all. For few nodes, known beforehand. */
  readonly narrow: ((state: State) => ReadonlySet<string> | null) | null;
  /** Whether `filter` would let every node pass, so that it need not be asked. */
  readonly skipFilter: ((state: State) => boolean) | null;
  /** `fits`, or the index of the reason why not. Nodes come in no particular order. */
  readonly filter: ((state: State, node: NodeInfo) => number) | null;
  /** All reasons, when there may be several or the text depends on pod and node. Called for failures only. */
  readonly explain: ((state: State, node: NodeInfo) => readonly string[]) | null;
  /**
   * A pod is assumed to be on the node from now on, or not to be there any more: brings `state` in line. `node` shows it already.
   * The one undoes the other exactly. Only plugins whose state counts running pods need them.
   */
  readonly addPod: ((state: State, pod: PodInfo, node: NodeInfo) => void) | null;
  readonly removePod: ((state: State, pod: PodInfo, node: NodeInfo) => void) | null;
  /** Once, with the nodes that passed every filter; false = all score the same here, do not ask. The array is reused later. */
  readonly preScore: ((state: State, feasible: readonly NodeInfo[]) => boolean) | null;
  /** Higher is better; only called on nodes that passed every filter. */
  readonly score: ((state: State, node: NodeInfo) => number) | null;
  /**
   * How raw scores become whole numbers of 0–100: as they are, relative to the highest, or reversed (the highest becomes 0);
   * or a function that changes the first `nodes.length` scores in place.
   */
  readonly normalize:
    | 'none'
    | 'highest'
    | 'lowest'
    | ((state: State, scores: Float64Array, nodes: readonly NodeInfo[]) => void);
  /** The pod goes to this node: takes in memory what it needs there. A text = it cannot after all, and why. */
  readonly reserve: ((state: State, node: NodeInfo) => string | undefined) | null;
  /** Gives back what `reserve` took. Called also when nothing was reserved; must not fail. */
  readonly unreserve: ((state: State, node: NodeInfo) => void) | null;
  /**
   * Does through the API, in the background, what must be done before the pod is bound. Rejecting = the pod is not bound but tried
   * again; the message goes into the event.
   */
  readonly preBind: ((state: State, node: NodeInfo, signal: AbortSignal) => Promise<void>) | null;
  /** When no node would do. The first plugin that has a Rescue counts; undefined = nothing to say. */
  readonly postFilter: ((attempt: FailedAttempt) => Rescue | Remark | undefined) | null;
}

export function definePlugin<State>(
  plugin: Pick<Plugin<State>, 'name'> & Partial<Plugin<State>>,
): Plugin<State> {
  return {
    reasons: [''],
    wakeOn: [],
    weight: 1,
    gate: null,
    before: null,
    preFilter: () => undefined,
    narrow: null,
    skipFilter: null,
    filter: null,
    explain: null,
    addPod: null,
    removePod: null,
    preScore: null,
    score: null,
    normalize: 'none',
    reserve: null,
    unreserve: null,
    preBind: null,
    postFilter: null,
    ...plugin,
  };
}

/** Objects of a kind, in memory. They are there before the first decision. */
export interface Watched<T extends KubeObject = KubeObject> extends Lister<T> {
  /** Handlers end with the scheduler. What is there already is told as added. */
  onChange(handlers: ChangeHandlers<T>): void;
}

/** The cluster besides the nodes that are handed to the hooks. Everything is as of now: never keep it. */
export interface ClusterView {
  readonly nodes: readonly NodeInfo[];
  node(name: string): NodeInfo | undefined;
  /** Claims (`namespace/name`) that pods with a node use, each by how many pods. */
  readonly claims: ReadonlyMap<string, number>;
  /** Image names, each by how many nodes hold the image. */
  readonly imageNodes: ReadonlyMap<string, number>;
  /** Counts of pods by node and topology. What is supposed for a moment (addPod, removePod) is not in them. */
  readonly tallies: Tallies;
}

/** What a plugin that needs more than the pod and the nodes is built with, once for each profile that has it. */
export interface PluginContext {
  readonly cluster: ClusterView;
  readonly client: Client;
  readonly clock: Clock;
  /** Does through the API what nobody waits for. What goes wrong is logged. */
  background(name: string, task: (signal: AbortSignal) => Promise<void>): void;
  /** Call it in `build` only. The same kind may be watched by many. */
  watch<T extends KubeObject>(kind: KindDef<T>): Watched<T>;
}

/** A plugin's arguments are wrong; the message starts with the path of the field within them. */
export class ArgumentError extends Error {}

export interface PluginFactory<Args = unknown> {
  readonly name: string;
  /**
   * Reads `pluginConfig[].args` of the scheduler's configuration, {} when it says nothing: defaults, checks. Throws ArgumentError
   * for what is wrong or unknown. null = the plugin takes none.
   */
  readonly readArgs: ((given: Readonly<Record<string, unknown>>) => Args) | null;
  build(context: PluginContext, args: Args): Plugin;
}

/** A plugin that is built with a context. Plugins that need none are plain plugins. */
export function definePluginFactory<State, Args = undefined>(factory: {
  readonly name: string;
  readonly readArgs?: (given: Readonly<Record<string, unknown>>) => Args;
  build(context: PluginContext, args: Args): Plugin<State>;
}): PluginFactory {
  return { readArgs: null, ...factory } as unknown as PluginFactory;
}
