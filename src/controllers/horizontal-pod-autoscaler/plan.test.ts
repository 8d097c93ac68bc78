// The plan of an autoscaler: conditions, events, texts and status, as kube-controller-manager words them.
import { describe, expect, it } from 'vitest';
import type { autoscalingV2, HorizontalPodAutoscaler, Pod } from '../../api/index.ts';
import { formatTime } from '../../machinery/index.ts';
import { buildPod, epochMs } from '../../testkit/index.ts';
import { goSelector } from './go-selector.ts';
import { newHistory } from './limits.ts';
import type { Reading } from './metric.ts';
import { afterResize, needsMetrics, type PlanInput, planAutoscaler, withoutScale } from './plan.ts';
import { autoscalerDefaults } from './settings.ts';

const nowMs = epochMs + 3_600_000;
const cpu: autoscalingV2.MetricSpec = {
  type: 'Resource',
  resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } },
};
const hpaOf = (
  spec: Partial<HorizontalPodAutoscaler['spec']> = {},
  status?: HorizontalPodAutoscaler['status'],
): HorizontalPodAutoscaler =>
  ({
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: { name: 'web', namespace: 'default' },
    spec: {
      scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
      minReplicas: 1,
      maxReplicas: 10,
      metrics: [cpu],
      ...spec,
    },
    ...(status !== undefined && { status }),
  }) as HorizontalPodAutoscaler;

const podsOf = (count: number): Pod[] =>
  Array.from({ length: count }, (_, i) => {
    const pod = buildPod(`p${i}`, { node: 'n', ready: true, requests: { cpu: '100m' } });
    return { ...pod, status: { ...pod.status, startTime: formatTime(epochMs) } } as Pod;
  });
const used = (...milli: readonly number[]): Reading => ({
  samples: new Map(milli.map((value, i) => [`p${i}`, { milli: value, timeMs: nowMs, windowMs: 15_000 }])),
});
const input = (hpa: HorizontalPodAutoscaler, replicas: number, readings: readonly Reading[]): PlanInput => {
  const scale = { replicas, running: replicas, selector: 'app=web' };
  return {
    hpa,
    scale,
    measurements: needsMetrics(hpa, scale) ? { pods: podsOf(replicas), readings } : undefined,
    history: newHistory(replicas, nowMs),
    nowMs,
    settings: autoscalerDefaults,
  };
};
const conditionsOf = (status: HorizontalPodAutoscaler['status']) =>
  (status?.conditions ?? []).map(
    ({ type, status: is, reason, message }) => `${type}=${is} ${reason}: ${message}`,
  );

