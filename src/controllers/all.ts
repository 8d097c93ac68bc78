// Every controller. Adding one = its folder and one line here.
import type { KindDef } from '../machinery/index.ts';
import {
  type CertificateApproverOptions,
  certificateApproverController,
} from './certificate-approver/controller.ts';
import { certificateCleanerController } from './certificate-cleaner/controller.ts';
import {
  type CertificateSignerOptions,
  certificateSignerController,
} from './certificate-signer/controller.ts';
import {
  type ClusterAutoscalerOptions,
  clusterAutoscalerController,
} from './cluster-autoscaler/controller.ts';
import { clusterRoleAggregationController } from './cluster-role-aggregation/controller.ts';
import { cronJobController } from './cron-job/controller.ts';
import { daemonSetController } from './daemon-set/controller.ts';
import { deploymentController } from './deployment/controller.ts';
import { disruptionController } from './disruption/controller.ts';
import { staleTargetController } from './disruption/stale-target.ts';
import { endpointSliceController } from './endpoint-slice/controller.ts';
import { endpointSliceMirroringController } from './endpoint-slice-mirroring/controller.ts';
import { endpointsController } from './endpoints/controller.ts';
import { ephemeralVolumeController } from './ephemeral-volume/controller.ts';
import { flowSchemaStatusController } from './flow-schema-status/controller.ts';
import type { Controller } from './framework/index.ts';
import { horizontalPodAutoscalerController } from './horizontal-pod-autoscaler/controller.ts';
import { type AutoscalerSettings, autoscalerDefaults } from './horizontal-pod-autoscaler/settings.ts';
import { type IngressStatusOptions, ingressStatusController } from './ingress-status/controller.ts';
import { jobController } from './job/controller.ts';
import { namespaceController } from './namespace/controller.ts';
import { nodeIpamController } from './node-ipam/controller.ts';
import { nodeLifecycleController } from './node-lifecycle/controller.ts';
import { persistentVolumeController } from './persistent-volume-binder/controller.ts';
import type { VolumeProvisioner } from './persistent-volume-binder/provisioner.ts';
import { podGcController } from './pod-gc/controller.ts';
import { pvProtectionController } from './pv-protection/controller.ts';
import { pvcProtectionController } from './pvc-protection/controller.ts';
import { replicaSetController, replicationController } from './replicaset/controller.ts';
import { resourceClaimController } from './resource-claim/controller.ts';
import { resourceQuotaController } from './resource-quota/controller.ts';
import { serviceAccountController } from './service-account/controller.ts';
import { serviceCidrController } from './service-cidr/controller.ts';
import {
  type LoadBalancerOptions,
  serviceLoadBalancerController,
} from './service-load-balancer/controller.ts';
import { statefulSetController } from './stateful-set/controller.ts';
import { taintEvictionController } from './taint-eviction/controller.ts';
import { tokenCleanerController } from './token-cleaner/controller.ts';
import { ttlAfterFinishedController } from './ttl-after-finished/controller.ts';
import { validatingAdmissionPolicyStatusController } from './validating-admission-policy-status/controller.ts';
import { volumeExpandController } from './volume-expand/controller.ts';

export interface ControllerSettings {
  readonly kinds: readonly KindDef[];
  /** PEM */
  readonly rootCa: string;
  readonly clusterCidr: string;
  readonly nodeCidrMaskSize: number;
  readonly nodeCidrMaskSizeIpv6: number;
  /** One range, or one of each family with a comma between: no node gets of it, should the cluster's range hold it. */
  readonly serviceCidr?: string | undefined;
  readonly nodeMonitorGracePeriodMs: number;
  /** For nodes that have never had a Lease. */
  readonly nodeStartupGracePeriodMs: number;
  /** 0 = never */
  readonly nodeOutOfServiceAfterMs: number;
  readonly unhealthyZoneThreshold: number;
  readonly nodeEvictionRate: number;
  readonly secondaryNodeEvictionRate: number;
  readonly largeClusterSizeThreshold: number;
  readonly defaultUnreachableTolerationSeconds: number;
  readonly terminatedPodGcThreshold: number;
  /** The CA that signs certificate requests; undefined = none are approved or signed here. */
  readonly certificateSigning?: (CertificateSignerOptions & CertificateApproverOptions) | undefined;
  /** Who makes volumes in this process, by what classes name; none = only provisioners outside do. */
  readonly volumeProvisioners?: readonly VolumeProvisioner[];
  /** What is not named is as kube-controller-manager has it. */
  readonly horizontalPodAutoscaler?: Partial<AutoscalerSettings>;
  /** undefined = somebody else gives load balancers their addresses. */
  readonly serviceLoadBalancer?: LoadBalancerOptions | undefined;
  /** undefined = nodes serve no ingresses. */
  readonly ingressStatus?: IngressStatusOptions | undefined;
  /** Whose nodes come and go with the need for them; undefined = all nodes are somebody else's. */
  readonly clusterAutoscaler?: ClusterAutoscalerOptions | undefined;
}

export const allControllers = (settings: ControllerSettings): readonly Controller[] => [
  namespaceController({ kinds: settings.kinds }),
  serviceAccountController({ rootCa: settings.rootCa }),
  nodeIpamController(settings),
  nodeLifecycleController({
    gracePeriodMs: settings.nodeMonitorGracePeriodMs,
    startupGracePeriodMs: settings.nodeStartupGracePeriodMs,
    outOfServiceAfterMs: settings.nodeOutOfServiceAfterMs,
    unhealthyZoneThreshold: settings.unhealthyZoneThreshold,
    nodeEvictionRate: settings.nodeEvictionRate,
    secondaryNodeEvictionRate: settings.secondaryNodeEvictionRate,
    largeClusterSizeThreshold: settings.largeClusterSizeThreshold,
  }),
  taintEvictionController({ defaultTolerationSeconds: settings.defaultUnreachableTolerationSeconds }),
  podGcController({ terminatedPodThreshold: settings.terminatedPodGcThreshold }),
  deploymentController,
  replicaSetController,
  replicationController,
  statefulSetController,
  daemonSetController,
  jobController,
  cronJobController,
  ttlAfterFinishedController,
  endpointSliceController,
  endpointsController,
  endpointSliceMirroringController,
  serviceCidrController,
  flowSchemaStatusController,
  ...(settings.serviceLoadBalancer === undefined
    ? []
    : [serviceLoadBalancerController(settings.serviceLoadBalancer)]),
  ...(settings.ingressStatus === undefined ? [] : [ingressStatusController(settings.ingressStatus)]),
  persistentVolumeController({ provisioners: settings.volumeProvisioners ?? [] }),
  volumeExpandController({ provisioners: settings.volumeProvisioners ?? [] }),
  pvProtectionController,
  pvcProtectionController,
  ephemeralVolumeController,
  resourceClaimController,
  disruptionController,
  horizontalPodAutoscalerController({ ...autoscalerDefaults, ...settings.horizontalPodAutoscaler }),
  ...(settings.clusterAutoscaler === undefined
    ? []
    : [clusterAutoscalerController(settings.clusterAutoscaler)]),
  staleTargetController,
  ...(settings.certificateSigning === undefined
    ? []
    : [
        certificateApproverController(settings.certificateSigning),
        certificateSignerController(settings.certificateSigning),
      ]),
  certificateCleanerController,
  tokenCleanerController,
  clusterRoleAggregationController,
  validatingAdmissionPolicyStatusController({ kinds: settings.kinds }),
  resourceQuotaController({ kinds: settings.kinds }),
];
