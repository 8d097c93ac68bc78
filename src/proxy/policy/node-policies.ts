// Network policies of one node: follows them and keeps the kernel's tables as they ask. The choice: all pods and namespaces are followed
// only while there is a policy, and the table is there only then. Whoever starts a pod waits here until its isolation is in the kernel.
import { Namespace, NetworkPolicy, Pod } from '../../api/index.ts';
import { type Clock, type Log, Scope, sleep, unless } from '../../base/index.ts';
import type { Informer, Informers } from '../../client/index.ts';
import { keyOf, type Labels } from '../../machinery/index.ts';
import { applyRuleset, type Exec, readTables } from '../../os/index.ts';
import type { Family } from '../contribution.ts';
import { familyOfAddress } from '../service-ports.ts';
import { policyTable } from './frame.ts';
import { type PodFacts, podFacts, statusIps } from './pod-facts.ts';
import { PolicyRules } from './policy-rules.ts';

export interface NodePoliciesOptions {
  /** Of NetworkPolicies; shared with others of the node. They must outlive this. */
  readonly informers: Informers;
  /** Informers of pods and namespaces, which end with the scope. What they hold may be trimmed by `trimForPolicies`. */
  readonly followPods: (scope: Scope) => Informers;
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
  /** Where this node itself answers as the cluster's DNS. */
  readonly dnsAddresses: readonly string[];
  /** Whether rules see packets between two pods of this node; makes it so where it can. */
  readonly ensureBridgeSeen: (families: readonly Family[]) => Promise<boolean>;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
}

export interface NodePolicies {
  /** Resolves when the kernel has every policy there was at the start. */
  readonly ready: Promise<void>;
  /**
   * For who starts a pod, before its first container and with the addresses it has: resolves when what isolates it is in the kernel, and
   * at once when nothing does. Without word from the API (a static pod of a node that just came up) it resolves after a moment. Rejects
   * when the kernel does not take the rules in time, or with the signal's reason.
   */
  isolate(pod: Pod, ips: readonly string[], signal: AbortSignal): Promise<void>;
  /** Stops following. The rules stay in the kernel. */
  stop(): Promise<void>;
}

/** How long changes are gathered. */
const batchMs = 10;
const retryMs = 1_000;
/** How often it is looked whether somebody removed the table. */
const checkMs = 30_000;
/** How long a pod waits for the first word from the API, and for the kernel. */
const silenceMs = 2_000;
const isolateMs = 10_000;
/**
 * How long a pod that the API has forgotten stays isolated, at least: one that is deleted without grace is removed from there before its
 * containers have ended.
 */
const lingerMs = 30_000;

export function startNodePolicies(options: NodePoliciesOptions): NodePolicies {
  const scope = new Scope(options.log);
  const policies = new RunningPolicies(options, scope);
  scope.run('network policies', (signal) => policies.run(signal));
  return {
    ready: policies.ready,
    isolate: (pod, ips, signal) => policies.isolate(pod, ips, signal),
    stop: () => scope.stop(),
  };
}

/** A pod whose status does not show its addresses yet. */
interface Announced {
  readonly pod: Pod;
  readonly ips: readonly string[];
}

class RunningPolicies {
  readonly ready: Promise<void>;
  readonly #options: NodePoliciesOptions;
  readonly #scope: Scope;
  readonly #families: readonly Family[];
  readonly #policies: Informer<NetworkPolicy>;
  #rules: PolicyRules;
  /** Of pods and namespaces; undefined while there is no policy. */
  #following: Scope | undefined;
  #pods: Informer<Pod> | undefined;
  readonly #announced = new Map<string, Announced>();
  /** Pods that lately went, by a key of their own: their addresses, and when that was. */
  readonly #gone = new Map<string, { readonly ips: readonly string[]; readonly sinceMs: number }>();
  /** Something differs from what the kernel has been told. */
  #changed = true;
  /** Of ours. What is not known is made anew. */
  #kernelHas: 'unknown' | 'nothing' | 'rules' = 'unknown';
  #checkedMs: number;
  /** A transaction is under way. */
  #isBusy = false;
  /** Resolved when everything that is known now is in the kernel. */
  #waiters: (() => void)[] = [];
  #wake: (() => void) | undefined;
  #becomeReady!: () => void;

