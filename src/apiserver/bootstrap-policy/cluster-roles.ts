// The ClusterRoles of every cluster, as Kubernetes 1.35 has them, with the feature gates that are on by default, and who has them.
// Facts: kubernetes' plugin/pkg/auth/authorizer/rbac/bootstrappolicy.
import {
  account,
  type ClusterRoleBindingDraft,
  type ClusterRoleDraft,
  certificates,
  clusterBinding,
  clusterRole,
  core,
  events,
  gatheringRole,
  group,
  networking,
  type PolicyRule,
  partOf,
  paths,
  rbac,
  read,
  readUpdate,
  readWrite,
  resource,
  rule,
  storage,
  user,
  write,
} from './rule.ts';

const authorization = 'authorization.k8s.io';
const authentication = 'authentication.k8s.io';
const coordination = 'coordination.k8s.io';

const health = '/healthz /livez /readyz';
const version = '/version /version/';

const reviews = [
  rule('create', authentication, 'tokenreviews'),
  rule('create', authorization, 'subjectaccessreviews'),
];

const forEditors: PolicyRule[] = [
  // Reading these is a power of its own: secrets, and whatever a pod may do.
  rule(read, core, 'pods/attach pods/proxy pods/exec pods/portforward secrets services/proxy'),
  rule('impersonate', core, 'serviceaccounts'),
  rule(write, core, 'pods pods/attach pods/proxy pods/exec pods/portforward'),
  rule('create', core, 'pods/eviction'),
  rule(
    write,
    core,
    `configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale secrets
     serviceaccounts services services/proxy`,
  ),
  rule('create', core, 'serviceaccounts/token'),
  rule(
    write,
    'apps',
    `daemonsets deployments deployments/rollback deployments/scale replicasets replicasets/scale
     statefulsets statefulsets/scale`,
  ),
  rule(write, 'autoscaling', 'horizontalpodautoscalers'),
  rule(write, 'batch', 'cronjobs jobs'),
  rule(
    write,
    'extensions',
    `daemonsets deployments deployments/rollback deployments/scale ingresses networkpolicies
     replicasets replicasets/scale replicationcontrollers/scale`,
  ),
  rule(write, 'policy', 'poddisruptionbudgets'),
  rule(write, networking, 'ingresses networkpolicies'),
  rule(readWrite, coordination, 'leases'),
  rule(write, resource, 'resourceclaims resourceclaimtemplates'),
];

const forViewers: PolicyRule[] = [
  rule(
    read,
    core,
    `configmaps endpoints persistentvolumeclaims persistentvolumeclaims/status pods replicationcontrollers
     replicationcontrollers/scale serviceaccounts services services/status`,
  ),
  rule(
    read,
    core,
    `bindings events limitranges namespaces/status pods/log pods/status replicationcontrollers/status
     resourcequotas resourcequotas/status`,
  ),
  // In a namespace: to read that namespace, which tells which ones somebody has something to do with.
  rule(read, core, 'namespaces'),
  rule(read, 'discovery.k8s.io', 'endpointslices'),
  rule(
    read,
    'apps',
    `controllerrevisions daemonsets daemonsets/status deployments deployments/scale deployments/status replicasets
     replicasets/scale replicasets/status statefulsets statefulsets/scale statefulsets/status`,
  ),
  rule(read, 'autoscaling', 'horizontalpodautoscalers horizontalpodautoscalers/status'),
  rule(read, 'batch', 'cronjobs cronjobs/status jobs jobs/status'),
  rule(
    read,
    'extensions',
    `daemonsets daemonsets/status deployments deployments/scale deployments/status ingresses ingresses/status
     networkpolicies replicasets replicasets/scale replicasets/status replicationcontrollers/scale`,
  ),
  rule(read, 'policy', 'poddisruptionbudgets poddisruptionbudgets/status'),
  rule(read, networking, 'ingresses ingresses/status networkpolicies'),
  rule(read, resource, 'resourceclaims resourceclaims/status resourceclaimtemplates'),
];

