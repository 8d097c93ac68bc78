// Amounts of resources as plain numbers, for the inner loop. HOT: bench/scheduler.ts.

/** What a pod asks for or a node has. CPU in thousandths of a core, the rest in bytes or pieces. */
export class Resources {
  cpuMilli = 0;
  memoryBytes = 0;
  ephemeralStorageBytes = 0;
  podSlots = 0;
  /** Extended resources and huge pages by name; null when there are none, as usual. */
  others: Map<string, number> | null = null;

  add(more: Resources): void {
    this.cpuMilli += more.cpuMilli;
    this.memoryBytes += more.memoryBytes;
    this.ephemeralStorageBytes += more.ephemeralStorageBytes;
    this.podSlots += more.podSlots;
    if (more.others !== null) for (const [name, amount] of more.others) this.addOther(name, amount);
  }

  subtract(less: Resources): void {
    this.cpuMilli -= less.cpuMilli;
    this.memoryBytes -= less.memoryBytes;
    this.ephemeralStorageBytes -= less.ephemeralStorageBytes;
    this.podSlots -= less.podSlots;
    if (less.others !== null) for (const [name, amount] of less.others) this.addOther(name, -amount);
  }

  addOther(name: string, amount: number): void {
    this.others ??= new Map();
    this.others.set(name, (this.others.get(name) ?? 0) + amount);
  }

  equals(that: Resources): boolean {
    if (
      this.cpuMilli !== that.cpuMilli ||
      this.memoryBytes !== that.memoryBytes ||
      this.ephemeralStorageBytes !== that.ephemeralStorageBytes ||
      this.podSlots !== that.podSlots
    )
      return false;
    if (this.others === null && that.others === null) return true;
    const names = new Set([...(this.others?.keys() ?? []), ...(that.others?.keys() ?? [])]);
    for (const name of names) if (this.other(name) !== that.other(name)) return false;
    return true;
  }

  other(name: string): number {
    return this.others?.get(name) ?? 0;
  }
}

/** From amounts by name: cpu in thousandths, everything else in whole units. */
export function resourcesFrom(amounts: Readonly<Record<string, number>>): Resources {
  const out = new Resources();
  for (const name in amounts) {
    const amount = amounts[name]!;
    if (name === 'cpu') out.cpuMilli = amount;
    else if (name === 'memory') out.memoryBytes = amount;
    else if (name === 'ephemeral-storage') out.ephemeralStorageBytes = amount;
    else if (name === 'pods') out.podSlots = amount;
    else out.addOther(name, amount);
  }
  return out;
}
