// How an autoscaler behaves where its object does not say. The values of kube-controller-manager.

export interface AutoscalerSettings {
  readonly syncPeriodMs: number;
  /** A shrinking waits for the highest wish of so long. */
  readonly downscaleStabilizationMs: number;
  /** The ratio of measured to wanted may be off by this much: 0.1 = 10 %. */
  readonly tolerance: number;
  /** So long after its start a pod's cpu counts only when it is ready and was measured while it was. */
  readonly cpuInitializationPeriodMs: number;
  /** A pod that was not ready by then, and is not now, has never been. */
  readonly initialReadinessDelayMs: number;
}

export const autoscalerDefaults: AutoscalerSettings = {
  syncPeriodMs: 15_000,
  downscaleStabilizationMs: 300_000,
  tolerance: 0.1,
  cpuInitializationPeriodMs: 300_000,
  initialReadinessDelayMs: 30_000,
};

/** By how much the ratio may be above and below 1 before anything happens. */
export interface Tolerances {
  readonly up: number;
  readonly down: number;
}

export const isWithin = ({ up, down }: Tolerances, ratio: number): boolean =>
  1 - down <= ratio && ratio <= 1 + up;
