// /metrics/cadvisor: a snapshot under the names that cAdvisor gave these numbers, with the labels that a kubelet adds. Pure. A pod has a
// line of its own (an empty container), and the node one with the id `/`.
import type { coreV1, Pod } from '../../api/index.ts';
import { type BlockIo, type CgroupUsage, type DeviceNames, deviceNames } from '../../os/index.ts';
import { containerResources } from '../container/resources.ts';
import type { MachineInfo } from '../registration/machine.ts';
import type { InterfaceUsage } from './machine-usage.ts';
import { type Family, type Labels, metricText, type Sample } from './metric-text.ts';
import type { ContainerSnapshot, NodeSnapshot, PodSnapshot } from './stats-collector.ts';

export interface CadvisorFacts {
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly machineId: string;
  readonly bootId: string;
  readonly systemUuid: string;
  readonly kernelVersion: string;
  readonly osVersion: string;
  groupOf(pod: Pod): string;
  readonly deviceName: DeviceNames;
}

export function cadvisorFacts(
  { cpus, memoryBytes, nodeInfo }: MachineInfo,
  groupOf: CadvisorFacts['groupOf'],
): CadvisorFacts {
  return {
    cpus,
    memoryBytes,
    machineId: nodeInfo.machineID,
    bootId: nodeInfo.bootID,
    systemUuid: nodeInfo.systemUUID,
    kernelVersion: nodeInfo.kernelVersion,
    osVersion: nodeInfo.osImage,
    groupOf,
    deviceName: deviceNames,
  };
}

/** What one line is about, and where its numbers come from. */
interface Row {
  readonly labels: Labels;
  readonly group: CgroupUsage | undefined;
  readonly atMs: number;
  readonly container?: ContainerSnapshot | undefined;
  readonly spec?: { readonly pod: Pod; readonly container: coreV1.Container } | undefined;
}

type Reading = (row: Row) => number | undefined;

interface Definition {
  readonly name: string;
  readonly type: Family['type'];
  readonly help: string;
  readonly read: Reading;
  readonly more?: Labels | undefined;
}

const seconds = (ns: number | undefined): number | undefined => (ns === undefined ? undefined : ns / 1e9);
const counter = (name: string, help: string, read: Reading, more?: Labels): Definition => ({
  name,
  type: 'counter',
  help,
  read,
  more,
});
const gauge = (name: string, help: string, read: Reading): Definition => ({
  name,
  type: 'gauge',
  help,
  read,
});

