// What a container is made from: everything but the paths of its volumes is known here. Pure.
import type { coreV1, Pod } from '../../api/index.ts';
import type { ContainerConfig, ImageInfo, Mount } from '../../os/index.ts';
import type { Environment } from './environment.ts';
import { expand } from './expansion.ts';
import { annotation, containerHash, label, podLabels } from './names.ts';
import { containerResources } from './resources.ts';
import { containerSecurity } from './security.ts';

export interface ContainerInput {
  readonly pod: Pod;
  readonly container: coreV1.Container;
  readonly attempt: number;
  readonly image: ImageInfo;
  readonly environment: Environment;
  readonly mounts: readonly Mount[];
  readonly memoryCapacityBytes: number;
  /** For an ephemeral container: the container whose processes it sees. */
  readonly targetId?: string | undefined;
  readonly seccompDir?: string | undefined;
}

export function buildContainerConfig(input: ContainerInput): ContainerConfig {
  const { pod, container, environment } = input;
  const security = containerSecurity(pod, container, input.image, input.seccompDir);
  const expanded = (list: readonly string[] | undefined) =>
    (list ?? []).map((text) => expand(text, environment.values));
  const grace = pod.spec.terminationGracePeriodSeconds;
  return {
    metadata: { name: container.name, attempt: input.attempt },
    image: input.image.id,
    command: expanded(container.command),
    args: expanded(container.args),
    workingDir: container.workingDir ?? '',
    env: [...environment.values].map(([name, value]) => ({ name, value })),
    mounts: input.mounts,
    labels: {
      ...pickPodLabels(pod),
      [label.containerName]: container.name,
    },
    annotations: {
      [annotation.hash]: containerHash(container),
      [annotation.restartCount]: String(input.attempt),
      [annotation.terminationMessagePath]: container.terminationMessagePath ?? '',
      [annotation.terminationMessagePolicy]: container.terminationMessagePolicy ?? 'File',
      ...(grace !== undefined && { [annotation.podGracePeriod]: String(grace) }),
      ...(container.lifecycle?.preStop !== undefined && {
        [annotation.preStop]: JSON.stringify(container.lifecycle.preStop),
      }),
      ...(container.ports !== undefined &&
        container.ports.length > 0 && { [annotation.ports]: JSON.stringify(container.ports) }),
    },
    logPath: `${container.name}/${input.attempt}.log`,
    stdin: container.stdin ?? false,
    stdinOnce: container.stdinOnce ?? false,
    tty: container.tty ?? false,
    resources: containerResources(pod, container, input.memoryCapacityBytes),
    security:
      input.targetId === undefined
        ? security
        : { ...security, namespaces: { ...security.namespaces, pid: 'target', targetId: input.targetId } },
  };
}

function pickPodLabels(pod: Pod): Record<string, string> {
  const all = podLabels(pod);
  return {
    [label.podName]: all[label.podName]!,
    [label.podNamespace]: all[label.podNamespace]!,
    [label.podUid]: all[label.podUid]!,
  };
}