  constructor(options: NodePoliciesOptions, scope: Scope) {
    this.#options = options;
    this.#scope = scope;
    this.#families = [...new Set(options.nodeIps.map(familyOfAddress))];
    this.#policies = options.informers(NetworkPolicy);
    this.#rules = this.#noRules();
    this.#checkedMs = options.clock.monotonicMs();
    this.ready = new Promise<void>((resolve, reject) => {
      this.#becomeReady = resolve;
      scope.signal.addEventListener('abort', () => reject(scope.signal.reason), { once: true });
    });
    this.ready.catch(() => {});
    scope.onStop(() => this.#following?.stop());
  }

  #noRules(): PolicyRules {
    return new PolicyRules({ families: this.#families, dnsAddresses: this.#options.dnsAddresses });
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    await unless(signal, this.#policies.synced);
    const put = (policy: NetworkPolicy): void => this.#put(policy);
    this.#scope.onStop(
      this.#policies.onChange({
        added: put,
        updated: (_, policy) => put(policy),
        deleted: (policy) => this.#mark(() => this.#rules.setPolicy(keyOf(policy), undefined)),
      }),
    );
    while (!signal.aborted) {
      if (!this.#changed) {
        await this.#change(signal);
        if (clock.monotonicMs() - this.#checkedMs >= checkMs) await this.#check();
        // One change is often the first of several.
        if (this.#changed) await sleep(clock, batchMs, signal);
        continue;
      }
      if (await this.#bring(signal)) this.#becomeReady();
      else await sleep(clock, retryMs, signal);
    }
  }

  #put(policy: NetworkPolicy): void {
    const key = keyOf(policy);
    try {
      this.#mark(() => this.#rules.setPolicy(key, policy));
    } catch (error) {
      // What it isolated before stays isolated.
      this.#options.log.error('a network policy is not understood', { policy: key, error });
    }
  }

  #mark(change: () => void): void {
    change();
    this.#changed = true;
    this.#wake?.();
  }

  /** Everything that is known into the kernel. False when it has to be tried again. */
  async #bring(signal: AbortSignal): Promise<boolean> {
    const { exec, log } = this.#options;
    this.#isBusy = true;
    try {
      if (this.#rules.policyCount > 0) await this.#follow(signal);
      const waiters = this.#waiters;
      this.#waiters = [];
      this.#changed = false;
      try {
        const isEnd = this.#rules.policyCount === 0;
        const text = isEnd ? await this.#endText() : this.#text();
        if (text !== '') await applyRuleset(exec, text);
        this.#kernelHas = isEnd ? 'nothing' : 'rules';
      } catch (error) {
        this.#waiters.push(...waiters);
        throw error;
      }
      for (const resolve of waiters) resolve();
      return true;
    } catch (error) {
      this.#kernelHas = 'unknown';
      this.#changed = true;
      if (!signal.aborted)
        log.warn('cannot bring network policies to the kernel, all rules will be made anew', { error });
      return false;
    } finally {
      this.#isBusy = false;
    }
  }

  #text(): string {
    return this.#kernelHas === 'rules' ? this.#rules.takeChanges() : this.#rules.takeReplacement();
  }

  /** The last policy has gone, or there was none: no table, no pods in memory. */
  async #endText(): Promise<string> {
    const following = this.#following;
    this.#following = undefined;
    this.#pods = undefined;
    this.#announced.clear();
    this.#gone.clear();
    this.#rules = this.#noRules();
    await following?.stop();
    if (this.#kernelHas === 'nothing') return '';
    return this.#families
      .map((family) => `add table ${family} ${policyTable}\ndelete table ${family} ${policyTable}\n`)
      .join('');
  }

