// Nodes without containers, all in one process behind one client: they join, renew their Leases, run pods as their script says, and can
// be powered off, cut off or slowed down through annotations of their Node. Every Node that carries the label is run, whoever made it.
// One informer of pods, one of nodes, one of claims on devices, one timer and two outboxes serve them all. HOT: bench/simulation.ts.
import { isTerminal, isTerminating, Node, Pod, ResourceClaim } from '../api/index.ts';
import type { Clock, Log, Random, Scope } from '../base/index.ts';
import {
  type Client,
  type EventRecorder,
  type Informer,
  type Informers,
  referenceTo,
} from '../client/index.ts';
import { isAlreadyExists, keyOf } from '../machinery/index.ts';
import { whyNoDevices } from '../node/index.ts';
import { Agenda } from './agenda.ts';
import { simulatedLabel } from './annotations.ts';
import { type Heartbeat, heartbeatFor } from './heartbeat.ts';
import { addressOf, faultOf, machineOfNode, nodeDraft, nodeNameOf, sameFault } from './node-object.ts';
import { BeatMessage, type NodePost, StatusMessage, statusReportMs } from './node-posts.ts';
import { NodeRun } from './node-run.ts';
import { type Message, Outbox } from './outbox.ts';
import { PodRun, type PodWorld } from './pod-run.ts';
import { type PodPost, PodSlot } from './pod-slot.ts';
import { draw, type Fault, type Script, stageOf } from './script.ts';
import { type UsageSource, usageSource } from './usage-source.ts';

export interface SimulationOptions {
  readonly client: Client;
  readonly informers: Informers;
  readonly events: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Stopping it ends everything; the Nodes stay in the API. */
  readonly scope: Scope;
  /** So many nodes, `sim-1` to `sim-N`, are made if they are not there. Others that carry the label are run besides. */
  readonly nodes: number;
  readonly script: Script;
  /** Of the kubelet, as Nodes say it. */
  readonly version: string;
}

export interface Simulation {
  readonly usage: UsageSource;
  /** How many nodes are run. */
  readonly size: number;
}

const tickMs = 50;
const retryMs = 1000;
/** A pod that starts sooner is reported once, when it runs. */
const firstReportMs = 400;
const callsUnderWay = 256;
const beatsUnderWay = 4096;
/** A heartbeat waits this long behind other work, at the timer and at the outbox; a Lease holds a second longer than the interval. */
const beatPatienceMs = 250;

/** Resolves when the nodes asked for exist and everything is followed. Rejects when the API server refuses them. */
export async function startSimulation(options: SimulationOptions): Promise<Simulation> {
  const fleet = new Fleet(options);
  await fleet.start();
  return fleet;
}

class Fleet implements Simulation, PodPost, NodePost {
  readonly client: Client;
  readonly clock: Clock;
  readonly version: string;
  readonly usage: UsageSource;
  readonly #options: SimulationOptions;
  readonly #agenda: Agenda;
  /** Heartbeats have a timer of their own: they do not stand in line behind what pods do. */
  readonly #pulse: Agenda;
  readonly #outbox: Outbox;
  readonly #beats: Outbox;
  readonly #byName = new Map<string, NodeRun>();
  readonly #numbers = new Map<number, string>();
  readonly #statuses = new WeakMap<NodeRun, StatusMessage>();
  readonly #nodes: Informer<Node>;
  readonly #pods: Informer<Pod>;
  readonly #claims: Informer<ResourceClaim>;
  #nextNumber = 1;
  #heartbeat: Heartbeat = heartbeatFor(0);

