// The seam by which the metrics API learns what nodes and pods use. It is asked when somebody asks the API, so a source that can
// compute its answer (simulated nodes) does no work in between, and one that cannot (real nodes) keeps what it last heard.

/** Of one moment: the average over `windowMs` up to `timeMs`. */
export interface UsageWindow {
  readonly timeMs: number;
  readonly windowMs: number;
}

export interface UsedAmounts {
  /** Billionths of a core. */
  readonly cpuNanoCores: number;
  /** The working set. */
  readonly memoryBytes: number;
}

export interface NodeUsage extends UsageWindow, UsedAmounts {}

export interface ContainerUsage extends UsedAmounts {
  readonly name: string;
}

export interface PodUsage extends UsageWindow {
  readonly containers: readonly ContainerUsage[];
}

/** All calls are synchronous, from memory, and must not throw. undefined = nothing is known (yet, or any more). */
export interface UsageSource {
  /** Whether it has ever learnt anything; before that the API says that it is not available. */
  readonly ready: boolean;
  node(name: string): NodeUsage | undefined;
  pod(namespace: string, name: string): PodUsage | undefined;
}
