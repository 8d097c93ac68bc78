import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ClusterRole, rbacV1 } from '../../api/index.ts';
import { missingRules } from '../auth/rbac/covers.ts';
import { planBinding, planRole } from './plan.ts';
import { account, clusterBinding, clusterRole, core, gatheringRole, group, rule, user } from './rule.ts';

type Annotations = Record<string, string>;

const stored = <T extends { metadata: object }>(draft: T, metadata: object = {}) => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'ClusterRole',
  ...draft,
  metadata: { uid: 'u', creationTimestamp: '', ...draft.metadata, ...metadata } as ClusterRole['metadata'],
});
const locked: Annotations = { 'rbac.authorization.kubernetes.io/autoupdate': 'false' };
const [get, list] = [rule('get', core, 'pods'), rule('list', core, 'pods')];

describe('a role', () => {
  test('as it should be is left', () => {
    expect(planRole(stored(clusterRole('r', [get])), clusterRole('r', [get]))).toBeUndefined();
    const more = stored(clusterRole('r', [rule('get list', core, 'pods secrets')]));
    expect(planRole(more, clusterRole('r', [get]))).toBeUndefined();
  });

  test('gains what is missing, and keeps what is more', () => {
    const next = planRole(stored(clusterRole('r', [list])), clusterRole('r', [get, list]));
    expect(next?.rules).toEqual([list, get]);
  });

  test('gains our labels, and keeps the words of users', () => {
    const mine = stored(
      { metadata: { name: 'r' }, rules: [get] },
      { labels: { 'kubernetes.io/bootstrapping': 'mine', a: 'b' } },
    );
    const next = planRole(mine, clusterRole('r', [get]));
    expect(next?.metadata.labels).toEqual({ 'kubernetes.io/bootstrapping': 'mine', a: 'b' });
    expect(next?.metadata.annotations).toEqual({ 'rbac.authorization.kubernetes.io/autoupdate': 'true' });
    expect(next?.metadata.uid).toBe('u');
  });

  test('that says so is not touched', () => {
    const mine = stored(clusterRole('r', []), { annotations: locked, labels: {} });
    expect(planRole(mine, clusterRole('r', [get]))).toBeUndefined();
  });

  test('gathers by our selectors as well as by those of users', () => {
    const own = { matchLabels: { own: 'true' } };
    const mine = stored({ ...gatheringRole('r'), aggregationRule: { clusterRoleSelectors: [own] } });
    expect(planRole(mine, gatheringRole('r'))?.aggregationRule?.clusterRoleSelectors).toEqual([
      own,
      { matchLabels: { 'rbac.authorization.k8s.io/aggregate-to-r': 'true' } },
    ]);
    expect(planRole(stored(gatheringRole('r')), gatheringRole('r'))).toBeUndefined();
  });

  test('that should not gather has rules of its own again', () => {
    const next = planRole(stored({ ...gatheringRole('r'), rules: [get] }), clusterRole('r', [get]));
    expect(next).not.toHaveProperty('aggregationRule');
    expect(next?.rules).toEqual([get]);
  });

  const verbs = fc.uniqueArray(fc.constantFrom('get', 'list', '*'), { minLength: 1 });
  const resources = fc.uniqueArray(fc.constantFrom('pods', 'secrets', '*'), { minLength: 1 });
  const rules = fc.array(fc.record({ verbs, apiGroups: fc.constantFrom<string[]>([''], ['*']), resources }), {
    maxLength: 4,
  });
  test('holds afterwards what it held and what is wanted, and needs nothing more', () => {
    fc.assert(
      fc.property(rules, rules, (held: rbacV1.PolicyRule[], wanted: rbacV1.PolicyRule[]) => {
        const before = stored(clusterRole('r', held));
        const after = planRole(before, clusterRole('r', wanted)) ?? before;
        expect(missingRules(after.rules ?? [], [...held, ...wanted])).toEqual([]);
        expect(planRole(after, clusterRole('r', wanted))).toBeUndefined();
      }),
    );
  });
});

describe('a binding', () => {
  const binding = (...subjects: rbacV1.Subject[]) => stored(clusterBinding('b', ...subjects));
  test('gains subjects, and keeps those of users', () => {
    const plan = planBinding(binding(user('zoe')), clusterBinding('b', group('g'), account('a')));
    expect(plan).toMatchObject({
      act: 'update',
      object: { subjects: [user('zoe'), group('g'), account('a')] },
    });
    expect(planBinding(binding(user('zoe'), group('g')), clusterBinding('b', group('g')))).toBeUndefined();
  });

  test('to another role is made anew', () => {
    const other = { ...binding(group('g')), roleRef: { ...clusterBinding('b').roleRef, name: 'other' } };
    expect(planBinding(other, clusterBinding('b', group('g')))).toEqual({ act: 'recreate' });
  });

  test('that says so is not touched', () => {
    const mine = stored(clusterBinding('b'), { annotations: locked });
    expect(planBinding(mine, clusterBinding('b', group('g')))).toBeUndefined();
  });
});
