// Node selectors, compiled into a test of a node: what nodeSelector and required node affinity ask of its labels and its name. Pure.
import type { NodeSelectorRequirement, NodeSelectorTerm, PodSpec } from '../../generated/core-v1.ts';

/** What selectors look at: a node's metadata will do. */
export interface SelectableNode {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

export type NodeTest = (node: SelectableNode) => boolean;

function labelTest({ key, operator, values = [] }: NodeSelectorRequirement): NodeTest {
  const label = (node: SelectableNode) => node.labels?.[key];
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
export function compileNodeSelectorTerm(term: NodeSelectorTerm): NodeTest {
  const tests = [...(term.matchExpressions ?? []).map(labelTest), ...(term.matchFields ?? []).map(fieldTest)];
  if (tests.length === 0) return () => false;
  return (node) => {
    for (const test of tests) if (!test(node)) return false;
    return true;
  };
}

/** One of the terms must match. */
export function compileNodeSelectorTerms(terms: readonly NodeSelectorTerm[]): NodeTest {
  const compiled = terms.map(compileNodeSelectorTerm);
  return (node) => {
    for (const test of compiled) if (test(node)) return true;
    return false;
  };
}

/** What a pod requires of its node's labels and name: `nodeSelector` and required affinity. */
export function compileNodeRequirements(spec: Pick<PodSpec, 'nodeSelector' | 'affinity'>): NodeTest {
  const labels = Object.entries(spec.nodeSelector ?? {});
  const terms =
    spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const required = terms === undefined ? undefined : compileNodeSelectorTerms(terms);
  return (node) => {
    for (const [key, value] of labels) if (node.labels?.[key] !== value) return false;
    return required === undefined || required(node);
  };
}
