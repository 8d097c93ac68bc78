// What the node asks its container runtime for: how often, how long it takes, how often it fails, under the kubelet's names.
import type { Clock, MetricRegistry } from '../../base/index.ts';
import { exponentialBuckets } from '../../base/index.ts';
import type { ContainerRuntime } from '../../os/index.ts';

/** Calls that are questions with one answer, as the kubelet names them. What follows for ever, or asks nobody, is not counted. */
const operations: Readonly<Partial<Record<keyof ContainerRuntime, string>>> = {
  version: 'version',
  status: 'status',
  runPodSandbox: 'run_podsandbox',
  stopPodSandbox: 'stop_podsandbox',
  removePodSandbox: 'remove_podsandbox',
  podSandboxStatus: 'podsandbox_status',
  listPodSandbox: 'list_podsandbox',
  createContainer: 'create_container',
  startContainer: 'start_container',
  stopContainer: 'stop_container',
  removeContainer: 'remove_container',
  listContainers: 'list_containers',
  containerStatus: 'container_status',
  updateContainerResources: 'update_container',
  reopenContainerLog: 'reopen_container_log',
  containerStats: 'list_container_stats',
  execSync: 'exec_sync',
  exec: 'exec',
  attach: 'attach',
  imageStatus: 'image_status',
  pullImage: 'pull_image',
  listImages: 'list_images',
  removeImage: 'remove_image',
  imageFsInfo: 'image_fs_info',
};

type Call = (...given: readonly unknown[]) => unknown;

/** The same runtime, with its calls counted in `registry`. */
export function countRuntime(
  runtime: ContainerRuntime,
  { registry, clock }: { readonly registry: MetricRegistry; readonly clock: Clock },
): ContainerRuntime {
  const labels = ['operation_type'];
  const totals = registry.counter({
    name: 'kubelet_runtime_operations_total',
    help: 'Requests to the container runtime.',
    labels,
  });
  const errors = registry.counter({
    name: 'kubelet_runtime_operations_errors_total',
    help: 'Requests to the container runtime that failed.',
    labels,
  });
  const durations = registry.histogram({
    name: 'kubelet_runtime_operations_duration_seconds',
    help: 'How long requests to the container runtime took.',
    labels,
    buckets: exponentialBuckets(0.005, 2.5, 14),
  });
  const counted = new Map<string | symbol, unknown>();
  const call = (operation: string | undefined, method: Call): Call => {
    const bound = method.bind(runtime);
    if (operation === undefined) return bound;
    const total = totals.of(operation);
    const duration = durations.of(operation);
    return async (...given) => {
      const startedMs = clock.monotonicMs();
      total.increment();
      try {
        return await bound(...given);
      } catch (error) {
        errors.of(operation).increment();
        throw error;
      } finally {
        duration.observe((clock.monotonicMs() - startedMs) / 1000);
      }
    };
  };
  return new Proxy(runtime, {
    get(target, name) {
      const known = counted.get(name);
      if (known !== undefined) return known;
      const found: unknown = Reflect.get(target, name, target);
      if (typeof found !== 'function') return found;
      const made = call(operations[name as keyof ContainerRuntime], found as Call);
      counted.set(name, made);
      return made;
    },
  });
}
