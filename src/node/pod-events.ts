// Events of pods as the kubelet words them: one about a container names its field.
import type { coreV1, Pod } from '../api/index.ts';
import type { EventType, RecordEvent } from '../client/index.ts';

/** An event about a pod, or about one of its containers. */
export type PodEvent = (
  pod: Pod,
  type: EventType,
  event: {
    readonly reason: string;
    readonly message: string;
    readonly container?: coreV1.Container | undefined;
  },
) => void;

/** How workers tell events, over the recorder of this node. */
export function podEvents(record: RecordEvent): PodEvent {
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
