// Cluster IPs: an address is taken by making the IPAddress object of its name, so that two servers over one store never give it
// twice. The ranges are those of the server's flags and those of all ServiceCIDR objects.
import { IPAddress, Service, ServiceCIDR } from '../../api/index.ts';
import type { Clock, Log, Random } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import {
  type IpFamily,
  isAlreadyExists,
  isConflict,
  isNotFound,
  parseIp,
  storageKey,
} from '../../machinery/index.ts';
import type { Store } from '../../storage/index.ts';
import { objectOf } from '../registry/objects.ts';
import { AddressRange } from './address-range.ts';
import { addressFor, clusterIpsOf, type Holder, isHeldBy, planRepair } from './holders.ts';

export interface ClusterIpOptions {
  readonly store: Store;
  readonly client: () => Client;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Those of the flags; their families are the cluster's. */
  readonly ranges: readonly AddressRange[];
}

export type Taken =
  /** `made` = the address was free before. */
  | { readonly ok: true; readonly ip: string; readonly made: boolean }
  | { readonly ok: false; readonly why: string };

const refused = (why: string): Taken => ({ ok: false, why });

/** So long an address may be taken before the service that it is for is written. */
const graceMs = 60_000;
const attempts = 16;
/** Random numbers are not longer; ranges of IPv6 may be. */
const maxRandomSize = 1n << 48n;

export class ClusterIps {
  readonly #options: ClusterIpOptions;
  #repaired: Promise<void> | null = null;

  constructor(options: ClusterIpOptions) {
    this.#options = options;
  }

  /** Makes objects and services agree; once. Addresses are given only after it. */
  repair(): Promise<void> {
    this.#repaired ??= this.#repair();
    return this.#repaired;
  }

  /** `asked` '' = any free one. With `dry` nothing is taken. */
  async take(
    asked: string,
    wanted: { readonly family: IpFamily; readonly holder: Holder; readonly dry: boolean },
  ): Promise<Taken> {
    await this.repair();
    if (asked !== '') return this.#takeNamed(asked, wanted);
    for (let i = 0; i < attempts; i++) {
      const ip = this.#free(wanted.family);
      if (ip === undefined) return refused('range is full');
      if (wanted.dry || (await this.#make(ip, wanted.holder))) return { ok: true, ip, made: !wanted.dry };
      await this.#catchUp();
    }
    return refused('range is full');
  }

  /** Gives addresses back that the holder does not have, or no longer. What cannot be given back now is after the next start. */
  async release(ips: readonly string[], holder: Holder): Promise<void> {
    if (ips.length === 0) return;
    await this.#catchUp();
    const now = this.#service(holder);
    const held = now === undefined ? [] : clusterIpsOf(now);
    for (const ip of ips) {
      if (held.includes(ip)) continue;
      const address = this.#shown(parseIp(ip)?.text ?? ip);
      if (address !== undefined && isHeldBy(address, holder)) await this.#remove(address);
    }
  }

  /** What other servers on the store did. What cannot be learnt now is learnt at the next write. */
  async #catchUp(): Promise<void> {
    const { store } = this.#options;
    if (store.shared) await store.catchUp().catch(() => {});
  }

  async #takeNamed(
    asked: string,
    { holder, dry }: { readonly holder: Holder; readonly dry: boolean },
  ): Promise<Taken> {
    const ip = parseIp(asked);
    const name = ip?.text ?? asked;
    let address = this.#shown(name);
    if (address !== undefined && isHeldBy(address, holder)) return { ok: true, ip: asked, made: false };
    if (address !== undefined) {
      await this.#catchUp();
      address = this.#shown(name);
    }
    const range = ip && this.#ranges().find((r) => r.spans(ip));
    if (ip === undefined || range === undefined)
      return refused('the provided network does not match the current range');
    if (!range.gives(ip))
      return refused(
        `the provided IP (${asked}) is not in the valid range. The range of valid IPs is ${range.cidr}`,
      );
    if (address !== undefined && this.#isLeaked(address)) await this.#remove(address);
    else if (address !== undefined) return refused('provided IP is already allocated');
    if (dry || (await this.#make(name, holder))) return { ok: true, ip: asked, made: !dry };
    return refused('provided IP is already allocated');
  }

  /** A random address, then the next free one. The lower part of a range is left for those who choose by themselves. */
  #free(family: IpFamily): string | undefined {
    const { store, random } = this.#options;
    const tries = BigInt(store.count(IPAddress.storagePrefix) + 1);
    for (const range of this.#ranges()) {
      if (range.family !== family) continue;
      const { size } = range;
      const reserved = size / 16n < 16n ? 16n : size / 16n > 256n ? 256n : size / 16n;
      const from = size > reserved ? reserved : 0n;
      const spread = size - from < maxRandomSize ? size - from : maxRandomSize;
      const start = from + BigInt(Math.floor(random.next() * Number(spread)));
      // One more than there are objects: one of these is free, if there is any.
      for (let i = 0n; i < size && i < tries; i++) {
        const ip = range.at((start + i) % size);
        if (this.#shown(ip) === undefined) return ip;
      }
    }
    return undefined;
  }

  #ranges(): AddressRange[] {
    const { store, ranges } = this.#options;
    const out = [...ranges];
    for (const entry of store.list(ServiceCIDR.storagePrefix)) {
      const { metadata, spec } = objectOf<ServiceCIDR>(entry);
      if (metadata.deletionTimestamp !== undefined) continue;
      for (const cidr of spec?.cidrs ?? [])
        if (!out.some((range) => range.cidr === cidr)) out.push(new AddressRange(cidr));
    }
    return out;
  }

  #shown(ip: string): IPAddress | undefined {
    const entry = this.#options.store.get(storageKey(IPAddress, { name: ip }));
    return entry && objectOf<IPAddress>(entry);
  }

  #isLeaked(address: IPAddress): boolean {
    const { namespace = '', name = '' } = address.spec?.parentRef ?? {};
    const service = this.#service({ namespace, name });
    const nowMs = this.#options.clock.nowMs();
    return (
      planRepair(service === undefined ? [] : [service], [address], { nowMs, graceMs }).leaked.length > 0
    );
  }