describe('an autoscaler', () => {
  it('grows, and says why', () => {
    const hpa = hpaOf();
    const plan = planAutoscaler(input(hpa, 2, [used(100, 90)]));
    expect(plan.resize).toEqual({
      replicas: 4,
      reason: 'cpu resource utilization (percentage of request) above target',
    });
    const { status, event } = afterResize(hpa, plan, { nowMs, error: undefined });
    expect(event).toEqual({
      type: 'Normal',
      reason: 'SuccessfulRescale',
      message: 'New size: 4; reason: cpu resource utilization (percentage of request) above target',
    });
    expect(conditionsOf(status)).toEqual([
      'AbleToScale=True SucceededRescale: the HPA controller was able to update the target scale to 4',
      'ScalingActive=True ValidMetricFound: the HPA was able to successfully calculate a replica count from cpu resource utilization (percentage of request)',
      'ScalingLimited=False DesiredWithinRange: the desired count is within the acceptable range',
    ]);
    expect(status).toMatchObject({
      currentReplicas: 2,
      desiredReplicas: 4,
      lastScaleTime: formatTime(nowMs),
      currentMetrics: [
        {
          type: 'Resource',
          resource: { name: 'cpu', current: { averageUtilization: 95, averageValue: '95m' } },
        },
      ],
    });
  });

  it('says when the target cannot be resized', () => {
    const hpa = hpaOf({}, { desiredReplicas: 2 });
    const plan = planAutoscaler(input(hpa, 2, [used(100, 100)]));
    const { status, event } = afterResize(hpa, plan, { nowMs, error: 'no' });
    expect(event.message).toBe(
      'New size: 4; reason: cpu resource utilization (percentage of request) above target; error: no',
    );
    expect(conditionsOf(status)[0]).toBe(
      'AbleToScale=False FailedUpdateScale: the HPA controller was unable to update the target scale: no',
    );
    expect(status).toMatchObject({ currentReplicas: 2, desiredReplicas: 2 });
  });

  it.each([
    [11, 10, 'Current number of replicas above Spec.MaxReplicas'],
    [1, 2, 'Current number of replicas below Spec.MinReplicas'],
  ])('is brought from %d to %d without metrics', (current, replicas, reason) => {
    const hpa = hpaOf({ minReplicas: 2 });
    expect(planAutoscaler(input(hpa, current, [])).resize).toEqual({ replicas, reason });
  });

  it('leaves alone what is scaled to nothing', () => {
    const plan = planAutoscaler(input(hpaOf(), 0, []));
    expect(plan.resize).toBeUndefined();
    expect(conditionsOf(plan.status)).toEqual([
      "AbleToScale=True SucceededGetScale: the HPA controller was able to get the target's current scale",
      'ScalingActive=False ScalingDisabled: scaling is disabled since the replica count of the target is zero',
    ]);
  });

  it('goes to nothing and back when it may', () => {
    const external: autoscalingV2.MetricSpec = {
      type: 'External',
      external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '10' } },
    };
    const hpa = hpaOf({
      minReplicas: 0,
      metrics: [external],
      behavior: {
        scaleDown: {
          stabilizationWindowSeconds: 0,
          policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
        },
      },
    });
    expect(planAutoscaler(input(hpa, 3, [{ milli: 0 }])).resize).toEqual({
      replicas: 0,
      reason: 'All metrics below target',
    });
    const up = hpaOf({ minReplicas: 0, metrics: [external] });
    expect(planAutoscaler(input(up, 0, [{ milli: 15_000 }])).resize).toEqual({
      replicas: 2,
      reason: 'external metric queue(nil) above target',
    });
  });

  it('keeps the time of a condition that stays', () => {
    const conditions = [
      {
        type: 'AbleToScale',
        status: 'True',
        lastTransitionTime: '2025-01-01T00:00:00Z',
        reason: 'x',
        message: 'y',
      },
      {
        type: 'ScalingActive',
        status: 'False',
        lastTransitionTime: '2025-01-01T00:00:00Z',
        reason: 'x',
        message: 'y',
      },
    ];
    const plan = planAutoscaler(input(hpaOf({}, { desiredReplicas: 2, conditions }), 2, [used(50, 50)]));
    expect(plan.status.conditions?.map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([
      '2025-01-01T00:00:00Z',
      formatTime(nowMs),
      formatTime(nowMs),
    ]);
  });

  it('says when its target cannot be found', () => {
    const { status, event } = withoutScale(hpaOf(), 'deployments.apps "web" not found', nowMs);
    expect(event).toEqual({
      type: 'Warning',
      reason: 'FailedGetScale',
      message: 'deployments.apps "web" not found',
    });
    expect(conditionsOf(status)).toEqual([
      'AbleToScale=False FailedGetScale: the HPA controller was unable to get the target\'s current scale: deployments.apps "web" not found',
    ]);
  });
});

