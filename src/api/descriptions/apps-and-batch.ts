// What kubectl explain says of workloads: apps/v1, batch/v1, autoscaling, policy/v1. The notation is read by descriptions.ts.
export const apps = `
ControllerRevision: A kept state of a DaemonSet or StatefulSet, to go back to.
  data: The state.
  revision: Its number; higher is newer.
DaemonSet: Runs one pod on every node, or on every node of a choice.
DaemonSetCondition: One aspect of a DaemonSet's state.
DaemonSetSpec: The pods that are wanted.
  minReadySeconds: Seconds a pod must be ready to count as available.
  revisionHistoryLimit: How many old revisions are kept. Left out = 10.
  selector: Labels of the pods; must match the template and cannot be changed.
  template: What the pods look like; its node selector and affinity choose the nodes.
  updateStrategy: How pods are replaced when the template changes.
DaemonSetStatus: The pods that are there.
  collisionCount: How many names of revisions were taken already.
  currentNumberScheduled: Nodes that have a pod and should.
  desiredNumberScheduled: Nodes that should have a pod.
  numberAvailable: Nodes whose pod has been ready for minReadySeconds.
  numberMisscheduled: Nodes that have a pod and should not.
  numberReady: Nodes whose pod is ready.
  numberUnavailable: Nodes that should have an available pod and have none.
  updatedNumberScheduled: Nodes whose pod is of the newest template.
DaemonSetUpdateStrategy: How pods of a DaemonSet are replaced.
  rollingUpdate: Settings for RollingUpdate.
  type [OnDelete|RollingUpdate]: By themselves, or when somebody deletes them. Left out = RollingUpdate.
Deployment: Runs a number of like pods and replaces them step by step when the template changes.
DeploymentCondition: One aspect of a deployment's state: Available, Progressing or ReplicaFailure.
DeploymentSpec: The pods that are wanted.
  minReadySeconds: Seconds a pod must be ready to count as available.
  paused: Whether changes of the template wait.
  progressDeadlineSeconds: Seconds without progress after which the rollout counts as failed. Left out = 600.
  replicas: How many pods. Left out = 1.
  revisionHistoryLimit: How many old ReplicaSets are kept. Left out = 10.
  selector: Labels of the pods; must match the template and cannot be changed.
  strategy: How pods are replaced when the template changes.
  template: What the pods look like. Their restart policy must be Always.
DeploymentStatus: The pods that are there.
  availableReplicas: Pods that have been ready for minReadySeconds.
  collisionCount: How many names of ReplicaSets were taken already.
  readyReplicas: Pods that are ready.
  replicas: Pods in all that are not being deleted.
  terminatingReplicas: Pods that are being deleted.
  unavailableReplicas: Pods still missing for all to be available.
  updatedReplicas: Pods of the newest template.
DeploymentStrategy: How pods of a deployment are replaced.
  rollingUpdate: Settings for RollingUpdate.
  type [Recreate|RollingUpdate]: All at once with a gap, or step by step. Left out = RollingUpdate.
ReplicaSet: Keeps a number of like pods running. Usually made by a deployment.
ReplicaSetCondition: One aspect of a ReplicaSet's state.
ReplicaSetSpec: The pods that are wanted.
  minReadySeconds: Seconds a pod must be ready to count as available.
  replicas: How many pods. Left out = 1.
  selector: Labels of the pods; must match the template and cannot be changed.
  template: What new pods look like.
ReplicaSetStatus: The pods that are there.
  availableReplicas: Pods that have been ready for minReadySeconds.
  fullyLabeledReplicas: Pods with all labels of the template.
  readyReplicas: Pods that are ready.
  replicas: Pods in all that are not being deleted.
  terminatingReplicas: Pods that are being deleted.
RollingUpdateDaemonSet: The steps of an update.
  maxSurge: How many nodes, or which share, may have the old and the new pod for a while. Left out = 0.
  maxUnavailable: How many nodes, or which share, may be without an available pod. Left out = 1.
RollingUpdateDeployment: The steps of an update.
  maxSurge: How many pods, or which share, there may be beyond replicas. Left out = 25%.
  maxUnavailable: How many pods, or which share, may be missing. Left out = 25%.
RollingUpdateStatefulSetStrategy: The steps of an update.
  maxUnavailable: How many pods, or which share, may be missing. Left out = 1.
  partition: Only pods with this ordinal or a higher one are updated. Left out = 0.
StatefulSet: Runs pods that each keep a name, an ordinal and storage of their own.
StatefulSetCondition: One aspect of a StatefulSet's state.
StatefulSetOrdinals: How pods are numbered.
  start: The first ordinal. Left out = 0.
StatefulSetPersistentVolumeClaimRetentionPolicy: What becomes of claims made from the templates.
  whenDeleted: When the StatefulSet is deleted: Retain or Delete.
  whenScaled: When a pod is scaled away: Retain or Delete.
StatefulSetSpec: The pods that are wanted.
  minReadySeconds: Seconds a pod must be ready to count as available.
  ordinals: How pods are numbered.
  persistentVolumeClaimRetentionPolicy: What becomes of the claims. Left out = they are kept.
  podManagementPolicy [OrderedReady|Parallel]: Whether pods start and stop one by one. Left out = OrderedReady.
  replicas: How many pods. Left out = 1.
  revisionHistoryLimit: How many old revisions are kept. Left out = 10.
  selector: Labels of the pods; must match the template and cannot be changed.
  serviceName: The headless service under which the pods have DNS names.
  template: What the pods look like; they are named NAME-ORDINAL.
  updateStrategy: How pods are replaced when the template changes.
  volumeClaimTemplates: Claims that each pod gets; they stay with its ordinal.
StatefulSetStatus: The pods that are there.
  availableReplicas: Pods that have been ready for minReadySeconds.
  collisionCount: How many names of revisions were taken already.
  currentReplicas: Pods of currentRevision.
  currentRevision: The revision of pods not yet updated.
  readyReplicas: Pods that are ready.
  replicas: Pods in all.
  updateRevision: The newest revision.
  updatedReplicas: Pods of updateRevision.
StatefulSetUpdateStrategy: How pods of a StatefulSet are replaced.
  rollingUpdate: Settings for RollingUpdate.
  type [OnDelete|RollingUpdate]: By themselves, or when somebody deletes them. Left out = RollingUpdate.
`;