  #service({ namespace, name }: Holder): Service | undefined {
    const entry = this.#options.store.get(storageKey(Service, { namespace, name }));
    return entry && objectOf<Service>(entry);
  }

  async #make(ip: string, holder: Holder): Promise<boolean> {
    try {
      await this.#options.client()(IPAddress).create(addressFor(ip, holder));
      return true;
    } catch (error) {
      if (isAlreadyExists(error)) return false;
      throw error;
    }
  }

  async #remove({ metadata: { name, uid } }: IPAddress): Promise<void> {
    try {
      await this.#options.client()(IPAddress).delete(name, undefined, { preconditions: { uid } });
    } catch (error) {
      if (isNotFound(error) || isConflict(error)) return;
      this.#options.log.warn('an address of a service was not given back', { address: name, error });
    }
  }

  async #repair(): Promise<void> {
    const { store, clock, log } = this.#options;
    const all = <T>(prefix: string): T[] => store.list(prefix).map((entry) => objectOf(entry) as T);
    const services = all<Service>(Service.storagePrefix);
    const plan = planRepair(services, all<IPAddress>(IPAddress.storagePrefix), {
      nowMs: clock.nowMs(),
      graceMs,
    });
    for (const { ip, holder } of plan.missing) await this.#make(ip, holder);
    for (const address of plan.leaked) await this.#remove(address);
    const { missing, leaked } = plan;
    if (missing.length + leaked.length > 0)
      log.info('addresses of services put right', { missing: missing.length, leaked: leaked.length });
  }
}

/** What `before` had and `now` has no longer. */
export const droppedIps = (before: Service, now: Service | undefined): string[] => {
  const kept = new Set(now === undefined ? [] : clusterIpsOf(now));
  return clusterIpsOf(before).filter((ip) => !kept.has(ip));
};
