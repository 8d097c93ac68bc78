// What simulated pods use: what their annotations say, else what their stage says, else half of what they request. The numbers stand
// still, so that tests and autoscalers meet the same ones each time. Pure.
import { type coreV1, podRequests } from '../api/index.ts';
import { mustParseQuantity, quantityError, toMilli, toValue } from '../machinery/index.ts';
import { cpuUsageAnnotation, memoryUsageAnnotation } from './annotations.ts';
import type { PodRun } from './pod-run.ts';
import type { Usage } from './script.ts';

export interface ContainerUsage extends Usage {
  readonly name: string;
}

export interface PodUsage {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Wall-clock time of the reading. */
  readonly atMs: number;
  /** Of those that run, in the order of the spec. */
  readonly containers: readonly ContainerUsage[];
}

export interface NodeUsage extends Usage {
  readonly name: string;
  readonly atMs: number;
}

/** Of a pod that requests nothing, for each container. */
const idleUsage: Usage = { cpuMilli: 10, memoryBytes: 32 * 1024 ** 2 };
/** Of a node without pods: its own programs. */
const systemUsage: Usage = { cpuMilli: 100, memoryBytes: 512 * 1024 ** 2 };

/** undefined = nothing of it runs. */
export function podUsage(run: PodRun, atMs: number): PodUsage | undefined {
  const { pod, stage } = run;
  const { name, namespace = '', labels = {}, annotations = {} } = pod.metadata;
  const running = run.runningContainers;
  if (running.length === 0) return undefined;
  const requests = podRequests(pod);
  const total: Usage = {
    cpuMilli:
      amount(annotations[cpuUsageAnnotation], (q) => toMilli(q)) ??
      stage.usage?.cpuMilli ??
      (requests['cpu'] ? requests['cpu'] / 2 : idleUsage.cpuMilli * running.length),
    memoryBytes:
      amount(annotations[memoryUsageAnnotation], (q) => toValue(q)) ??
      stage.usage?.memoryBytes ??
      (requests['memory'] ? requests['memory'] / 2 : idleUsage.memoryBytes * running.length),
  };
  const share = (whole: number): number => Math.round(whole / running.length);
  return {
    namespace,
    name,
    labels,
    atMs,
    containers: inOrder(pod.spec, running).map((container) => ({
      name: container,
      cpuMilli: share(total.cpuMilli),
      memoryBytes: share(total.memoryBytes),
    })),
  };
}

export function nodeUsage(name: string, pods: readonly PodUsage[], atMs: number): NodeUsage {
  let { cpuMilli, memoryBytes } = systemUsage;
  for (const { containers } of pods)
    for (const container of containers) {
      cpuMilli += container.cpuMilli;
      memoryBytes += container.memoryBytes;
    }
  return { name, atMs, cpuMilli, memoryBytes };
}

function amount(
  text: string | undefined,
  scale: (quantity: ReturnType<typeof mustParseQuantity>) => number,
): number | undefined {
  if (text === undefined || quantityError(text) !== undefined) return undefined;
  return scale(mustParseQuantity(text));
}

const inOrder = (spec: coreV1.PodSpec, names: readonly string[]): string[] =>
  [...(spec.initContainers ?? []), ...spec.containers]
    .map(({ name }) => name)
    .filter((name) => names.includes(name));
