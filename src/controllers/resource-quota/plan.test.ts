import fc from 'fast-check';
import { expect, test } from 'vitest';
import { amountsOf, type ResourceQuota } from '../../api/index.ts';
import { epochMs } from '../../testkit/index.ts';
import { type FirstLook, planRecount, settleMs } from './plan.ts';

const quota = (hard: Record<string, string>, status?: ResourceQuota['status']) =>
  ({
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: 'q', namespace: 'default' },
    spec: { hard },
    status,
  }) as ResourceQuota;
const plan = (q: ResourceQuota, counted: Record<string, string>, firstLook?: FirstLook, nowMs = epochMs) =>
  planRecount({ quota: q, counted: amountsOf(counted), firstLook, nowMs });

test('a new quota is counted at once, and again a moment later', () => {
  expect(plan(quota({ pods: '5', cpu: '1', 'x/y': '2' }), { pods: '2', cpu: '500m' })).toEqual({
    status: { hard: { pods: '5', cpu: '1', 'x/y': '2' }, used: { pods: '2', cpu: '500m' } },
    firstLook: undefined,
    lookAgainInMs: settleMs,
  });
});

test('what is right is not written', () => {
  const q = quota({ cpu: '2' }, { hard: { cpu: '2000m' }, used: { cpu: '1000m' } });
  expect(plan(q, { cpu: '1' })).toEqual({
    status: undefined,
    firstLook: undefined,
    lookAgainInMs: undefined,
  });
});

test('a new limit is written at once; what is limited no more is forgotten', () => {
  const q = quota(
    { pods: '9', services: '1' },
    { hard: { pods: '5', secrets: '2' }, used: { pods: '2', secrets: '1' } },
  );
  expect(plan(q, { pods: '2', services: '0' }).status).toEqual({
    hard: { pods: '9', services: '1' },
    used: { pods: '2', services: '0' },
  });
});

test('a difference is looked at twice, and what was charged meanwhile is kept', () => {
  const hard = { pods: '9' };
  const first = plan(quota(hard, { hard, used: { pods: '4' } }), { pods: '2' });
  expect([first.status, first.lookAgainInMs]).toEqual([undefined, settleMs]);
  const early = plan(
    quota(hard, { hard, used: { pods: '4' } }),
    { pods: '2' },
    first.firstLook,
    epochMs + 50,
  );
  expect([early.status, early.firstLook, early.lookAgainInMs]).toEqual([
    undefined,
    first.firstLook,
    settleMs - 50,
  ]);
  const later = plan(
    quota(hard, { hard, used: { pods: '5' } }),
    { pods: '3' },
    first.firstLook,
    epochMs + settleMs,
  );
  expect([later.status?.used, later.lookAgainInMs]).toEqual([{ pods: '4' }, settleMs]);
  const last = plan(
    quota(hard, { hard, used: { pods: '4' } }),
    { pods: '3' },
    later.firstLook,
    epochMs + 2 * settleMs,
  );
  expect([last.status?.used, last.firstLook]).toEqual([{ pods: '3' }, undefined]);
});

test('whatever comes when: what exists is never counted short, and in the end the count is right', () => {
  const step = fc.record({
    afterMs: fc.nat(150),
    do: fc.constantFrom('create', 'create', 'delete', 'look', 'look'),
    showsAfterMs: fc.nat(settleMs - 1),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const hard = { pods: '1000' };
      let nowMs = epochMs;
      let used = 0;
      let firstLook: FirstLook | undefined;
      /** When each object can be seen. */
      let objects: number[] = [];
      const look = () => {
        const visible = objects.filter((shows) => shows <= nowMs).length;
        const q = quota(hard, { hard, used: { pods: String(used) } });
        const result = plan(q, { pods: String(visible) }, firstLook, nowMs);
        firstLook = result.firstLook;
        if (result.status !== undefined) used = Number(result.status.used!['pods']);
        expect(used).toBeGreaterThanOrEqual(objects.length);
        return result.lookAgainInMs;
      };
      for (const { afterMs, do: what, showsAfterMs } of steps) {
        nowMs += afterMs;
        if (what === 'create') {
          used++;
          objects.push(nowMs + showsAfterMs);
        } else if (what === 'delete') {
          const visible = objects.findIndex((shows) => shows <= nowMs);
          objects = objects.filter((_, i) => i !== visible);
        } else look();
      }
      for (let i = 0; i < 4; i++) nowMs += look() ?? settleMs;
      expect([used, look()]).toEqual([objects.length, undefined]);
    }),
  );
});
