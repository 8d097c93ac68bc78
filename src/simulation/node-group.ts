// Groups of simulated nodes that grow and shrink by their Nodes alone: making one is growing, the simulation runs whatever carries its
// label. It has the form of the cluster autoscaler's NodeGroupProvider.
import { Node } from '../api/index.ts';
import type { Clock } from '../base/index.ts';
import type { Client, Lister } from '../client/index.ts';
import { type Draft, isAlreadyExists, isNotFound } from '../machinery/index.ts';
import { nodeDraft } from './node-object.ts';
import type { Script } from './script.ts';

/** Which group a simulated node belongs to. */
export const nodeGroupLabel = 'simulation.jotasu.dev/node-group';

export interface NodeGroupBounds {
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

export interface SimulatedNodeGroupsOptions {
  readonly client: Client;
  /** At least of those that carry the simulation's label. */
  readonly nodes: Lister<Node>;
  readonly bounds: readonly NodeGroupBounds[];
  readonly script: Script;
  readonly version: string;
  readonly clock: Clock;
}

export class SimulatedNodeGroups {
  readonly #options: SimulatedNodeGroupsOptions;
  /** Names of nodes that were made and do not show yet, by group. */
  readonly #coming = new Map<string, Set<string>>();
  /** Uids of nodes that were deleted and still show. */
  readonly #gone = new Set<string>();

  constructor(options: SimulatedNodeGroupsOptions) {
    this.#options = options;
  }

  groups() {
    return this.#options.bounds.map((bounds) => ({
      ...bounds,
      target: this.#own(bounds.name).length + this.#comingOf(bounds.name).size,
      template: this.#template(bounds.name),
    }));
  }

  groupOf({ metadata }: Node): string | undefined {
    const name = metadata.labels?.[nodeGroupLabel];
    return this.#options.bounds.some((bounds) => bounds.name === name) ? name : undefined;
  }

  /** Every group has its least size. */
  async ensureMinimum(): Promise<void> {
    for (const { name, min, target } of this.groups()) if (target < min) await this.grow(name, min - target);
  }

  async grow(group: string, count: number): Promise<void> {
    const { client } = this.#options;
    const { labels } = this.#template(group).metadata;
    const coming = this.#comingOf(group);
    for (let made = 0, number = 1; made < count; number++) {
      const name = `${group}-${number}`;
      if (coming.has(name) || this.#options.nodes.get(name) !== undefined) continue;
      const metadata = { name, labels: { ...labels, 'kubernetes.io/hostname': name } };
      try {
        await client(Node).create({ metadata, spec: {} } as Draft<Node>);
      } catch (error) {
        // Somebody else's node has the name: the next number is as good.
        if (!isAlreadyExists(error)) throw error;
        continue;
      }
      coming.add(name);
      made++;
    }
  }

  async shrink(group: string, { metadata: { name, uid } }: Node): Promise<void> {
    try {
      await this.#options.client(Node).delete(name, undefined, { preconditions: { uid } });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    this.#gone.add(uid);
    this.#comingOf(group).delete(name);
  }

  #own(group: string): readonly Node[] {
    const all = this.#options.nodes.list();
    const uids = new Set(all.map(({ metadata }) => metadata.uid));
    for (const uid of this.#gone) if (!uids.has(uid)) this.#gone.delete(uid);
    return all.filter((node) => this.groupOf(node) === group && !this.#gone.has(node.metadata.uid));
  }

  #comingOf(group: string): Set<string> {
    let coming = this.#coming.get(group);
    if (coming === undefined) this.#coming.set(group, (coming = new Set()));
    for (const name of coming) if (this.#options.nodes.get(name) !== undefined) coming.delete(name);
    return coming;
  }

  /** The first machine of the park, as it registers. */
  #template(group: string): Node {
    const { script, version, clock } = this.#options;
    const draft = nodeDraft(script.park, { name: group, number: 1, version, nowMs: clock.nowMs() });
    const { metadata } = draft;
    return {
      ...draft,
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { ...metadata, labels: { ...metadata.labels, [nodeGroupLabel]: group } },
    } as Node;
  }
}
