// Pods that a node does not take, or cannot start, as kubectl shows it. The messages are the kubelet's.
import { type Case, idle, refused } from './pod-manifest.ts';

export const refusalCases: Record<string, Case> = {
  'out-of-cpu': {
    spec: { containers: [idle({ resources: { requests: { cpu: '1000' } } })] },
    until: (pod) =>
      pod.status?.reason === 'OutOfcpu' &&
      /^Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: \d+, capacity: \d+$/.test(
        pod.status.message ?? '',
      ),
    event: /^OutOfcpu: Node didn't have enough resource: cpu, /,
  },
  'out-of-memory-request': {
    spec: { containers: [idle({ resources: { requests: { memory: '100Ti' } } })] },
    until: (pod) => pod.status?.reason === 'OutOfmemory',
  },
  'other-node': {
    spec: { nodeSelector: { disk: 'none' } },
    until: refused(
      'NodeAffinity',
      "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    ),
  },
  'port-taken': {
    spec: { containers: [idle({ ports: [{ containerPort: 80, hostPort: 21_310 }] })] },
    until: refused(
      'NodePorts',
      "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports",
    ),
  },
  'unsafe-sysctl': {
    spec: { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '65536' }] } },
    until: refused('SysctlForbidden', 'forbidden sysctl: "kernel.msgmax" not allowlisted'),
  },
  windows: {
    spec: { os: { name: 'windows' } },
    until: refused('PodOSNotSupported', "Failed to admit pod as the OS field doesn't match node OS"),
  },
  'strict-groups': {
    spec: { securityContext: { supplementalGroupsPolicy: 'Strict' } },
    until: refused(
      'SupplementalGroupsPolicyNotSupported',
      'SupplementalGroupsPolicy=Strict is not supported in this node',
    ),
  },
  'user-namespace': {
    spec: { hostUsers: false },
    until: (pod) => pod.status?.phase === 'Pending',
    event:
      "FailedCreatePodSandBox: Failed to create pod sandbox: can't set `spec.hostUsers: false`, runtime does not support user namespaces",
  },
  'runtime-class': {
    spec: { runtimeClassName: 'jt-kata' },
    until: (pod) => pod.status?.phase === 'Pending',
    event: /^FailedCreatePodSandBox: Failed to create pod sandbox: .*no runtime for "jt-kata" is configured$/,
  },
  devices: {
    spec: {
      resourceClaims: [{ name: 'g', resourceClaimName: 'none' }],
      containers: [idle({ resources: { claims: [{ name: 'g' }] } })],
    },
    until: (pod) => pod.status?.phase === 'Pending',
    event:
      'FailedPrepareDynamicResources: Failed to prepare dynamic resources: prepare dynamic resources: fetch ResourceClaim none: resourceclaims.resource.k8s.io "none" not found',
  },
};