const definitions: readonly Definition[] = [
  counter(
    'container_cpu_usage_seconds_total',
    'Processor time used, in seconds.',
    ({ container, group }) => seconds(container?.stats.cpuNanoseconds ?? group?.cpuNanoseconds),
    { cpu: 'total' },
  ),
  counter('container_cpu_user_seconds_total', 'Processor time in user mode, in seconds.', ({ group }) =>
    seconds(group?.cpuUserNanoseconds),
  ),
  counter('container_cpu_system_seconds_total', 'Processor time in the kernel, in seconds.', ({ group }) =>
    seconds(group?.cpuSystemNanoseconds),
  ),
  counter(
    'container_cpu_cfs_periods_total',
    'Periods in which it was runnable.',
    ({ group }) => group?.cpuPeriods,
  ),
  counter(
    'container_cpu_cfs_throttled_periods_total',
    'Periods in which it was throttled.',
    ({ group }) => group?.cpuThrottledPeriods,
  ),
  counter('container_cpu_cfs_throttled_seconds_total', 'How long it was throttled.', ({ group }) =>
    seconds(group?.cpuThrottledNanoseconds),
  ),
  gauge(
    'container_memory_usage_bytes',
    'Memory in use, caches included.',
    ({ container, group }) => container?.stats.memoryUsageBytes ?? group?.memoryUsageBytes,
  ),
  gauge(
    'container_memory_working_set_bytes',
    'Memory that cannot be dropped at once.',
    ({ container, group }) => container?.stats.memoryWorkingSetBytes ?? group?.memoryWorkingSetBytes,
  ),
  gauge(
    'container_memory_rss',
    'Anonymous memory.',
    ({ container, group }) => container?.stats.memoryRssBytes ?? group?.memoryRssBytes,
  ),
  gauge('container_memory_cache', 'Page cache.', ({ group }) => group?.memoryCacheBytes),
  gauge('container_memory_mapped_file', 'Memory mapped files.', ({ group }) => group?.memoryMappedFileBytes),
  gauge('container_memory_swap', 'Swap in use.', ({ group }) => group?.memorySwapBytes),
  gauge(
    'container_memory_max_usage_bytes',
    'The most memory ever in use.',
    ({ group }) => group?.memoryMaxUsageBytes,
  ),
  counter(
    'container_memory_failcnt',
    'How often the memory limit was hit.',
    ({ group }) => group?.memoryFailures,
  ),
  counter(
    'container_memory_failures_total',
    'Page faults.',
    ({ container, group }) => container?.stats.pageFaults ?? group?.pageFaults,
    { failure_type: 'pgfault', scope: 'hierarchy' },
  ),
  counter(
    'container_memory_failures_total',
    'Page faults.',
    ({ container, group }) => container?.stats.majorPageFaults ?? group?.majorPageFaults,
    { failure_type: 'pgmajfault', scope: 'hierarchy' },
  ),
  counter(
    'container_oom_events_total',
    'Processes killed for want of memory.',
    ({ group }) => group?.oomKills,
  ),
  gauge('container_processes', 'Processes and threads.', ({ group }) => group?.processes),
  gauge(
    'container_fs_usage_bytes',
    'What it has written into its own file system.',
    ({ container }) => container?.stats.writableLayerBytes,
  ),
  gauge('container_start_time_seconds', 'When it started, in seconds since 1970.', ({ container }) =>
    container === undefined ? undefined : container.status.startedAtMs / 1000,
  ),
  gauge('container_last_seen', 'When it was seen last, in seconds since 1970.', ({ atMs }) =>
    Math.floor(atMs / 1000),
  ),
  gauge('container_spec_memory_limit_bytes', 'The memory limit; 0 = none.', ({ spec, group }) =>
    spec === undefined ? group?.memoryLimitBytes : (resourcesOf(spec).memoryLimitBytes ?? 0),
  ),
  gauge('container_spec_cpu_shares', 'The processor shares.', ({ spec }) =>
    spec === undefined ? undefined : resourcesOf(spec).cpuShares,
  ),
  gauge('container_spec_cpu_quota', 'The processor quota, in microseconds a period.', ({ spec }) =>
    spec === undefined ? undefined : resourcesOf(spec).cpuQuota,
  ),
  gauge('container_spec_cpu_period', 'The period of the quota, in microseconds.', ({ spec }) =>
    spec === undefined ? undefined : resourcesOf(spec).cpuPeriod,
  ),
];

const resourcesOf = ({ pod, container }: { pod: Pod; container: coreV1.Container }) =>
  containerResources(pod, container, 1);

export function cadvisorMetrics(snapshot: NodeSnapshot, facts: CadvisorFacts): string {
  const rows = [nodeRow(snapshot), ...snapshot.pods.flatMap((pod) => podRows(pod, snapshot.atMs, facts))];
  const families = new Map<string, Family & { readonly samples: Sample[] }>();
  for (const { name, type, help, read, more } of definitions) {
    const family = families.get(name) ?? { name, type, help, samples: [] };
    families.set(name, family);
    for (const row of rows) {
      const value = read(row);
      if (value === undefined) continue;
      family.samples.push({ labels: { ...row.labels, ...more }, value, atMs: row.atMs });
    }
  }
  return metricText([
    versionInfo(facts),
    ...families.values(),
    ...diskFamilies(rows, facts),
    ...networkFamilies(snapshot, facts),
    ...machineFamilies(facts),
    {
      name: 'container_scrape_error',
      type: 'gauge',
      help: '1 when the numbers could not be gathered.',
      samples: [{ labels: {}, value: 0 }],
    },
  ]);
}

const empty: Labels = { container: '', id: '/', image: '', name: '', namespace: '', pod: '' };

function nodeRow({ memory, cpuNanoseconds, processes, atMs }: NodeSnapshot): Row {
  const group = {
    cpuNanoseconds,
    memoryUsageBytes: memory?.usageBytes,
    memoryWorkingSetBytes: memory?.workingSetBytes,
    memoryRssBytes: memory?.rssBytes,
    processes: processes?.running,
  } as CgroupUsage;
  return { labels: empty, group, atMs };
}

const podLabels = ({ pod }: PodSnapshot, facts: CadvisorFacts): Labels => ({
  ...empty,
  id: facts.groupOf(pod),
  namespace: pod.metadata.namespace ?? '',
  pod: pod.metadata.name,
});