/** Bound to nobody: what nodes may is settled by the node authorizer. */
const forNodes: PolicyRule[] = [
  rule('create', authentication, 'tokenreviews'),
  rule('create', authorization, 'localsubjectaccessreviews subjectaccessreviews'),
  rule(read, core, 'services'),
  rule(`create ${read}`, core, 'nodes'),
  rule('patch update', core, 'nodes/status'),
  rule('patch update', core, 'nodes'),
  rule('create patch update', core, 'events'),
  rule(read, core, 'pods'),
  rule('create delete', core, 'pods'),
  rule('patch update', core, 'pods/status'),
  rule('create', core, 'pods/eviction'),
  rule(read, core, 'configmaps secrets'),
  rule('get', core, 'persistentvolumeclaims persistentvolumes'),
  rule('get', core, 'endpoints'),
  rule(`create ${read}`, certificates, 'certificatesigningrequests'),
  rule('create delete get patch update', coordination, 'leases'),
  rule('get', storage, 'volumeattachments'),
  rule('create', core, 'serviceaccounts/token'),
  rule('get patch update', core, 'persistentvolumeclaims/status'),
  rule(read, storage, 'csidrivers'),
  rule('create delete get patch update', storage, 'csinodes'),
  rule(read, 'node.k8s.io', 'runtimeclasses'),
  rule('get', resource, 'resourceclaims'),
  rule('deletecollection', resource, 'resourceslices'),
  rule('get', core, 'serviceaccounts'),
];

const forControllerManager: PolicyRule[] = [
  events,
  rule('create', coordination, 'leases'),
  rule('get update', coordination, 'leases', 'kube-controller-manager'),
  rule('create', core, 'secrets serviceaccounts'),
  rule('delete', core, 'secrets'),
  rule('get', core, 'configmaps namespaces secrets serviceaccounts'),
  rule('update', core, 'secrets serviceaccounts'),
  ...reviews,
  rule('list watch', '*', '*'),
  rule('create', core, 'serviceaccounts/token'),
];

const forScheduler: PolicyRule[] = [
  events,
  rule('create', coordination, 'leases'),
  rule('get list update watch', coordination, 'leases', 'kube-scheduler'),
  rule(readWrite, coordination, 'leasecandidates'),
  rule(read, core, 'nodes'),
  rule(`delete ${read}`, core, 'pods'),
  rule('create', core, 'bindings pods/binding'),
  rule('patch update', core, 'pods/status'),
  rule(read, core, 'replicationcontrollers services'),
  rule(read, 'apps,extensions', 'replicasets'),
  rule(read, 'apps', 'statefulsets'),
  rule(read, 'policy', 'poddisruptionbudgets'),
  rule(read, core, 'persistentvolumeclaims persistentvolumes'),
  ...reviews,
  rule(read, storage, 'csinodes'),
  rule(read, storage, 'volumeattachments'),
  rule(read, core, 'namespaces'),
  rule(read, storage, 'csidrivers'),
  rule(read, storage, 'csistoragecapacities'),
  rule(read, resource, 'deviceclasses'),
  rule(readUpdate, resource, 'resourceclaims'),
  rule(readUpdate, resource, 'resourceclaims/status'),
  rule(readUpdate, core, 'pods/finalizers'),
  rule(read, resource, 'resourceslices'),
];

const approver = (signer: string): ClusterRoleDraft =>
  clusterRole(`system:${certificates}:${signer}-approver`, [
    rule('approve', certificates, 'signers', `kubernetes.io/${signer}`),
  ]);

