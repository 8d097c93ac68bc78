// `jotasu server`: the control plane in the foreground. Flags that kube-apiserver has too carry its names.
import { type Command, Option } from 'commander';
import { withConfigFile } from '../config-file.ts';
import {
  addressPool,
  addressRanges,
  decimal,
  duration,
  list,
  listOf,
  nodeGroups,
  truth,
  whole,
} from '../flags.ts';
import type { AutoscalerFlags, Handlers, LogFlags, RequestLogFlags, ServerFlags } from '../handlers.ts';
import { logFlags, type ParsedLogOptions, requestLogFlags, withLogOptions } from '../shared-options.ts';

interface Parsed
  extends Omit<
      ServerFlags,
      | 'tlsSans'
      | 'nodeMonitorGracePeriodMs'
      | 'nodeStartupGracePeriodMs'
      | 'nodeOutOfServiceAfterMs'
      | 'requestTimeoutMs'
      | 'minRequestTimeoutSeconds'
      | 'etcdCompactionIntervalMs'
      | 'clusterSigningDurationMs'
      | 'leaderElectLeaseDurationMs'
      | 'leaderElectRenewDeadlineMs'
      | 'leaderElectRetryPeriodMs'
      | 'simulateNodeGroups'
      | 'scaleDownUnneededTimeMs'
      | 'scaleDownDelayAfterAddMs'
      | 'horizontalPodAutoscaler'
      | keyof (LogFlags & RequestLogFlags)
    >,
    ParsedLogOptions {
  config?: string;
  etcdCompactionInterval?: number;
  clusterSigningDuration?: number;
  leaderElectLeaseDuration?: number;
  leaderElectRenewDeadline?: number;
  leaderElectRetryPeriod?: number;
  requestTimeout?: number;
  minRequestTimeout?: number;
  tlsSan?: readonly string[];
  simulateNodeGroup?: ServerFlags['simulateNodeGroups'];
  scaleDownUnneededTime?: number;
  scaleDownDelayAfterAdd?: number;
  nodeMonitorGracePeriod?: number;
  nodeStartupGracePeriod?: number;
  nodeOutOfServiceAfter?: number;
  horizontalPodAutoscalerSyncPeriod?: number;
  horizontalPodAutoscalerDownscaleStabilization?: number;
  horizontalPodAutoscalerTolerance?: number;
  horizontalPodAutoscalerCpuInitializationPeriod?: number;
  horizontalPodAutoscalerInitialReadinessDelay?: number;
}

const anyTime = duration();
/** Of what is done again and again, and of what others must keep to: less would be nothing but haste. */
const aWhile = duration({ minMs: 100 });
const neverOrSeconds = duration({ minMs: 1000, zero: 'never' });
/** Of certificates: no timer waits for their end; nodes ask for their next ones within it. */
const lifetime = duration({ minMs: 10_000, maxMs: 100 * 365 * 86_400_000 });

