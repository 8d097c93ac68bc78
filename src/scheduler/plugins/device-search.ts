// The structured allocator: which devices of a node the claims of a pod get, all of them or none. Claims, requests, alternatives and
// devices are tried one after the other, each choice checked against the constraints as it is made, and taken back when it leads to
// nothing; the first that fits everything counts. As Kubernetes' dynamic-resource-allocation/structured, with two shortcuts that give the
// same answer: devices of one request are tried in ascending order only, and those that cannot be had are left out beforehand.
import type { DeviceClass, ResourceClaim, resourceV1 } from '../../api/index.ts';
import { keyOf } from '../../machinery/index.ts';
import { attributeOf, sameValue } from './device-attributes.ts';
import type { OfferedDevice, PoolOnNode } from './device-pools.ts';

/** So many results fit into a claim. */
const maxResults = 32;

/** A request, or one alternative of a request. */
export interface Wanted {
  /** `request` or `request/alternative` */
  readonly name: string;
  readonly request: string;
  readonly deviceClass: DeviceClass;
  readonly given: resourceV1.ExactDeviceRequest | resourceV1.DeviceSubRequest;
  readonly adminAccess: boolean;
}

export interface WantedClaim {
  readonly claim: ResourceClaim;
  /** Of each request its alternatives, the preferred first. */
  readonly requests: readonly (readonly Wanted[])[];
}

export interface Chosen {
  readonly wanted: Wanted;
  readonly offered: OfferedDevice;
}

/** Why a node cannot even be looked at; the text is for people. */
export class SearchFailure extends Error {}

/** How much all searches for one pod may cost together: choices tried. */
export class SearchBudget {
  #left: number;

  constructor(steps: number) {
    this.#left = steps;
  }

  /** Throws when there is nothing left. */
  spend(): void {
    if (this.#left-- <= 0) throw new SearchFailure('timed out trying to allocate devices');
  }
}

export interface SearchInput {
  readonly claims: readonly WantedClaim[];
  readonly pools: readonly PoolOnNode[];
  isTaken(id: string): boolean;
  readonly budget: SearchBudget;
}

/** The devices of each claim, in the order of its requests; undefined = the node has not got them. Throws SearchFailure. */
export function findDevices(input: SearchInput): readonly (readonly Chosen[])[] | undefined {
  const search = new DeviceSearch(input);
  return search.run();
}

/** What one alternative may have of the node. */
interface Candidates {
  readonly wanted: Wanted;
  readonly devices: readonly OfferedDevice[];
  readonly count: number;
}

/** All devices that it applies to have the same value, or all have different ones. */
interface Constraint {
  readonly requests: ReadonlySet<string>;
  readonly attribute: string;
  readonly values: resourceV1.DeviceAttribute[];
}

class DeviceSearch {
  readonly #input: SearchInput;
  readonly #candidates: readonly (readonly (readonly Candidates[])[])[];
  readonly #constraints: readonly (readonly Constraint[])[];
  readonly #chosen: Chosen[][];
  /** Devices that this pod gets, each with the claims that it is for. */
  readonly #choosing = new Map<string, Set<number>>();

  constructor(input: SearchInput) {
    this.#input = input;
    this.#chosen = input.claims.map(() => []);
    this.#candidates = input.claims.map((claim) => this.#candidatesOf(claim));
    this.#constraints = input.claims.map(({ claim }) => constraintsOf(claim));
  }

  run(): readonly (readonly Chosen[])[] | undefined {
    return this.#request(0, 0) ? this.#chosen : undefined;
  }

