// What a pod's claims would get on a node. Pure: reads the stock, changes nothing.
import {
  type ClaimNeeds,
  CSIDriver,
  CSIStorageCapacity,
  type coreV1,
  findFree,
  findReserved,
  noProvisioner,
  type PersistentVolume,
  type PersistentVolumeClaim,
} from '../../api/index.ts';
import {
  compareQuantity,
  compileLabelSelector,
  keyOf,
  labelRequirements,
  parseQuantity,
  type Quantity,
} from '../../machinery/index.ts';
import type { NodeInfo } from '../node-info.ts';
import type { PluginContext, Watched } from '../plugin.ts';
import { reachOf, type VolumeStock } from './volume-stock.ts';

export interface Binding {
  readonly claim: PersistentVolumeClaim;
  readonly volume: PersistentVolume;
}

/** What a pod needs: volumes that its claims have, and claims that wait for it, the smallest first. */
export interface PodClaims {
  /** undefined = the claim's volume is not there. */
  readonly volumes: readonly (PersistentVolume | undefined)[];
  readonly waiting: readonly ClaimNeeds[];
}

/** What stands against a node, as numbers of the plugin's reasons; and what would be done if nothing does. */
export class Finding {
  readonly against: number[] = [];
  readonly bindings: Binding[] = [];
  readonly provisions: PersistentVolumeClaim[] = [];
}

export const nodeConflict = 1;
export const nothingToBind = 2;
export const noSpace = 3;
export const volumeGone = 4;

/** As `VolumeSearch.find`, for a pod none of whose claims waits: the first reason, 0 = none. HOT. */
export function findBound(volumes: PodClaims['volumes'], node: NodeInfo): number {
  let why = 0;
  for (const volume of volumes) {
    if (volume === undefined) why = volumeGone;
    else if (!reachOf(volume)(node)) return nodeConflict;
  }
  return why;
}

export class VolumeSearch {
  readonly #stock: VolumeStock;
  readonly #drivers: Watched<CSIDriver>;
  readonly #capacities: Watched<CSIStorageCapacity>;

  constructor(context: PluginContext, stock: VolumeStock) {
    this.#stock = stock;
    this.#drivers = context.watch(CSIDriver);
    this.#capacities = context.watch(CSIStorageCapacity);
  }

  find({ volumes, waiting }: PodClaims, node: NodeInfo): Finding {
    const finding = new Finding();
    // In this order the reasons are told.
    if (!volumes.every((volume) => volume === undefined || reachOf(volume)(node)))
      finding.against.push(nodeConflict);
    const why = waiting.length === 0 ? 0 : this.#findWaiting(waiting, node, finding);
    if (why !== 0) finding.against.push(why);
    if (volumes.includes(undefined)) finding.against.push(volumeGone);
    return finding;
  }

  /** 0 = all of them would have a volume. */
  #findWaiting(waiting: readonly ClaimNeeds[], node: NodeInfo, finding: Finding): number {
    const toMake: ClaimNeeds[] = [];
    const open: ClaimNeeds[] = [];
    for (const needs of waiting) {
      const selected = this.#stock.selectedNode(needs.claim);
      if (selected === undefined) open.push(needs);
      else if (selected === node.name) toMake.push(needs);
      else return nothingToBind;
    }
    const chosen = new Set<string>();
    for (const needs of open) {
      const given = this.#given(needs);
      if (given !== undefined && (chosen.has(given.metadata.name) || !reachOf(given)(node)))
        return nothingToBind;
      const volume = given ?? this.#free(needs, node, chosen);
      if (volume === undefined) toMake.push(needs);
      else {
        chosen.add(volume.metadata.name);
        finding.bindings.push({ claim: needs.claim, volume });
      }
    }
    for (const needs of toMake) {
      const why = this.#whyNotMade(needs, node);
      if (why !== 0) return why;
      finding.provisions.push(needs.claim);
    }
    return 0;
  }

  /** A volume that is the claim's by reservation, or by promise to another pod: no other will do. */
  #given(needs: ClaimNeeds): PersistentVolume | undefined {
    const reserved = findReserved(needs, this.#stock.ofClass(needs.storageClass));
    return reserved ?? this.#stock.promisedTo(keyOf(needs.claim));
  }

  #free(needs: ClaimNeeds, node: NodeInfo, chosen: ReadonlySet<string>): PersistentVolume | undefined {
    const key = keyOf(needs.claim);
    return findFree(
      needs,
      this.#stock.ofClass(needs.storageClass),
      (volume) =>
        !chosen.has(volume.metadata.name) &&
        !this.#stock.isPromised(volume.metadata.name, key) &&
        reachOf(volume)(node),
    );
  }

  #whyNotMade(needs: ClaimNeeds, node: NodeInfo): number {
    const storageClass = this.#stock.storageClass(needs.storageClass);
    if (storageClass === undefined || storageClass.provisioner === noProvisioner) return nothingToBind;
    if (!matchesTopologies(storageClass.allowedTopologies, node)) return nothingToBind;
    return this.#hasSpace(storageClass.provisioner, needs, node) ? 0 : noSpace;
  }

  /** Only drivers that say so are asked how much is left where. */
  #hasSpace(provisioner: string, { storageClass, size }: ClaimNeeds, node: NodeInfo): boolean {
    if (this.#drivers.get(provisioner)?.spec.storageCapacity !== true) return true;
    for (const capacity of this.#capacities.list()) {
      if (capacity.storageClassName !== storageClass) continue;
      const limit = volumeLimit(capacity);
      if (limit === undefined || compareQuantity(limit, size) < 0) continue;
      const { nodeTopology } = capacity;
      // Without a topology nobody can reach it.
      if (nodeTopology === undefined) continue;
      if (compileLabelSelector(labelRequirements(nodeTopology))(node.labels)) return true;
    }
    return false;
  }
}

/** The largest volume that can be made there. */
export function volumeLimit({ maximumVolumeSize, capacity }: CSIStorageCapacity): Quantity | undefined {
  const text = maximumVolumeSize ?? capacity;
  return text === undefined ? undefined : parseQuantity(text);
}

/** One of the terms must match; none at all is no restriction. */
function matchesTopologies(
  terms: readonly coreV1.TopologySelectorTerm[] = [],
  { labels }: NodeInfo,
): boolean {
  if (terms.length === 0) return true;
  return terms.some(
    ({ matchLabelExpressions = [] }) =>
      matchLabelExpressions.length > 0 &&
      matchLabelExpressions.every(({ key, values }) => {
        const value = labels[key];
        return value !== undefined && values.includes(value);
      }),
  );
}
