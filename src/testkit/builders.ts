// Objects for tests in one line: complete enough to be read from a cache, and nothing in them that the test did not say.
import type { CronJob, coreV1, Deployment, Job, Node, Pod, ReplicaSet } from '../api/index.ts';
import { controllerRef, formatTime, type KubeObject, type ObjectMeta } from '../machinery/index.ts';

type Labels = Record<string, string>;

/** The instant at which objects are made unless told otherwise; FakeClock starts there. */
export const epochMs = Date.UTC(2026, 0, 1);

const meta = (name: string, given: Partial<ObjectMeta> = {}): ObjectMeta => ({
  name,
  uid: `uid-${name}`,
  resourceVersion: '1',
  creationTimestamp: formatTime(epochMs),
  ...given,
});

export interface PodParts {
  readonly meta?: Partial<ObjectMeta>;
  readonly labels?: Labels;
  readonly owner?: KubeObject | undefined;
  readonly node?: string;
  readonly phase?: string;
  readonly ready?: boolean;
  /** Since when `ready` is what it is. */
  readonly sinceMs?: number;
  readonly ip?: string;
  readonly deletedMs?: number;
  readonly restarts?: number;
  readonly requests?: Labels;
  readonly spec?: Partial<coreV1.PodSpec>;
}

/** A pod of namespace default; Running when it has a node. */
export function buildPod(name: string, parts: PodParts = {}): Pod {
  const { labels, owner, node, ready, sinceMs = epochMs, ip, deletedMs, restarts, requests } = parts;
  const phase = parts.phase ?? (node === undefined ? 'Pending' : 'Running');
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: meta(name, {
      namespace: 'default',
      ...(labels !== undefined && { labels }),
      ...(owner !== undefined && { ownerReferences: [controllerRef(owner)] }),
      ...(deletedMs !== undefined && {
        deletionTimestamp: formatTime(deletedMs),
        deletionGracePeriodSeconds: 30,
      }),
      ...parts.meta,
    }),
    spec: {
      containers: [{ name: 'c', image: 'i', ...(requests !== undefined && { resources: { requests } }) }],
      schedulerName: 'default-scheduler',
      ...(node !== undefined && { nodeName: node }),
      ...parts.spec,
    },
    status: {
      phase,
      ...(ready !== undefined && {
        conditions: [
          { type: 'Ready', status: ready ? 'True' : 'False', lastTransitionTime: formatTime(sinceMs) },
        ],
      }),
      ...(ip !== undefined && { podIP: ip, podIPs: [{ ip }] }),
      ...(restarts !== undefined && {
        containerStatuses: [{ name: 'c', image: 'i', imageID: '', ready: false, restartCount: restarts }],
      }),
    },
  } as Pod;
}

export interface NodeParts {
  readonly meta?: Partial<ObjectMeta>;
  readonly labels?: Labels;
  readonly zone?: string;
  readonly ready?: boolean | 'Unknown';
  readonly taints?: readonly coreV1.Taint[];
  readonly unschedulable?: boolean;
  readonly allocatable?: Labels;
  readonly conditions?: readonly coreV1.NodeCondition[];
}

/** A ready node with 4 CPUs, 8 GiB and room for 110 pods. */
export function buildNode(name: string, parts: NodeParts = {}): Node {
  const { zone, ready = true, taints, unschedulable, conditions = [] } = parts;
  const labels = {
    'kubernetes.io/hostname': name,
    ...(zone !== undefined && { 'topology.kubernetes.io/zone': zone }),
    ...parts.labels,
  };
  const allocatable = { cpu: '4', memory: '8Gi', pods: '110', ...parts.allocatable };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: meta(name, { labels, ...parts.meta }),
    spec: {
      ...(taints !== undefined && { taints: [...taints] }),
      ...(unschedulable !== undefined && { unschedulable }),
    },
    status: {
      capacity: allocatable,
      allocatable,
      conditions: [
        {
          type: 'Ready',
          status: ready === 'Unknown' ? 'Unknown' : ready ? 'True' : 'False',
          lastHeartbeatTime: formatTime(epochMs),
          lastTransitionTime: formatTime(epochMs),
        },
        ...conditions,
      ],
    },
  } as Node;
}

export interface SetParts {
  readonly meta?: Partial<ObjectMeta>;
  readonly owner?: KubeObject;
  readonly labels?: Labels;
  readonly annotations?: Labels;
  readonly spec?: Partial<ReplicaSet['spec']>;
  readonly status?: Partial<NonNullable<ReplicaSet['status']>>;
}

/** A ReplicaSet of namespace default that selects `labels` (app=NAME). */
export function buildSet(name: string, replicas: number, parts: SetParts = {}): ReplicaSet {
  const { owner, annotations } = parts;
  const labels = parts.labels ?? { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: meta(name, {
      namespace: 'default',
      generation: 1,
      labels,
      ...(annotations !== undefined && { annotations }),
      ...(owner !== undefined && { ownerReferences: [controllerRef(owner)] }),
      ...parts.meta,
    }),
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: buildTemplate(labels),
      ...parts.spec,
    },
    status: { replicas: 0, observedGeneration: 1, ...parts.status },
  } as ReplicaSet;
}

