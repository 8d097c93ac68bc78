// What kubectl explain says of metrics.k8s.io. The notation is read by descriptions.ts.
export const metrics = `
ContainerMetrics: What a container uses.
  name: The name of the container.
  usage: How much of cpu and memory, each as a quantity.
NodeMetrics: What a node uses.
  timestamp: The end of the time over which it was measured.
  usage: How much of cpu and memory, each as a quantity.
  window: How long it was measured, such as 15s.
PodMetrics: What the containers of a pod use.
  containers: What each container uses.
  timestamp: The end of the time over which it was measured.
  window: How long it was measured, such as 15s.
`;
