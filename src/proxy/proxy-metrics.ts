// What the proxy counts, under the names that kube-proxy gives it.
import {
  type Counter,
  exponentialBuckets,
  type Gauge,
  type Histogram,
  type MetricRegistry,
} from '../base/index.ts';

export interface ProxyMetrics {
  readonly syncSeconds: Histogram;
  readonly programmingSeconds: Histogram;
  readonly lastSync: Gauge;
  readonly lastQueued: Gauge;
  readonly serviceChanges: Counter;
  readonly endpointChanges: Counter;
  readonly failures: Counter;
}

/** From 0.25 s in quarters, then seconds, then more: as kube-proxy's. */
const programmingBuckets = [
  0.01,
  0.025,
  0.05,
  0.1,
  0.25,
  0.5,
  ...Array.from({ length: 59 }, (_, i) => i + 1),
  ...Array.from({ length: 12 }, (_, i) => 60 + i * 5),
  ...Array.from({ length: 7 }, (_, i) => 120 + i * 30),
];

export function createProxyMetrics(registry: MetricRegistry): ProxyMetrics {
  const prefix = 'kubeproxy_';
  const gauge = (name: string, help: string): Gauge => registry.gauge({ name: prefix + name, help }).of();
  const counter = (name: string, help: string): Counter =>
    registry.counter({ name: prefix + name, help }).of();
  return {
    syncSeconds: registry
      .histogram({
        name: `${prefix}sync_proxy_rules_duration_seconds`,
        help: 'How long one transaction of rules took.',
        buckets: exponentialBuckets(0.001, 2, 15),
      })
      .of(),
    programmingSeconds: registry
      .histogram({
        name: `${prefix}network_programming_duration_seconds`,
        help: 'From the change of a pod or service to the rules for it.',
        buckets: programmingBuckets,
      })
      .of(),
    lastSync: gauge('sync_proxy_rules_last_timestamp_seconds', 'When rules were last brought to the kernel.'),
    lastQueued: gauge('sync_proxy_rules_last_queued_timestamp_seconds', 'When a change was last queued.'),
    serviceChanges: counter('sync_proxy_rules_service_changes_total', 'Changes of services.'),
    endpointChanges: counter('sync_proxy_rules_endpoint_changes_total', 'Changes of endpoint slices.'),
    failures: counter('sync_proxy_rules_nftables_sync_failures_total', 'Transactions that failed.'),
  };
}
