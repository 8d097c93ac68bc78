// Every running container of a pod is probed, and nothing else of it is.
import type { Pod } from '../../api/index.ts';
import { readySandbox } from '../plan/pod-runtime.ts';
import type { NodeContext } from './node-context.ts';

export function followProbes(node: NodeContext, pod: Pod): void {
  const { uid } = pod.metadata;
  const runtime = node.cache.get(uid);
  const running = runtime.containers.filter((c) => c.state === 'running');
  node.probes.retain(uid, new Set(running.map((c) => c.id)));
  const podIp = pod.spec.hostNetwork === true ? node.nodeIps[0] : readySandbox(runtime)?.ips[0];
  for (const status of running) {
    const container = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].find(
      (c) => c.name === status.name,
    );
    if (container === undefined) continue;
    node.probes.add({
      pod,
      container,
      containerId: status.id,
      podIp: podIp ?? '',
      startedAtMs: status.startedAtMs,
    });
  }
}
