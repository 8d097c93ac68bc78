// How sandboxes and containers are marked in the runtime, so that a restarted agent and other tools find their pod again: the
// kubelet's labels and annotations.
import { createHash } from 'node:crypto';
import type { coreV1, Pod } from '../../api/index.ts';

export const label = {
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
} as const;

export const annotation = {
  hash: 'io.kubernetes.container.hash',
  restartCount: 'io.kubernetes.container.restartCount',
  terminationMessagePath: 'io.kubernetes.container.terminationMessagePath',
  terminationMessagePolicy: 'io.kubernetes.container.terminationMessagePolicy',
  ports: 'io.kubernetes.container.ports',
  podGracePeriod: 'io.kubernetes.pod.terminationGracePeriod',
  preStop: 'io.kubernetes.container.preStopHandler',
  /** Which agent made it: several nodes may share a machine. */
  node: 'jotasu.node',
  configSource: 'kubernetes.io/config.source',
  configHash: 'kubernetes.io/config.hash',
  configSeen: 'kubernetes.io/config.seen',
  configMirror: 'kubernetes.io/config.mirror',
} as const;

/** From a file of this node. Its picture in the API, the mirror pod, is none. */
export const isStaticPod = ({ metadata: { annotations } }: Pod): boolean =>
  annotations?.[annotation.configSource] === 'file' && annotations[annotation.configMirror] === undefined;

/** Changes when the container would have to be started anew. Only the image may change in a running pod. */
export function containerHash(container: coreV1.Container): string {
  return createHash('sha256')
    .update(`${container.name}\0${container.image ?? ''}`)
    .digest('hex')
    .slice(0, 8);
}

export function podLabels(pod: Pod): Record<string, string> {
  return {
    ...pod.metadata.labels,
    [label.podName]: pod.metadata.name,
    [label.podNamespace]: pod.metadata.namespace ?? '',
    [label.podUid]: pod.metadata.uid,
  };
}

export const podLogDirectory = (
  logDir: string,
  pod: { namespace: string; name: string; uid: string },
): string => `${logDir}/pods/${pod.namespace}_${pod.name}_${pod.uid}`;

export const identityOf = (pod: Pod): { namespace: string; name: string; uid: string } => ({
  namespace: pod.metadata.namespace ?? '',
  name: pod.metadata.name,
  uid: pod.metadata.uid,
});
