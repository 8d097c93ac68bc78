// The roles of Kubernetes' controllers, each bound to the service account of its name in kube-system. This server's own controllers need
// none of them: they run in its process. They are there for controllers of others that run under these accounts, and for who looks for them.
// Facts: as cluster-roles.ts.
import {
  account,
  type ClusterRoleBindingDraft,
  type ClusterRoleDraft,
  certificates,
  clusterBinding,
  clusterRole,
  core,
  events,
  networking,
  type PolicyRule,
  rbac,
  read,
  resource,
  rule,
  storage,
} from './rule.ts';

const apps = 'apps,extensions';
const discovery = 'discovery.k8s.io';
const policies = 'admissionregistration.k8s.io';

/** By the name of the service account; what every one may do with events is said with each that may. */
const rulesOf: Readonly<Record<string, PolicyRule[]>> = {
  'attachdetach-controller': [
    rule('list watch', core, 'persistentvolumeclaims persistentvolumes'),
    rule(read, core, 'nodes'),
    rule('patch update', core, 'nodes/status'),
    rule('list watch', core, 'pods'),
    events,
    rule(`create delete ${read}`, storage, 'volumeattachments'),
    rule(read, storage, 'csidrivers'),
    rule(read, storage, 'csinodes'),
  ],
  'certificate-controller': [
    rule(`delete ${read}`, certificates, 'certificatesigningrequests'),
    rule('update', certificates, 'certificatesigningrequests/approval certificatesigningrequests/status'),
    rule('approve', certificates, 'signers', 'kubernetes.io/kube-apiserver-client-kubelet'),
    rule(
      'sign',
      certificates,
      'signers',
      `kubernetes.io/kube-apiserver-client kubernetes.io/kube-apiserver-client-kubelet
       kubernetes.io/kubelet-serving kubernetes.io/legacy-unknown`,
    ),
    rule('create', 'authorization.k8s.io', 'subjectaccessreviews'),
    events,
  ],
  // Gathers rules that it does not have itself.
  'clusterrole-aggregation-controller': [rule(`escalate patch update ${read}`, rbac, 'clusterroles')],
  'cronjob-controller': [
    rule(`update ${read}`, 'batch', 'cronjobs'),
    rule(`create delete patch update ${read}`, 'batch', 'jobs'),
    rule('update', 'batch', 'cronjobs/status'),
    rule('update', 'batch', 'cronjobs/finalizers'),
    rule('delete list watch', core, 'pods'),
    events,
  ],
  'daemon-set-controller': [
    rule(read, apps, 'daemonsets'),
    rule('update', apps, 'daemonsets/status'),
    rule('update', apps, 'daemonsets/finalizers'),
    rule('list watch', core, 'nodes'),
    rule('create delete list patch watch', core, 'pods'),
    rule('create', core, 'pods/binding'),
    rule(`create delete patch update ${read}`, 'apps', 'controllerrevisions'),
    events,
  ],
  'deployment-controller': [
    rule(`update ${read}`, apps, 'deployments'),
    rule('update', apps, 'deployments/status'),
    rule('update', apps, 'deployments/finalizers'),
    rule(`create delete patch update ${read}`, apps, 'replicasets'),
    rule(`update ${read}`, core, 'pods'),
    events,
  ],
  'disruption-controller': [
    rule(read, apps, 'deployments'),
    rule(read, apps, 'replicasets'),
    rule(read, core, 'replicationcontrollers'),
    rule(read, 'policy', 'poddisruptionbudgets'),
    rule(read, 'apps', 'statefulsets'),
    rule('update', 'policy', 'poddisruptionbudgets/status'),
    rule('patch update', core, 'pods/status'),
    rule('get', '*', '*/scale'),
    events,
  ],
  'endpoint-controller': [
    rule(read, core, 'pods services'),
    rule(`create delete update ${read}`, core, 'endpoints'),
    rule('create', core, 'endpoints/restricted'),
    events,
  ],
  'endpointslice-controller': [
    rule(read, core, 'nodes pods services'),
    rule('update', core, 'services/finalizers'),
    rule(`create delete update ${read}`, discovery, 'endpointslices'),
    events,
  ],
  'endpointslicemirroring-controller': [
    rule(read, core, 'endpoints services'),
    rule('update', core, 'services/finalizers'),
    rule('update', core, 'endpoints/finalizers'),
    rule(`create delete update ${read}`, discovery, 'endpointslices'),
    events,
  ],
  'ephemeral-volume-controller': [
    rule(read, core, 'pods'),
    rule('update', core, 'pods/finalizers'),
    rule(`create ${read}`, core, 'persistentvolumeclaims'),
    events,
  ],
  'expand-controller': [
    rule(`patch update ${read}`, core, 'persistentvolumes'),
    rule('patch update', core, 'persistentvolumeclaims/status'),
    rule(read, core, 'persistentvolumeclaims'),
    events,
  ],
  'generic-garbage-collector': [rule(`delete patch update ${read}`, '*', '*'), events],
  'horizontal-pod-autoscaler': [
    rule(read, 'autoscaling', 'horizontalpodautoscalers'),
    rule('update', 'autoscaling', 'horizontalpodautoscalers/status'),
    rule('get update', '*', '*/scale'),
    rule('list watch', core, 'pods'),
    rule('list watch', 'metrics.k8s.io', 'pods'),
    rule(read, 'custom.metrics.k8s.io', '*'),
    rule(read, 'external.metrics.k8s.io', '*'),
    events,
  ],
  'job-controller': [
    rule(`patch update ${read}`, 'batch', 'jobs'),
    rule('update', 'batch', 'jobs/status'),
    rule('update', 'batch', 'jobs/finalizers'),
    rule('create delete list patch watch', core, 'pods'),
    events,
  ],
  'legacy-service-account-token-cleaner': [
    rule('get', core, 'configmaps', 'kube-apiserver-legacy-service-account-token-tracking'),
    rule('delete patch', core, 'secrets'),
  ],
  'namespace-controller': [
    rule(`delete ${read}`, core, 'namespaces'),
    rule('update', core, 'namespaces/finalize namespaces/status'),
    rule(`delete deletecollection ${read}`, '*', '*'),
  ],
  'node-controller': [
    rule(`delete patch update ${read}`, core, 'nodes'),
    rule('patch update', core, 'nodes/status'),
    rule('patch update', core, 'pods/status'),
    rule(`delete ${read}`, core, 'pods'),
    rule(read, 'coordination.k8s.io', 'leases'),
    events,
  ],
  'persistent-volume-binder': [
    rule(`create delete update ${read}`, core, 'persistentvolumes'),
    rule('update', core, 'persistentvolumes/status'),
    rule(`update ${read}`, core, 'persistentvolumeclaims'),
    rule('update', core, 'persistentvolumeclaims/status'),
    rule(`create delete ${read}`, core, 'pods'),
    rule(read, storage, 'storageclasses'),
    rule('list watch', core, 'nodes'),
    events,
    rule('watch', core, 'events'),
  ],
  'pod-garbage-collector': [
    rule('delete list watch', core, 'pods'),
    rule(read, core, 'nodes'),
    rule('patch', core, 'pods/status'),
  ],
  'pv-protection-controller': [rule(`update ${read}`, core, 'persistentvolumes'), events],
  'pvc-protection-controller': [
    rule(`update ${read}`, core, 'persistentvolumeclaims'),
    rule(read, core, 'pods'),
    events,
  ],
  'replicaset-controller': [
    rule(`update ${read}`, apps, 'replicasets'),
    rule('update', apps, 'replicasets/status'),
    rule('update', apps, 'replicasets/finalizers'),
    rule('create delete list patch watch', core, 'pods'),
    events,
  ],
  'replication-controller': [
    rule(`update ${read}`, core, 'replicationcontrollers'),
    rule('update', core, 'replicationcontrollers/status'),
    rule('update', core, 'replicationcontrollers/finalizers'),
    rule('create delete list patch watch', core, 'pods'),
    events,
  ],
  'resource-claim-controller': [
    rule(read, core, 'pods'),
    rule('update', core, 'pods/finalizers'),
    rule(`create delete ${read}`, resource, 'resourceclaims'),
    rule('patch update', resource, 'resourceclaims resourceclaims/status'),
    rule('patch update', core, 'pods/status'),
    events,
  ],
  // Counts objects of any kind.
  'resourcequota-controller': [
    rule('list watch', '*', '*'),
    rule('update', core, 'resourcequotas/status'),
    events,
  ],
  'root-ca-cert-publisher': [rule('create update', core, 'configmaps'), events],
  'route-controller': [rule('list watch', core, 'nodes'), rule('patch', core, 'nodes/status'), events],
  'selinux-warning-controller': [
    events,
    rule(read, core, 'persistentvolumes'),
    rule(read, core, 'persistentvolumeclaims'),
    rule(read, core, 'pods'),
    rule(read, storage, 'csidrivers'),
  ],
  'service-account-controller': [rule('create', core, 'serviceaccounts'), events],
  'service-cidrs-controller': [
    rule(`patch update ${read}`, networking, 'servicecidrs'),
    rule('patch update', networking, 'servicecidrs/finalizers'),
    rule('patch update', networking, 'servicecidrs/status'),
    rule(read, networking, 'ipaddresses'),
    events,
  ],
  'service-controller': [
    rule(read, core, 'services'),
    rule('patch update', core, 'services/status'),
    rule('list watch', core, 'nodes'),
    events,
  ],
  'statefulset-controller': [
    rule('list watch', core, 'pods'),
    rule(read, 'apps', 'statefulsets'),
    rule('update', 'apps', 'statefulsets/status'),
    rule('update', 'apps', 'statefulsets/finalizers'),
    rule('create delete get patch update', core, 'pods'),
    rule(`create delete patch update ${read}`, 'apps', 'controllerrevisions'),
    rule(`create ${read}`, core, 'persistentvolumeclaims'),
    rule('delete update', core, 'persistentvolumeclaims'),
    rule('update', core, 'pods/finalizers'),
    events,
  ],
  'ttl-after-finished-controller': [rule(`delete ${read}`, 'batch', 'jobs'), events],
  'ttl-controller': [rule('list patch update watch', core, 'nodes'), events],
  'validatingadmissionpolicy-status-controller': [
    rule(read, policies, 'validatingadmissionpolicies'),
    rule('get patch update', policies, 'validatingadmissionpolicies/status'),
    events,
  ],
  'volumeattributesclass-protection-controller': [
    rule(read, core, 'persistentvolumeclaims'),
    rule(read, core, 'persistentvolumes'),
    rule(`update ${read}`, storage, 'volumeattributesclasses'),
    events,
  ],
};

const roleOf = (name: string): string => `system:controller:${name}`;

export const controllerRoles: readonly ClusterRoleDraft[] = Object.entries(rulesOf).map(([name, rules]) =>
  clusterRole(roleOf(name), rules),
);

export const controllerRoleBindings: readonly ClusterRoleBindingDraft[] = Object.keys(rulesOf).map((name) =>
  clusterBinding(roleOf(name), account(name)),
);
