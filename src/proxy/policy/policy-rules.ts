// The tables of network policies as they should be: policies, pods and namespaces go in, the text of a transaction comes out. No I/O.
// Each policy and each pod is an owner in the rule table; a change touches the owners that can be affected, and only what differs is
// told to the kernel. Policies that select no pod of this node, and sets that no other policy names, are not there.
import type { NetworkPolicy } from '../../api/index.ts';
import type { Labels } from '../../machinery/index.ts';
import { type Contribution, ContributionBuilder, type Family } from '../contribution.ts';
import { RuleTable } from '../rule-table.ts';
import { familyOfAddress } from '../service-ports.ts';
import {
  type CompiledPolicy,
  compilePolicy,
  isolationChain,
  isolationRules,
  type PodSet,
} from './compile-policy.ts';
import {
  type Direction,
  dnsAddresses,
  hairpins,
  isolatedPods,
  planPolicyFrame,
  policyTable,
} from './frame.ts';
import { type PodFacts, sameFacts } from './pod-facts.ts';

export interface PolicyRulesOptions {
  readonly families: readonly Family[];
  /** Where this node itself answers as the cluster's DNS; for policies a pod of kube-system. */
  readonly dnsAddresses: readonly string[];
}

interface KnownPolicy {
  readonly compiled: CompiledPolicy;
  /** How many pods of this node it isolates. */
  subjects: number;
  /** Whether its rules are in the table. */
  isIn: boolean;
}

interface KnownPod {
  readonly facts: PodFacts;
  /** Keys of the policies that isolate it, sorted; empty for pods of other nodes. */
  isolatedBy: readonly string[];
}

/** How DNS that nodes answer themselves looks to selectors: as where it is a Deployment. */
const dnsPod = (ips: readonly string[]): PodFacts => ({
  namespace: 'kube-system',
  labels: { 'k8s-app': 'kube-dns' },
  ips,
  ports: [
    { name: 'dns', protocol: 'udp', port: 53 },
    { name: 'dns-tcp', protocol: 'tcp', port: 53 },
  ],
  onThisNode: false,
  isGone: false,
});
const none: ReadonlySet<string> = new Set();
/** No pod has such a name. */
const dnsKey = 'kube-system/(dns)';

export class PolicyRules {
  readonly #families: readonly Family[];
  readonly #tables: readonly RuleTable[];
  readonly #policies = new Map<string, KnownPolicy>();
  readonly #pods = new Map<string, KnownPod>();
  readonly #podsByNamespace = new Map<string, Set<string>>();
  readonly #policiesByNamespace = new Map<string, Set<string>>();
  readonly #localPods = new Set<string>();
  readonly #namespaces = new Map<string, Labels>();
  /** By name: sets that rules in the table look into, and how many policies do. */
  readonly #sets = new Map<string, { readonly set: PodSet; users: number }>();
  /** Pods whose contribution must be planned again. */
  readonly #dirtyPods = new Set<string>();
  /** Pods of this node for which it must be asked again which policies isolate them. */
  readonly #dirtySubjects = new Set<string>();
  readonly #dirtyPolicies = new Set<string>();

  constructor({ families, dnsAddresses: answered }: PolicyRulesOptions) {
    this.#families = families;
    this.#tables = families.map((family) => new RuleTable(family, policyTable, planPolicyFrame(family)));
    for (const table of this.#tables) {
      const own = new ContributionBuilder();
      for (const address of answered)
        if (familyOfAddress(address) === table.family) own.element(dnsAddresses, address);
      table.put('', own);
    }
    if (answered.length > 0) this.setPod(dnsKey, dnsPod(answered));
  }

  /** How many there are, in the whole cluster. */
  get policyCount(): number {
    return this.#policies.size;
  }