  #candidatesOf({ claim, requests }: WantedClaim): readonly (readonly Candidates[])[] {
    const all = requests.map((alternatives) => alternatives.map((wanted) => this.#find(claim, wanted)));
    const least = all.reduce((sum, found) => sum + Math.min(...found.map(({ count }) => count)), 0);
    if (least > maxResults)
      throw new SearchFailure(
        `claim ${keyOf(claim)}: number of requested devices ${least} exceeds the claim limit of ${maxResults}`,
      );
    return all;
  }

  #find(claim: ResourceClaim, wanted: Wanted): Candidates {
    const { allocationMode, count = 1 } = wanted.given;
    const all = allocationMode === 'All';
    const devices: OfferedDevice[] = [];
    for (const { pool, devices: offered } of this.#input.pools) {
      if (pool.incomplete || pool.invalid) {
        if (!all) continue;
        const how = pool.incomplete ? 'being updated' : 'invalid';
        throw new SearchFailure(
          `claim ${keyOf(claim)}, request ${lastName(wanted.name)}: asks for all devices, but resource pool ${pool.id} is currently ${how}`,
        );
      }
      for (const one of offered)
        if ((all || wanted.adminAccess || !this.#input.isTaken(one.id)) && isSelectable(claim, wanted, one))
          devices.push(one);
    }
    return { wanted, devices, count: all ? devices.length : count };
  }

  /** Whether this request and all that come after it can be had. */
  #request(c: number, r: number): boolean {
    const claim = this.#candidates[c];
    if (claim === undefined) return true;
    const alternatives = claim[r];
    if (alternatives === undefined) return this.#request(c + 1, 0);
    return alternatives.some((candidates) => this.#devices({ c, r, candidates }, 0, 0));
  }

  /** Whether the devices from the `nth` on can be had; those of the request before it are chosen, up to `from`. */
  #devices(
    at: { readonly c: number; readonly r: number; readonly candidates: Candidates },
    nth: number,
    from: number,
  ): boolean {
    const { c, r, candidates } = at;
    const { wanted, devices, count } = candidates;
    const all = wanted.given.allocationMode === 'All';
    if (all && count === 0) return false;
    if (nth >= count) return this.#request(c, r + 1);
    if (this.#chosen[c]!.length + count - nth > maxResults) return false;
    for (let i = from; i <= devices.length - (count - nth); i++) {
      this.#input.budget.spend();
      const offered = devices[i]!;
      if (this.#choose(c, { wanted, offered })) {
        if (this.#devices(at, nth + 1, i + 1)) return true;
        this.#takeBack(c);
      }
      // All or nothing: no other can stand for this one.
      if (all) return false;
    }
    return false;
  }

  #choose(c: number, chosen: Chosen): boolean {
    const { wanted, offered } = chosen;
    const users = this.#choosing.get(offered.id);
    if (wanted.adminAccess ? users?.has(c) : (users?.size ?? 0) > 0 || this.#input.isTaken(offered.id))
      return false;
    const touched: Constraint[] = [];
    for (const constraint of this.#constraints[c]!) {
      if (!appliesTo(constraint, wanted)) continue;
      const value = attributeOf(offered, constraint.attribute);
      const [first] = constraint.values;
      if (value === undefined || (first !== undefined && !sameValue(first, value))) {
        for (const one of touched) one.values.pop();
        return false;
      }
      constraint.values.push(value);
      touched.push(constraint);
    }
    if (users === undefined) this.#choosing.set(offered.id, new Set([c]));
    else users.add(c);
    this.#chosen[c]!.push(chosen);
    return true;
  }

  #takeBack(c: number): void {
    const { wanted, offered } = this.#chosen[c]!.pop()!;
    this.#choosing.get(offered.id)!.delete(c);
    for (const constraint of this.#constraints[c]!)
      if (appliesTo(constraint, wanted)) constraint.values.pop();
  }
}

const lastName = (name: string): string => name.slice(name.indexOf('/') + 1);

const appliesTo = ({ requests }: Constraint, { name, request }: Wanted): boolean =>
  requests.size === 0 || requests.has(request) || requests.has(name);

function constraintsOf(claim: ResourceClaim): readonly Constraint[] {
  return (claim.spec.devices?.constraints ?? []).map(({ requests = [], matchAttribute }, i) => {
    if (matchAttribute === undefined)
      throw new SearchFailure(
        `claim ${keyOf(claim)}, constraint #${i}: empty constraint (unsupported constraint type?)`,
      );
    return { requests: new Set(requests), attribute: matchAttribute, values: [] };
  });
}

/** Whether class and request take the device. What a driver binds to conditions, or to counters that devices share, is for nobody. */
function isSelectable(claim: ResourceClaim, { deviceClass, given }: Wanted, offered: OfferedDevice): boolean {
  const { bindingConditions = [], consumesCounters = [] } = offered.device;
  if (bindingConditions.length + consumesCounters.length > 0) return false;
  return (
    selectedBy(deviceClass.spec.selectors, offered, `class ${deviceClass.metadata.name}`) &&
    selectedBy(given.selectors, offered, `claim ${keyOf(claim)}`)
  );
}

function selectedBy(
  selectors: readonly resourceV1.DeviceSelector[] = [],
  { id, answers }: OfferedDevice,
  whose: string,
): boolean {
  for (const [i, { cel }] of selectors.entries())
    try {
      if (!answers.isSelectedBy(cel?.expression ?? '')) return false;
    } catch (error) {
      const { message } = error as Error;
      const where = message.startsWith('CEL runtime error') ? ` on device ${id}` : '';
      throw new SearchFailure(`${whose}: selector #${i}${where}: ${message}`, { cause: error });
    }
  return true;
}