export function serverCommand(program: Command, handlers: Handlers): void {
  const command = program
    .command('server')
    .description('run the control plane in the foreground: storage, API server, controllers, scheduler')
    .helpGroup('Parts, one process each:')
    .option('--data-dir <dir>', 'database, certificates and keys (default: /var/lib/jotasu/server)')
    .option(
      '--datastore-endpoint <store>',
      'where objects are kept: lmdb in the data directory, memory, or etcd=URL,URL (default: lmdb)',
    )
    .option('--etcd-prefix <path>', 'under which everything is kept in etcd (default: /jotasu)')
    .option('--etcd-cafile <file>', 'certificate authority of https etcd endpoints')
    .option('--etcd-certfile <file>', 'client certificate for etcd')
    .option('--etcd-keyfile <file>', 'its key')
    .option(
      '--etcd-compaction-interval <time>',
      'how often lists of the past, and history in etcd, are forgotten, 0 for never (default: 5m)',
      neverOrSeconds,
    )
    .option(
      '--token <token>',
      'with etcd: the secret of the servers that share it, made by the first one (default: the file token in the data directory)',
    )
    .addOption(
      new Option('--token-file <file>', 'a file that holds it: other users see what is typed').conflicts(
        'token',
      ),
    )
    .option('--bind-address <ip>', 'address to listen on (default: 0.0.0.0)')
    .option(
      '--https-listen-port <port>',
      'port to listen on, 0 for any free one (default: 6443)',
      whole(0, 65535),
    )
    .option('--advertise-address <ip>', 'address by which nodes and pods reach this server')
    .option('--tls-san <names>', 'further names and addresses in the serving certificate', list)
    .option('--token-auth-file <file>', 'tokens that are accepted: lines of token,user,uid,"group1,group2"')
    .option('--write-kubeconfig <file>', "write an administrator's kubeconfig to this file")
    .option(
      '--service-cidr <ranges>',
      'addresses of services; two ranges for two families (default: 10.96.0.0/16)',
      addressRanges,
    )
    .option(
      '--cluster-cidr <ranges>',
      'addresses of pods; two ranges for two families (default: 10.244.0.0/16)',
      addressRanges,
    )
    .option(
      '--node-cidr-mask-size <bits>',
      "prefix length of one node's share of them (default: 24)",
      whole(8, 30),
    )
    .option('--node-cidr-mask-size-ipv6 <bits>', 'the same for IPv6 (default: 64)', whole(1, 128))
    .option('--cluster-domain <domain>', 'DNS domain of the cluster (default: cluster.local)')
    .option(
      '--without <parts>',
      'leave out any of controllers, scheduler, local-storage (the default storage class), servicelb (addresses of load balancers), ingress (its class, addresses and secrets)',
      listOf(['controllers', 'scheduler', 'local-storage', 'servicelb', 'ingress']),
    )
    .option(
      '--servicelb-pool <ranges>',
      'addresses for services of type LoadBalancer: FIRST-LAST or ADDRESS/LENGTH (default: those of the nodes)',
      addressPool,
    )
    .option(
      '--leader-elect-lease-duration <time>',
      'with etcd: how long a server that is silent keeps its roles (default: 4s)',
      aWhile,
    )
    .option(
      '--leader-elect-renew-deadline <time>',
      'how long a server tries to keep its roles before it gives them up (default: 3s)',
      aWhile,
    )
    .option(
      '--leader-elect-retry-period <time>',
      'between two renewals or tries of others (default: 1s)',
      aWhile,
    )
    .option('--node-monitor-grace-period <time>', 'how long a node may be silent (default: 2s)', aWhile)
    .option(
      '--node-startup-grace-period <time>',
      'the same for a node that has never had a Lease (default: 1m)',
      anyTime,
    )
    .option(
      '--node-out-of-service-after <time>',
      'when the pods of a silent node are given up, after the grace period; 0 for never (default: 300ms)',
      anyTime,
    )
    .option(
      '--unhealthy-zone-threshold <share>',
      'of silent nodes, above which it is the network of their zone that failed (default: 0.55)',
      decimal(0, 1),
    )
    .option(
      '--node-eviction-rate <rate>',
      'nodes a second whose pods are driven away, in each zone (default: 100)',
      decimal(0, 1e6),
    )
    .option(
      '--secondary-node-eviction-rate <rate>',
      'the same in a large zone whose network failed (default: 0.01)',
      decimal(0, 1e6),
    )
    .option(
      '--large-cluster-size-threshold <count>',
      'a zone of more nodes is large; in a smaller one whose network failed no pods are driven away (default: 50)',
      whole(0, 2 ** 31 - 1),
    )
    .option(
      '--terminated-pod-gc-threshold <count>',
      'how many finished pods are kept, 0 for all (default: 12500)',
      whole(0, 2 ** 31 - 1),
    )
    .option(
      '--cluster-signing-duration <time>',
      'the longest life of certificates that are signed for requests (default: 8760h)',
      lifetime,
    )
    .option(
      '--horizontal-pod-autoscaler-sync-period <time>',
      'between two looks of an autoscaler (default: 15s)',
      aWhile,
    )
    .option(
      '--horizontal-pod-autoscaler-downscale-stabilization <time>',
      'how long autoscalers remember that more pods were needed (default: 5m)',
      anyTime,
    )
    .option(
      '--horizontal-pod-autoscaler-tolerance <share>',
      'how far usage may be off before pods come or go (default: 0.1)',
      decimal(0, 1),
    )
    .option(
      '--horizontal-pod-autoscaler-cpu-initialization-period <time>',
      'after its start, cpu of a pod that is not ready does not count (default: 5m)',
      anyTime,
    )
    .option(
      '--horizontal-pod-autoscaler-initial-readiness-delay <time>',
      'who became unready in this time after the start has never been ready (default: 30s)',
      anyTime,
    )
    .option(
      '--default-not-ready-toleration-seconds <seconds>',
      'how long pods stay on a node that is not ready (default: 300)',
      whole(0, 2 ** 31 - 1),
    )
    .option(
      '--default-unreachable-toleration-seconds <seconds>',
      'how long pods stay on a node that cannot be reached (default: 300)',
      whole(0, 2 ** 31 - 1),
    )
    .option(
      '--request-timeout <time>',
      'how long a request may take, watches and streams excepted (default: 1m)',
      aWhile,
    )
    .option(
      '--min-request-timeout <seconds>',
      'watches that name no timeout end after this time or up to twice of it (default: 1800)',
      whole(0, 2 ** 20),
    )
    .option(
      '--max-requests-inflight <count>',
      'requests that only read and may run at once (default: 400)',
      whole(0, 2 ** 31 - 1),
    )
    .option(
      '--max-mutating-requests-inflight <count>',
      'requests that write and may run at once (default: 200)',
      whole(0, 2 ** 31 - 1),
    )
    .option(
      '--enable-priority-and-fairness [bool]',
      'share the sum of the two among priority levels; false: each holds for itself, 0 for no limit (default: true)',
      truth,
    )
    .option('--scheduler-config <file>', 'profiles of the scheduler: a KubeSchedulerConfiguration')
    .option(
      '--simulate-nodes <count>',
      'nodes without containers that run in this process; 0 for those that are added later',
      whole(0, 16_000),
    )
    .option('--simulation <file>', 'what they are and what happens on them (docs/simulation.md)')
    .option(
      '--simulate-node-group <name=min:max>',
      'a group of simulated nodes that grows and shrinks with what pods need; may be given several times',
      nodeGroups,
    )
    .option(
      '--scale-down-unneeded-time <time>',
      'how long a node of such a group is kept that is not needed (default: 10m)',
      anyTime,
    )
    .option(
      '--scale-down-delay-after-add <time>',
      'how long nothing is taken away after a node was added (default: 10m)',
      anyTime,
    );
  withConfigFile(
    withLogOptions(command, '0 to 2 for info, 3 adds a line for each API request, 4 and more for debug'),
  ).action((parsed: Parsed) => {
    const {
      tlsSan,
      nodeMonitorGracePeriod,
      nodeStartupGracePeriod,
      nodeOutOfServiceAfter,
      requestTimeout,
      minRequestTimeout,
      etcdCompactionInterval,
      clusterSigningDuration,
      leaderElectLeaseDuration,
      leaderElectRenewDeadline,
      leaderElectRetryPeriod,
      simulateNodeGroup,
      scaleDownUnneededTime,
      scaleDownDelayAfterAdd,
      horizontalPodAutoscalerSyncPeriod: syncPeriodMs,
      horizontalPodAutoscalerDownscaleStabilization: downscaleStabilizationMs,
      horizontalPodAutoscalerTolerance: tolerance,
      horizontalPodAutoscalerCpuInitializationPeriod: cpuInitializationPeriodMs,
      horizontalPodAutoscalerInitialReadinessDelay: initialReadinessDelayMs,
      config,
      logLevel,
      v,
      ...rest
    } = parsed;
    const horizontalPodAutoscaler: AutoscalerFlags = {
      ...(syncPeriodMs !== undefined && { syncPeriodMs }),
      ...(downscaleStabilizationMs !== undefined && { downscaleStabilizationMs }),
      ...(tolerance !== undefined && { tolerance }),
      ...(cpuInitializationPeriodMs !== undefined && { cpuInitializationPeriodMs }),
      ...(initialReadinessDelayMs !== undefined && { initialReadinessDelayMs }),
    };
    return handlers.server({
      ...rest,
      ...(Object.keys(horizontalPodAutoscaler).length > 0 && { horizontalPodAutoscaler }),
      ...logFlags(parsed),
      ...requestLogFlags(parsed),
      ...(requestTimeout !== undefined && { requestTimeoutMs: requestTimeout }),
      ...(minRequestTimeout !== undefined && { minRequestTimeoutSeconds: minRequestTimeout }),
      ...(etcdCompactionInterval !== undefined && { etcdCompactionIntervalMs: etcdCompactionInterval }),
      ...(clusterSigningDuration !== undefined && { clusterSigningDurationMs: clusterSigningDuration }),
      ...(leaderElectLeaseDuration !== undefined && { leaderElectLeaseDurationMs: leaderElectLeaseDuration }),
      ...(leaderElectRenewDeadline !== undefined && { leaderElectRenewDeadlineMs: leaderElectRenewDeadline }),
      ...(leaderElectRetryPeriod !== undefined && { leaderElectRetryPeriodMs: leaderElectRetryPeriod }),
      ...(tlsSan !== undefined && { tlsSans: tlsSan }),
      ...(simulateNodeGroup !== undefined && { simulateNodeGroups: simulateNodeGroup }),
      ...(scaleDownUnneededTime !== undefined && { scaleDownUnneededTimeMs: scaleDownUnneededTime }),
      ...(scaleDownDelayAfterAdd !== undefined && { scaleDownDelayAfterAddMs: scaleDownDelayAfterAdd }),
      ...(nodeMonitorGracePeriod !== undefined && { nodeMonitorGracePeriodMs: nodeMonitorGracePeriod }),
      ...(nodeStartupGracePeriod !== undefined && { nodeStartupGracePeriodMs: nodeStartupGracePeriod }),
      ...(nodeOutOfServiceAfter !== undefined && { nodeOutOfServiceAfterMs: nodeOutOfServiceAfter }),
    });
  });
}
