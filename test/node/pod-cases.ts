// What pods of every kind come to on a node, as kubectl shows it: a manifest, what is waited for, and the event or the log that must be
// there. The messages are the kubelet's.
import type { coreV1, Pod } from '../../src/api/index.ts';
import {
  ended,
  idle,
  node,
  ready,
  refused,
  restarted,
  type Spec,
  says,
  sh,
  waiting,
} from './pod-manifest.ts';

export interface Case {
  readonly spec: Spec;
  readonly metadata?: object;
  readonly until: (pod: Pod) => boolean;
  /** `REASON: MESSAGE` of an event that must be there. */
  readonly event?: string | RegExp;
  /** Of its first container. */
  readonly log?: (text: string) => void;
}

const grep = "grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status";

export const cases: Record<string, Case> = {
  // Images and starts
  'image-missing': {
    spec: { containers: [{ image: 'nosuch.invalid/x:1' }] },
    until: (pod) => waiting('ErrImagePull')(pod) || waiting('ImagePullBackOff')(pod),
    event: /^Failed: Failed to pull image "nosuch.invalid\/x:1": /,
  },
  'image-never': {
    spec: { containers: [{ image: 'nosuch.invalid/x:1', imagePullPolicy: 'Never' }] },
    until: waiting(
      'ErrImageNeverPull',
      'Container image "nosuch.invalid/x:1" is not present with pull policy of Never',
    ),
  },
  'image-invalid': {
    spec: { containers: [{ image: 'Busy Box' }] },
    until: waiting(
      'InvalidImageName',
      /couldn't parse image name "Busy Box": invalid reference format: repository name \(library\/Busy Box\) must be lowercase$/,
    ),
  },
  'no-command': {
    spec: { containers: [{ command: ['/nosuch'] }] },
    until: (pod) =>
      waiting(
        'CrashLoopBackOff',
        /^back-off 10s restarting failed container=c0 pod=no-command_default\(/,
      )(pod) && pod.status?.containerStatuses?.[0]?.lastState?.terminated?.reason === 'StartError',
    event: /^BackOff: Back-off restarting failed container c0 in pod no-command_default\(/,
  },
  'no-config-map': {
    spec: {
      containers: [
        idle({ env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'nosuch', key: 'a' } } }] }),
      ],
    },
    until: waiting('CreateContainerConfigError', 'configmap "nosuch" not found'),
    event: 'Failed: Error: configmap "nosuch" not found',
  },
  'no-seccomp-profile': {
    spec: {
      containers: [
        idle({ securityContext: { seccompProfile: { type: 'Localhost', localhostProfile: 'no.json' } } }),
      ],
    },
    until: waiting('CreateContainerError', /seccomp\/no\.json: no such file or directory$/),
  },
  // Ends
  crash: {
    spec: {
      containers: [sh('echo last words; exit 3', { terminationMessagePolicy: 'FallbackToLogsOnError' })],
    },
    until: (pod) => {
      const last = pod.status?.containerStatuses?.[0]?.lastState?.terminated;
      return waiting('CrashLoopBackOff')(pod) && last?.exitCode === 3 && last.message === 'last words\n';
    },
  },
  deadline: {
    spec: { activeDeadlineSeconds: 2 },
    until: (pod) =>
      pod.status?.phase === 'Failed' &&
      pod.status.reason === 'DeadlineExceeded' &&
      pod.status.message === 'Pod was active on the node longer than the specified deadline',
    event: 'DeadlineExceeded: Pod was active on the node longer than the specified deadline',
  },
  'out-of-memory': {
    spec: {
      restartPolicy: 'Never',
      containers: [
        sh('dd if=/dev/zero of=/dev/null bs=100M count=1', { resources: { limits: { memory: '16Mi' } } }),
      ],
    },
    until: ended('OOMKilled', 137),
  },
  'message-file': {
    spec: { restartPolicy: 'Never', containers: [sh('echo done >/dev/termination-log')] },
    until: ended('Completed', 0, 'done\n'),
  },
  'restart-rules': {
    spec: {
      restartPolicy: 'Never',
      containers: [
        sh('exit 42', {
          restartPolicy: 'Never',
          restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
        }),
      ],
    },
    until: restarted(1),
  },
  // Probes and hooks
  'liveness-grace': {
    spec: {
      terminationGracePeriodSeconds: 60,
      containers: [
        sh("trap '' TERM; while true; do sleep 0.1; done", {
          livenessProbe: {
            exec: { command: ['false'] },
            periodSeconds: 1,
            failureThreshold: 1,
            terminationGracePeriodSeconds: 1,
          },
        }),
      ],
    },
    until: restarted(1),
    event: 'Killing: Container c0 failed liveness probe, will be restarted',
  },
  'startup-probe': {
    spec: {
      containers: [
        sh('sleep 1; touch /up; exec sleep 1000', {
          startupProbe: { exec: { command: ['cat', '/up'] }, periodSeconds: 1, failureThreshold: 30 },
          readinessProbe: { tcpSocket: { port: 1 } },
          livenessProbe: { exec: { command: ['cat', '/up'] }, periodSeconds: 1, failureThreshold: 1 },
        }),
      ],
    },
    until: (pod) => pod.status?.containerStatuses?.[0]?.started === true && !ready(pod),
    event: /^Unhealthy: Readiness probe failed: dial tcp .*:1: connect: connection refused$/,
  },
  'http-probe': {
    spec: {
      containers: [
        sh('mkdir /w; echo ok >/w/healthz; exec busybox httpd -f -p 8080 -h /w', {
          ports: [{ name: 'web', containerPort: 8080 }],
          readinessProbe: { httpGet: { path: '/healthz', port: 'web' }, periodSeconds: 1 },
        }),
      ],
    },
    until: ready,
  },
  'grpc-probe': {
    spec: { containers: [idle({ readinessProbe: { grpc: { port: 9 }, periodSeconds: 1 } })] },
    until: (pod) => pod.status?.phase === 'Running' && !ready(pod),
    event:
      /^Unhealthy: Readiness probe failed: timeout: failed to connect service ".*:9" within 1s: context deadline exceeded$/,
  },
  'post-start': {
    spec: { containers: [idle({ lifecycle: { postStart: { exec: { command: ['false'] } } } })] },
    until: restarted(1),
    event: 'FailedPostStartHook: PostStartHook failed',
  },
  'readiness-gate': {
    spec: { readinessGates: [{ conditionType: 'example.com/ok' }] },
    until: (pod) => {
      const condition = pod.status?.conditions?.find((c) => c.type === 'Ready');
      return (
        condition?.reason === 'ReadinessGatesNotReady' &&
        condition.message ===
          'corresponding condition of pod readiness gate "example.com/ok" does not exist.' &&
        pod.status?.conditions?.find((c) => c.type === 'ContainersReady')?.status === 'True'
      );
    },
  },
  // What the node does not take
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
    event: 'FailedPrepareDynamicResources: Failed to prepare dynamic resources: this node has no DRA driver',
  },
  // Configuration
  environment: {
    metadata: { labels: { app: 'x' }, annotations: { note: 'o' } },
    spec: {
      volumes: [{ name: 'v', emptyDir: {} }],
      initContainers: [
        sh('echo "FILE=\'from a file\'" >/v/vars', { volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
      ],
      containers: [
        {
          command: ['sh', '-c', "tr '\\0' '\\n' </proc/1/environ; echo 'arg $(A1) $$(A1)'; exec sleep 1000"],
          resources: { limits: { cpu: '200m', memory: '64Mi' } },
          envFrom: [
            { prefix: 'P_', configMapRef: { name: 'settings' } },
            { secretRef: { name: 'no', optional: true } },
          ],
          env: [
            { name: 'A1', value: 'one' },
            { name: 'A2', value: '$(A1)-$$(A1)-$(NO)' },
            { name: 'NODE', valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } } },
            { name: 'LABEL', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
            { name: 'NOTE', valueFrom: { fieldRef: { fieldPath: "metadata.annotations['note']" } } },
            { name: 'POD_IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
            { name: 'HOST_IPS', valueFrom: { fieldRef: { fieldPath: 'status.hostIPs' } } },
            { name: 'ACCOUNT', valueFrom: { fieldRef: { fieldPath: 'spec.serviceAccountName' } } },
            { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
            {
              name: 'MEMORY',
              valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } },
            },
            { name: 'FROM_FILE', valueFrom: { fileKeyRef: { volumeName: 'v', path: 'vars', key: 'FILE' } } },
          ] as coreV1.EnvVar[],
        },
      ],
    },
    until: ready,
    log: says(
      'P_A=one',
      'P_b.c=two',
      'A2=one-$(A1)-$(NO)',
      'arg one $(A1)',
      `NODE=${node}`,
      'LABEL=x',
      'NOTE=o',
      /^POD_IP=10(\.\d+){3}$/m,
      /^HOST_IPS=10(\.\d+){3}$/m,
      'ACCOUNT=default',
      'CPU=200',
      'MEMORY=64',
      'FROM_FILE=from a file',
      /^KUBERNETES_SERVICE_PORT_HTTPS=443$/m,
    ),
  },
  names: {
    spec: {
      hostname: 'hh',
      subdomain: 'ss',
      setHostnameAsFQDN: true,
      hostAliases: [{ ip: '192.0.2.4', hostnames: ['far.example'] }],
      dnsPolicy: 'None',
      dnsConfig: {
        nameservers: ['192.0.2.9'],
        searches: ['a.example'],
        options: [{ name: 'ndots', value: '2' }],
      },
      enableServiceLinks: false,
      containers: [sh('hostname; cat /etc/hosts /etc/resolv.conf; exec sleep 1000')],
    },
    until: ready,
    log: says(
      'hh.ss.default.svc.cluster.local',
      '192.0.2.4\tfar.example',
      'search a.example',
      'nameserver 192.0.2.9',
      'options ndots:2',
    ),
  },
  // Isolation
  restricted: {
    spec: {
      securityContext: {
        runAsUser: 1000,
        runAsGroup: 2000,
        runAsNonRoot: true,
        fsGroup: 3000,
        supplementalGroups: [4000],
        seccompProfile: { type: 'RuntimeDefault' },
        sysctls: [{ name: 'net.ipv4.ip_local_port_range', value: '40000 50000' }],
      },
      containers: [
        sh(`id; ${grep}; touch /x; cat /proc/sys/net/ipv4/ip_local_port_range; exec sleep 1000`, {
          securityContext: {
            readOnlyRootFilesystem: true,
            allowPrivilegeEscalation: false,
            capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] },
          },
        }),
      ],
    },
    until: ready,
    log: says(
      'uid=1000 gid=2000 groups=2000,3000,4000',
      'CapBnd:\t0000000000000400',
      'NoNewPrivs:\t1',
      'Seccomp:\t2',
      'touch: /x: Read-only file system',
      '40000\t50000',
    ),
  },
  root: {
    spec: { securityContext: { runAsNonRoot: true } },
    until: waiting(
      'CreateContainerConfigError',
      /^container has runAsNonRoot and image will run as root \(pod: "root_default\(.*\)", container: c0\)$/,
    ),
  },
  privileged: {
    spec: {
      shareProcessNamespace: true,
      containers: [sh(`${grep}; ps; exec sleep 1000`, { securityContext: { privileged: true } })],
    },
    until: ready,
    log: says(/^CapEff:\t0{5}1f/m, 'Seccomp:\t0', /\/pause/),
  },
  host: {
    spec: {
      hostNetwork: true,
      hostPID: true,
      hostIPC: true,
      containers: [
        sh('hostname; test $(ls -d /proc/[0-9]* | wc -l) -gt 20 && echo sees others; exec sleep 1000'),
      ],
    },
    until: (pod) => ready(pod) && pod.status?.podIP === pod.status?.hostIP,
    log: says(node, 'sees others'),
  },
};