describe('a metric that cannot be had', () => {
  const target = { type: 'AverageValue', averageValue: '10' };
  it.each<[autoscalingV2.MetricSpec, string, string, string, string]>([
    [
      cpu,
      'no metrics returned from resource metrics API',
      'FailedGetResourceMetric',
      'failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API',
      'failed to get cpu resource metric value: failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API',
    ],
    [
      { type: 'ContainerResource', containerResource: { name: 'memory', container: 'c', target } },
      'x',
      'FailedGetContainerResourceMetric',
      'failed to get memory usage: unable to get metrics for resource memory: x',
      'failed to get c container metric value: failed to get memory usage: unable to get metrics for resource memory: x',
    ],
    [
      { type: 'Pods', pods: { metric: { name: 'm' }, target } },
      'no metrics returned from custom metrics API',
      'FailedGetPodsMetric',
      'unable to get metric m: no metrics returned from custom metrics API',
      'failed to get pods metric value: unable to get metric m: no metrics returned from custom metrics API',
    ],
    [
      {
        type: 'Object',
        object: {
          describedObject: { kind: 'Service', name: 's' },
          metric: { name: 'm' },
          target: { type: 'Value', value: '1' },
        },
      },
      'x',
      'FailedGetObjectMetric',
      'unable to get metric m: x on Service default/s',
      'failed to get object metric value: unable to get metric m: x on Service default/s',
    ],
    [
      {
        type: 'External',
        external: { metric: { name: 'm', selector: { matchLabels: { b: '2', a: '1' } } }, target },
      },
      'x',
      'FailedGetExternalMetric',
      'unable to get external metric default/m/&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement{},}: x',
      'failed to get m external metric value: failed to get m external metric: unable to get external metric default/m/&LabelSelector{MatchLabels:map[string]string{a: 1,b: 2,},MatchExpressions:[]LabelSelectorRequirement{},}: x',
    ],
  ])('%o', (spec, failure, reason, message, error) => {
    const hpa = hpaOf({ metrics: [spec] }, { desiredReplicas: 2 });
    const plan = planAutoscaler(input(hpa, 2, [{ failure }]));
    expect(plan.resize).toBeUndefined();
    expect(plan.events).toEqual([
      { type: 'Warning', reason, message },
      {
        type: 'Warning',
        reason: 'FailedComputeMetricsReplicas',
        message: `invalid metrics (1 invalid out of 1), first error is: ${error}`,
      },
    ]);
    expect(conditionsOf(plan.status)[1]).toBe(
      `ScalingActive=False ${reason}: the HPA was unable to compute the replica count: ${message}`,
    );
    expect(plan.status.desiredReplicas).toBe(2);
  });

  it('does not hold up growing, but shrinking', () => {
    const memory: autoscalingV2.MetricSpec = {
      type: 'Resource',
      resource: { name: 'memory', target: { type: 'Utilization', averageUtilization: 50 } },
    };
    const hpa = hpaOf({ metrics: [memory, cpu] });
    const with2 = (reading: Reading) => planAutoscaler(input(hpa, 2, [{ failure: 'x' }, reading]));
    expect(with2(used(100, 100)).resize?.replicas).toBe(4);
    const shrinking = with2(used(1, 1));
    expect(shrinking.resize).toBeUndefined();
    expect(shrinking.status.currentMetrics?.map(({ type }) => type)).toEqual(['', 'Resource']);
    expect(shrinking.events.map(({ reason }) => reason)).toEqual([
      'FailedGetResourceMetric',
      'FailedComputeMetricsReplicas',
    ]);
  });
});

it('of several metrics the one that calls for most counts', () => {
  const pods: autoscalingV2.MetricSpec = {
    type: 'Pods',
    pods: { metric: { name: 'requests' }, target: { type: 'AverageValue', averageValue: '10' } },
  };
  const plan = planAutoscaler(
    input(hpaOf({ metrics: [cpu, pods] }), 2, [used(60, 60), used(30_000, 30_000)]),
  );
  expect(plan.resize).toEqual({ replicas: 4, reason: 'pods metric requests above target' });
  expect(plan.status.currentMetrics?.[1]).toEqual({
    type: 'Pods',
    pods: { metric: { name: 'requests' }, current: { averageValue: '30' } },
  });
  expect(conditionsOf(plan.status)[2]).toBe(
    'ScalingLimited=True ScaleUpLimit: the desired replica count is increasing faster than the maximum scale rate',
  );
});

it('prints selectors as Go does', () => {
  expect(goSelector({ matchExpressions: [{ key: 'a', operator: 'In', values: ['b', 'c'] }] })).toBe(
    '&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:[]LabelSelectorRequirement{LabelSelectorRequirement{Key:a,Operator:In,Values:[b c],},},}',
  );
});
