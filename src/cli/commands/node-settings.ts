// Flags of how a node keeps house: what it reserves, when it evicts, what it collects, how it is shut down. Names, defaults and meaning are the kubelet's.
import type { Command } from 'commander';
import { whole } from '../flags.ts';

export interface NodeSettingsFlags {
  readonly evictionHard?: string;
  readonly evictionSoft?: string;
  readonly evictionSoftGracePeriod?: string;
  readonly evictionMinimumReclaim?: string;
  readonly evictionPressureTransitionPeriod?: string;
  readonly evictionMaxPodGracePeriod?: number;
  readonly imageGcHighThreshold?: number;
  readonly imageGcLowThreshold?: number;
  readonly minimumImageTtlDuration?: string;
  readonly containerLogMaxSize?: string;
  readonly containerLogMaxFiles?: number;
  readonly kubeReserved?: string;
  readonly systemReserved?: string;
  readonly volumeStatsAggPeriod?: string;
  readonly shutdownGracePeriod?: string;
  readonly shutdownGracePeriodCriticalPods?: string;
  readonly shutdownGracePeriodByPodPriority?: string;
  /** Not the kubelet's: nodes that share a machine take turns. */
  readonly sharedMachineDir?: string;
}

export function withNodeSettings(command: Command): Command {
  return command
    .option(
      '--eviction-hard <thresholds>',
      'when pods are evicted at once: signal<amount,… (default: memory.available<100Mi,nodefs.available<10%,nodefs.inodesFree<5%,imagefs.available<15%,imagefs.inodesFree<5%)',
    )
    .option('--eviction-soft <thresholds>', 'when they are evicted after a while: signal<amount,…')
    .option('--eviction-soft-grace-period <periods>', 'how long that while is: signal=1m30s,…')
    .option('--eviction-minimum-reclaim <amounts>', 'how much more must then become free: signal=amount,…')
    .option(
      '--eviction-pressure-transition-period <duration>',
      'how long the node says that it is short after it was (default: 5m)',
    )
    .option(
      '--eviction-max-pod-grace-period <seconds>',
      'the most grace of a pod that is evicted for a soft threshold (default: 0)',
      whole(0, 86_400),
    )
    .option(
      '--image-gc-high-threshold <percent>',
      'how full the disk of images may be before unused ones are removed; 100 = any (default: 85)',
      whole(1, 100),
    )
    .option('--image-gc-low-threshold <percent>', 'how full it is afterwards (default: 80)', whole(0, 100))
    .option('--minimum-image-ttl-duration <duration>', 'younger images are kept (default: 2m)')
    .option(
      '--container-log-max-size <quantity>',
      'how large a log may be before it is rotated (default: 10Mi)',
    )
    .option(
      '--container-log-max-files <count>',
      'how many files a container’s log may have (default: 5)',
      whole(2, 10_000),
    )
    .option('--kube-reserved <amounts>', 'what is kept for agent and runtime: cpu=100m,memory=256Mi,…')
    .option('--system-reserved <amounts>', 'what is kept for everything else: cpu=100m,memory=256Mi,…')
    .option(
      '--volume-stats-agg-period <duration>',
      'how often files of volumes and logs are counted (default: 1m)',
    )
    .option(
      '--shutdown-grace-period <duration>',
      'how long pods get in all when the machine is shut down; 0 = they are left as they are (default: 0s)',
    )
    .option(
      '--shutdown-grace-period-critical-pods <duration>',
      'how much of that is kept for critical pods, which end last (default: 0s)',
    )
    .option(
      '--shutdown-grace-period-by-pod-priority <periods>',
      'how long pods get by priority, the lowest first: 0=20s,1000=10s,…; in place of the two above',
    )
    .option(
      '--shared-machine-dir <dir>',
      'nodes that are given the same one share a machine: they evict in turns',
    );
}