  /** How many of them are in this node's kernel. */
  get enforcedCount(): number {
    let count = 0;
    for (const { isIn } of this.#policies.values()) if (isIn) count++;
    return count;
  }

  /** undefined = it is gone. */
  setPolicy(key: string, policy: NetworkPolicy | undefined): void {
    const known = this.#policies.get(key);
    if (known?.isIn === true) this.#takeOut(key, known);
    const namespace = key.slice(0, key.indexOf('/'));
    const pods = this.#podsByNamespace.get(namespace) ?? none;
    if (policy === undefined) {
      this.#policies.delete(key);
      for (const pod of pods) this.#release(pod, key);
    } else {
      const compiled = compilePolicy(key, policy, this.#families);
      this.#policies.set(key, { compiled, subjects: known?.subjects ?? 0, isIn: false });
    }
    index(this.#policiesByNamespace, namespace, key, policy !== undefined);
    for (const pod of pods) if (this.#localPods.has(pod)) this.#dirtySubjects.add(pod);
    this.#dirtyPolicies.add(key);
  }

  /** A policy of that name may come again before the next plan; it is counted anew. */
  #release(pod: string, policy: string): void {
    const known = this.#pods.get(pod);
    if (known?.isolatedBy.includes(policy) === true)
      known.isolatedBy = known.isolatedBy.filter((other) => other !== policy);
  }

  /** undefined = it is gone, or policies do not know it. Returns whether that makes a difference. */
  setPod(key: string, facts: PodFacts | undefined): boolean {
    const known = this.#pods.get(key);
    if (sameFacts(known?.facts, facts)) return false;
    if (facts === undefined) this.#pods.delete(key);
    else this.#pods.set(key, { facts, isolatedBy: known?.isolatedBy ?? [] });
    if (facts === undefined) for (const policy of known?.isolatedBy ?? []) this.#count(policy, -1);
    const namespace = key.slice(0, key.indexOf('/'));
    index(this.#podsByNamespace, namespace, key, facts !== undefined);
    if (facts?.onThisNode === true) this.#localPods.add(key);
    else this.#localPods.delete(key);
    this.#dirtyPods.add(key);
    if (facts !== undefined) this.#dirtySubjects.add(key);
    return true;
  }

  /** Whether a pod is known with these addresses. */
  knows(key: string, ips: readonly string[]): boolean {
    const known = this.#pods.get(key)?.facts.ips ?? [];
    return ips.every((ip) => known.includes(ip));
  }

  /** undefined = it is gone. */
  setNamespace(name: string, labels: Labels | undefined): void {
    const known = this.#namespaces.get(name);
    if (labels !== undefined && known !== undefined && JSON.stringify(known) === JSON.stringify(labels))
      return;
    if (labels === undefined) this.#namespaces.delete(name);
    else this.#namespaces.set(name, labels);
    for (const pod of this.#podsByNamespace.get(name) ?? []) this.#dirtyPods.add(pod);
  }

  /** Commands from what the last text left; '' = nothing changed. */
  takeChanges(): string {
    this.#plan();
    return this.#tables.map((table) => table.takeChanges()).join('');
  }

  /** Commands that make everything anew, whatever there was. */
  takeReplacement(): string {
    this.#plan();
    return this.#tables.map((table) => table.takeReplacement()).join('');
  }

  #plan(): void {
    for (const key of this.#dirtySubjects) this.#planSubject(key);
    this.#dirtySubjects.clear();
    for (const key of this.#dirtyPolicies) this.#planPolicy(key);
    this.#dirtyPolicies.clear();
    for (const key of this.#dirtyPods) {
      const known = this.#pods.get(key);
      for (const table of this.#tables)
        table.put(`pod ${key}`, known === undefined ? undefined : this.#ofPod(known, table.family));
    }
    this.#dirtyPods.clear();
  }

  #planSubject(key: string): void {
    const known = this.#pods.get(key);
    if (known === undefined) return;
    const { facts, isolatedBy } = known;
    const next: string[] = [];
    if (facts.onThisNode)
      for (const policy of this.#policiesByNamespace.get(facts.namespace) ?? [])
        if (this.#policies.get(policy)?.compiled.selects(facts) === true) next.push(policy);
    next.sort();
    for (const policy of isolatedBy) this.#count(policy, -1);
    for (const policy of next) this.#count(policy, 1);
    known.isolatedBy = next;
    // Even when the same policies isolate it: one of them may have another direction now.
    this.#dirtyPods.add(key);
  }

  #count(key: string, by: 1 | -1): void {
    const known = this.#policies.get(key);
    if (known === undefined) return;
    known.subjects += by;
    this.#dirtyPolicies.add(key);
  }

  #planPolicy(key: string): void {
    const known = this.#policies.get(key);
    if (known === undefined) {
      for (const table of this.#tables) table.put(`policy ${key}`, undefined);
      return;
    }
    if (known.subjects > 0 === known.isIn) return;
    if (known.isIn) {
      this.#takeOut(key, known);
      return;
    }
    known.isIn = true;
    for (const set of known.compiled.sets) this.#use(set);
    for (const table of this.#tables) table.put(`policy ${key}`, known.compiled.rules.get(table.family));
  }

  #takeOut(key: string, known: KnownPolicy): void {
    known.isIn = false;
    for (const { name } of known.compiled.sets) {
      const used = this.#sets.get(name);
      if (used === undefined || --used.users > 0) continue;
      this.#sets.delete(name);
      this.#touch(used.set);
    }
    for (const table of this.#tables) table.put(`policy ${key}`, undefined);
  }

  #use(set: PodSet): void {
    const used = this.#sets.get(set.name);
    if (used !== undefined) {
      used.users++;
      return;
    }
    this.#sets.set(set.name, { set, users: 1 });
    this.#touch(set);
  }

  #touch(set: PodSet): void {
    for (const [key, { facts }] of this.#pods)
      if (!facts.isGone && set.has(facts, this.#namespaces.get(facts.namespace))) this.#dirtyPods.add(key);
  }

  #ofPod({ facts, isolatedBy }: KnownPod, family: Family): Contribution | undefined {
    const ips = facts.ips.filter((ip) => familyOfAddress(ip) === family);
    if (ips.length === 0) return undefined;
    const wanted = new ContributionBuilder();
    const labels = this.#namespaces.get(facts.namespace);
    for (const { set } of this.#sets.values())
      if (!facts.isGone && set.has(facts, labels))
        for (const ip of ips)
          for (const element of set.elements(facts, ip)) wanted.element(set.name, element);
    for (const direction of ['ingress', 'egress'] satisfies Direction[]) {
      const keys = isolatedBy.filter((key) =>
        this.#policies.get(key)?.compiled.directions.includes(direction),
      );
      if (keys.length === 0) continue;
      const chain = isolationChain(direction, keys);
      wanted.chain(chain, isolationRules(direction, keys));
      for (const ip of ips) {
        wanted.element(isolatedPods(direction), ip, `goto ${chain}`);
        wanted.element(hairpins, `${ip} . ${ip}`);
      }
    }
    return wanted.elements.size === 0 ? undefined : wanted;
  }
}

function index(of: Map<string, Set<string>>, namespace: string, key: string, isThere: boolean): void {
  const keys = of.get(namespace);
  if (isThere) {
    if (keys === undefined) of.set(namespace, new Set([key]));
    else keys.add(key);
  } else if (keys?.delete(key) === true && keys.size === 0) of.delete(namespace);
}
