// Warnings for authors of pods and templates: what is accepted but cannot be meant. HOT: every create asks, and nearly always there is
// nothing to warn of, so each rule first sees whether its fields are there (bench/api.ts).
import { at, checkDns1123Label, type DraftMeta, warnIp } from '../../../../machinery/index.ts';
import type {
  Container,
  ContainerPort,
  NodeSelectorTerm,
  Pod,
  PodAffinityTerm,
  PodSpec,
  PodTemplateSpec,
} from '../../../generated/core-v1.ts';
import { type PlacedContainer, placedContainers } from './containers.ts';
import { isWhole } from './quantities.ts';
import { appArmorPrefix, containerSeccompPrefix, podSeccompAnnotation } from './validation/annotations.ts';

/** On create only: updates of pods come from programs. */
export function warnPod(pod: Pod): readonly string[] {
  const found = checkDns1123Label(pod.metadata.name ?? '');
  const hostname =
    found.length === 0
      ? []
      : [
          `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${found.join(' ')}]`,
        ];
  return [...hostname, ...warnSpec({ spec: pod.spec, meta: pod.metadata, path: '' })];
}

/** `path` is where the template stands: `spec.template`. */
export function warnPodTemplate(template: PodTemplateSpec | undefined, path: string): readonly string[] {
  const { spec, metadata = {} } = template ?? {};
  return spec === undefined ? [] : warnSpec({ spec, meta: metadata, path });
}

interface Subject {
  readonly spec: PodSpec;
  readonly meta: DraftMeta;
  readonly path: string;
}

function warnSpec(subject: Subject): string[] {
  const { spec, meta } = subject;
  const out: string[] = [];
  const add = (found: Iterable<string>) => {
    for (const text of found) out.push(text);
  };
  if (spec.nodeSelector || spec.affinity || spec.topologySpreadConstraints) add(warnNodeLabels(subject));
  if (meta.annotations) add(warnAnnotations(subject));
  if (spec.volumes) add(warnVolumes(subject));
  add(warnRepeats(subject));
  add(warnContainers(subject));
  if (spec.affinity) add(warnSelectors(subject));
  return out;
}

const oldNodeLabels: Record<string, string> = {
  'beta.kubernetes.io/arch': 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  'beta.kubernetes.io/os': 'deprecated since v1.14; use "kubernetes.io/os" instead',
  'failure-domain.beta.kubernetes.io/region':
    'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  'failure-domain.beta.kubernetes.io/zone':
    'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  'beta.kubernetes.io/instance-type':
    'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
};
const required = 'requiredDuringSchedulingIgnoredDuringExecution';
const preferred = 'preferredDuringSchedulingIgnoredDuringExecution';

function* warnNodeLabels({ spec, path }: Subject): Generator<string> {
  const here = at.child(path, 'spec');
  for (const key of Object.keys(spec.nodeSelector ?? {}))
    if (Object.hasOwn(oldNodeLabels, key)) yield `${here}.nodeSelector[${key}]: ${oldNodeLabels[key]!}`;
  const affinity = spec.affinity?.nodeAffinity;
  const base = `${here}.affinity.nodeAffinity`;
  for (const [i, term] of (affinity?.[required]?.nodeSelectorTerms ?? []).entries())
    yield* warnNodeTerm(term, `${base}.${required}.nodeSelectorTerms[${i}]`);
  for (const [i, { preference }] of (affinity?.[preferred] ?? []).entries())
    yield* warnNodeTerm(preference, `${base}.${preferred}[${i}].preference`);
  for (const [i, constraint] of (spec.topologySpreadConstraints ?? []).entries()) {
    const place = `${here}.topologySpreadConstraints[${i}]`;
    const { topologyKey } = constraint;
    if (Object.hasOwn(oldNodeLabels, topologyKey))
      yield `${place}.topologyKey: ${topologyKey} is ${oldNodeLabels[topologyKey]!}`;
    if (constraint.labelSelector === undefined)
      yield `${place}.labelSelector: a null labelSelector results in matching no pod`;
  }
}

export function* warnNodeTerm(term: NodeSelectorTerm | undefined, path: string): Generator<string> {
  for (const [i, { key }] of (term?.matchExpressions ?? []).entries())
    if (Object.hasOwn(oldNodeLabels, key))
      yield `${path}.matchExpressions[${i}].key: ${key} is ${oldNodeLabels[key]!}`;
}

