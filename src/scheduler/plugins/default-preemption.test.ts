// Who is evicted for whom: one cluster, one pod that does not fit, what is proposed.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Pod, PodDisruptionBudget } from '../../api/index.ts';
import { seededRandom } from '../../base/index.ts';
import { buildNode, buildPod, epochMs, PluginFixture, type PodParts } from '../../testkit/index.ts';
import { Cycle, type Decision } from '../cycle.ts';
import { podInfo } from '../pod-info.ts';
import { buildPlugins, catalogue } from '../profile.ts';

interface Running {
  readonly node: string;
  readonly priority: number;
  readonly cpu?: string;
  readonly labels?: Record<string, string>;
  readonly startedMs?: number;
  readonly parts?: PodParts;
}

const budget = (app: string, disruptionsAllowed: number): PodDisruptionBudget =>
  ({
    apiVersion: 'policy/v1',
    kind: 'PodDisruptionBudget',
    metadata: { name: app, namespace: 'default', uid: app },
    spec: { selector: { matchLabels: { app } } },
    status: { disruptionsAllowed },
  }) as unknown as PodDisruptionBudget;

function runningPod(name: string, one: Running): Pod {
  const { node, priority, cpu = '4', labels, startedMs = epochMs, parts } = one;
  const pod = buildPod(name, {
    node,
    requests: { cpu },
    ...(labels !== undefined && { labels }),
    ...parts,
    spec: { priority, ...parts?.spec },
  });
  pod.status!.startTime = new Date(startedMs).toISOString();
  return pod;
}

function setUp(given: {
  nodes?: readonly string[];
  running: Readonly<Record<string, Running>>;
  budgets?: readonly PodDisruptionBudget[];
}) {
  const fixture = new PluginFixture(given.budgets ?? []);
  const { cluster } = fixture;
  for (const name of given.nodes ?? ['n1', 'n2']) cluster.setNode(buildNode(name, { zone: 'z' }));
  for (const [name, one] of Object.entries(given.running))
    cluster.place(podInfo(runningPod(name, one)), one.node);
  const cycle = new Cycle(buildPlugins(catalogue, fixture.context), { random: seededRandom(1) });
  return { cluster, cycle };
}
const preemptor = (parts: PodParts = {}) =>
  buildPod('p', { requests: { cpu: '4' }, ...parts, spec: { priority: 100, ...parts.spec } });

/** `n1: a b`, or the message about preemption. */
function proposed(decision: Decision): string {
  if (decision.node !== undefined) return `fits ${decision.node.name}`;
  const { rescue } = decision;
  if (rescue === undefined || typeof rescue.node !== 'object') return rescue?.message ?? '';
  return `${rescue.node.name}: ${rescue.victims.map(({ pod }) => pod.metadata.name).join(' ')}`;
}
function propose(given: Parameters<typeof setUp>[0], pod = preemptor()): string {
  const { cluster, cycle } = setUp(given);
  return proposed(cycle.decide(podInfo(pod), cluster));
}

const nobody = (nodes: number) =>
  `preemption: 0/${nodes} nodes are available: ${nodes} No preemption victims found for incoming pod.`;

