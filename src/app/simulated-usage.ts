// What simulated nodes and their pods use, for the metrics API. The API is there before the simulation is, and, of several servers, only
// the one that runs the simulation knows.
import type { NodeUsage, PodUsage, UsageSource } from '../api/index.ts';
import type { UsageSource as SimulatedSource } from '../simulation/index.ts';

/** As far apart as metrics-server looks. */
const windowMs = 15_000;

export class SimulatedUsage implements UsageSource {
  #source: SimulatedSource | undefined;

  get ready(): boolean {
    return this.#source !== undefined;
  }

  connect(source: SimulatedSource): void {
    this.#source = source;
  }

  disconnect(): void {
    this.#source = undefined;
  }

  node(name: string): NodeUsage | undefined {
    const usage = this.#source?.node(name);
    if (usage === undefined) return undefined;
    const { atMs, cpuMilli, memoryBytes } = usage;
    return { timeMs: atMs, windowMs, cpuNanoCores: cpuMilli * 1e6, memoryBytes };
  }

  pod(namespace: string, name: string): PodUsage | undefined {
    const usage = this.#source?.pod(namespace, name);
    if (usage === undefined) return undefined;
    return {
      timeMs: usage.atMs,
      windowMs,
      containers: usage.containers.map((container) => ({
        name: container.name,
        cpuNanoCores: container.cpuMilli * 1e6,
        memoryBytes: container.memoryBytes,
      })),
    };
  }
}