const deadAnnotations: Record<string, string> = {
  'scheduler.alpha.kubernetes.io/critical-pod':
    'non-functional in v1.16+; use the "priorityClassName" field instead',
  'security.alpha.kubernetes.io/sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
  'security.alpha.kubernetes.io/unsafe-sysctls': 'non-functional in v1.11+; use the "sysctls" field instead',
};

function* warnAnnotations({ spec, meta, path }: Subject): Generator<string> {
  const annotations = meta.annotations ?? {};
  const here = at.child(path, 'metadata.annotations');
  for (const [key, message] of Object.entries(deadAnnotations))
    if (annotations[key] !== undefined) yield `${here}[${key}]: ${message}`;
  const seccomp = 'non-functional in v1.27+; use the "seccompProfile" field instead';
  if (spec.securityContext?.seccompProfile === undefined && annotations[podSeccompAnnotation] !== undefined)
    yield `${here}[${podSeccompAnnotation}]: ${seccomp}`;
  for (const { container } of placedContainers(spec, '')) {
    const seccompKey = containerSeccompPrefix + container.name;
    if (container.securityContext?.seccompProfile === undefined && annotations[seccompKey] !== undefined)
      yield `${here}[${seccompKey}]: ${seccomp}`;
    const appArmorKey = appArmorPrefix + container.name;
    const profile = container.securityContext?.appArmorProfile ?? spec.securityContext?.appArmorProfile;
    // Of a pod, a good annotation has become a field by now, but it is the author's doing all the same.
    if (
      annotations[appArmorKey] !== undefined &&
      (path === '' || profile === undefined) &&
      spec.os?.name !== 'windows'
    )
      yield `${here}[${appArmorKey}]: deprecated since v1.30; use the "appArmorProfile" field instead`;
  }
}

const oldVolumes: Readonly<Record<string, string>> = {
  photonPersistentDisk: 'deprecated in v1.11, non-functional in v1.16+',
  gitRepo: 'deprecated in v1.11, and disabled by default in v1.33+',
  scaleIO: 'deprecated in v1.16, non-functional in v1.22+',
  flocker: 'deprecated in v1.22, non-functional in v1.25+',
  storageos: 'deprecated in v1.22, non-functional in v1.25+',
  quobyte: 'deprecated in v1.22, non-functional in v1.25+',
  glusterfs: 'deprecated in v1.25, non-functional in v1.26+',
  cephfs: 'deprecated in v1.28, non-functional in v1.31+',
  rbd: 'deprecated in v1.28, non-functional in v1.31+',
};

function* warnVolumes({ spec, path }: Subject): Generator<string> {
  const tokens = new Set<string>();
  for (const [i, volume] of (spec.volumes ?? []).entries()) {
    for (const name of Object.keys(volume))
      if (Object.hasOwn(oldVolumes, name))
        yield `${at.child(path, 'spec')}.volumes[${i}].${name === 'storageos' ? 'storageOS' : name}: ${oldVolumes[name]!}`;
    for (const { serviceAccountToken } of volume.projected?.sources ?? [])
      if (serviceAccountToken !== undefined) tokens.add(serviceAccountToken.path);
  }
  if (tokens.size === 0) return;
  for (const [i, volume] of (spec.volumes ?? []).entries())
    for (const source of volume.projected?.sources ?? []) {
      const here = `${at.child(path, 'spec')}.volumes[${i}].projected.sources`;
      for (const [items, name] of [
        [source.configMap?.items, 'configMap'],
        [source.secret?.items, 'secrets'],
        [source.downwardAPI?.items, 'downwardAPI'],
      ] as const)
        for (const [j, item] of (items ?? []).entries())
          if (tokens.has(item.path))
            yield `${here}.${name}[${j}]: has duplicated path with ServiceAccountToken ${JSON.stringify(item.path)}`;
    }
}

function* warnRepeats({ spec, path }: Subject): Generator<string> {
  const here = at.child(path, 'spec');
  if (spec.overhead) yield* warnFractions(spec.overhead, `${here}.overhead`);
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0)
    yield `${here}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`;
  if (!spec.hostAliases && !spec.imagePullSecrets && !spec.dnsConfig) return;
  const ips = new Set<string>();
  for (const [i, { ip }] of (spec.hostAliases ?? []).entries()) {
    if (ips.has(ip)) yield `${here}.hostAliases[${i}].ip: duplicate ip ${JSON.stringify(ip)}`;
    ips.add(ip);
    yield* warnIp(`${here}.hostAliases[${i}].ip`, ip ?? '');
  }
  const names = new Set<string>();
  for (const [i, { name = '' }] of (spec.imagePullSecrets ?? []).entries()) {
    if (names.has(name)) yield `${here}.imagePullSecrets[${i}].name: duplicate name ${JSON.stringify(name)}`;
    names.add(name);
  }
  for (const [i, { name = '' }] of (spec.imagePullSecrets ?? []).entries())
    if (name === '') yield `${here}.imagePullSecrets[${i}].name: invalid empty name ""`;
  for (const [i, server] of (spec.dnsConfig?.nameservers ?? []).entries())
    yield* warnIp(`${here}.dnsConfig.nameservers[${i}]`, server);
}

