// Pods of tests of their own, which do something to them while they run.
import { type Case, idle, ready, sh } from './pod-manifest.ts';

/** `shared` is a folder of the machine that they write to. */
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
        sh("trap 'sleep 0.3; echo main >>/t/order; exit 0' TERM; touch /up; while true; do sleep 0.1; done", {
          volumeMounts: [{ name: 't', mountPath: '/t' }],
          readinessProbe: { exec: { command: ['cat', '/up'] }, periodSeconds: 1 },
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
