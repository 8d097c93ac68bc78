// The devices that drivers offer, pool by pool, and which of them a node reaches. What slices say is read once. A pool counts by its
// newest generation, and only when all of that is there: parts of it might give what the whole would not.
import {
  compileNodeSelectorTerms,
  type NodeTest,
  type ResourceSlice,
  type resourceV1,
} from '../../api/index.ts';
import { SelectableDevice } from '../../machinery/index.ts';

export interface OfferedDevice {
  /** `driver/pool/device` */
  readonly id: string;
  readonly device: resourceV1.Device;
  readonly slice: ResourceSlice;
  readonly answers: SelectableDevice;
  /** null = the node of the slice alone, which is asked for by its name. */
  readonly reach: NodeTest | null;
}

export interface DevicePool {
  /** `driver/pool` */
  readonly id: string;
  /** Of the newest generation, by the names of their slices. */
  readonly slices: readonly ResourceSlice[];
  /** Some of its slices are still to come. */
  readonly incomplete: boolean;
  /** Two of its devices have the same name. */
  readonly invalid: boolean;
}

/** What a node has of a pool. */
export interface PoolOnNode {
  readonly pool: DevicePool;
  readonly devices: readonly OfferedDevice[];
}

const anywhere: NodeTest = () => true;
const nowhere: NodeTest = () => false;

export const poolId = ({ spec }: ResourceSlice): string => `${spec.driver}/${spec.pool.name}`;

type Place = Pick<resourceV1.Device, 'nodeName' | 'nodeSelector' | 'allNodes'>;

function reachOf({ nodeName, nodeSelector, allNodes }: Place): NodeTest {
  if (nodeName) return ({ name }) => name === nodeName;
  if (allNodes === true) return anywhere;
  return nodeSelector === undefined ? nowhere : compileNodeSelectorTerms(nodeSelector.nodeSelectorTerms);
}

const offers = new WeakMap<ResourceSlice, readonly OfferedDevice[]>();

/** The devices of a slice, whoever reaches them. */
export function offeredBy(slice: ResourceSlice): readonly OfferedDevice[] {
  let offered = offers.get(slice);
  if (offered === undefined) {
    const { driver, nodeName, perDeviceNodeSelection, devices = [] } = slice.spec;
    const reach = nodeName ? null : perDeviceNodeSelection === true ? undefined : reachOf(slice.spec);
    offered = devices.map((device) => ({
      id: `${poolId(slice)}/${device.name}`,
      device,
      slice,
      answers: new SelectableDevice({ driver, attributes: device.attributes, capacity: device.capacity }),
      reach: reach === undefined ? reachOf(device) : reach,
    }));
    offers.set(slice, offered);
  }
  return offered;
}

/** Pools on their own; DevicePools says where they are. */
class Slices {
  readonly #byName = new Map<string, ResourceSlice>();
  #pool: DevicePool | undefined;

  get size(): number {
    return this.#byName.size;
  }

  set(slice: ResourceSlice): void {
    this.#byName.set(slice.metadata.name, slice);
    this.#pool = undefined;
  }

  delete(slice: ResourceSlice): void {
    this.#byName.delete(slice.metadata.name);
    this.#pool = undefined;
  }

  get pool(): DevicePool {
    return (this.#pool ??= this.#gather());
  }

  #gather(): DevicePool {
    const all = [...this.#byName.values()];
    const newest = all.reduce((most, { spec }) => Math.max(most, spec.pool.generation), 0);
    const slices = all
      .filter(({ spec }) => spec.pool.generation === newest)
      .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    const names = slices.flatMap(({ spec }) => (spec.devices ?? []).map(({ name }) => name));
    return {
      id: poolId(slices[0]!),
      slices,
      incomplete: slices.length !== slices[0]!.spec.pool.resourceSliceCount,
      invalid: new Set(names).size < names.length,
    };
  }
}

export class DevicePools {
  readonly #pools = new Map<string, Slices>();
  /** Ids of pools by the node that a slice names, and how many slices do. */
  readonly #byNode = new Map<string, Map<string, number>>();
  /** Those with slices that name none. */
  readonly #elsewhere = new Map<string, number>();

  set(slice: ResourceSlice, old: ResourceSlice | undefined): void {
    if (old !== undefined) this.delete(old);
    const id = poolId(slice);
    let slices = this.#pools.get(id);
    if (slices === undefined) this.#pools.set(id, (slices = new Slices()));
    slices.set(slice);
    const ids = this.#idsAt(slice);
    ids.set(id, (ids.get(id) ?? 0) + 1);
  }

  delete(slice: ResourceSlice): void {
    const id = poolId(slice);
    const slices = this.#pools.get(id);
    slices?.delete(slice);
    if (slices?.size === 0) this.#pools.delete(id);
    const ids = this.#idsAt(slice);
    const left = (ids.get(id) ?? 0) - 1;
    if (left > 0) ids.set(id, left);
    else ids.delete(id);
    const { nodeName } = slice.spec;
    if (nodeName && ids.size === 0) this.#byNode.delete(nodeName);
  }

  #idsAt({ spec: { nodeName } }: ResourceSlice): Map<string, number> {
    if (!nodeName) return this.#elsewhere;
    let ids = this.#byNode.get(nodeName);
    if (ids === undefined) this.#byNode.set(nodeName, (ids = new Map()));
    return ids;
  }

  /** The pools of which the node reaches a slice, by their ids. */
  on(node: Parameters<NodeTest>[0]): readonly PoolOnNode[] {
    const ids = new Set([...(this.#byNode.get(node.name)?.keys() ?? []), ...this.#elsewhere.keys()]);
    const found: PoolOnNode[] = [];
    for (const id of [...ids].sort()) {
      const { pool } = this.#pools.get(id)!;
      const devices: OfferedDevice[] = [];
      let reached = false;
      for (const slice of pool.slices) {
        if (slice.spec.nodeName && slice.spec.nodeName !== node.name) continue;
        for (const offered of offeredBy(slice)) {
          if (offered.reach !== null && !offered.reach(node)) continue;
          devices.push(offered);
        }
        reached ||= slice.spec.nodeName === node.name;
      }
      if (reached || devices.length > 0) found.push({ pool, devices });
    }
    return found;
  }
}
