// Claims, classes and devices as the scheduler counts on them: what the server says, what has been written and is not seen yet, and what
// has been given to pods that were decided but whose claims are not written yet. One for all profiles, so that none gives what another has.
import { DeviceClass, ResourceClaim, ResourceSlice, type resourceV1 } from '../../api/index.ts';
import { keyOf } from '../../machinery/index.ts';
import { decrement, increment } from '../node-info.ts';
import type { ClusterView, PluginContext, Watched } from '../plugin.ts';
import { DevicePools } from './device-pools.ts';

type Result = resourceV1.DeviceRequestAllocationResult;

/** `driver/pool/device` */
const idOf = ({ driver, pool, device }: Result): string => `${driver}/${pool}/${device}`;

/** Who only administers a device does not take it from others. */
const takenBy = (allocation: resourceV1.AllocationResult | undefined): readonly string[] =>
  (allocation?.devices?.results ?? []).filter(({ adminAccess }) => adminAccess !== true).map(idOf);

const revisionOf = ({ metadata }: ResourceClaim): number => Number(metadata.resourceVersion);

const stocks = new WeakMap<ClusterView, DeviceStock>();

export class DeviceStock {
  readonly pools = new DevicePools();
  readonly #classes: Watched<DeviceClass>;
  /** By key: the newest that is known of each. */
  readonly #claims = new Map<string, ResourceClaim>();
  /** Devices, each by how many claims have it. */
  readonly #taken = new Map<string, number>();
  /** By the uid of claims: what they are to get. */
  readonly #promised = new Map<string, resourceV1.AllocationResult>();

  /** The one of this scheduler. */
  static of(context: PluginContext): DeviceStock {
    let stock = stocks.get(context.cluster);
    if (stock === undefined) stocks.set(context.cluster, (stock = new DeviceStock(context)));
    return stock;
  }

  private constructor(context: PluginContext) {
    this.#classes = context.watch(DeviceClass);
    const slices = context.watch(ResourceSlice);
    slices.onChange({
      added: (slice) => this.pools.set(slice, undefined),
      updated: (old, slice) => this.pools.set(slice, old),
      deleted: (slice) => this.pools.delete(slice),
    });
    context.watch(ResourceClaim).onChange({
      added: (claim) => this.#see(claim),
      updated: (_, claim) => this.#see(claim),
      deleted: (claim) => this.#put(keyOf(claim), undefined),
    });
  }

  claim(key: string): ResourceClaim | undefined {
    return this.#claims.get(key);
  }

  deviceClass(name: string): DeviceClass | undefined {
    return this.#classes.get(name);
  }

  isTaken(id: string): boolean {
    return this.#taken.has(id);
  }

  /** Whether a pod that is not bound yet has got devices for the claim. */
  isPromised({ metadata }: ResourceClaim): boolean {
    return this.#promised.has(metadata.uid);
  }

  /** The claim gets these devices. Returns what takes that back, or says that it has been written; once. */
  promise({ metadata: { uid } }: ResourceClaim, allocation: resourceV1.AllocationResult): () => void {
    this.#promised.set(uid, allocation);
    this.#take(allocation);
    return () => {
      if (this.#promised.get(uid) !== allocation) return;
      this.#promised.delete(uid);
      this.#giveBack(allocation);
    };
  }

  /** It has been written so; the watch will say the same some time. */
  assume(claim: ResourceClaim): void {
    const known = this.#claims.get(keyOf(claim));
    // One that is not there any more was deleted meanwhile.
    if (known?.metadata.uid === claim.metadata.uid) this.#see(claim);
  }

  #see(claim: ResourceClaim): void {
    const key = keyOf(claim);
    const known = this.#claims.get(key);
    if (known?.metadata.uid === claim.metadata.uid && revisionOf(known) > revisionOf(claim)) return;
    this.#put(key, claim);
  }

  #put(key: string, claim: ResourceClaim | undefined): void {
    this.#giveBack(this.#claims.get(key)?.status?.allocation);
    this.#take(claim?.status?.allocation);
    if (claim === undefined) this.#claims.delete(key);
    else this.#claims.set(key, claim);
  }

  #take(allocation: resourceV1.AllocationResult | undefined): void {
    for (const id of takenBy(allocation)) increment(this.#taken, id);
  }

  #giveBack(allocation: resourceV1.AllocationResult | undefined): void {
    for (const id of takenBy(allocation)) decrement(this.#taken, id);
  }
}