function podRows(one: PodSnapshot, atMs: number, facts: CadvisorFacts): Row[] {
  const labels = podLabels(one, facts);
  const specs = [...one.pod.spec.containers, ...(one.pod.spec.initContainers ?? [])];
  return [
    { labels, group: one.group, atMs },
    ...one.containers.map((container) => {
      const { status, group, stats } = container;
      const spec = specs.find(({ name }) => name === status.name);
      return {
        labels: {
          ...labels,
          container: status.name,
          id: `${labels['id']}/${status.id}`,
          image: status.image,
          name: status.id,
        },
        group,
        atMs: stats.atMs,
        container,
        spec: spec === undefined ? undefined : { pod: one.pod, container: spec },
      };
    }),
  ];
}

const diskNumbers: readonly (readonly [
  name: string,
  help: string,
  field: Exclude<keyof BlockIo, 'device'>,
])[] = [
  ['container_fs_reads_bytes_total', 'Bytes read from a disk.', 'readBytes'],
  ['container_fs_reads_total', 'Reads from a disk.', 'reads'],
  ['container_fs_writes_bytes_total', 'Bytes written to a disk.', 'writtenBytes'],
  ['container_fs_writes_total', 'Writes to a disk.', 'writes'],
];

function diskFamilies(rows: readonly Row[], { deviceName }: CadvisorFacts): Family[] {
  const used = new Set(rows.flatMap(({ group }) => group?.io?.map(({ device }) => device) ?? []));
  const names = new Map([...used].map((device) => [device, deviceName(device)]));
  return diskNumbers.map(([name, help, field]) => ({
    name,
    type: 'counter',
    help,
    samples: rows.flatMap(({ labels, group, atMs }) =>
      [...byName(group?.io ?? [], names)].map(([device, all]) => ({
        labels: { ...labels, device },
        value: all.reduce((sum, io) => sum + io[field], 0),
        atMs,
      })),
    ),
  }));
}

/** What has no name shares one line. */
function byName(io: readonly BlockIo[], names: ReadonlyMap<string, string>): Map<string, BlockIo[]> {
  const found = new Map<string, BlockIo[]>();
  for (const one of io) {
    const name = names.get(one.device) ?? '';
    found.set(name, [...(found.get(name) ?? []), one]);
  }
  return found;
}

const networkNumbers: readonly (readonly [suffix: string, field: Exclude<keyof InterfaceUsage, 'name'>])[] = [
  ['receive_bytes_total', 'rxBytes'],
  ['receive_packets_total', 'rxPackets'],
  ['receive_packets_dropped_total', 'rxDropped'],
  ['receive_errors_total', 'rxErrors'],
  ['transmit_bytes_total', 'txBytes'],
  ['transmit_packets_total', 'txPackets'],
  ['transmit_packets_dropped_total', 'txDropped'],
  ['transmit_errors_total', 'txErrors'],
];

function networkFamilies(snapshot: NodeSnapshot, facts: CadvisorFacts): Family[] {
  const rows = [
    { labels: empty, interfaces: snapshot.network ?? [] },
    ...snapshot.pods.map((pod) => ({ labels: podLabels(pod, facts), interfaces: pod.network ?? [] })),
  ];
  return networkNumbers.map(([suffix, field]) => ({
    name: `container_network_${suffix}`,
    type: 'counter',
    help: `Network: ${suffix.replaceAll('_', ' ').replace(' total', '')}.`,
    samples: rows.flatMap(({ labels, interfaces }) =>
      interfaces.map((one) => ({
        labels: { ...labels, interface: one.name },
        value: one[field],
        atMs: snapshot.atMs,
      })),
    ),
  }));
}

function machineFamilies({ cpus, memoryBytes, machineId, bootId, systemUuid }: CadvisorFacts): Family[] {
  const labels = { boot_id: bootId, machine_id: machineId, system_uuid: systemUuid };
  const of = (name: string, help: string, value: number): Family => ({
    name,
    type: 'gauge',
    help,
    samples: [{ labels, value }],
  });
  return [
    of('machine_cpu_cores', 'Processors of the machine.', cpus),
    of('machine_memory_bytes', 'Memory of the machine.', memoryBytes),
  ];
}

const versionInfo = ({ kernelVersion, osVersion }: CadvisorFacts): Family => ({
  name: 'cadvisor_version_info',
  type: 'gauge',
  help: 'Versions of kernel and system.',
  samples: [
    {
      labels: {
        cadvisorRevision: '',
        cadvisorVersion: '',
        dockerVersion: '',
        kernelVersion,
        osVersion,
      },
      value: 1,
    },
  ],
});
