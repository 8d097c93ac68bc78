// Whether this node takes a pod that it was given: who wrote nodeName into it may not have asked the scheduler, and the scheduler may
// not have known. Pure; reasons and messages are the kubelet's. A refused pod has failed for good.
import {
  compileNodeRequirements,
  isExtendedResource,
  type Node,
  type Pod,
  placedContainers,
  podRequests,
  type ResourceNumbers,
  tolerates,
} from '../../api/index.ts';
import { mustParseQuantity, toMilli, toValue } from '../../machinery/index.ts';
import { refuseSysctl } from './sysctls.ts';

export interface AdmissionInput {
  readonly pod: Pod;
  /** The pods that this node has taken and that have not ended. */
  readonly others: readonly Pod[];
  readonly node: Node;
  /** Kernel parameters that pods may set besides the safe ones. */
  readonly allowedSysctls: readonly string[];
  /** Whether the kernel enforces AppArmor profiles. */
  readonly appArmor: boolean;
  /** From a file of this node: it stays whatever taints the node has. */
  readonly isStatic: boolean;
}

export interface Rejection {
  readonly reason: string;
  readonly message: string;
}

type Check = (input: AdmissionInput) => Rejection | undefined;

const reject = (reason: string, message: string): Rejection => ({ reason, message });
const predicate = (name: string, why: string): Rejection => reject(name, `Predicate ${name} failed: ${why}`);
const osLabel = 'kubernetes.io/os';
const os = 'linux';

const sysctls: Check = ({ pod: { spec }, allowedSysctls }) => {
  for (const { name } of spec.securityContext?.sysctls ?? []) {
    const why = refuseSysctl(name, spec, allowedSysctls);
    if (why !== undefined) return reject('SysctlForbidden', `forbidden sysctl: ${why}`);
  }
  return undefined;
};

const appArmor: Check = ({ pod, appArmor: enforced }) => {
  if (enforced) return undefined;
  const wanted = (type: string | undefined) => type !== undefined && type !== 'Unconfined';
  const shared = pod.spec.securityContext?.appArmorProfile?.type;
  const needed = [...placedContainers(pod.spec, '')].some(({ container }) =>
    wanted(container.securityContext?.appArmorProfile?.type ?? shared),
  );
  return needed
    ? reject('AppArmor', 'Cannot enforce AppArmor: AppArmor is not enabled on the host')
    : undefined;
};

const operatingSystem: Check = ({ pod }) => {
  const label = pod.metadata.labels?.[osLabel];
  if (label !== undefined && label !== os)
    return reject(
      'PodOSSelectorNodeLabelDoesNotMatch',
      "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    );
  return (pod.spec.os?.name ?? os) === os
    ? undefined
    : reject('PodOSNotSupported', "Failed to admit pod as the OS field doesn't match node OS");
};

const supplementalGroups: Check = ({ pod, node }) =>
  pod.spec.securityContext?.supplementalGroupsPolicy === 'Strict' &&
  node.status?.features?.supplementalGroupsPolicy !== true
    ? reject(
        'SupplementalGroupsPolicyNotSupported',
        'SupplementalGroupsPolicy=Strict is not supported in this node',
      )
    : undefined;

interface Need {
  readonly resource: string;
  readonly requested: number;
  readonly used: number;
  readonly capacity: number;
}

/** What of the node's resources does not suffice for one more pod: cpu in thousandths, the rest whole. First come the usual ones. */
export function lacking({ pod, others, node }: Pick<AdmissionInput, 'pod' | 'others' | 'node'>): Need[] {
  const allocatable = node.status?.allocatable;
  // It has not been told yet: nobody can say.
  if (allocatable === undefined) return [];
  const capacityOf = (resource: string): number => {
    const quantity = allocatable[resource];
    if (quantity === undefined) return 0;
    const parsed = mustParseQuantity(quantity);
    return resource === 'cpu' ? toMilli(parsed) : toValue(parsed);
  };
  const out: Need[] = [];
  const slots = capacityOf('pods');
  if (others.length + 1 > slots)
    out.push({ resource: 'pods', requested: 1, used: others.length, capacity: slots });
  const requests = podRequests(pod);
  const usual = ['cpu', 'memory', 'ephemeral-storage'];
  const rest = Object.keys(requests).filter((name) => !usual.includes(name));
  let used: readonly ResourceNumbers[] | undefined;
  for (const resource of [...usual, ...rest.sort()]) {
    const requested = requests[resource] ?? 0;
    if (requested <= 0) continue;
    // Somebody else may keep account of a resource that the node knows nothing of.
    if (isExtendedResource(resource) && allocatable[resource] === undefined) continue;
    used ??= others.map(podRequests);
    const taken = used.reduce((sum, of) => sum + (of[resource] ?? 0), 0);
    const capacity = capacityOf(resource);
    if (taken + requested > capacity) out.push({ resource, requested, used: taken, capacity });
  }
  return out;
}

export const insufficient = ({ resource, requested, used, capacity }: Need): string =>
  `Node didn't have enough resource: ${resource}, requested: ${requested}, used: ${used}, capacity: ${capacity}`;

const resources: Check = (input) => {
  const need = lacking(input)[0];
  return need === undefined ? undefined : reject(`OutOf${need.resource}`, insufficient(need));
};

const nodeAffinity: Check = ({ pod, node }) =>
  compileNodeRequirements(pod.spec)({ name: node.metadata.name, labels: node.metadata.labels })
    ? undefined
    : predicate('NodeAffinity', "node(s) didn't match Pod's node affinity/selector");

interface HostPort {
  readonly ip: string;
  readonly key: string;
}

export const usesHostPorts = (pod: Pod): boolean => hostPorts(pod).length > 0;

function hostPorts(pod: Pod): HostPort[] {
  const containers = [
    ...(pod.spec.initContainers ?? []).filter((c) => c.restartPolicy === 'Always'),
    ...pod.spec.containers,
  ];
  return containers.flatMap((container) =>
    (container.ports ?? [])
      .filter((port) => (port.hostPort ?? 0) > 0)
      .map((port) => ({ ip: port.hostIP || '0.0.0.0', key: `${port.protocol ?? 'TCP'}/${port.hostPort}` })),
  );
}

const ports: Check = ({ pod, others }) => {
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return undefined;
  const taken = others.flatMap(hostPorts);
  const clash = wanted.some((a) =>
    taken.some((b) => a.key === b.key && (a.ip === b.ip || a.ip === '0.0.0.0' || b.ip === '0.0.0.0')),
  );
  return clash
    ? predicate('NodePorts', "node(s) didn't have free ports for the requested pod ports")
    : undefined;
};

const taints: Check = ({ pod, node, isStatic }) => {
  if (isStatic) return undefined;
  const refused = (node.spec?.taints ?? []).some(
    (taint) => taint.effect === 'NoExecute' && !(pod.spec.tolerations ?? []).some((t) => tolerates(t, taint)),
  );
  return refused
    ? predicate('TaintToleration', "node(s) had taints that the pod didn't tolerate")
    : undefined;
};

/** In the kubelet's order: the first refusal is what people read. */
const checks: readonly Check[] = [
  sysctls,
  operatingSystem,
  supplementalGroups,
  resources,
  nodeAffinity,
  ports,
  taints,
  appArmor,
];

/** undefined = it may run here. */
export function admit(input: AdmissionInput): Rejection | undefined {
  for (const check of checks) {
    const rejection = check(input);
    if (rejection !== undefined) return rejection;
  }
  return undefined;
}
