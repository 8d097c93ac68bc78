// One simulated machine: what it has, what runs on it, and whether it can be heard. Kept lean: ten thousand of them are one process.
import type { Lease, Node } from '../api/index.ts';
import type { Appointment } from './agenda.ts';
import { addressOf, combineFaults } from './node-object.ts';
import { PodAddresses } from './pod-addresses.ts';
import type { PodSlot } from './pod-slot.ts';
import { type Fault, type MachineType, noFault } from './script.ts';

export class NodeRun {
  readonly name: string;
  readonly number: number;
  readonly type: MachineType;
  readonly zone: string;
  readonly nodeIps: readonly string[];
  /** As the API last had it. */
  node: Node;
  /** By uid: what is here is on the machine, also while nobody can hear of it. */
  readonly pods: Map<string, PodSlot<NodeRun>> = new Map();
  /** What its annotations ask for. */
  asked: Fault = noFault;
  /** What the script's incidents do to it now. */
  readonly incidents = new Map<string, Fault>();
  /** Both together. */
  fault: Fault = noFault;
  lease: Lease | null = null;
  beat: Appointment | null = null;
  readonly appointments = new Set<Appointment>();
  /** Monotonic. */
  statusWrittenMs = 0;
  gone = false;
  #addresses: PodAddresses | null = null;

  constructor(
    node: Node,
    machine: { readonly number: number; readonly type: MachineType; readonly zone: string },
  ) {
    this.node = node;
    this.name = node.metadata.name;
    this.number = machine.number;
    this.type = machine.type;
    this.zone = machine.zone;
    this.nodeIps = [addressOf(machine.number)];
  }

  /** Whether messages pass between it and the API server. */
  get connected(): boolean {
    return !this.fault.off && !this.fault.cut && !this.gone;
  }

  /** What was answered and what was heard may overtake each other: the newer counts. */
  learn(node: Node): void {
    if (Number(node.metadata.resourceVersion) > Number(this.node.metadata.resourceVersion)) this.node = node;
  }

  judge(): void {
    let fault = this.asked;
    for (const other of this.incidents.values()) fault = combineFaults(fault, other);
    this.fault = fault;
  }

  /** undefined = it has no range yet, or the range is used up. */
  takeIp(): string | undefined {
    return this.#ofRange()?.take();
  }

  occupyIp(ip: string): void {
    this.#ofRange()?.occupy(ip);
  }

  freeIp(ip: string): void {
    this.#addresses?.free(ip);
  }

  /** Everything on it has ended. */
  clear(): void {
    for (const slot of this.pods.values()) slot.timer?.cancel();
    this.pods.clear();
    this.#addresses?.clear();
  }

  #ofRange(): PodAddresses | null {
    const cidr = this.node.spec.podCIDR;
    if (this.#addresses === null && cidr !== undefined && cidr !== '')
      this.#addresses = new PodAddresses(cidr);
    return this.#addresses;
  }
}
