// Keeps the node's network in step with the Node objects: its own subnet once it is given out, a route to every other node's.
import type { Node } from '../api/index.ts';
import { type Clock, type Log, sleep } from '../base/index.ts';
import type { Informer } from '../client/index.ts';
import type { ContainerRuntime } from '../os/index.ts';
import type { NodeNetwork } from './network.ts';
import { vtepAddressAnnotation, vtepMacAnnotation } from './network-vxlan.ts';

export interface NetworkFollowerOptions {
  readonly network: NodeNetwork;
  readonly nodes: Informer<Node>;
  readonly nodeName: string;
  readonly runtime: ContainerRuntime;
  readonly clock: Clock;
  readonly log: Log;
  /** Called once: pods can get a network from now on. */
  readonly onReady: () => void;
}

const retryMs = 1_000;
const runtimePollMs = 50;

export class NetworkFollower {
  readonly #options: NetworkFollowerOptions;
  #problem: string | undefined = 'the node has no pod subnet yet';
  #changed = true;
  #wake: (() => void) | undefined;

  constructor(options: NetworkFollowerOptions) {
    this.#options = options;
  }

  /** Why pods can get no network now; undefined = they can. */
  get problem(): string | undefined {
    return this.#problem;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { nodes, log, clock } = this.#options;
    const look = () => {
      this.#changed = true;
      this.#wake?.();
    };
    nodes.onChange({
      added: look,
      updated: (old, node) => {
        if (routesDiffer(old, node)) look();
      },
      deleted: look,
    });
    await nodes.synced;
    while (!signal.aborted) {
      if (!this.#changed) {
        await this.#change(signal);
        continue;
      }
      this.#changed = false;
      try {
        await this.#apply(signal);
      } catch (error) {
        if (signal.aborted) return;
        if (this.#problem !== undefined) this.#problem = (error as Error).message;
        log.warn('cannot set up the pod network, trying again', { error });
        this.#changed = true;
        await sleep(clock, retryMs, signal).catch(() => {});
      }
    }
  }

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        signal.removeEventListener('abort', end);
        resolve();
      };
      this.#wake = end;
      signal.addEventListener('abort', end, { once: true });
    });
  }

  async #apply(signal: AbortSignal): Promise<void> {
    const { network, nodes, nodeName, runtime, clock } = this.#options;
    const subnets = subnetsOf(nodes.get(nodeName));
    if (subnets.length === 0) return;
    await network.configure(subnets);
    await network.setNodes(nodes.list());
    if (this.#problem === undefined) return;
    // The runtime reads the CNI configuration by itself, a moment after it was written.
    while (!(await runtime.status()).networkReady) await sleep(clock, runtimePollMs, signal);
    this.#problem = undefined;
    this.#options.onReady();
  }
}

const subnetsOf = (node: Node | undefined): readonly string[] =>
  node?.spec?.podCIDRs ?? (node?.spec?.podCIDR ? [node.spec.podCIDR] : []);

const routesDiffer = (a: Node, b: Node): boolean =>
  JSON.stringify([subnetsOf(a), a.status?.addresses, tunnelEndOf(a)]) !==
  JSON.stringify([subnetsOf(b), b.status?.addresses, tunnelEndOf(b)]);

/** What a node tells of its end of a tunnel. */
const tunnelEndOf = ({ metadata: { annotations } }: Node): readonly (string | undefined)[] => [
  annotations?.[vtepAddressAnnotation],
  annotations?.[vtepMacAnnotation],
];
