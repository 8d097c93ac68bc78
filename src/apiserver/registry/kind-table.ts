// Finds kinds by the words of a request. Custom resources are added and removed while the server runs.
import type { KindDef } from '../../machinery/index.ts';

export class KindTable {
  readonly #byResource = new Map<string, KindDef>();
  #all: KindDef[] = [];

  constructor(kinds: readonly KindDef[]) {
    for (const kind of kinds) this.add(kind);
  }

  get all(): readonly KindDef[] {
    return this.#all;
  }

  byResource(group: string, version: string, plural: string): KindDef | undefined {
    return this.#byResource.get(`${group}/${version}/${plural}`);
  }

  /** Any served version of a group and kind; the first listed one is preferred. */
  byKind(group: string, kind: string): KindDef | undefined {
    return this.#all.find((k) => k.group === group && k.kind === kind);
  }

  hasGroupVersion(group: string, version: string): boolean {
    return this.#all.some((k) => k.group === group && k.version === version);
  }

  add(kind: KindDef): void {
    const key = `${kind.group}/${kind.version}/${kind.plural}`;
    if (this.#byResource.has(key)) throw new Error(`kind ${key} is registered twice`);
    this.#byResource.set(key, kind);
    this.#all.push(kind);
  }

  remove(kind: KindDef): void {
    this.#byResource.delete(`${kind.group}/${kind.version}/${kind.plural}`);
    this.#all = this.#all.filter((k) => k !== kind);
  }
}
