// Events of pods as the kubelet words them: one about a container names its field.
import type { RecordEvent } from '../client/index.ts';
import type { NodeContext } from './worker/node-context.ts';

/** How workers tell events, over the recorder of this node. */
export function podEvents(record: RecordEvent): NodeContext['event'] {
  return (pod, type, { reason, message, container }) => {
    if (container === undefined) return record(pod, type, reason, message);
    const field = pod.spec.initContainers?.some((c) => c.name === container.name)
      ? 'initContainers'
      : pod.spec.ephemeralContainers?.some((c) => c.name === container.name)
        ? 'ephemeralContainers'
        : 'containers';
    const { name, namespace, uid, resourceVersion } = pod.metadata;
    const about = { apiVersion: 'v1', kind: 'Pod', name, namespace, uid, resourceVersion };
    record({ ...about, fieldPath: `spec.${field}{${container.name}}` }, type, reason, message);
  };
}
