// Where a DaemonSet's pods belong: the nodes that its template selects and whose taints they bear. Pure; asked once a node and run, so
// the template is compiled first.
import {
  compileNodeRequirements,
  type coreV1,
  type DaemonSet,
  type Node,
  tolerates,
} from '../../api/index.ts';

export interface Placement {
  /** It gets a pod if it has none. */
  readonly shouldRun: boolean;
  /** A pod that is there stays: a taint that came later drives it away only when it is NoExecute. */
  readonly mayStay: boolean;
}

/** What daemons bear without saying so: troubles of their node are what they are there for. */
const always: readonly coreV1.Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
];
const onHostNetwork: readonly coreV1.Toleration[] = [
  { key: 'node.kubernetes.io/network-unavailable', operator: 'Exists', effect: 'NoSchedule' },
];

const isSame = (a: coreV1.Toleration, b: coreV1.Toleration): boolean =>
  (a.key ?? '') === b.key &&
  (a.effect ?? '') === b.effect &&
  (a.operator ?? '') === b.operator &&
  (a.value ?? '') === '';

/** Those of the template, with the daemon's own in the place of equal ones or after them. */
export function daemonTolerations(spec: coreV1.PodSpec | undefined): coreV1.Toleration[] {
  const own = spec?.hostNetwork === true ? [...always, ...onHostNetwork] : always;
  const out = (spec?.tolerations ?? []).map((given) => own.find((one) => isSame(given, one)) ?? given);
  for (const one of own) if (!out.some((known) => isSame(known, one))) out.push(one);
  return out;
}

const never: Placement = { shouldRun: false, mayStay: false };
const here: Placement = { shouldRun: true, mayStay: true };
const leftover: Placement = { shouldRun: false, mayStay: true };

export function compilePlacement({ spec: { template } }: DaemonSet): (node: Node) => Placement {
  const spec = template.spec;
  const fits = compileNodeRequirements(spec ?? {});
  const tolerations = daemonTolerations(spec);
  const only = spec?.nodeName || undefined;
  return (node) => {
    if ((only !== undefined && only !== node.metadata.name) || !fits(node.metadata)) return never;
    let placement = here;
    for (const taint of node.spec.taints ?? []) {
      if (taint.effect === 'PreferNoSchedule') continue;
      if (tolerations.some((toleration) => tolerates(toleration, taint))) continue;
      if (taint.effect === 'NoExecute') return never;
      placement = leftover;
    }
    return placement;
  };
}
