// What one owner (a service, or the node itself) wants in the table of one family: elements of maps and sets, chains and sets of its
// own, and chains that many owners use. All of it is text of nft; who compares two of them needs to know nothing of services.

/** Of nft: the table of IPv4 and that of IPv6. */
export type Family = 'ip' | 'ip6';

export interface Contribution {
  /** By name of the map or set, by key; the value is '' in a set. */
  readonly elements: ReadonlyMap<string, ReadonlyMap<string, string>>;
  /** Rules by name of the chain. */
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** What comes between the braces of the declaration, by name of the set. */
  readonly sets: ReadonlyMap<string, string>;
}

export class ContributionBuilder implements Contribution {
  readonly elements = new Map<string, Map<string, string>>();
  readonly chains = new Map<string, readonly string[]>();
  readonly sets = new Map<string, string>();

  /** A second element of the same key takes the place of the first. */
  element(map: string, key: string, value = ''): void {
    let entries = this.elements.get(map);
    if (entries === undefined) this.elements.set(map, (entries = new Map()));
    entries.set(key, value);
  }

  chain(name: string, rules: readonly string[]): void {
    this.chains.set(name, rules);
  }

  set(name: string, declaration: string): void {
    this.sets.set(name, declaration);
  }
}

export const nothing: Contribution = new ContributionBuilder();
