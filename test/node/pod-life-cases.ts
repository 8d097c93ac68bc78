// How pods start, end, are probed and restarted, as kubectl shows it. The messages are the kubelet's.
import { type Case, ended, idle, ready, restarted, sh, waiting } from './pod-manifest.ts';

export const lifeCases: Record<string, Case> = {
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
        /^back-off (?:\d+m)?\d+s restarting failed container=c0 pod=no-command_default\(/,
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
};