export const clusterRoles: readonly ClusterRoleDraft[] = [
  clusterRole('cluster-admin', [rule('*', '*', '*'), { verbs: ['*'], nonResourceURLs: ['*'] }]),
  clusterRole('system:discovery', [
    paths(`${health} ${version} /openapi /openapi/* /api /api/* /apis /apis/*`),
  ]),
  clusterRole('system:monitoring', [paths(`/metrics /metrics/slis ${health} /healthz/* /livez/* /readyz/*`)]),
  clusterRole('system:basic-user', [
    rule('create', authorization, 'selfsubjectaccessreviews selfsubjectrulesreviews'),
    rule('create', authentication, 'selfsubjectreviews'),
  ]),
  clusterRole('system:public-info-viewer', [paths(`${health} ${version}`)]),
  gatheringRole('admin'),
  gatheringRole('edit', partOf('admin')),
  gatheringRole('view', partOf('edit')),
  clusterRole(
    'system:aggregate-to-admin',
    [rule('create', authorization, 'localsubjectaccessreviews'), rule(readWrite, rbac, 'rolebindings roles')],
    partOf('admin'),
  ),
  clusterRole('system:aggregate-to-edit', forEditors, partOf('edit')),
  clusterRole('system:aggregate-to-view', forViewers, partOf('view')),
  clusterRole('system:heapster', [
    rule(read, core, 'events namespaces nodes pods'),
    rule(read, 'extensions', 'deployments'),
  ]),
  clusterRole('system:node', forNodes),
  clusterRole('system:node-problem-detector', [
    rule('get', core, 'nodes'),
    rule('patch', core, 'nodes/status'),
    events,
  ]),
  clusterRole('system:kubelet-api-admin', [
    rule(read, core, 'nodes'),
    rule('proxy', core, 'nodes'),
    rule('*', core, 'nodes/log nodes/metrics nodes/proxy nodes/stats'),
    rule('*', core, 'nodes/configz nodes/healthz nodes/pods'),
  ]),
  clusterRole('system:node-bootstrapper', [
    rule(`create ${read}`, certificates, 'certificatesigningrequests'),
  ]),
  clusterRole('system:auth-delegator', reviews),
  clusterRole('system:kube-aggregator', [rule(read, core, 'endpoints services')]),
  clusterRole('system:kube-controller-manager', forControllerManager),
  clusterRole('system:kube-dns', [rule('list watch', core, 'endpoints services')]),
  clusterRole('system:persistent-volume-provisioner', [
    rule(`create delete ${read}`, core, 'persistentvolumes'),
    rule(`update ${read}`, core, 'persistentvolumeclaims'),
    rule(read, storage, 'storageclasses'),
    rule('watch', core, 'events'),
    events,
  ]),
  clusterRole(`system:${certificates}:certificatesigningrequests:nodeclient`, [
    rule('create', certificates, 'certificatesigningrequests/nodeclient'),
  ]),
  clusterRole(`system:${certificates}:certificatesigningrequests:selfnodeclient`, [
    rule('create', certificates, 'certificatesigningrequests/selfnodeclient'),
  ]),
  clusterRole('system:volume-scheduler', [
    rule(readUpdate, core, 'persistentvolumes'),
    rule(read, storage, 'storageclasses'),
    rule(readUpdate, core, 'persistentvolumeclaims'),
  ]),
  approver('legacy-unknown'),
  approver('kubelet-serving'),
  approver('kube-apiserver-client'),
  approver('kube-apiserver-client-kubelet'),
  clusterRole('system:service-account-issuer-discovery', [
    paths(
      '/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/',
    ),
  ]),
  clusterRole('system:node-proxier', [
    rule('list watch', core, 'endpoints services'),
    rule(read, core, 'nodes'),
    events,
    rule('list watch', networking, 'servicecidrs'),
    rule('list watch', 'discovery.k8s.io', 'endpointslices'),
  ]),
  clusterRole('system:kube-scheduler', forScheduler),
];

const authenticated = group('system:authenticated');

export const clusterRoleBindings: readonly ClusterRoleBindingDraft[] = [
  clusterBinding('cluster-admin', group('system:masters')),
  clusterBinding('system:monitoring', group('system:monitoring')),
  clusterBinding('system:discovery', authenticated),
  clusterBinding('system:basic-user', authenticated),
  clusterBinding('system:public-info-viewer', authenticated, group('system:unauthenticated')),
  clusterBinding('system:node-proxier', user('system:kube-proxy')),
  clusterBinding('system:kube-controller-manager', user('system:kube-controller-manager')),
  clusterBinding('system:kube-dns', account('kube-dns')),
  clusterBinding('system:kube-scheduler', user('system:kube-scheduler')),
  clusterBinding('system:volume-scheduler', user('system:kube-scheduler')),
  clusterBinding('system:node'),
  clusterBinding('system:service-account-issuer-discovery', group('system:serviceaccounts')),
];
