// The shapes of metrics.k8s.io, in the notation of generated/shapes.ts. They are written by hand: the facts that the others are made from
// are those of kube-apiserver, which does not serve this group itself.
export const metricsShapes: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'metrics.v1beta1.ContainerMetrics': {
    name: 'string required always',
    usage: '{}quantity required always',
  },
  'metrics.v1beta1.NodeMetrics': {
    apiVersion: 'string',
    kind: 'string',
    metadata: 'meta.v1.ObjectMeta always',
    timestamp: 'time required always',
    usage: '{}quantity required always',
    window: 'string required always',
  },
  'metrics.v1beta1.PodMetrics': {
    apiVersion: 'string',
    containers: '[]metrics.v1beta1.ContainerMetrics required always',
    kind: 'string',
    metadata: 'meta.v1.ObjectMeta always',
    timestamp: 'time required always',
    window: 'string required always',
  },
};