  /** Starts to follow pods and namespaces, unless that is done already, and resolves when they are known. */
  async #follow(signal: AbortSignal): Promise<void> {
    if (this.#following !== undefined) return;
    const { followPods, ensureBridgeSeen, log } = this.#options;
    const following = new Scope(log, signal);
    try {
      const informers = followPods(following);
      const pods = informers(Pod);
      const namespaces = informers(Namespace);
      const [seen] = await Promise.all([ensureBridgeSeen(this.#families), pods.synced, namespaces.synced]);
      if (!seen)
        log.error(
          'this kernel does not show packets between pods of one node to its rules: network policies do not keep them apart',
        );
      this.#following = following;
      this.#pods = pods;
      this.#feed(pods, namespaces);
      // Who waits for its isolation was perhaps not listed yet.
      for (const announced of [...this.#announced.values()]) this.#announce(announced);
    } catch (error) {
      await following.stop();
      throw error;
    }
  }

  #feed(pods: Informer<Pod>, namespaces: Informer<Namespace>): void {
    // When the last policy goes, others take their place while these informers still end.
    const rules = this.#rules;
    const putNamespace = (name: string, labels: Labels | undefined): void =>
      this.#mark(() => rules.setNamespace(name, labels));
    namespaces.onChange({
      added: ({ metadata }) => putNamespace(metadata.name, metadata.labels ?? {}),
      updated: (_, { metadata }) => putNamespace(metadata.name, metadata.labels ?? {}),
      deleted: ({ metadata }) => putNamespace(metadata.name, undefined),
    });
    const putPod = (pod: Pod, isThere: boolean): void => {
      const key = keyOf(pod);
      const announced = this.#announced.get(key);
      // A pod of the same name that was there before: its successor stands already.
      if (announced !== undefined && announced.pod.metadata.uid !== pod.metadata.uid) return;
      const waits = announced !== undefined && isThere && statusIps(pod).length === 0;
      if (!waits) this.#announced.delete(key);
      const known = statusIps(pod);
      const ips = announced !== undefined && known.length === 0 ? announced.ips : known;
      const facts = podFacts(pod, this.#options.nodeName, ips);
      if (facts?.onThisNode === true)
        if (isThere) this.#takeAddresses(rules, facts.ips);
        else this.#linger(rules, `${key}@${pod.metadata.uid}`, facts);
      if (rules.setPod(key, isThere ? facts : undefined)) this.#mark(() => {});
    };
    pods.onChange({
      added: (pod) => putPod(pod, true),
      updated: (_, pod) => putPod(pod, true),
      deleted: (pod) => putPod(pod, false),
    });
  }

  #linger(rules: PolicyRules, key: string, facts: PodFacts): void {
    rules.setPod(key, { ...facts, isGone: true });
    this.#gone.set(key, { ips: facts.ips, sinceMs: this.#options.clock.monotonicMs() });
  }

  /** What had these addresses before is over. */
  #takeAddresses(rules: PolicyRules, ips: readonly string[]): void {
    for (const [key, gone] of this.#gone)
      if (gone.ips.some((ip) => ips.includes(ip))) {
        this.#gone.delete(key);
        rules.setPod(key, undefined);
      }
  }

  async isolate(pod: Pod, ips: readonly string[], signal: AbortSignal): Promise<void> {
    if (pod.spec.hostNetwork === true || ips.length === 0) return;
    const { clock } = this.#options;
    if (!this.#policies.hasSynced) {
      const ending = AbortSignal.any([signal, this.#scope.signal]);
      await within(clock, silenceMs, { what: this.#policies.synced, signal: ending }).catch(() => {});
      signal.throwIfAborted();
      if (!this.#policies.hasSynced) return;
    }
    if (this.#policies.size === 0) return;
    const key = keyOf(pod);
    if (this.#rules.knows(key, ips) && !this.#changed && !this.#isBusy) return;
    const announced = { pod, ips };
    this.#announced.set(key, announced);
    this.#announce(announced);
    const what = new Promise<void>((resolve) => this.#waiters.push(resolve));
    this.#mark(() => {});
    await within(clock, isolateMs, { what, signal });
  }

  /** Takes a pod as isolated as it says it is, until its status tells of its addresses. */
  #announce({ pod, ips }: Announced): void {
    if (this.#following === undefined) return;
    const known = this.#pods?.get(keyOf(pod));
    const shown = known !== undefined && known.metadata.uid === pod.metadata.uid ? known : pod;
    this.#takeAddresses(this.#rules, ips);
    this.#rules.setPod(keyOf(pod), podFacts(shown, this.#options.nodeName, ips));
  }

  /** Resolves when something changed, or when it is time for a check. */
  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        this.#wake = undefined;
        timer.cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const { clock } = this.#options;
      const timer = clock.after(this.#checkedMs + checkMs - clock.monotonicMs(), end);
      this.#wake = end;
      signal.addEventListener('abort', end, { once: true });
    });
  }

  async #check(): Promise<void> {
    const { exec, clock, log } = this.#options;
    this.#checkedMs = clock.monotonicMs();
    if (this.#following === undefined) return;
    for (const [key, { pod }] of this.#announced) {
      const shown = this.#pods?.get(key);
      if (shown !== undefined && shown.metadata.uid === pod.metadata.uid) continue;
      // It was gone before it was announced.
      this.#announced.delete(key);
      const facts = shown === undefined ? undefined : podFacts(shown, this.#options.nodeName);
      this.#mark(() => this.#rules.setPod(key, facts));
    }
    for (const [key, { sinceMs }] of this.#gone)
      if (clock.monotonicMs() - sinceMs >= lingerMs) {
        this.#gone.delete(key);
        this.#mark(() => this.#rules.setPod(key, undefined));
      }
    const present = await readTables(exec).catch(() => undefined);
    if (present === undefined || this.#families.every((family) => present.has(`${family} ${policyTable}`)))
      return;
    log.warn('somebody removed the rules of network policies, making them anew');
    this.#kernelHas = 'unknown';
    this.#changed = true;
  }
}

/** Rejects when it takes longer, or with the signal's reason. */
async function within(
  clock: Clock,
  ms: number,
  { what, signal }: { readonly what: Promise<void>; readonly signal: AbortSignal },
): Promise<void> {
  const ended = new AbortController();
  const late = sleep(clock, ms, AbortSignal.any([signal, ended.signal])).then(() => {
    throw new Error('timed out waiting for network policies to be in force');
  });
  late.catch(() => {});
  try {
    await Promise.race([what, late]);
  } finally {
    ended.abort();
  }
}
