// What the node does with volumes of pods, and how many there are, under the names of the kubelet's volume manager.
import type { Pod } from '../../api/index.ts';
import type { Clock, MetricRegistry } from '../../base/index.ts';

export interface VolumeOperation {
  /** `kubernetes.io/configmap` */
  readonly plugin: string;
  readonly operation: 'volume_mount' | 'volume_unmount';
}

/** Does `work`, and counts it. Resolves and rejects as it does. */
export type TimeVolume = <T>(of: VolumeOperation, work: () => Promise<T>) => Promise<T>;

export const untimed: TimeVolume = (_, work) => work();

export function timeVolumes(registry: MetricRegistry, clock: Clock): TimeVolume {
  const durations = registry.histogram({
    name: 'storage_operation_duration_seconds',
    help: 'How long it took to make a volume of a pod, or to remove it.',
    labels: ['volume_plugin', 'operation_name', 'status', 'migrated'],
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 25, 50, 120, 300, 600],
  });
  return async ({ plugin, operation }, work) => {
    const startedMs = clock.monotonicMs();
    let status = 'fail-unknown';
    try {
      const done = await work();
      status = 'success';
      return done;
    } finally {
      durations.of(plugin, operation, status, 'false').observe((clock.monotonicMs() - startedMs) / 1000);
    }
  };
}

export interface VolumesShown {
  /** Which the node has taken and that have not ended. */
  pods(): readonly Pod[];
  /** Of the pod's volumes, as far as it is known what they are. */
  plugins(pod: Pod): readonly string[];
  /** Whether they are there. */
  isMade(pod: Pod): boolean;
}

/** Counts when somebody reads: what pods are to have, and what they have. */
export function showVolumes(registry: MetricRegistry, { pods, plugins, isMade }: VolumesShown): void {
  const totals = registry.gauge({
    name: 'volume_manager_total_volumes',
    help: 'Volumes that pods are to have, and that they have.',
    labels: ['plugin_name', 'state'],
  });
  registry.onRead(() => {
    totals.clear();
    for (const pod of pods()) {
      const states = ['desired_state_of_world', ...(isMade(pod) ? ['actual_state_of_world'] : [])];
      for (const plugin of plugins(pod)) for (const state of states) totals.of(plugin, state).add(1);
    }
  });
}