export const batch = `
CronJob: Starts a job at times given by a schedule.
CronJobSpec: The schedule and the jobs.
  concurrencyPolicy [Allow|Forbid|Replace]: What happens when the job before still runs. Left out = Allow.
  failedJobsHistoryLimit: How many failed jobs are kept. Left out = 1.
  jobTemplate: What the jobs look like.
  schedule: The times, in cron form.
  startingDeadlineSeconds: How late a job may start; later ones count as missed.
  successfulJobsHistoryLimit: How many finished jobs are kept. Left out = 3.
  suspend: Whether no more jobs are started.
  timeZone: The time zone of the schedule, such as Etc/UTC; left out = the controller's.
CronJobStatus: What has been started.
  active: Jobs that run now.
  lastScheduleTime: When a job was last started.
  lastSuccessfulTime: When a job last finished well.
Job: Runs pods until enough of them have succeeded.
JobCondition: One aspect of a job's state: Complete, Failed, Suspended and others.
  lastProbeTime: When it was last checked.
JobSpec: The work, and when it is done.
  activeDeadlineSeconds: Seconds after which the job is stopped and failed.
  backoffLimit: How many failed pods fail the job. Left out = 6, or no limit with backoffLimitPerIndex.
  backoffLimitPerIndex: How many failed pods fail an index; needs completionMode Indexed.
  completionMode [Indexed|NonIndexed]: Whether each pod has an index to complete. Left out = NonIndexed.
  completions: How many pods must succeed; left out = one success ends the job.
  managedBy: The controller that runs the job; left out = the built-in one.
  manualSelector: Whether selector and labels are the user's own affair. Leave it out.
  maxFailedIndexes: How many failed indexes fail the job.
  parallelism: How many pods run at a time. Left out = 1.
  podFailurePolicy: Rules for what a failed pod means; without a match it counts towards backoffLimit.
  podReplacementPolicy [Failed|TerminatingOrFailed]: When a pod is replaced: after its end, or once it is being deleted.
  selector: Labels of the pods; made by the system.
  successPolicy: When the job has succeeded before all indexes have.
  suspend: Whether no pods run; setting it deletes those that do.
  template: What the pods look like. Their restart policy is Never or OnFailure.
  ttlSecondsAfterFinished: Seconds after the end at which the job is deleted; left out = never.
JobStatus: How far a job is.
  active: Pods that are pending or running.
  completedIndexes: Indexes that have succeeded, such as 1,3-5.
  completionTime: When the job succeeded.
  failed: Pods that have failed.
  failedIndexes: Indexes that have failed, such as 1,3-5.
  ready: Active pods that are ready.
  startTime: When the controller took up the job; anew after a suspension.
  succeeded: Pods that have succeeded.
  terminating: Pods that are being deleted.
  uncountedTerminatedPods: Ended pods that are about to be counted.
JobTemplateSpec: What jobs look like.
  metadata: Labels, annotations and other metadata that the jobs get.
  spec: The work, and when it is done.
PodFailurePolicy: What a failed pod means.
  rules: The rules, in order; the first that matches decides. At most 20.
PodFailurePolicyOnExitCodesRequirement: Exit codes of containers.
  containerName: The container; left out = any.
  operator [In|NotIn]: Whether the code is among the values.
  values: The exit codes; never 0 with In.
PodFailurePolicyOnPodConditionsPattern: A condition of the pod.
  status: Its status. Left out = True.
  type: Its type.
PodFailurePolicyRule: One rule; onExitCodes or onPodConditions is given.
  action [Count|FailIndex|FailJob|Ignore]: What a match means.
  onExitCodes: Exit codes that match.
  onPodConditions: Conditions of the pod, of which one must match. At most 20.
SuccessPolicy: When a job has succeeded early.
  rules: The rules, in order; one that matches is enough. At most 20.
SuccessPolicyRule: One rule; one of the members is given, or both.
  succeededCount: How many indexes must have succeeded.
  succeededIndexes: Which indexes must have succeeded, such as 1,3-5.
UncountedTerminatedPods: Ended pods that are about to be counted.
  failed: The uids of failed pods.
  succeeded: The uids of pods that succeeded.
`;

