// How eagerly the cluster grows and shrinks. The values of cluster-autoscaler.

export interface ClusterAutoscalerSettings {
  readonly scanIntervalMs: number;
  /** A node goes when it has not been needed for so long. */
  readonly unneededMs: number;
  /** Nothing goes so soon after something was added. */
  readonly delayAfterAddMs: number;
  /** A node that uses less than this share of cpu and memory may go. */
  readonly utilizationThreshold: number;
  /** A drain that takes longer is given up. */
  readonly drainTimeoutMs: number;
  /** A node that has not become ready by then is not waited for. */
  readonly provisionTimeoutMs: number;
  /** A group that could not grow is let alone for so long. */
  readonly backoffMs: number;
  readonly emptyAtOnce: number;
  readonly drainsAtOnce: number;
}

export const clusterAutoscalerDefaults: ClusterAutoscalerSettings = {
  scanIntervalMs: 10_000,
  unneededMs: 600_000,
  delayAfterAddMs: 600_000,
  utilizationThreshold: 0.5,
  drainTimeoutMs: 600_000,
  provisionTimeoutMs: 900_000,
  backoffMs: 300_000,
  emptyAtOnce: 10,
  drainsAtOnce: 1,
};