/** Pods of tests of their own; `shared` is a folder of the machine that they write to. */
export const subjects = (shared: string): Record<string, Case> => ({
  'port-holder': {
    spec: { containers: [idle({ ports: [{ containerPort: 80, hostPort: 21_310 }] })] },
    until: ready,
  },
  resized: {
    spec: {
      containers: [
        idle({
          resources: { requests: { cpu: '50m', memory: '32Mi' }, limits: { cpu: '100m', memory: '64Mi' } },
          resizePolicy: [{ resourceName: 'memory', restartPolicy: 'RestartContainer' }],
        }),
      ],
    },
    until: (pod) => ready(pod) && pod.status?.qosClass === 'Burstable',
  },
  guaranteed: {
    spec: { containers: [idle({ resources: { limits: { cpu: '50m', memory: '32Mi' } } })] },
    until: (pod) => ready(pod) && pod.status?.qosClass === 'Guaranteed',
  },
  sidecars: {
    spec: {
      terminationGracePeriodSeconds: 20,
      volumes: [{ name: 't', hostPath: { path: shared } }],
      initContainers: [0, 1].map((i) => ({
        ...sh(`trap 'sleep 0.3; echo side${i} >>/t/order; exit 0' TERM; while true; do sleep 0.1; done`, {
          volumeMounts: [{ name: 't', mountPath: '/t' }],
          restartPolicy: 'Always',
        }),
        ...(i === 0 && { startupProbe: { exec: { command: ['true'] }, periodSeconds: 1 } }),
      })),
      containers: [
        sh("trap 'sleep 0.3; echo main >>/t/order; exit 0' TERM; while true; do sleep 0.1; done", {
          volumeMounts: [{ name: 't', mountPath: '/t' }],
        }),
      ],
    },
    until: (pod) => ready(pod) && pod.status?.initContainerStatuses?.every((s) => s.ready) === true,
  },
  'pre-stop': {
    spec: {
      terminationGracePeriodSeconds: 5,
      containers: [
        sh("trap 'exit 0' TERM; while true; do sleep 0.1; done", {
          lifecycle: { preStop: { exec: { command: ['false'] } }, postStart: { sleep: { seconds: 1 } } },
        }),
      ],
    },
    until: ready,
  },
});