describe('whom', () => {
  test('nobody of the same or a higher priority', () => {
    const running = { a: { node: 'n1', priority: 100 }, b: { node: 'n2', priority: 101 } };
    expect(propose({ running })).toBe(nobody(2));
  });

  test('the message says both what refuses and what preemption found', () => {
    const { cluster, cycle } = setUp({ nodes: ['n1'], running: { a: { node: 'n1', priority: 100 } } });
    const decision = cycle.decide(podInfo(preemptor()), cluster);
    expect(decision.node === undefined && decision.message).toBe(
      `0/1 nodes are available: 1 Insufficient cpu. ${nobody(1)}`,
    );
  });

  test('nobody where it would not help', () => {
    const running = {
      a: { node: 'n1', priority: 0 },
      b: { node: 'n2', priority: 0, cpu: '1' },
      c: { node: 'n2', priority: 200, cpu: '1' },
    };
    expect(propose({ running }, preemptor({ requests: { cpu: '5' } }))).toBe(
      'preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.',
    );
    expect(propose({ nodes: ['n2'], running }, preemptor())).toBe(
      'preemption: 0/1 nodes are available: 1 Insufficient cpu.',
    );
  });

  test('as few as will do, and the less important ones', () => {
    const running = {
      a: { node: 'n1', priority: 1, cpu: '2' },
      b: { node: 'n1', priority: 2, cpu: '1' },
      c: { node: 'n1', priority: 3, cpu: '1' },
    };
    expect(propose({ nodes: ['n1'], running }, preemptor({ requests: { cpu: '1' } }))).toBe('n1: a');
    expect(propose({ nodes: ['n1'], running }, preemptor({ requests: { cpu: '3' } }))).toBe('n1: b a');
  });

  test('not for a pod that may not', () => {
    const running = { a: { node: 'n1', priority: 0 }, b: { node: 'n2', priority: 0 } };
    expect(propose({ running }, preemptor({ spec: { preemptionPolicy: 'Never' } }))).toBe(
      'preemption: not eligible due to preemptionPolicy=Never.',
    );
  });

  test('nobody else while the first victims are on their way out', () => {
    const condition = { type: 'DisruptionTarget', status: 'True', reason: 'PreemptionByScheduler' };
    const pod = preemptor();
    pod.status!.nominatedNodeName = 'n1';
    const { cluster, cycle } = setUp({ running: { b: { node: 'n2', priority: 0 } } });
    const leaving = runningPod('a', { node: 'n1', priority: 0, parts: { deletedMs: epochMs } });
    leaving.status!.conditions = [condition as never];
    cluster.place(podInfo(leaving), 'n1');
    expect(proposed(cycle.decide(podInfo(pod), cluster, 'n1'))).toBe(
      'preemption: not eligible due to a terminating pod on the nominated node.',
    );
  });

  test('those whose anti-affinity keeps the pod off', () => {
    const labels = { app: 'x' };
    const podAntiAffinity = {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: labels }, topologyKey: 'topology.kubernetes.io/zone' },
      ],
    };
    const running = {
      a: { node: 'n1', priority: 0, cpu: '1', parts: { spec: { affinity: { podAntiAffinity } } } },
    };
    const pod = preemptor({ labels, requests: { cpu: '1' } });
    expect(propose({ nodes: ['n1'], running }, pod)).toBe('n1: a');
  });

  test('those that make the skew too large', () => {
    const labels = { app: 'x' };
    const spec = {
      topologySpreadConstraints: [
        {
          maxSkew: 1,
          topologyKey: 'kubernetes.io/hostname',
          whenUnsatisfiable: 'DoNotSchedule',
          labelSelector: { matchLabels: labels },
        },
      ],
    };
    const running = {
      a: { node: 'n1', priority: 0, cpu: '1', labels },
      full: { node: 'n2', priority: 200 },
    };
    expect(propose({ running }, preemptor({ labels, requests: { cpu: '1' }, spec }))).toBe('n1: a');
  });
});