/** Bytes cannot be halved; the amount is rounded up, which is rarely what `100m` was meant to say. */
function* warnFractions(list: Readonly<Record<string, string>> | undefined, path: string): Generator<string> {
  for (const name of ['memory', 'ephemeral-storage']) {
    const amount = list?.[name];
    if (amount !== undefined && !isWhole(amount))
      yield `${path}[${name}]: fractional byte value ${JSON.stringify(amount)} is invalid, must be an integer`;
  }
}

function* warnContainers({ spec, path }: Subject): Generator<string> {
  const containers = placedContainers(spec, at.child(path, 'spec'));
  for (const { container, path: here } of containers) {
    const { resources } = container;
    if (resources?.limits) yield* warnFractions(resources.limits, `${here}.resources.limits`);
    if (resources?.requests) yield* warnFractions(resources.requests, `${here}.resources.requests`);
    if (container.env && container.env.length > 1) yield* warnEnv(container, here);
  }
  yield* warnPorts(containers);
}

/** A later variable of the same name may build on the earlier one (`X=$(X)/more`); otherwise it hides it. */
function* warnEnv(container: Container, path: string): Generator<string> {
  const seen = new Set<string>();
  for (const [i, { name, value = '', valueFrom }] of (container.env ?? []).entries()) {
    if (seen.has(name)) {
      const reference = `$(${name})`;
      if (valueFrom !== undefined || value === reference || !value.includes(reference))
        yield `${path}.env[${i}]: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`;
    }
    seen.add(name);
  }
}

function* warnPorts(containers: readonly PlacedContainer[]): Generator<string> {
  if (!containers.some(({ container }) => container.ports)) return;
  const seen = new Map<string, { path: string; port: ContainerPort }[]>();
  for (const { container, path: here } of containers)
    for (const [i, port] of (container.ports ?? []).entries()) {
      const place = `${here}.ports[${i}]`;
      if (port.hostIP && !port.hostPort) yield `${place}: hostIP set without hostPort: ${goPort(port)}`;
      if (port.hostIP) yield* warnIp(`${place}.hostIP`, port.hostIP);
      const key = `${port.containerPort}/${port.protocol ?? ''}`;
      const others = seen.get(key) ?? [];
      for (const other of others) {
        const relation = relate(port, other.port);
        if (relation !== undefined) yield `${place}: ${relation} port definition with ${other.path}`;
      }
      seen.set(key, [...others, { path: place, port }]);
    }
}

function relate(port: ContainerPort, other: ContainerPort): string | undefined {
  const [hostIp, otherIp] = [port.hostIP ?? '', other.hostIP ?? ''];
  const [hostPort, otherPort] = [port.hostPort ?? 0, other.hostPort ?? 0];
  if (hostIp === otherIp && hostPort === otherPort) return 'duplicate';
  if (hostPort === 0 || otherPort === 0) return 'overlapping';
  return hostPort === otherPort && (hostIp === '') !== (otherIp === '') ? 'dangerously ambiguous' : undefined;
}

/** As Go prints the struct, which is what kubectl users see. */
const goPort = ({
  name = '',
  hostPort = 0,
  containerPort,
  protocol = '',
  hostIP = '',
}: ContainerPort): string =>
  `{Name:${name} HostPort:${hostPort} ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`;

function* warnSelectors({ spec, path }: Subject): Generator<string> {
  const missing = (term: PodAffinityTerm | undefined): boolean => term?.labelSelector === undefined;
  for (const side of ['podAffinity', 'podAntiAffinity'] as const) {
    const affinity = spec.affinity?.[side];
    const here = `${at.child(path, 'spec')}.affinity.${side}`;
    for (const [i, term] of (affinity?.[required] ?? []).entries())
      if (missing(term))
        yield `${here}.${required}[${i}].labelSelector: a null labelSelector results in matching no pod`;
    for (const [i, { podAffinityTerm }] of (affinity?.[preferred] ?? []).entries())
      if (missing(podAffinityTerm))
        yield `${here}.${preferred}[${i}].podAffinityTerm.labelSelector: a null labelSelector results in matching no pod`;
  }
}
