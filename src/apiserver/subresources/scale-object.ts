// A Scale made of the object that it is about.
import { formatLabelSelector, type KubeObject, type ScalePaths } from '../../machinery/index.ts';

export interface Scale extends KubeObject {
  spec: { replicas?: number };
  status?: { replicas: number; selector?: string };
}

export function readPath(object: unknown, path: string): unknown {
  let value: unknown = object;
  for (const part of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[part];
  return value;
}

export function toScale(object: KubeObject, paths: ScalePaths): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = readPath(object, paths.selector);
  const replicas = (readPath(object, paths.replicas) as number | undefined) ?? 0;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: (readPath(object, paths.statusReplicas) as number | undefined) ?? 0,
      ...(selector !== undefined && {
        // Custom resources keep it as text already.
        selector: typeof selector === 'string' ? selector : formatLabelSelector(selector),
      }),
    },
  };
}
