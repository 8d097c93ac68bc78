// Every way in which a node runs, changes, refuses and ends pods, as kubectl shows it: one cluster of one node, all pods at once. What
// a case says about its pod is waited for; the messages are the kubelet's.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { coreV1, Pod } from '../../src/api/index.ts';
import { listProcesses, readCgroupLayout } from '../../src/os/index.ts';
import { mustRun, root, TourCluster, whyNot } from './tour-machine.ts';

const why = whyNot();
const cluster = new TourCluster('jt-pods');
const node = 'jt-pods-node-1';
const archive = join(cluster.directory, 'busybox.tar');
const shared = join(cluster.directory, 'shared');
const dataDir = join(cluster.directory, 'data');
const manifests = join(dataDir, 'nodes', node, 'manifests');
const image = 'busybox:1.36';

type Spec = Omit<Partial<coreV1.PodSpec>, 'containers' | 'initContainers'> & {
  readonly containers?: readonly Partial<coreV1.Container>[];
  readonly initContainers?: readonly Partial<coreV1.Container>[];
};

const sh = (script: string, more: Partial<coreV1.Container> = {}): Partial<coreV1.Container> => ({
  command: ['sh', '-c', script],
  ...more,
});
const idle = (more: Partial<coreV1.Container> = {}) => sh('exec sleep 1000', more);

function manifest(name: string, spec: Spec, metadata: object = {}): object {
  const complete = (containers: readonly Partial<coreV1.Container>[] | undefined, prefix: string) =>
    containers?.map((container, i) => ({ name: `${prefix}${i}`, image, ...container }));
  const { containers = [idle()], initContainers, ...rest } = spec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: {
      terminationGracePeriodSeconds: 1,
      nodeName: node,
      ...rest,
      containers: complete(containers, 'c'),
      ...(initContainers !== undefined && { initContainers: complete(initContainers, 'i') }),
    },
  };
}

/** What is waited for: the status in a few words. */
const waiting = (reason: string, message?: string | RegExp) => (pod: Pod) => {
  const state = pod.status?.containerStatuses?.[0]?.state?.waiting;
  if (state?.reason !== reason) return false;
  const said = state.message ?? '';
  return message === undefined || (typeof message === 'string' ? said === message : message.test(said));
};
const refused = (reason: string, message: string) => (pod: Pod) =>
  pod.status?.phase === 'Failed' &&
  pod.status.reason === reason &&
  pod.status.message === `Pod was rejected: ${message}` &&
  pod.status.containerStatuses === undefined;
const ready = (pod: Pod) => pod.status?.conditions?.find((c) => c.type === 'Ready')?.status === 'True';
const ended = (reason: string, exitCode?: number, message?: string) => (pod: Pod) => {
  const state = pod.status?.containerStatuses?.[0]?.state?.terminated;
  return (
    state?.reason === reason &&
    (exitCode === undefined || state.exitCode === exitCode) &&
    (message === undefined || state.message === message)
  );
};
const restarted = (times: number) => (pod: Pod) =>
  (pod.status?.containerStatuses?.[0]?.restartCount ?? 0) >= times;

interface Case {
  readonly spec: Spec;
  readonly metadata?: object;
  readonly until: (pod: Pod) => boolean;
  /** `REASON: MESSAGE` of an event that must be there. */
  readonly event?: string | RegExp;
  /** Of its first container. */
  readonly log?: (text: string) => void;
}

const grep = "grep -E 'Cap(Eff|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status";
const says =
  (...lines: (string | RegExp)[]) =>
  (text: string) => {
    for (const line of lines)
      if (typeof line === 'string') expect(text.split('\n')).toContain(line);
      else expect(text).toMatch(line);
  };