describe('which node', () => {
  test.each<[string, Record<string, Running>, string, PodDisruptionBudget[]?]>([
    [
      'where no budget is violated',
      { a: { node: 'n1', priority: 1, labels: { app: 'x' } }, b: { node: 'n2', priority: 9 } },
      'n2: b',
      [budget('x', 0)],
    ],
    [
      'where the budget allows it',
      { a: { node: 'n1', priority: 1, labels: { app: 'x' } }, b: { node: 'n2', priority: 9 } },
      'n1: a',
      [budget('x', 1)],
    ],
    [
      'where the most important victim is the least important',
      {
        a: { node: 'n1', priority: 5 },
        b: { node: 'n2', priority: 4, cpu: '2' },
        c: { node: 'n2', priority: 4, cpu: '2' },
      },
      'n2: b c',
    ],
    [
      'where the sum of priorities is the lowest',
      {
        a: { node: 'n1', priority: 5, cpu: '2' },
        b: { node: 'n1', priority: 4, cpu: '2' },
        c: { node: 'n2', priority: 5, cpu: '2' },
        d: { node: 'n2', priority: 3, cpu: '2' },
      },
      'n2: c d',
    ],
    [
      'where the victims started last',
      {
        a: { node: 'n1', priority: 5, startedMs: epochMs },
        b: { node: 'n2', priority: 5, startedMs: epochMs + 5000 },
      },
      'n2: b',
    ],
  ])('%s', (_, running, expected, budgets = []) => {
    expect(propose({ running, budgets })).toBe(expected);
  });

  test('of one budget, as many as it allows count as allowed', () => {
    const labels = { app: 'x' };
    const running = {
      a: { node: 'n1', priority: 1, cpu: '2', labels },
      b: { node: 'n1', priority: 1, cpu: '2', labels },
      c: { node: 'n2', priority: 9 },
    };
    expect(propose({ running, budgets: [budget('x', 1)] })).toBe('n2: c');
    expect(propose({ running, budgets: [budget('x', 2)] })).toBe('n1: a b');
  });
});

test('nominated pods of the same or a higher priority keep their room', () => {
  const { cluster, cycle } = setUp({ nodes: ['n1'], running: {} });
  const waiting = (name: string, priority: number) =>
    podInfo(buildPod(name, { requests: { cpu: '3' }, spec: { priority } }));
  cluster.nominate(waiting('first', 50), 'n1');
  const at = (priority: number) => proposed(cycle.decide(waiting('p', priority), cluster));
  expect(at(51)).toBe('fits n1');
  expect(at(50)).toBe(nobody(1));
  expect(at(49)).toBe(nobody(1));
  expect(cluster.node('n1')?.pods.size).toBe(0);
  cluster.denominate('uid-first');
  expect(at(49)).toBe('fits n1');
});

test('evicting the victims makes room, and what was only supposed leaves no trace', () => {
  const pod = fc.record({
    priority: fc.nat(3),
    cpu: fc.constantFrom('1', '2'),
    app: fc.constantFrom('x', 'y'),
    node: fc.nat(2),
    far: fc.boolean(),
  });
  const far = (app: string) => ({
    podAntiAffinity: {
      requiredDuringSchedulingIgnoredDuringExecution: [
        { labelSelector: { matchLabels: { app } }, topologyKey: 'kubernetes.io/hostname' },
      ],
    },
  });
  fc.assert(
    fc.property(fc.array(pod, { maxLength: 10 }), pod, (others, wanted) => {
      const running = Object.fromEntries(
        others.map((one, i): [string, Running] => [
          `r${i}`,
          {
            node: `n${one.node}`,
            priority: one.priority,
            cpu: one.cpu,
            labels: { app: one.app },
            parts: one.far ? { spec: { affinity: far(one.app) } } : {},
          },
        ]),
      );
      const { cluster, cycle } = setUp({ nodes: ['n0', 'n1', 'n2'], running });
      const info = podInfo(
        buildPod('p', {
          requests: { cpu: wanted.cpu },
          labels: { app: wanted.app },
          spec: { priority: wanted.priority, ...(wanted.far && { affinity: far(wanted.app) }) },
        }),
      );
      const picture = () => cluster.nodes.map((node) => [node.free.cpuMilli, [...node.pods.keys()].sort()]);
      const before = picture();
      const decision = cycle.decide(info, cluster);
      expect(picture()).toEqual(before);
      if (decision.node !== undefined || typeof decision.rescue?.node !== 'object') return;
      const { node, victims } = decision.rescue;
      expect(victims.every((victim) => victim.priority < wanted.priority)).toBe(true);
      for (const victim of victims) cluster.remove(victim.uid);
      expect([...cycle.judge(info, cluster).keys()]).toContain(node.name);
    }),
    { numRuns: 150 },
  );
});