  constructor(options: SimulationOptions) {
    const { client, clock, scope, log, informers } = options;
    this.#options = options;
    this.client = client;
    this.clock = clock;
    this.version = options.version;
    this.#agenda = new Agenda(clock, { tickMs });
    this.#pulse = new Agenda(clock, { tickMs, patienceMs: beatPatienceMs });
    this.#outbox = new Outbox({ limit: callsUnderWay, scope, clock, log });
    this.#beats = new Outbox({ limit: beatsUnderWay, patienceMs: beatPatienceMs, scope, clock, log });
    this.#nodes = informers(Node, { labelSelector: simulatedLabel });
    this.#pods = informers(Pod);
    this.#claims = informers(ResourceClaim);
    this.usage = usageSource({ nodes: this.#byName, pods: this.#pods, clock });
  }

  get size(): number {
    return this.#byName.size;
  }

  get park() {
    return this.#options.script.park;
  }

  nowMs(): number {
    return this.clock.nowMs();
  }

  heartbeat(): Heartbeat {
    return this.#heartbeat;
  }

  async start(): Promise<void> {
    const { scope } = this.#options;
    scope.onStop(() => {
      this.#agenda.close();
      this.#pulse.close();
    });
    await Promise.all([this.#nodes.synced, this.#pods.synced, this.#claims.synced]);
    const known = this.#nodes.list().length;
    this.#heartbeat = heartbeatFor(Math.max(known, this.#options.nodes));
    const ends = [
      this.#nodes.onChange({
        added: (node) => this.#join(node),
        updated: (_, node) => this.#update(node),
        deleted: (node) => this.#leave(node),
      }),
      this.#pods.onChange({
        added: (pod) => this.#see(pod),
        updated: (_, pod) => this.#see(pod),
        deleted: (pod) => this.#forget(pod),
      }),
    ];
    scope.onStop(() => {
      for (const end of ends) end();
    });
    await this.#makeNodes();
  }