export interface DeploymentParts {
  readonly meta?: Partial<ObjectMeta>;
  readonly annotations?: Labels;
  readonly image?: string;
  readonly strategy?: Deployment['spec']['strategy'];
  readonly spec?: Partial<Deployment['spec']>;
  readonly status?: Partial<NonNullable<Deployment['status']>>;
}

/** A Deployment of namespace default with the defaults that the server gives. */
export function buildDeployment(name: string, replicas: number, parts: DeploymentParts = {}): Deployment {
  const { annotations, status } = parts;
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: meta(name, {
      namespace: 'default',
      generation: 1,
      ...(annotations !== undefined && { annotations }),
      ...parts.meta,
    }),
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: buildTemplate(labels, parts.image),
      strategy: parts.strategy ?? {
        type: 'RollingUpdate',
        rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' },
      },
      revisionHistoryLimit: 10,
      progressDeadlineSeconds: 600,
      ...parts.spec,
    },
    ...(status !== undefined && { status }),
  } as Deployment;
}

/** What the server makes of a job that says nothing: one pod that must succeed once. */
export const buildJobSpec = (spec: Partial<Job['spec']> = {}): Job['spec'] => ({
  parallelism: 1,
  backoffLimit: 6,
  completionMode: 'NonIndexed',
  suspend: false,
  podReplacementPolicy: spec.podFailurePolicy === undefined ? 'TerminatingOrFailed' : 'Failed',
  manualSelector: false,
  template: {
    spec: { containers: [{ name: 'c', image: 'i' }], restartPolicy: 'Never' } as coreV1.PodSpec,
  },
  ...spec,
});

export interface JobParts {
  readonly meta?: Partial<ObjectMeta>;
  readonly status?: Job['status'];
}

/** A Job of namespace default with the selector that the server generates. */
export function buildJob(name: string, spec: Partial<Job['spec']> = {}, parts: JobParts = {}): Job {
  const labels = { 'batch.kubernetes.io/controller-uid': `uid-${name}` };
  const full = buildJobSpec(spec);
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: meta(name, { namespace: 'default', generation: 1, ...parts.meta }),
    spec: {
      selector: { matchLabels: labels },
      ...full,
      template: { ...full.template, metadata: { labels } },
    },
    ...(parts.status !== undefined && { status: parts.status }),
  };
}

export interface JobPodParts extends PodParts {
  readonly index?: number;
  readonly untracked?: boolean;
  readonly annotations?: Record<string, string>;
  readonly exitCode?: number;
}

/** A pod of the job `work`; it ended an hour after the epoch, when it has ended. */
export function buildJobPod(name: string, parts: JobPodParts = {}): Pod {
  const { index, untracked, annotations, exitCode, ...rest } = parts;
  const built = buildPod(name, {
    owner: buildJob('work'),
    labels: { 'batch.kubernetes.io/controller-uid': 'uid-work' },
    ...rest,
    meta: {
      ...(untracked !== true && { finalizers: ['batch.kubernetes.io/job-tracking'] }),
      annotations: {
        ...annotations,
        ...(index !== undefined && { 'batch.kubernetes.io/job-completion-index': String(index) }),
      },
      ...rest.meta,
    },
  });
  const ended = built.status?.phase === 'Succeeded' || built.status?.phase === 'Failed';
  if (!ended) return built;
  const terminated = {
    exitCode: exitCode ?? (built.status?.phase === 'Failed' ? 1 : 0),
    finishedAt: formatTime(epochMs + 3_600_000),
  };
  return {
    ...built,
    status: {
      ...built.status,
      containerStatuses: [
        { name: 'c', image: 'i', imageID: '', ready: false, restartCount: 0, state: { terminated } },
      ],
    },
  };
}

export interface CronJobParts {
  readonly meta?: Partial<ObjectMeta>;
  readonly status?: CronJob['status'];
}

/** A CronJob of namespace default, hourly unless told otherwise, with the defaults that the server gives. */
export function buildCronJob(
  name: string,
  spec: Partial<CronJob['spec']> = {},
  parts: CronJobParts = {},
): CronJob {
  return {
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata: meta(name, { namespace: 'default', generation: 1, ...parts.meta }),
    spec: {
      schedule: '0 * * * *',
      concurrencyPolicy: 'Allow',
      suspend: false,
      successfulJobsHistoryLimit: 3,
      failedJobsHistoryLimit: 1,
      jobTemplate: { spec: buildJobSpec() },
      ...spec,
    },
    ...(parts.status !== undefined && { status: parts.status }),
  };
}

export const buildTemplate = (labels: Labels, image = 'i:1'): coreV1.PodTemplateSpec => ({
  metadata: { labels } as ObjectMeta,
  spec: { containers: [{ name: 'c', image }] } as coreV1.PodSpec,
});