export const autoscalingV1 = `
CrossVersionObjectReference: An object that can be scaled.
  apiVersion: Its API version.
  kind: Its kind.
  name: Its name.
HorizontalPodAutoscaler: Changes the number of pods of a workload to suit its load.
HorizontalPodAutoscalerSpec: What is scaled, and by what.
  maxReplicas: The most pods.
  minReplicas: The fewest pods. Left out = 1.
  scaleTargetRef: The workload.
  targetCPUUtilizationPercentage: The CPU use wanted, in percent of the requests, over all pods.
HorizontalPodAutoscalerStatus: What was measured and decided.
  currentCPUUtilizationPercentage: The CPU use, in percent of the requests, over all pods.
  currentReplicas: Pods there are.
  desiredReplicas: Pods there should be.
  lastScaleTime: When the number was last changed.
Scale: The number of pods of a workload; the scale subresource.
ScaleSpec: The number wanted.
  replicas: How many pods.
ScaleStatus: The number there is.
  replicas: How many pods there are.
  selector: The pods, as a label selector in text form.
`;

export const autoscalingV2 = `
ContainerResourceMetricSource: Use of a resource by one container of each pod.
  container: The container.
  name: The resource.
  target: The value wanted.
ContainerResourceMetricStatus < ContainerResourceMetricSource: Use of a resource by one container of each pod.
  current: The value measured.
CrossVersionObjectReference < autoscaling.v1.CrossVersionObjectReference: An object, by version, kind and name.
ExternalMetricSource: A metric from outside the cluster.
  metric: The metric.
  target: The value wanted.
ExternalMetricStatus < ExternalMetricSource: A metric from outside the cluster.
  current: The value measured.
HPAScalingPolicy: How far one may go in some time.
  periodSeconds: The time, at most 1800 seconds.
  type: Pods or Percent.
  value: How many pods, or percent of them.
HPAScalingRules: How fast one scales in one direction.
  policies: How far one may go in some time.
  selectPolicy: Which policy counts: Max, Min or Disabled. Left out = Max.
  stabilizationWindowSeconds: How long back decisions are looked at. Left out = 0 up, 300 down.
  tolerance: How far a metric may be off without scaling. Left out = 10%.
HorizontalPodAutoscaler: Changes the number of pods of a workload to suit metrics.
HorizontalPodAutoscalerBehavior: How fast one scales.
  scaleDown: Rules for fewer pods.
  scaleUp: Rules for more pods.
HorizontalPodAutoscalerCondition: One aspect of an autoscaler's state.
HorizontalPodAutoscalerSpec: What is scaled, and by what.
  behavior: How fast one scales.
  maxReplicas: The most pods.
  metrics: What is measured; the largest number that follows is taken. Left out = CPU use of 80%.
  minReplicas: The fewest pods. Left out = 1.
  scaleTargetRef: The workload.
HorizontalPodAutoscalerStatus: What was measured and decided.
  currentMetrics: The values measured.
  currentReplicas: Pods there are.
  desiredReplicas: Pods there should be.
  lastScaleTime: When the number was last changed.
MetricIdentifier: A metric.
  name: Its name.
  selector: Labels it must have.
MetricSpec: What is measured; one member is given, as type says.
  containerResource: Use of a resource by one container of each pod.
  external: A metric from outside the cluster.
  object: A metric of one object.
  pods: A metric of each pod, averaged.
  resource: Use of a resource by the pods.
  type: ContainerResource, External, Object, Pods or Resource.
MetricStatus < MetricSpec: What was measured; one member is there, as type says.
MetricTarget: The value wanted.
  averageUtilization: Percent of the requests, over all pods; for resources.
  averageValue: The value for each pod.
  type: Utilization, Value or AverageValue.
  value: The value in all.
MetricValueStatus: The value measured.
  averageUtilization: Percent of the requests, over all pods.
  averageValue: The value for each pod.
  value: The value in all.
ObjectMetricSource: A metric of one object.
  describedObject: The object.
  metric: The metric.
  target: The value wanted.
ObjectMetricStatus < ObjectMetricSource: A metric of one object.
  current: The value measured.
PodsMetricSource: A metric of each pod, averaged.
  metric: The metric.
  target: The value wanted.
PodsMetricStatus < PodsMetricSource: A metric of each pod, averaged.
  current: The value measured.
ResourceMetricSource: Use of a resource by the pods.
  name: The resource.
  target: The value wanted.
ResourceMetricStatus < ResourceMetricSource: Use of a resource by the pods.
  current: The value measured.
`;

export const policy = `
Eviction: Asks for a pod to be deleted unless a disruption budget forbids it; sent to its eviction subresource.
  deleteOptions: Options of the deletion.
  metadata: The name and namespace of the pod.
PodDisruptionBudget: How many of a set of pods may be missing because of evictions.
PodDisruptionBudgetSpec: The pods and the bound.
  maxUnavailable: How many pods, or which share, may be missing; not together with minAvailable.
  minAvailable: How many pods, or which share, must stay.
  selector: The pods; {} = all of the namespace.
  unhealthyPodEvictionPolicy: Whether pods that are not ready can always be evicted: IfHealthyBudget or AlwaysAllow.
PodDisruptionBudgetStatus: The pods there are.
  currentHealthy: Pods that are healthy.
  desiredHealthy: Pods that must stay healthy.
  disruptedPods: Pods whose eviction was granted and not yet seen, with the time.
  disruptionsAllowed: How many evictions are allowed now.
  expectedPods: Pods that are counted.
`;
