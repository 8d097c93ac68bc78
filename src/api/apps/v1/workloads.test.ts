import { describe, expect, it } from 'vitest';
import { Causes, decodeObject } from '../../../machinery/index.ts';
import { complaints, created, updated } from '../../../testkit/index.ts';
import { DaemonSet } from './daemon-set.ts';
import { Deployment } from './deployment.ts';
import { ReplicaSet } from './replica-set.ts';

const template = {
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image: 'busybox:1' }] },
};
const selector = { matchLabels: { app: 'web' } };
const spec = { selector, template };
const deployment = (change: object = {}) => created(Deployment, { spec: { ...spec, ...change } });

describe('Deployment', () => {
  it('has the defaults of Kubernetes', () => {
    const { spec: got } = deployment();
    expect(got).toMatchObject({
      replicas: 1,
      strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      template: { spec: { restartPolicy: 'Always', dnsPolicy: 'ClusterFirst' } },
    });
    expect(deployment({ replicas: 0, revisionHistoryLimit: 0 }).spec).toMatchObject({
      replicas: 0,
      revisionHistoryLimit: 0,
    });
    expect(deployment({ strategy: { type: 'Recreate' } }).spec.strategy).toEqual({ type: 'Recreate' });
  });

  it.each([
    [{}, []],
    [{ replicas: -1 }, ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']],
    [
      { selector: { matchLabels: { app: 'a b' } } },
      [
        expect.stringMatching(/^spec.selector.matchLabels: Invalid value: "a b": a valid label must be/),
        'spec.selector: Invalid value: {"matchLabels":{"app":"a b"}}: invalid label selector',
      ],
    ],
    [
      { selector: { matchLabels: { app: 'other' } } },
      [
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
      ],
    ],
    [{ selector: {} }, ['spec.selector: Invalid value: {}: empty selector is invalid for deployment']],
    [
      { selector: undefined },
      [
        'spec.selector: Required value',
        'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
      ],
    ],
    [
      { strategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '0%' } } },
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0'],
    ],
    [
      { strategy: { rollingUpdate: { maxUnavailable: '101%', maxSurge: '200%' } } },
      ['spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%'],
    ],
    [
      { strategy: { type: 'Recreate', rollingUpdate: {} } },
      ["spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'"],
    ],
    [
      { minReadySeconds: 600 },
      ['spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds'],
    ],
    [
      { template: { ...template, spec: { ...template.spec, restartPolicy: 'Never' } } },
      ['spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'],
    ],
  ])('rules of %j', (change, wanted) => expect(complaints(Deployment, deployment(change))).toEqual(wanted));

  it('keeps its selector', () => {
    const old = deployment();
    const labels = { app: 'web', tier: 'x' };
    const next = updated(Deployment, old, {
      spec: { selector: { matchLabels: labels }, template: { ...template, metadata: { labels } } },
    });
    expect(complaints(Deployment, next, old)).toEqual([
      'spec.selector: Invalid value: {"matchLabels":{"app":"web","tier":"x"}}: field is immutable',
    ]);
  });

  it('counts annotations as desired state', () => {
    const old = deployment();
    old.metadata.generation = 4;
    const next = updated(Deployment, old, { metadata: { annotations: { a: 'b' } }, spec });
    expect(next.metadata.generation).toBe(5);
  });

  it('checks its status', () => {
    const old = { ...deployment(), status: { collisionCount: 2 } };
    const next = {
      ...old,
      status: { replicas: 1, readyReplicas: 2, collisionCount: 1, availableReplicas: -1 },
    };
    const causes = new Causes();
    Deployment.validateStatus!(next, old, causes);
    expect(causes.list.map((c) => `${c.field}: ${c.message}`)).toEqual([
      'status.availableReplicas: Invalid value: -1: must be greater than or equal to 0',
      'status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas',
      'status.collisionCount: Invalid value: 1: cannot be decremented',
    ]);
  });

  it('shows itself', () => {
    const shown = { ...deployment(), status: { readyReplicas: 1, updatedReplicas: 2, availableReplicas: 1 } };
    shown.metadata.creationTimestamp = '2026-01-01T00:00:00Z';
    const cells = Deployment.columns.map((c) => [
      c.name,
      c.priority ?? 0,
      c.cell(shown, { nowMs: Date.UTC(2026, 0, 1, 0, 5) }),
    ]);
    expect(cells).toEqual([
      ['Name', 0, 'a'],
      ['Ready', 0, '1/1'],
      ['Up-to-date', 0, 2],
      ['Available', 0, 1],
      ['Age', 0, '5m'],
      ['Containers', 1, 'c'],
      ['Images', 1, 'busybox:1'],
      ['Selector', 1, 'app=web'],
    ]);
  });
});

describe('ReplicaSet', () => {
  it('has one replica by default and checks its selector', () => {
    const rs = created(ReplicaSet, { spec });
    expect(rs.spec.replicas).toBe(1);
    expect(complaints(ReplicaSet, rs)).toEqual([]);
    expect(complaints(ReplicaSet, created(ReplicaSet, { spec: { selector } }))).toContain(
      'spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`',
    );
  });
});

it('a DaemonSet counts its templates from before it is prepared, so that its author owns the count', () => {
  const set = {
    apiVersion: 'apps/v1',
    kind: 'DaemonSet',
    metadata: { name: 'a' },
    spec: structuredClone(spec),
  };
  const decoded = decodeObject(DaemonSet.schema, set, []) as unknown as DaemonSet;
  DaemonSet.defaults?.(decoded);
  expect(decoded.metadata.annotations).toEqual({ 'deprecated.daemonset.template.generation': '0' });
});
