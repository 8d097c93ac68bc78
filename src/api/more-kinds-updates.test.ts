// Updates, tables and conversion of the kinds without a test file of their own.
import { describe, expect, it } from 'vitest';
import { Causes, type KindDef, type KubeObject } from '../machinery/index.ts';
import { complaints, created, settleBody, updated } from '../testkit/index.ts';
import { APIService } from './apiregistration/v1/api-service.ts';
import { DaemonSet } from './apps/v1/daemon-set.ts';
import { StatefulSet } from './apps/v1/stateful-set.ts';
import { HorizontalPodAutoscalerV1 } from './autoscaling/v1/horizontal-pod-autoscaler.ts';
import { HorizontalPodAutoscaler } from './autoscaling/v2/horizontal-pod-autoscaler.ts';
import { LimitRange } from './core/v1/limit-range.ts';
import { PersistentVolume } from './core/v1/persistent-volume.ts';
import { PersistentVolumeClaim } from './core/v1/persistent-volume-claim.ts';
import { ReplicationController } from './core/v1/replication-controller.ts';
import { ResourceQuota } from './core/v1/resource-quota.ts';

const labels = { app: 'a' };
const template = { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'busybox:1' }] } };
const selector = { matchLabels: labels };
const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } };

describe('updates', () => {
  it('of a StatefulSet may not change its claims', () => {
    const old = created(StatefulSet, { spec: { selector, template } });
    const next = (spec: object) => updated(StatefulSet, old, { spec: { selector, template, ...spec } });
    expect(complaints(StatefulSet, next({ replicas: 3, revisionHistoryLimit: 1 }), old)).toEqual([]);
    expect(complaints(StatefulSet, next({ serviceName: 's' }), old)).toEqual([
      "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
    ]);
  });

  it('of a DaemonSet count its templates', () => {
    const old = created(DaemonSet, { spec: { selector, template } });
    const same = updated(DaemonSet, old, { spec: { selector, template, minReadySeconds: 5 } });
    const other = { ...template, spec: { ...template.spec, hostNetwork: true } };
    const next = updated(DaemonSet, old, { spec: { selector, template: other } });
    expect([same, next].map(({ metadata }) => metadata.annotations)).toEqual([
      { 'deprecated.daemonset.template.generation': '1' },
      { 'deprecated.daemonset.template.generation': '2' },
    ]);
  });

  it('of a bound claim let it grow, and nothing else', () => {
    const old = created(PersistentVolumeClaim, { spec: { ...claim, volumeName: 'v' } });
    old.status = { phase: 'Bound', capacity: { storage: '1Gi' } };
    const next = (spec: object) =>
      updated(PersistentVolumeClaim, old, { spec: { ...claim, volumeName: 'v', ...spec } });
    const sized = (storage: string) => next({ resources: { requests: { storage } } });
    expect(complaints(PersistentVolumeClaim, sized('2Gi'), old)).toEqual([]);
    expect(complaints(PersistentVolumeClaim, sized('1Mi'), old)).toEqual([
      'spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
    ]);
    expect(complaints(PersistentVolumeClaim, next({ accessModes: ['ReadOnlyMany'] }), old)).toEqual([
      expect.stringContaining('spec: Forbidden: spec is immutable after creation except resources.requests'),
    ]);
  });

  it('of the phase of a volume are dated', () => {
    const old = created(PersistentVolume, { spec: {} });
    const next = structuredClone(old);
    next.status = { phase: 'Available' };
    PersistentVolume.prepareStatus!(next, old, { nowMs: Date.UTC(2026, 5, 1) });
    expect(next.status.lastPhaseTransitionTime).toBe('2026-06-01T00:00:00Z');
  });
});

describe('tables', () => {
  const now = { nowMs: Date.UTC(2026, 0, 1, 0, 5) };
  const row = <T extends KubeObject>(of: KindDef<T>, object: T) =>
    Object.fromEntries(of.columns.map((column) => [column.name, column.cell(object, now)]));

  it('shows quotas, autoscalers and services of the API', () => {
    const quota = created(ResourceQuota, { spec: {} });
    quota.status = { hard: { pods: '10', 'limits.cpu': '2' }, used: { pods: '3' } };
    expect(row(ResourceQuota, quota)).toMatchObject({ Request: 'pods: 3/10', Limit: 'limits.cpu: 0/2' });
    const hpa = created(HorizontalPodAutoscaler, {
      spec: { maxReplicas: 3, scaleTargetRef: { kind: 'Deployment', name: 'web' } },
    });
    expect(row(HorizontalPodAutoscaler, hpa)).toMatchObject({
      Reference: 'Deployment/web',
      Targets: 'cpu: <unknown>/80%',
      MinPods: '1',
      MaxPods: 3,
    });
    const service = created(APIService, { spec: { service: { namespace: 'n', name: 's' } } });
    expect(row(APIService, service)).toMatchObject({ Service: 'n/s', Available: 'Unknown' });
    expect(row(LimitRange, created(LimitRange, {}))).toHaveProperty('Created At');
    expect(row(ReplicationController, created(ReplicationController, { spec: { template } }))).toMatchObject({
      Desired: 1,
      Containers: 'c',
      Selector: 'app=a',
    });
  });
});

describe('autoscaling/v1', () => {
  const { toStored, fromStored } = HorizontalPodAutoscalerV1.conversion!;
  const scaleTargetRef = { kind: 'Deployment', name: 'web', apiVersion: 'apps/v1' };

  it('is a view of v2', () => {
    const stored = created(HorizontalPodAutoscalerV1, {
      spec: { maxReplicas: 3, scaleTargetRef, targetCPUUtilizationPercentage: 50 },
    });
    expect(stored).toMatchObject({
      apiVersion: 'autoscaling/v2',
      spec: {
        minReplicas: 1,
        metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: 50 } } }],
      },
    });
    expect(fromStored(stored)).toMatchObject({
      apiVersion: 'autoscaling/v1',
      spec: { targetCPUUtilizationPercentage: 50 },
    });
  });

  it('loses nothing of v2', () => {
    const stored = settleBody(HorizontalPodAutoscaler as unknown as KindDef, {
      metadata: { name: 'a', namespace: 'b' },
      spec: {
        maxReplicas: 3,
        scaleTargetRef,
        behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
        metrics: [
          {
            type: 'Pods',
            pods: { metric: { name: 'm' }, target: { type: 'AverageValue', averageValue: '1k' } },
          },
          {
            type: 'External',
            external: { metric: { name: 'q', selector }, target: { type: 'Value', value: '30' } },
          },
          {
            type: 'Resource',
            resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } },
          },
        ],
      },
      status: { conditions: [{ type: 'AbleToScale', status: 'True', lastTransitionTime: null }] },
    });
    expect(toStored(fromStored(stored))).toEqual(stored);
  });

  it('keeps the rules of v2', () => {
    const causes = new Causes();
    HorizontalPodAutoscalerV1.validate!(
      created(HorizontalPodAutoscalerV1, { spec: { maxReplicas: 0, scaleTargetRef } }),
      undefined,
      causes,
    );
    expect(causes.list.map((cause) => cause.field)).toEqual(['spec.maxReplicas', 'spec.maxReplicas']);
  });
});
