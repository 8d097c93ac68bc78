import { expect, test } from 'vitest';
import type { PodSpec } from '../../generated/core-v1.ts';
import { compileNodeRequirements, compileNodeSelectorTerms } from './node-selector.ts';

const node = { name: 'n1', labels: { zone: 'a', cpus: '8' } };
const label = (key: string, operator: string, ...values: string[]) => ({
  matchExpressions: [{ key, operator, values }],
});
const field = (key: string, operator: string, ...values: string[]) => ({
  matchFields: [{ key, operator, values }],
});

test.each([
  [label('zone', 'In', 'a', 'b'), true],
  [label('zone', 'In', 'b'), false],
  [label('none', 'In', 'a'), false],
  [label('zone', 'NotIn', 'a'), false],
  [label('none', 'NotIn', 'a'), true],
  [label('zone', 'Exists'), true],
  [label('none', 'Exists'), false],
  [label('none', 'DoesNotExist'), true],
  [label('cpus', 'Gt', '7'), true],
  [label('cpus', 'Gt', '8'), false],
  [label('cpus', 'Lt', '9'), true],
  [label('zone', 'Lt', '9'), false],
  [label('zone', 'Unheard', 'a'), false],
  [field('metadata.name', 'In', 'n1'), true],
  [field('metadata.name', 'In', 'n2'), false],
  [field('metadata.name', 'NotIn', 'n1'), false],
  [field('metadata.uid', 'In', 'n1'), false],
  [{ ...label('zone', 'Exists'), ...field('metadata.name', 'In', 'n2') }, false],
  [{}, false],
])('%j', (term, expected) => {
  expect(compileNodeSelectorTerms([term])(node)).toBe(expected);
  expect(compileNodeSelectorTerms([{}, term])(node)).toBe(expected);
});

test.each<[Partial<PodSpec>, boolean]>([
  [{}, true],
  [{ nodeSelector: { zone: 'a' } }, true],
  [{ nodeSelector: { zone: 'a', gpu: 'yes' } }, false],
  [required([label('zone', 'In', 'b'), label('cpus', 'Exists')]), true],
  [{ nodeSelector: { zone: 'b' }, ...required([label('cpus', 'Exists')]) }, false],
  [required([]), false],
])('%j', (spec, expected) => {
  expect(compileNodeRequirements(spec)(node)).toBe(expected);
});

function required(nodeSelectorTerms: ReturnType<typeof label>[]): Partial<PodSpec> {
  return {
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  };
}
