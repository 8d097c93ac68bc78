// NodeAffinity: nodeSelector and required affinity say where a pod may go, preferred affinity where it would rather go.
import { Node } from '../../api/index.ts';
import { compileTerm, compileTerms, type NodeTest } from '../node-selector.ts';
import { definePlugin, fits, wakeOn } from '../plugin.ts';

interface State {
  readonly selector: readonly (readonly [string, string])[];
  readonly required: NodeTest | null;
  readonly preferred: readonly { readonly weight: number; readonly matches: NodeTest }[];
}

const noMatch = 1;

export const nodeAffinity = definePlugin<State>({
  name: 'NodeAffinity',
  reasons: ['', "node(s) didn't match Pod's node affinity/selector"],
  weight: 2,
  wakeOn: [wakeOn(Node, 'add'), wakeOn(Node, 'update')],
  preFilter({ pod }) {
    const affinity = pod.spec.affinity?.nodeAffinity;
    const selector = Object.entries(pod.spec.nodeSelector ?? {});
    const terms = affinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
    const preferences = affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    if (selector.length === 0 && terms === undefined && preferences.length === 0) return undefined;
    return {
      selector,
      required: terms === undefined ? null : compileTerms(terms),
      // An empty preference matches every node, so it says nothing.
      preferred: preferences
        .filter(
          (p) => (p.preference.matchExpressions?.length ?? 0) + (p.preference.matchFields?.length ?? 0) > 0,
        )
        .map((p) => ({ weight: p.weight, matches: compileTerm(p.preference) })),
    };
  },
  filter(state, node) {
    const labels = node.node.metadata.labels;
    for (const [key, value] of state.selector) if (labels?.[key] !== value) return noMatch;
    return state.required === null || state.required(node) ? fits : noMatch;
  },
  score(state, node) {
    let sum = 0;
    for (const { weight, matches } of state.preferred) if (matches(node)) sum += weight;
    return sum;
  },
  normalize: 'highest',
});
