// The cluster grows for pods that fit nowhere and shrinks by nodes that nobody needs: every 10 s one look at everything. A node on its way
// out says so in a taint, so that a restart goes on where it was; since when a node has not been needed is only in memory.
import {
  ConfigMap,
  getCondition,
  isTerminal,
  isTerminating,
  Node,
  Pod,
  PodDisruptionBudget,
} from '../../api/index.ts';
import { controllerOf, type Draft, formatTime, isAlreadyExists, isNotFound } from '../../machinery/index.ts';
import { type Controller, type ControllerContext, defineController, maps } from '../framework/index.ts';
import { type ClusterView, toBeDeletedOf } from './cluster-view.ts';
import { type Growth, planGrowth } from './growth.ts';
import { NodeDrains } from './node-drains.ts';
import type { NodeGroupProvider } from './provider.ts';
import { type ClusterAutoscalerSettings, clusterAutoscalerDefaults } from './settings.ts';
import { findUnneeded, spareOf } from './shrinkage.ts';
import { type GroupStatus, statusText } from './status.ts';
import type { BeginTrial } from './trial.ts';

export interface ClusterAutoscalerOptions {
  readonly provider: NodeGroupProvider;
  readonly beginTrial: BeginTrial;
  readonly settings?: Partial<ClusterAutoscalerSettings>;
}

/** No Node has this name: there is one piece of work, the whole cluster. */
const wholeCluster = '/cluster';
const leastGapMs = 1000;
const drainLookMs = 1000;
const statusAt = { namespace: 'kube-system', name: 'cluster-autoscaler-status' };
const updatedAnnotation = 'cluster-autoscaler.kubernetes.io/last-updated';

export function clusterAutoscalerController(options: ClusterAutoscalerOptions): Controller {
  return defineController({
    name: 'cluster-autoscaler',
    component: 'cluster-autoscaler',
    reconciles: Node,
    when: () => false,
    watches: [
      maps(Pod, (pod) => (isUnschedulable(pod) ? [wholeCluster] : []), {
        when: (old, pod) => !isUnschedulable(old) && isUnschedulable(pod),
      }),
    ],
    build: (context) => {
      const autoscaler = new ClusterAutoscaler(context, options);
      return async (key, signal) => {
        if (key === wholeCluster) return autoscaler.look(signal);
        context.enqueue(wholeCluster);
        return undefined;
      };
    },
  });
}

/** The scheduler found no node for it. What a DaemonSet makes is for one node, which is there. */
const isUnschedulable = (pod: Pod): boolean =>
  (pod.spec.nodeName ?? '') === '' &&
  !isTerminating(pod) &&
  getCondition(pod, 'PodScheduled')?.reason === 'Unschedulable' &&
  controllerOf(pod)?.kind !== 'DaemonSet';

const isNodeReady = ({ status }: Node): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true;

class ClusterAutoscaler {
  readonly #context: ControllerContext;
  readonly #provider: NodeGroupProvider;
  readonly #beginTrial: BeginTrial;
  readonly #settings: ClusterAutoscalerSettings;
  readonly #nodes;
  readonly #pods;
  readonly #budgets;
  readonly #unneededSince = new Map<string, number>();
  readonly #backedOffUntil = new Map<string, number>();
  /** What was last said to a pod that no growth helps, by uid. */
  readonly #said = new Map<string, string>();
  readonly #drains: NodeDrains;
  #lastAddMs = Number.NEGATIVE_INFINITY;
  #lastLookMs = Number.NEGATIVE_INFINITY;
  #statusText = '';

