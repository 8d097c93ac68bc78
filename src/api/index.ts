// The built-in kinds and the types of their objects. A kind's name is both: `Deployment` the declaration and the type.

export { MutatingWebhookConfiguration } from './admissionregistration/v1/mutating-webhook-configuration.ts';
export { ValidatingAdmissionPolicy } from './admissionregistration/v1/validating-admission-policy.ts';
export { ValidatingAdmissionPolicyBinding } from './admissionregistration/v1/validating-admission-policy-binding.ts';
export { ValidatingWebhookConfiguration } from './admissionregistration/v1/validating-webhook-configuration.ts';
export { approvalOf, isProtectedGroup } from './apiextensions/v1/api-approval.ts';
export { bareKind } from './apiextensions/v1/bare-kind.ts';
export * from './apiextensions/v1/custom-resource-definition.ts';
export { APIService } from './apiregistration/v1/api-service.ts';
export { ControllerRevision } from './apps/v1/controller-revision.ts';
export { DaemonSet, templateGenerationAnnotation } from './apps/v1/daemon-set.ts';
export { Deployment } from './apps/v1/deployment.ts';
export { ReplicaSet } from './apps/v1/replica-set.ts';
export { StatefulSet } from './apps/v1/stateful-set.ts';
export { SelfSubjectReview } from './authentication/v1/self-subject-review.ts';
export { TokenReview } from './authentication/v1/token-review.ts';
export { LocalSubjectAccessReview } from './authorization/v1/local-subject-access-review.ts';
export { SelfSubjectAccessReview } from './authorization/v1/self-subject-access-review.ts';
export { SelfSubjectRulesReview } from './authorization/v1/self-subject-rules-review.ts';
export { SubjectAccessReview } from './authorization/v1/subject-access-review.ts';
export { HorizontalPodAutoscalerV1 } from './autoscaling/v1/horizontal-pod-autoscaler.ts';
export { HorizontalPodAutoscaler } from './autoscaling/v2/horizontal-pod-autoscaler.ts';
export { CronJob } from './batch/v1/cron-job.ts';
export * from './batch/v1/cron-schedule.ts';
export { hasJobCondition, isJobFinished, Job, jobNameLabel, jobUidLabel } from './batch/v1/job.ts';
export * from './batch/v1/job-indexes.ts';
export * from './certificates/v1/certificate-request.ts';
export {
  CertificateSigningRequest,
  prepareApproval,
  validateApproval,
} from './certificates/v1/certificate-signing-request.ts';
export { Lease } from './coordination/v1/lease.ts';
export { Binding } from './core/v1/binding.ts';
export { ComponentStatus } from './core/v1/component-status.ts';
export { ConfigMap } from './core/v1/config-map.ts';
export * from './core/v1/directory-volumes.ts';
export { Endpoints } from './core/v1/endpoints.ts';
export { Event } from './core/v1/event.ts';
export { LimitRange } from './core/v1/limit-range.ts';
export {
  kubernetesFinalizer,
  Namespace,
  namespaceNameLabel,
  validateNamespaceFinalizers,
} from './core/v1/namespace.ts';
export { Node } from './core/v1/node.ts';
export * from './core/v1/node-selector.ts';
export { PersistentVolume, shortAccessModes, storageClassAnnotation } from './core/v1/persistent-volume.ts';
export { PersistentVolumeClaim } from './core/v1/persistent-volume-claim.ts';
export { podLimitAmounts, podRequestAmounts } from './core/v1/pod/resources.ts';
export { safeSysctls } from './core/v1/pod/safe-sysctls.ts';
export * from './core/v1/pod.ts';
export { PodTemplate } from './core/v1/pod-template.ts';
export * from './core/v1/quota/index.ts';
export { ReplicationController } from './core/v1/replication-controller.ts';
export { ResourceQuota } from './core/v1/resource-quota.ts';
export { Secret } from './core/v1/secret.ts';
export { announcedByAnnotation, Service } from './core/v1/service.ts';
export { ServiceAccount } from './core/v1/service-account.ts';
export * from './core/v1/service-allocation.ts';
export * from './core/v1/service-needs.ts';
export { tolerates } from './core/v1/taints.ts';
export * from './core/v1/volume-binding.ts';
export {
  describeShape,
  type FieldDescription,
  type ShapeDescription,
} from './descriptions/descriptions.ts';
export {
  EndpointSlice,
  managedByLabel,
  maxEndpoints,
  serviceNameLabel,
} from './discovery/v1/endpoint-slice.ts';
export { EventsEvent } from './events/v1/event.ts';
export { FlowSchema } from './flowcontrol/v1/flow-schema.ts';
export { PriorityLevelConfiguration } from './flowcontrol/v1/priority-level-configuration.ts';
export type * as admissionregistrationV1 from './generated/admissionregistration-v1.ts';
export type * as apiextensionsV1 from './generated/apiextensions-v1.ts';
export type * as apiregistrationV1 from './generated/apiregistration-v1.ts';
export type * as appsV1 from './generated/apps-v1.ts';
export type * as authenticationV1 from './generated/authentication-v1.ts';
export type * as authorizationV1 from './generated/authorization-v1.ts';
export type * as autoscalingV1 from './generated/autoscaling-v1.ts';
export type * as autoscalingV2 from './generated/autoscaling-v2.ts';
export type * as batchV1 from './generated/batch-v1.ts';
export type * as certificatesV1 from './generated/certificates-v1.ts';
export type * as coordinationV1 from './generated/coordination-v1.ts';
export type * as coreV1 from './generated/core-v1.ts';
export type * as discoveryV1 from './generated/discovery-v1.ts';
export type * as eventsV1 from './generated/events-v1.ts';
export type * as flowcontrolV1 from './generated/flowcontrol-v1.ts';
export type * as metaV1 from './generated/meta-v1.ts';
export type * as networkingV1 from './generated/networking-v1.ts';
export type * as nodeV1 from './generated/node-v1.ts';
export type * as policyV1 from './generated/policy-v1.ts';
export { type PublishedShape, publishedShapes } from './generated/published.ts';
export type * as rbacV1 from './generated/rbac-v1.ts';
export type * as resourceV1 from './generated/resource-v1.ts';
export type * as schedulingV1 from './generated/scheduling-v1.ts';
export type * as storageV1 from './generated/storage-v1.ts';
export { answeredKinds, kindFor, kindForPlural, kinds } from './kinds.ts';
export * from './metrics/metric-source.ts';
export * from './metrics/usage-source.ts';
export { NodeMetrics, type Usage } from './metrics/v1beta1/node-metrics.ts';
export { type ContainerMetrics, PodMetrics } from './metrics/v1beta1/pod-metrics.ts';
export { Ingress, ingressClassAnnotation } from './networking/v1/ingress.ts';
export {
  defaultIngressClassAnnotation,
  IngressClass,
  ingressClassOf,
  ownIngressClasses,
  ownIngressController,
  servesIngressAnnotation,
} from './networking/v1/ingress-class.ts';
export { IPAddress } from './networking/v1/ip-address.ts';
export { NetworkPolicy } from './networking/v1/network-policy.ts';
export { ServiceCIDR } from './networking/v1/service-cidr.ts';
export { RuntimeClass } from './node/v1/runtime-class.ts';
export { PodDisruptionBudget } from './policy/v1/pod-disruption-budget.ts';
export { protobufMessage, protobufMessageFor } from './protobuf.ts';
export { aggregatedRules } from './rbac/v1/aggregated-rules.ts';
export { ClusterRole } from './rbac/v1/cluster-role.ts';
export { ClusterRoleBinding } from './rbac/v1/cluster-role-binding.ts';
export { Role } from './rbac/v1/role.ts';
export { RoleBinding } from './rbac/v1/role-binding.ts';
export * from './request-bodies.ts';
export { DeviceClass } from './resource/v1/device-class.ts';
export * from './resource/v1/pod-claims.ts';
export { ResourceClaim } from './resource/v1/resource-claim.ts';
export { ResourceClaimTemplate } from './resource/v1/resource-claim-template.ts';
export { ResourceSlice } from './resource/v1/resource-slice.ts';
export { highestUserPriority, PriorityClass, systemPriorityClasses } from './scheduling/v1/priority-class.ts';
export { shape } from './shape.ts';
export { CSIDriver } from './storage/v1/csi-driver.ts';
export { CSINode } from './storage/v1/csi-node.ts';
export { CSIStorageCapacity } from './storage/v1/csi-storage-capacity.ts';
export {
  defaultClassAnnotation,
  defaultStorageClass,
  isDefaultClass,
  StorageClass,
} from './storage/v1/storage-class.ts';
export { VolumeAttachment } from './storage/v1/volume-attachment.ts';
export { VolumeAttributesClass } from './storage/v1/volume-attributes-class.ts';