  retry(message: Message, error: unknown): void {
    this.#options.log.debug('a simulated node tries again', { error });
    const isBeat = message instanceof BeatMessage;
    const outbox = isBeat ? this.#beats : this.#outbox;
    (isBeat ? this.#pulse : this.#agenda).after(retryMs, () => outbox.put(message));
  }

  async #makeNodes(): Promise<void> {
    const { nodes, scope, version } = this.#options;
    let number = 0;
    const make = async (): Promise<void> => {
      while (number < nodes && !scope.stopped) {
        const mine = ++number;
        const name = nodeNameOf(mine);
        if (this.#nodes.get(name) !== undefined) continue;
        const draft = nodeDraft(this.park, { name, number: mine, version, nowMs: this.clock.nowMs() });
        await this.client(Node)
          .create(draft)
          .catch((error: unknown) => {
            if (!isAlreadyExists(error)) throw error;
          });
      }
    };
    await Promise.all(Array.from({ length: Math.min(nodes, callsUnderWay) }, make));
  }

  #join(node: Node): void {
    const { random, script } = this.#options;
    const { name } = node.metadata;
    const number = this.#numberFor(node);
    const run = new NodeRun(node, { ...machineOfNode(script.park, node, number), number });
    this.#byName.set(name, run);
    this.#heartbeat = heartbeatFor(Math.max(this.#byName.size, this.#options.nodes));
    // Those that join together shall not all report together for ever after.
    run.statusWrittenMs = this.clock.monotonicMs() - random.next() * statusReportMs;
    run.asked = faultOf(node);
    run.judge();
    for (const incident of script.incidents)
      if (incident.matches(node.metadata.labels) && random.next() < incident.share)
        this.#later(run, draw(incident.after, random), () => {
          this.#change(run, () => run.incidents.set(incident.name, incident.fault));
          if (incident.lasts !== undefined)
            this.#later(run, draw(incident.lasts, random), () =>
              this.#change(run, () => run.incidents.delete(incident.name)),
            );
        });
    this.#startBeating(run, 0);
    this.#statuses.set(run, new StatusMessage(run, this));
    this.#tellStatus(run);
    if (run.connected) for (const pod of this.#pods.byIndex('byNode', name)) this.#see(pod);
  }

  #numberFor({ metadata: { name }, status }: Node): number {
    const free = (number: number) => number > 0 && (this.#numbers.get(number) ?? name) === name;
    const address = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
    const named = Number(/-(\d{1,6})$/.exec(name)?.[1] ?? 0);
    let number = named;
    if (!free(named) || (address !== undefined && address !== addressOf(named))) {
      while (this.#numbers.has(this.#nextNumber)) this.#nextNumber++;
      number = this.#nextNumber;
    }
    this.#numbers.set(number, name);
    return number;
  }

  #update(node: Node): void {
    const run = this.#byName.get(node.metadata.name);
    if (run === undefined) return;
    if (run.node.metadata.uid !== node.metadata.uid) {
      this.#leave(run.node);
      this.#join(node);
      return;
    }
    run.learn(node);
    const asked = faultOf(node);
    if (!sameFault(asked, run.asked))
      this.#change(run, () => {
        run.asked = asked;
      });
    else if (run.connected && judgedWrongly(node)) this.#tellStatus(run);
  }

  #leave({ metadata: { name } }: Node): void {
    const run = this.#byName.get(name);
    if (run === undefined) return;
    run.gone = true;
    run.beat?.cancel();
    for (const appointment of run.appointments) appointment.cancel();
    run.clear();
    this.#byName.delete(name);
    this.#numbers.delete(run.number);
    this.#heartbeat = heartbeatFor(Math.max(this.#byName.size, this.#options.nodes));
  }

  /** Something befalls the node, or is over. */
  #change(run: NodeRun, change: () => void): void {
    const before: Fault = run.fault;
    const wasConnected = run.connected;
    change();
    run.judge();
    const { fault } = run;
    if (sameFault(before, fault)) return;
    this.#options.log.debug('simulated node', { node: run.name, ...fault });
    if (fault.off && !before.off) run.clear();
    if (run.connected && !wasConnected) this.#reconnect(run, before.off);
    else if (run.connected) this.#tellStatus(run);
  }

  /** It is heard again, and hears what has become of its pods. */
  #reconnect(run: NodeRun, wasOff: boolean): void {
    this.#startBeating(run, 0);
    this.#tellStatus(run);
    for (const slot of run.pods.values()) {
      const pod = this.#pods.get(keyOf(slot.run.pod));
      if (pod?.metadata.uid !== slot.run.uid) this.#drop(slot);
    }
    for (const pod of this.#pods.byIndex('byNode', run.name)) {
      const known = run.pods.get(pod.metadata.uid);
      if (known === undefined && wasOff && !isTerminal(pod) && !isTerminating(pod))
        this.#begin(run, PodRun.reboot(pod, stageOf(this.#options.script, pod), this.#world(run)));
      else {
        this.#see(pod);
        if (known !== undefined) this.#wake(known);
      }
    }
  }

  #startBeating(run: NodeRun, firstMs: number): void {
    run.beat?.cancel();
    const message = new BeatMessage(run, this);
    const beat = (): void => {
      this.#say(run, this.#beats, message);
      run.beat = this.#pulse.after(this.#heartbeat.renewMs, beat);
      if (this.clock.monotonicMs() - run.statusWrittenMs >= statusReportMs) this.#tellStatus(run);
      if (!run.connected) run.beat.cancel();
    };
    run.beat = this.#pulse.after(firstMs, beat);
  }

  #tellStatus(run: NodeRun): void {
    const message = this.#statuses.get(run);
    if (message !== undefined) this.#say(run, this.#outbox, message);
  }

  #say(run: NodeRun, outbox: Outbox, message: Message): void {
    if (run.fault.delayMs === 0) outbox.put(message);
    else this.#later(run, run.fault.delayMs, () => outbox.put(message));
  }

  #later(run: NodeRun, delayMs: number, then: () => void): void {
    const appointment = this.#agenda.after(delayMs, () => {
      run.appointments.delete(appointment);
      then();
    });
    run.appointments.add(appointment);
  }

  #see(pod: Pod): void {
    const { nodeName } = pod.spec;
    const node = nodeName === undefined ? undefined : this.#byName.get(nodeName);
    if (node === undefined || !node.connected) return;
    const slot = node.pods.get(pod.metadata.uid);
    if (slot === undefined) {
      if (isTerminal(pod) && !isTerminating(pod)) return;
      this.#begin(node, PodRun.meet(pod, stageOf(this.#options.script, pod), this.#world(node)));
      return;
    }
    const { run } = slot;
    const before = run.pod;
    if (Number(pod.metadata.resourceVersion) <= Number(before.metadata.resourceVersion)) return;
    run.pod = pod;
    if (isNews(before, pod)) this.#wake(slot);
    // Somebody took the node for dead: it says what is true.
    else if (!slot.over && slot.place === 'idle' && saysReady(before) !== saysReady(pod)) this.#report(slot);
  }

  #begin(node: NodeRun, run: PodRun): void {
    const slot = new PodSlot(run, node, this);
    node.pods.set(run.uid, slot);
    if (run.ip !== undefined) node.occupyIp(run.ip);
    this.#wake(slot);
  }

  #forget(pod: Pod): void {
    const slot = this.#byName.get(pod.spec.nodeName ?? '')?.pods.get(pod.metadata.uid);
    if (slot?.node.connected) this.#drop(slot);
  }

  #drop(slot: PodSlot<NodeRun>): void {
    const { run, node } = slot;
    slot.timer?.cancel();
    if (run.ip !== undefined) node.freeIp(run.ip);
    node.pods.delete(run.uid);
  }

  /** Looks at the pod now, and again when it says so. */
  #wake(slot: PodSlot<NodeRun>): void {
    const { run, node } = slot;
    if (slot.over) return;
    slot.timer?.cancel();
    slot.timer = null;
    const { nextMs, over } = run.step(this.#world(node, run));
    slot.over = over;
    const inMs = nextMs - this.clock.nowMs();
    if (nextMs !== Number.POSITIVE_INFINITY) slot.timer = this.#agenda.after(inMs, () => this.#wake(slot));
    if (!run.mayReport && inMs > firstReportMs) run.report();
    if (run.mayReport || over) this.#report(slot);
  }

  #report(slot: PodSlot<NodeRun>): void {
    this.#say(slot.node, this.#outbox, slot);
  }

  #world(node: NodeRun, run?: PodRun): PodWorld {
    const { random, events } = this.#options;
    const record = events.from('kubelet', node.name);
    return {
      nowMs: this.clock.nowMs(),
      random,
      takeIp: () => node.takeIp(),
      freeIp: (ip) => node.freeIp(ip),
      whyNoDevices: (pod) =>
        whyNoDevices(pod, (name) => this.#claims.get(`${pod.metadata.namespace}/${name}`)),
      event(type, reason, message, container) {
        if (run === undefined || !node.connected) return;
        const about = referenceTo(run.pod);
        const isInit = run.pod.spec.initContainers?.some(({ name }) => name === container) === true;
        const fieldPath = `spec.${isInit ? 'initContainers' : 'containers'}{${container}}`;
        record(container === undefined ? about : { ...about, fieldPath }, type, reason, message);
      },
    };
  }
}

/** Somebody else says of a node that is heard that it is not: only it can take that back. */
const judgedWrongly = ({ status }: Node): boolean =>
  status?.conditions?.find(({ type }) => type === 'Ready')?.status !== 'True' ||
  status.conditions.some(({ status: value }) => value === 'Unknown');

const saysReady = (pod: Pod): boolean =>
  pod.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;

/** Whether a new version of a pod may change what happens to it. Its own status coming back does not. */
const isNews = (before: Pod, after: Pod): boolean =>
  before.metadata.deletionTimestamp !== after.metadata.deletionTimestamp ||
  before.metadata.deletionGracePeriodSeconds !== after.metadata.deletionGracePeriodSeconds ||
  before.metadata.generation !== after.metadata.generation ||
  (after.spec.readinessGates ?? []).length > 0;
