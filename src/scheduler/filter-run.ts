// The filters of one decision, asked node by node. It knows what is assumed for the moment: pods that are nominated to a node, and
// those that a postFilter takes away. HOT: bench/scheduler.ts.
import type { NodeInfo } from './node-info.ts';
import { fits, isUnresolvable, type Plugin, reasonText } from './plugin.ts';
import type { PodInfo } from './pod-info.ts';

/** A plugin that matters to the pod, with the state of its preFilter. */
export interface Active {
  readonly plugin: Plugin;
  readonly state: unknown;
}

export interface Explanation {
  /** [] = it fits. */
  readonly texts: readonly string[];
  readonly plugin: Plugin | undefined;
  /** It is refused, and would not be if other pods left. */
  readonly resolvable: boolean;
}

const itFits: Explanation = { texts: [], plugin: undefined, resolvable: false };

export class FilterRun {
  readonly pod: PodInfo;
  readonly active: readonly Active[];
  readonly #filters: readonly Active[];
  /** Which of the filters refused last. */
  #refuser = 0;

  constructor(pod: PodInfo, active: readonly Active[]) {
    this.pod = pod;
    this.active = active;
    this.#filters = active.filter(
      ({ plugin, state }) => plugin.filter !== null && !(plugin.skipFilter?.(state) ?? false),
    );
  }

  /** `fits`, or what the first filter that refuses the node says. Nominated pods count: it must fit with and without them. */
  refuse(node: NodeInfo): number {
    if (node.nominated !== null) {
      const assumed = this.#assumeNominated(node);
      if (assumed !== null) {
        const refusal = this.#ask(node);
        for (const pod of assumed) this.takeAway(pod, node);
        if (refusal !== fits) return refusal;
      }
    }
    return this.#ask(node);
  }

  explain(node: NodeInfo): Explanation {
    const assumed = node.nominated === null ? null : this.#assumeNominated(node);
    if (assumed !== null) {
      const explained = this.#explainNow(node);
      for (const pod of assumed) this.takeAway(pod, node);
      if (explained !== itFits) return explained;
    }
    return this.#explainNow(node);
  }

  takeAway(pod: PodInfo, node: NodeInfo): void {
    node.remove(pod.uid);
    for (const { plugin, state } of this.active) plugin.removePod?.(state, pod, node);
  }

  putBack(pod: PodInfo, node: NodeInfo): void {
    node.add(pod);
    for (const { plugin, state } of this.active) plugin.addPod?.(state, pod, node);
  }

  /** Those that go first because they are at least as important; null = none. */
  #assumeNominated(node: NodeInfo): readonly PodInfo[] | null {
    const first = node.nominated!.filter(
      (pod) => pod.uid !== this.pod.uid && pod.priority >= this.pod.priority && !node.pods.has(pod.uid),
    );
    if (first.length === 0) return null;
    for (const pod of first) this.putBack(pod, node);
    return first;
  }

  #ask(node: NodeInfo): number {
    const filters = this.#filters;
    for (let i = 0; i < filters.length; i++) {
      const { plugin, state } = filters[i]!;
      const refusal = plugin.filter!(state, node);
      if (refusal !== fits) {
        this.#refuser = i;
        return refusal;
      }
    }
    return fits;
  }

  #explainNow(node: NodeInfo): Explanation {
    const refusal = this.#ask(node);
    if (refusal === fits) return itFits;
    const { plugin, state } = this.#filters[this.#refuser]!;
    const reason = plugin.reasons[refusal] ?? '';
    return {
      texts: plugin.explain === null ? [reasonText(reason)] : plugin.explain(state, node),
      plugin,
      resolvable: !isUnresolvable(reason),
    };
  }
}
