// Node selector terms, compiled once a pod: what affinity and nodeSelector ask of a node's labels and name.
import type { coreV1, Pod } from '../api/index.ts';
import type { NodeInfo } from './node-info.ts';

type NodeSelectorRequirement = coreV1.NodeSelectorRequirement;
type NodeSelectorTerm = coreV1.NodeSelectorTerm;

/** All that selectors ask of a node. */
export type SelectedNode = Pick<NodeInfo, 'name' | 'labels'>;
export type NodeTest = (node: SelectedNode) => boolean;

function labelTest({ key, operator, values = [] }: NodeSelectorRequirement): NodeTest {
  const label = (node: SelectedNode): string | undefined => node.labels[key];
  switch (operator) {
    case 'In':
      return (node) => {
        const value = label(node);
        return value !== undefined && values.includes(value);
      };
    case 'NotIn':
      return (node) => {
        const value = label(node);
        return value === undefined || !values.includes(value);
      };
    case 'Exists':
      return (node) => label(node) !== undefined;
    case 'DoesNotExist':
      return (node) => label(node) === undefined;
    case 'Gt':
    case 'Lt': {
      const bound = Number(values[0]);
      return (node) => {
        const value = label(node);
        if (value === undefined || !/^[+-]?\d+$/.test(value)) return false;
        return operator === 'Gt' ? Number(value) > bound : Number(value) < bound;
      };
    }
    default:
      return () => false;
  }
}

/** Only metadata.name may be selected by field. */
function fieldTest({ key, operator, values = [] }: NodeSelectorRequirement): NodeTest {
  if (key !== 'metadata.name') return () => false;
  if (operator === 'In') return (node) => values.includes(node.name);
  if (operator === 'NotIn') return (node) => !values.includes(node.name);
  return () => false;
}

/** A term without requirements matches nothing. */
export function compileTerm(term: NodeSelectorTerm): NodeTest {
  const tests = [...(term.matchExpressions ?? []).map(labelTest), ...(term.matchFields ?? []).map(fieldTest)];
  if (tests.length === 0) return () => false;
  return (node) => {
    for (const test of tests) if (!test(node)) return false;
    return true;
  };
}

/** One of the terms must match. */
export function compileTerms(terms: readonly NodeSelectorTerm[]): NodeTest {
  const compiled = terms.map(compileTerm);
  return (node) => {
    for (const test of compiled) if (test(node)) return true;
    return false;
  };
}

/** Waiting pods are asked for theirs again and again. */
const known = new WeakMap<Pod, NodeTest | null>();

/** What the pod requires of its node: nodeSelector and required affinity. null = nothing. */
export function requiredOfNode(pod: Pod): NodeTest | null {
  let found = known.get(pod);
  if (found === undefined) known.set(pod, (found = compileRequired(pod)));
  return found;
}

function compileRequired({ spec }: Pod): NodeTest | null {
  const terms =
    spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const selector = Object.entries(spec.nodeSelector ?? {});
  if (terms === undefined) {
    if (selector.length === 0) return null;
    return ({ labels }) => {
      for (const [key, value] of selector) if (labels[key] !== value) return false;
      return true;
    };
  }
  const affinity = compileTerms(terms);
  return (node) => {
    for (const [key, value] of selector) if (node.labels[key] !== value) return false;
    return affinity(node);
  };
}