const cases: Record<string, Case> = {
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
    until: waiting('InvalidImageName', /couldn't parse image name "Busy Box": invalid reference format$/),
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

/** Pods of tests of their own. */
const subjects: Record<string, Case> = {
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
};

let pods = new Map<string, Pod>();
let events: coreV1.Event[] = [];
let following = true;
let follower: Promise<void> = Promise.resolve();

async function follow(): Promise<void> {
  while (following) {
    const { items } = await cluster.json<{ items: (Pod | coreV1.Event)[] }>('get', 'pods,events');
    pods = new Map(items.flatMap((o) => (o.kind === 'Pod' ? [[o.metadata.name, o as Pod] as const] : [])));
    events = items.filter((o): o is coreV1.Event => o.kind === 'Event');
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

const timeoutMs = 45_000;
const eventsOf = (name: string): string[] =>
  events.filter((e) => e.involvedObject.name === name).map((e) => `${e.reason}: ${e.message}`);
/** Resolves once `look` answers with undefined; rejects with its last answer. Concurrent tests cannot share expect.poll. */
async function eventually(look: () => unknown): Promise<void> {
  for (const untilMs = Date.now() + timeoutMs; ; ) {
    const found = await look();
    if (found === undefined) return;
    if (Date.now() > untilMs) throw new Error(`it stayed ${JSON.stringify(found, undefined, 1)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
const sees = (name: string, look: (pod: Pod) => boolean) =>
  eventually(() => {
    const pod = pods.get(name);
    if (pod === undefined) return 'absent';
    return look(pod) ? undefined : (pod.status ?? 'without a status');
  });
const hears = (name: string, event: string | RegExp) =>
  eventually(() =>
    eventsOf(name).some((e) => (typeof event === 'string' ? e === event : event.test(e)))
      ? undefined
      : eventsOf(name),
  );

const begins = (name: string) => sees(name, subjects[name]!.until);

/** The value of a file of the pod's group, and of its container's. */
function groupsOf(pod: Pod, [controller, file]: readonly [controller: string, file: string]): string[] {
  const layout = readCgroupLayout();
  const at = layout.legacy.find((l) => l.controllers.includes(controller))?.path ?? layout.unified!;
  const qos = pod.status?.qosClass === 'Guaranteed' ? '' : `${pod.status!.qosClass!.toLowerCase()}/`;
  const group = join(at, 'jotasu/jt-pods', node, `${qos}pod${pod.metadata.uid}`);
  const id = pod.status!.containerStatuses![0]!.containerID!.replace('containerd://', '');
  return [group, join(group, id)].map((folder) => readFileSync(join(folder, file), 'utf8').trim());
}
const isV2 = why === undefined && readCgroupLayout().mode === 'v2';

const processesLike = (text: string): number =>
  listProcesses(readCgroupLayout(), `/jotasu/jt-pods/${node}`).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ').includes(text);
    } catch {
      return false;
    }
  }).length;

beforeAll(async () => {
  if (why !== undefined) return;
  await cluster.down();
  mkdirSync(shared);
  execFileSync(process.execPath, [join(root, 'tools/busybox-image.mjs'), archive]);
  await cluster.up('--nodes', '1', '--data-dir', dataDir, '--image', archive);
  const objects = [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { A: 'one', 'b.c': 'two' } },
    { apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name: 'jt-kata' }, handler: 'jt-kata' },
    ...Object.entries({ ...subjects, ...cases }).map(([name, { spec, metadata }]) =>
      manifest(name, spec, metadata),
    ),
  ];
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
  await mustRun(cluster.kubectlArgv('create', '-f', '-'), { input: list });
  follower = follow();
}, 60_000);

afterAll(async () => {
  following = false;
  await follower.catch(() => {});
  if (why === undefined) await cluster.down();
  rmSync(cluster.directory, { recursive: true, force: true });
});

describe.skipIf(why !== undefined)('pods', () => {
  test.concurrent.each(Object.entries(cases))(
    '%s',
    { timeout: 60_000 },
    async (name, { until, event, log }) => {
      await sees(name, until);
      if (event !== undefined) await hears(name, event);
      if (log !== undefined) log(await cluster.kubectl('logs', name, '-c', 'c0'));
    },
  );

  test.concurrent('a running pod is resized, by its control groups and by a restart where its policy says so', async () => {
    const cpu = isV2 ? (['cpu', 'cpu.max'] as const) : (['cpu', 'cpu.cfs_quota_us'] as const);
    const memory = isV2
      ? (['memory', 'memory.max'] as const)
      : (['memory', 'memory.limit_in_bytes'] as const);
    const quota = (value: number) => (isV2 ? `${value} 100000` : String(value));
    await begins('resized');
    expect(groupsOf(pods.get('resized')!, cpu)).toEqual([quota(10_000), quota(10_000)]);
    const patch = (resources: object) =>
      cluster.kubectl(
        ...['patch', 'pod', 'resized', '--subresource', 'resize', '--patch'],
        JSON.stringify({ spec: { containers: [{ name: 'c0', resources }] } }),
      );
    await patch({ requests: { cpu: '60m' }, limits: { cpu: '200m' } });
    await hears('resized', /^ResizeCompleted: Pod resize completed: .*"cpu":"200m".*"generation":2/);
    await sees('resized', (pod) => {
      const status = pod.status?.containerStatuses?.[0];
      return (
        status?.resources?.limits?.['cpu'] === '200m' &&
        status.allocatedResources?.['cpu'] === '60m' &&
        status.restartCount === 0 &&
        pod.status?.observedGeneration === 2
      );
    });
    expect(groupsOf(pods.get('resized')!, cpu)).toEqual([quota(20_000), quota(20_000)]);

    await patch({ limits: { memory: '80Mi' } });
    await hears('resized', 'Killing: Container c0 resize requires restart');
    await sees('resized', (pod) => restarted(1)(pod) && ready(pod));
    const bytes = String(80 << 20);
    await eventually(() => {
      const found = groupsOf(pods.get('resized')!, memory);
      return found.every((value) => value === bytes) ? undefined : found;
    });

    await patch({ requests: { cpu: '500' }, limits: { cpu: '500' } });
    await sees('resized', (pod) => {
      const condition = pod.status?.conditions?.find((c) => c.type === 'PodResizePending');
      return (
        condition?.reason === 'Infeasible' &&
        /^Node didn't have enough capacity: cpu, requested: 500000, capacity: \d+$/.test(
          condition.message ?? '',
        )
      );
    });
  }, 60_000);

  test.concurrent('a running pod takes in a container that sees the processes of another', async () => {
    await begins('guaranteed');
    await cluster.kubectl(
      ...['debug', 'guaranteed', `--image=${image}`, '--target=c0', '--container=dbg', '--profile=general'],
      ...['--', 'sh', '-c', 'ps; exec sleep 1000'],
    );
    await sees(
      'guaranteed',
      (pod) => pod.status?.ephemeralContainerStatuses?.[0]?.state?.running !== undefined,
    );
    await eventually(async () => {
      const log = await cluster.kubectl('logs', 'guaranteed', '-c', 'dbg');
      return /1 root +sleep 1000/.test(log) ? undefined : log;
    });
  }, 60_000);

  test.concurrent('a pod ends its containers first and its sidecars after them, the last one first', async () => {
    await begins('sidecars');
    await cluster.kubectl('delete', 'pod', 'sidecars', '--timeout=30s');
    expect(readFileSync(join(shared, 'order'), 'utf8')).toBe('main\nside1\nside0\n');
  }, 60_000);

  test.concurrent('a pod is told to stop even when its hook fails', async () => {
    await begins('pre-stop');
    await cluster.kubectl('delete', 'pod', 'pre-stop', '--timeout=30s');
    await hears('pre-stop', 'FailedPreStopHook: PreStopHook failed');
    await hears('pre-stop', 'Killing: Stopping container c0');
  }, 60_000);
});

describe.skipIf(why !== undefined)('a static pod', () => {
  const file = (name: string) => join(manifests, `${name}.yaml`);
  const put = (name: string, seconds: number, container: Partial<coreV1.Container> = {}) => {
    const { nodeName: _, ...spec } = (
      manifest(name, {
        hostNetwork: true,
        containers: [{ command: ['sleep', String(seconds)], ...container }],
      }) as Pod
    ).spec;
    writeFileSync(file(name), JSON.stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec }));
  };
  const shown = `fixed-${node}`;

  test('runs from a file, is shown, and cannot be deleted from outside', async () => {
    put('fixed', 7001);
    await sees(shown, ready);
    const { metadata } = pods.get(shown)!;
    const { annotations = {} } = metadata;
    expect(annotations).toMatchObject({
      'kubernetes.io/config.source': 'file',
      'kubernetes.io/config.hash': annotations['kubernetes.io/config.mirror'],
    });
    expect(metadata.ownerReferences).toMatchObject([{ kind: 'Node', name: node, controller: true }]);
    expect(await cluster.kubectl('exec', shown, '--', 'hostname')).toBe(`${node}\n`);
    await cluster.kubectl('delete', 'pod', shown, '--timeout=20s');
    await sees(shown, (pod) => pod.metadata.uid !== metadata.uid && ready(pod));
    expect(pods.get(shown)!.status?.containerStatuses?.[0]?.restartCount).toBe(0);
    expect(processesLike('sleep 7001')).toBe(1);
  }, 60_000);

  test('needs no API: it starts, and outlives the agent, while the server is silent', async () => {
    const { server, nodes } = await cluster.status();
    following = false;
    await follower;
    process.kill(server.pid!, 'SIGSTOP');
    try {
      put('alone', 7002);
      await expect.poll(() => processesLike('sleep 7002'), { timeout: 20_000 }).toBe(1);
      process.kill(nodes[0]!.pid!, 'SIGKILL');
      put('later', 7003);
      await expect.poll(() => processesLike('sleep 7003'), { timeout: 20_000 }).toBe(1);
      expect(processesLike('sleep 7001') + processesLike('sleep 7002')).toBe(2);
    } finally {
      process.kill(server.pid!, 'SIGCONT');
    }
    following = true;
    follower = follow();
    for (const name of ['alone', 'later']) await sees(`${name}-${node}`, ready);
  }, 60_000);

  test('follows its file, and ends with it by the signal that it names', async () => {
    const { uid } = pods.get(shown)!.metadata;
    put('fixed', 7004, {
      ...sh(`trap 'touch /t/usr1; exit 0' USR1; trap '' TERM; sleep 7004 & wait; exit 1`, {
        lifecycle: { stopSignal: 'SIGUSR1' },
        volumeMounts: [{ name: 't', mountPath: '/t' }],
      }),
    });
    const changed = JSON.parse(readFileSync(file('fixed'), 'utf8')) as Pod;
    Object.assign(changed.spec, {
      terminationGracePeriodSeconds: 10,
      os: { name: 'linux' },
      volumes: [{ name: 't', hostPath: { path: shared } }],
    });
    writeFileSync(file('fixed'), JSON.stringify(changed));
    await sees(shown, (pod) => pod.metadata.uid !== uid && ready(pod));
    expect(processesLike('sleep 7001')).toBe(0);
    for (const name of ['fixed', 'alone', 'later']) rmSync(file(name));
    await expect
      .poll(() => [...pods.keys()].filter((name) => name.endsWith(node)), { timeout: 20_000 })
      .toEqual([]);
    expect(existsSync(join(shared, 'usr1'))).toBe(true);
    expect(processesLike('sleep 700')).toBe(0);
  }, 60_000);
});
