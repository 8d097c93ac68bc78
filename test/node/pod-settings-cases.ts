// What containers see of what their pod asks for: environment, names, users, rights and namespaces.
import type { coreV1 } from '../../src/api/index.ts';
import { type Case, node, ready, says, sh, waiting } from './pod-manifest.ts';

const grep = "grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status";

export const settingsCases: Record<string, Case> = {
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