  constructor(context: ControllerContext, { provider, beginTrial, settings }: ClusterAutoscalerOptions) {
    this.#context = context;
    this.#provider = provider;
    this.#beginTrial = beginTrial;
    this.#settings = { ...clusterAutoscalerDefaults, ...settings };
    this.#nodes = context.lister(Node);
    this.#pods = context.lister(Pod);
    this.#budgets = context.lister(PodDisruptionBudget);
    this.#drains = new NodeDrains(context, {
      provider,
      timeoutMs: this.#settings.drainTimeoutMs,
      onEnd: (node) => this.#unneededSince.delete(node),
    });
  }

  async look(signal: AbortSignal): Promise<{ requeueAfterMs: number }> {
    const nowMs = this.#context.clock.nowMs();
    const early = this.#lastLookMs + leastGapMs - nowMs;
    // Pods that come together are looked at together.
    if (early > 0) return { requeueAfterMs: early };
    this.#lastLookMs = nowMs;
    const view = await this.#view(nowMs);
    await this.#drains.goOn(view, signal);
    const grew = await this.#grow(view, signal);
    const began = !grew && (await this.#shrink(view, signal));
    await this.#report(view);
    // Those that were marked just now do not show in this view.
    const isDraining = began || view.nodes.some((node) => toBeDeletedOf(node) !== undefined);
    return { requeueAfterMs: isDraining ? drainLookMs : this.#settings.scanIntervalMs };
  }

  async #view(nowMs: number): Promise<ClusterView> {
    const byNode = new Map<string, Pod[]>();
    for (const pod of this.#pods.list()) {
      const { nodeName = '' } = pod.spec;
      if (nodeName === '' || isTerminal(pod)) continue;
      const known = byNode.get(nodeName);
      if (known === undefined) byNode.set(nodeName, [pod]);
      else known.push(pod);
    }
    return {
      groups: this.#provider.groups(),
      nodes: this.#nodes.list().filter(({ metadata }) => metadata.deletionTimestamp === undefined),
      podsOf: (node) => byNode.get(node) ?? [],
      nowMs,
      about: await this.#statusMap(),
    };
  }

  /** Nodes that do not count yet: they joined a moment ago, and a new node of the group stands for them. */
  #isComing = (node: Node, nowMs: number): boolean =>
    this.#provider.groupOf(node) !== undefined &&
    !isNodeReady(node) &&
    Date.parse(node.metadata.creationTimestamp) > nowMs - this.#settings.provisionTimeoutMs;

  async #grow(view: ClusterView, signal: AbortSignal): Promise<boolean> {
    const { event } = this.#context;
    const pending = this.#pods.list().filter(isUnschedulable);
    this.#forgetSaid(pending);
    if (pending.length === 0) return false;
    const plan = planGrowth({
      pending,
      groups: view.groups,
      upcoming: this.#upcoming(view),
      backedOff: new Set(
        [...this.#backedOffUntil].filter(([, untilMs]) => untilMs > view.nowMs).map(([name]) => name),
      ),
      trial: this.#trial(view),
    });
    for (const growth of plan.growths) {
      signal.throwIfAborted();
      await this.#growBy(growth, view);
    }
    for (const { pod, reasons } of plan.helpless) {
      if (this.#said.get(pod.metadata.uid) === reasons) continue;
      this.#said.set(pod.metadata.uid, reasons);
      const why = reasons === '' ? " (it wouldn't fit if a new node is added)" : `: ${reasons}`;
      event(pod, 'Normal', 'NotTriggerScaleUp', `pod didn't trigger scale-up${why}`);
    }
    return plan.growths.length > 0;
  }

  async #growBy({ group, count, pods }: Growth, { about, nowMs }: ClusterView): Promise<void> {
    const { event, log } = this.#context;
    const { name, target, max } = group;
    const size = target + count;
    event(
      about,
      'Normal',
      'ScaledUpGroup',
      `Scale-up: setting group ${name} size to ${size} instead of ${target} (max: ${max})`,
    );
    try {
      await this.#provider.grow(name, count);
    } catch (error) {
      log.warn('a node group did not grow', { group: name, error });
      this.#backedOffUntil.set(name, nowMs + this.#settings.backoffMs);
      event(
        about,
        'Warning',
        'FailedToScaleUpGroup',
        `Scale-up failed for group ${name}: ${(error as Error).message}`,
      );
      return;
    }
    this.#backedOffUntil.delete(name);
    this.#lastAddMs = nowMs;
    event(
      about,
      'Normal',
      'ScaledUpGroup',
      `Scale-up: group ${name} size set to ${size} instead of ${target} (max: ${max})`,
    );
    for (const pod of pods)
      event(
        pod,
        'Normal',
        'TriggeredScaleUp',
        `pod triggered scale-up: [{${name} ${target}->${size} (max: ${max})}]`,
      );
  }

  #upcoming({ groups, nodes, nowMs }: ClusterView): ReadonlyMap<string, number> {
    return new Map(
      groups.map(({ name, target }) => {
        const own = nodes.filter((node) => this.#provider.groupOf(node) === name);
        const coming = own.filter((node) => this.#isComing(node, nowMs)).length;
        return [name, Math.max(0, target - own.length) + coming];
      }),
    );
  }

  #trial({ nodes, podsOf, nowMs }: ClusterView) {
    const there = nodes.filter((node) => !this.#isComing(node, nowMs));
    return this.#beginTrial({ nodes: there, pods: there.flatMap((node) => podsOf(node.metadata.name)) });
  }

  #forgetSaid(pending: readonly Pod[]): void {
    if (this.#said.size === 0) return;
    const uids = new Set(pending.map((pod) => pod.metadata.uid));
    for (const uid of this.#said.keys()) if (!uids.has(uid)) this.#said.delete(uid);
  }

  /** Whether a node is on its way out from now on. */
  async #shrink(view: ClusterView, signal: AbortSignal): Promise<boolean> {
    const { nowMs, nodes, podsOf } = view;
    const { unneededMs, delayAfterAddMs, utilizationThreshold: threshold } = this.#settings;
    const going = nodes.filter((node) => toBeDeletedOf(node) !== undefined);
    const spare = new Map(
      view.groups.map((group) => [
        group.name,
        spareOf(group, going.filter((node) => this.#provider.groupOf(node) === group.name).length),
      ]),
    );
    const staying = nodes.filter(
      (node) =>
        toBeDeletedOf(node) === undefined &&
        !this.#isComing(node, nowMs) &&
        (spare.get(this.#provider.groupOf(node) ?? '') ?? 0) > 0,
    );
    const unneeded =
      staying.length === 0
        ? []
        : findUnneeded({
            nodes: staying,
            podsOf,
            groupOf: (node) => this.#provider.groupOf(node),
            budgets: this.#budgets.list(),
            threshold,
            trial: this.#trial(view),
          });
    const names = new Set(unneeded.map(({ node }) => node.metadata.name));
    for (const name of this.#unneededSince.keys()) if (!names.has(name)) this.#unneededSince.delete(name);
    for (const name of names) if (!this.#unneededSince.has(name)) this.#unneededSince.set(name, nowMs);
    if (nowMs < this.#lastAddMs + delayAfterAddMs) return false;
    let empty = 0;
    let drains = going.length;
    for (const one of unneeded) {
      if (nowMs < this.#unneededSince.get(one.node.metadata.name)! + unneededMs) continue;
      const left = spare.get(one.group) ?? 0;
      const isEmpty = one.pods.length === 0;
      if (
        left === 0 ||
        (isEmpty ? empty >= this.#settings.emptyAtOnce : drains >= this.#settings.drainsAtOnce)
      )
        continue;
      signal.throwIfAborted();
      spare.set(one.group, left - 1);
      if (isEmpty) empty++;
      else drains++;
      await this.#drains.begin(one, view);
    }
    return empty + drains > going.length;
  }

  async #statusMap(): Promise<ConfigMap> {
    const maps = this.#context.client(ConfigMap);
    try {
      return await maps.get(statusAt.name, statusAt.namespace);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    try {
      return await maps.create({ metadata: { ...statusAt }, data: { status: '' } } as Draft<ConfigMap>);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      return maps.get(statusAt.name, statusAt.namespace);
    }
  }

  async #report({ about, nodes, nowMs }: ClusterView): Promise<void> {
    const groups = this.#provider.groups().map((group): GroupStatus => {
      const own = nodes.filter((node) => this.#provider.groupOf(node) === group.name);
      return {
        ...group,
        registered: own.length,
        ready: own.filter(isNodeReady).length,
        candidates: own.filter((node) => this.#unneededSince.has(node.metadata.name)).length,
        isBackedOff: (this.#backedOffUntil.get(group.name) ?? 0) > nowMs,
      };
    });
    const text = statusText(groups);
    if (text === this.#statusText && about.data?.['status']?.endsWith(text)) return;
    this.#statusText = text;
    const time = formatTime(nowMs);
    await this.#context.client(ConfigMap).patch(statusAt, 'merge', {
      metadata: { annotations: { [updatedAnnotation]: time } },
      data: { status: `time: ${time}\n${text}` },
    });
  }
}
