// NodeAffinity: nodeSelector and required affinity say where a pod may go, preferred affinity where it would rather go. A profile can
// add to it for all of its pods.
import {
  compileNodeSelectorTerm,
  compileNodeSelectorTerms,
  type coreV1,
  Node,
  type NodeTest,
  type Pod,
  validateNodeSelector,
} from '../../api/index.ts';
import { Causes, FieldAt } from '../../machinery/index.ts';
import { fieldsOf, listOf } from '../arguments.ts';
import { requiredOfNode } from '../node-selector.ts';
import {
  ArgumentError,
  definePlugin,
  definePluginFactory,
  fits,
  PodRefusal,
  unresolvable,
  wakeOn,
} from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';

const name = 'NodeAffinity';
const noMatch = 1;
const notEnforced = 2;

interface Preference {
  readonly weight: number;
  readonly matches: NodeTest;
}

interface State {
  readonly required: NodeTest | null;
  readonly preferred: readonly Preference[];
  /** When every term names its nodes. */
  readonly names: ReadonlySet<string> | null;
}

function preferencesOf(affinity: coreV1.NodeAffinity | undefined): readonly Preference[] {
  // An empty preference matches every node, so it says nothing.
  return (affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
    .filter((p) => (p.preference.matchExpressions?.length ?? 0) + (p.preference.matchFields?.length ?? 0) > 0)
    .map((p) => ({ weight: p.weight, matches: compileNodeSelectorTerm(p.preference) }));
}

/** The names that matchFields leave; null = some term leaves it open; empty = they contradict each other. */
function namesOf({ spec }: Pod): ReadonlySet<string> | null {
  const terms =
    spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (terms === undefined || terms.length === 0) return null;
  const out = new Set<string>();
  for (const { matchFields = [] } of terms) {
    let ofTerm: string[] | null = null;
    for (const { key, operator, values = [] } of matchFields) {
      if (key !== 'metadata.name' || operator !== 'In') continue;
      ofTerm = ofTerm === null ? [...values] : ofTerm.filter((value) => values.includes(value));
    }
    if (ofTerm === null) return null;
    for (const value of ofTerm) out.add(value);
  }
  return out;
}

interface Args {
  readonly added: coreV1.NodeAffinity | undefined;
}

function readArgs(given: Readonly<Record<string, unknown>>): Args {
  const { addedAffinity } = fieldsOf(given, '', ['addedAffinity']);
  if (addedAffinity === undefined) return { added: undefined };
  const required = 'requiredDuringSchedulingIgnoredDuringExecution';
  const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';
  const fields = fieldsOf(addedAffinity, 'addedAffinity', [required, preferred]);
  const causes = new Causes();
  if (fields[required] !== undefined)
    validateNodeSelector(
      fieldsOf(fields[required], `addedAffinity.${required}`, [
        'nodeSelectorTerms',
      ]) as unknown as coreV1.NodeSelector,
      new FieldAt(`addedAffinity.${required}`, causes),
    );
  for (const [i, one] of listOf(fields[preferred], `addedAffinity.${preferred}`).entries()) {
    const at = `addedAffinity.${preferred}[${i}]`;
    const term = fieldsOf(one, at, ['weight', 'preference']);
    if (!Number.isInteger(term.weight) || (term.weight as number) < 1 || (term.weight as number) > 100)
      throw new ArgumentError(
        `${at}.weight: Invalid value: ${JSON.stringify(term.weight)}: must be in the range 1-100`,
      );
    validateNodeSelector(
      { nodeSelectorTerms: [term.preference as coreV1.NodeSelectorTerm] },
      new FieldAt(`${at}.preference`, causes),
    );
  }
  const [cause] = causes.toError('', name, '')?.details?.causes ?? [];
  if (cause !== undefined) throw new ArgumentError(`${cause.field}: ${cause.message}`);
  return { added: addedAffinity as coreV1.NodeAffinity };
}

export const nodeAffinity = definePluginFactory<State, Args>({
  name,
  readArgs,
  build(_, { added }) {
    const terms = added?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
    const enforced = terms === undefined ? null : compileNodeSelectorTerms(terms);
    const addedPreferences = preferencesOf(added);
    const mayMatch = (waiting: PodInfo, { metadata }: Node): boolean => {
      const node = { name: metadata.name, labels: metadata.labels ?? {} };
      return (enforced?.(node) ?? true) && (requiredOfNode(waiting.pod)?.(node) ?? true);
    };
    return definePlugin<State>({
      name,
      reasons: [
        '',
        unresolvable("node(s) didn't match Pod's node affinity/selector"),
        unresolvable("node(s) didn't match scheduler-enforced node affinity"),
      ],
      weight: 2,
      wakeOn: [wakeOn(Node, 'add', mayMatch), wakeOn(Node, 'update', mayMatch)],
      preFilter({ pod }) {
        const required = requiredOfNode(pod);
        const preferred = [...preferencesOf(pod.spec.affinity?.nodeAffinity), ...addedPreferences];
        if (required === null && preferred.length === 0 && enforced === null) return undefined;
        const names = namesOf(pod);
        if (names?.size === 0) return new PodRefusal('pod affinity terms conflict');
        return { required, preferred, names };
      },
      narrow: ({ names }) => names,
      skipFilter: ({ required }) => required === null && enforced === null,
      filter({ required }, node) {
        if (enforced !== null && !enforced(node)) return notEnforced;
        return required === null || required(node) ? fits : noMatch;
      },
      preScore: ({ preferred }) => preferred.length > 0,
      score({ preferred }, node) {
        let sum = 0;
        for (const { weight, matches } of preferred) if (matches(node)) sum += weight;
        return sum;
      },
      normalize: 'highest',
    });
  },
});
