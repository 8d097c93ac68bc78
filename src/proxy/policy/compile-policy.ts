// A NetworkPolicy as rules of nft. Pure. What depends on pods is left to sets, so that the rules change only with the policy.
import { createHash } from 'node:crypto';
import type { NetworkPolicy } from '../../api/index.ts';
import { compileLabelSelector, formatLabelSelector, type Labels, parseCidr } from '../../machinery/index.ts';
import { ContributionBuilder, type Family } from '../contribution.ts';
import { addressType } from '../frame.ts';
import { familyOfAddress } from '../service-ports.ts';
import type { Direction } from './frame.ts';
import { type PodFacts, protocolOf } from './pod-facts.ts';

type Spec = NetworkPolicy['spec'];
type Rule = NonNullable<Spec['egress']>[number];
type Peer = NonNullable<Rule['to']>[number];
type Port = NonNullable<Rule['ports']>[number];

/** A set that rules look into, filled from pods. */
export interface PodSet {
  readonly name: string;
  /** Between the braces of its declaration. */
  declaration(family: Family): string;
  /** Whether the pod has a place in it. */
  has(pod: PodFacts, namespaceLabels: Labels | undefined): boolean;
  /** The elements for one address of a pod that has. */
  elements(pod: PodFacts, ip: string): readonly string[];
}

export interface CompiledPolicy {
  readonly namespace: string;
  readonly directions: readonly Direction[];
  /** Whether it isolates the pod, wherever that runs. */
  selects(pod: PodFacts): boolean;
  readonly sets: readonly PodSet[];
  /** Chains, and declarations of its sets. */
  readonly rules: ReadonlyMap<Family, ContributionBuilder>;
}

/** Names are cut where nft would refuse them (255 characters, with what comes before). */
const nameLimit = 200;
const hash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 20);

/** The chain of a policy, by `namespace/name`. */
export const policyChain = (direction: Direction, key: string): string =>
  `${direction}-${key.length > nameLimit ? `${key.slice(0, nameLimit)}-${hash(key)}` : key}`;

/** The chain of pods that these policies isolate. Keys are sorted. */
export const isolationChain = (direction: Direction, keys: readonly string[]): string =>
  `isolate-${direction}-${hash(keys.join())}`;

export const isolationRules = (direction: Direction, keys: readonly string[]): string[] => [
  ...keys.map((key) => `jump ${policyChain(direction, key)}`),
  'drop',
];

/** What `policyTypes` says, or what follows where it says nothing. */
export function directionsOf({ policyTypes = [], egress = [] }: Spec): Direction[] {
  if (policyTypes.length === 0) return egress.length > 0 ? ['ingress', 'egress'] : ['ingress'];
  return (['ingress', 'egress'] as const).filter((direction) =>
    policyTypes.some((type) => type.toLowerCase() === direction),
  );
}

/** Throws where a selector was never validated. */
export function compilePolicy(
  key: string,
  policy: NetworkPolicy,
  families: readonly Family[],
): CompiledPolicy {
  const { spec, metadata } = policy;
  const namespace = metadata.namespace ?? '';
  const selected = compileLabelSelector(spec.podSelector ?? {});
  const directions = directionsOf(spec);
  const sets = new Map<string, PodSet>();
  const rules = new Map(
    families.map((family) => {
      const built = new ContributionBuilder();
      for (const direction of directions) {
        const all: readonly Rule[] =
          direction === 'egress'
            ? (spec.egress ?? [])
            : (spec.ingress ?? []).map(({ from, ports }) => ({ to: from, ports }));
        const context = { family, direction, namespace, sets, built };
        built.chain(
          policyChain(direction, key),
          all.flatMap((rule) => compileRule(rule, context)),
        );
      }
      for (const set of sets.values()) built.set(set.name, set.declaration(family));
      return [family, built] as const;
    }),
  );
  return {
    namespace,
    directions,
    selects: (pod) => pod.namespace === namespace && selected(pod.labels),
    sets: [...sets.values()],
    rules,
  };
}

interface Context {
  readonly family: Family;
  readonly direction: Direction;
  readonly namespace: string;
  readonly sets: Map<string, PodSet>;
  readonly built: ContributionBuilder;
}

function compileRule({ to = [], ports = [] }: Rule, context: Context): string[] {
  const peers = to.length === 0 ? [''] : peerMatches(to, context);
  const services = ports.length === 0 ? [''] : [...new Set(ports.map((port) => portMatch(port, context)))];
  const join = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' ');
  if (peers.length <= 1 || services.length <= 1)
    return peers.flatMap((peer) => services.map((service) => join(peer, service, 'accept')));
  const accepting = services.map((service) => join(service, 'accept'));
  const chain = `ports-${hash(accepting.join('\n'))}`;
  context.built.chain(chain, accepting);
  return peers.map((peer) => join(peer, `jump ${chain}`));
}

/** One match for all peers that are pods, one for each block of the family. */
function peerMatches(peers: readonly Peer[], { family, direction, namespace, sets }: Context): string[] {
  const other = `${family} ${direction === 'ingress' ? 'saddr' : 'daddr'}`;
  const matches: string[] = [];
  const pods = peers.filter(({ ipBlock }) => ipBlock === undefined);
  if (pods.length > 0) {
    const set = peerSet(pods, namespace);
    sets.set(set.name, set);
    matches.push(`${other} @${set.name}`);
  }
  for (const { ipBlock } of peers) {
    const network = ipBlock === undefined ? undefined : parseCidr(ipBlock.cidr)?.network;
    if (network === undefined || familyOfAddress(network) !== family) continue;
    const except = (ipBlock?.except ?? []).flatMap((cidr) => parseCidr(cidr)?.network ?? []);
    matches.push([`${other} ${network}`, ...except.map((cidr) => `${other} != ${cidr}`)].join(' '));
  }
  return matches;
}

/** Pods of these peers. The same peers, in any order, share a set; without a namespace selector they are those of one namespace. */
function peerSet(peers: readonly Peer[], namespace: string): PodSet {
  const texts = peers.map(({ namespaceSelector, podSelector }) =>
    JSON.stringify([
      namespaceSelector === undefined ? { in: namespace } : formatLabelSelector(namespaceSelector),
      formatLabelSelector(podSelector),
    ]),
  );
  const tests = peers.map(({ namespaceSelector, podSelector }) => {
    const ofPod = compileLabelSelector(podSelector ?? {});
    const ofNamespace = namespaceSelector === undefined ? undefined : compileLabelSelector(namespaceSelector);
    return (pod: PodFacts, labels: Labels | undefined): boolean =>
      (ofNamespace === undefined
        ? pod.namespace === namespace
        : labels !== undefined && ofNamespace(labels)) && ofPod(pod.labels);
  });
  return {
    name: `pods-${hash([...new Set(texts)].sort().join())}`,
    declaration: (family) => `type ${addressType(family)} ;`,
    has: (pod, labels) => tests.some((test) => test(pod, labels)),
    elements: (_, ip) => [ip],
  };
}

function portMatch({ protocol: given, port, endPort }: Port, { family, direction, sets }: Context): string {
  const protocol = protocolOf(given);
  if (port === undefined) return `meta l4proto ${protocol}`;
  if (typeof port === 'number')
    return `${protocol} dport ${endPort === undefined || endPort === port ? port : `${port}-${endPort}`}`;
  // Of this node's pods alone when it is they who are connected to.
  const isLocal = direction === 'ingress';
  const name = `named-${isLocal ? 'local-' : ''}${protocol}-${port}`;
  const found = (pod: PodFacts) => pod.ports.filter((one) => one.name === port && one.protocol === protocol);
  sets.set(name, {
    name,
    declaration: (of) => `type ${addressType(of)} . inet_service ;`,
    has: (pod) => (!isLocal || pod.onThisNode) && found(pod).length > 0,
    elements: (pod, ip) => found(pod).map((one) => `${ip} . ${one.port}`),
  });
  return `${family} daddr . ${protocol} dport @${name}`;
}
