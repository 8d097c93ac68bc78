// What kubectl explain says of the other core kinds: nodes, services, configuration, quotas, events. The notation is read by
// descriptions.ts.
export const core = `
AttachedVolume: A volume attached to a node.
  devicePath: The device it appears as.
  name: The name of the volume.
ClientIPConfig: Session affinity by client address.
  timeoutSeconds: How long a client stays with its pod. Left out = 10800.
ComponentCondition: Whether a part of the control plane works.
  error: The error of the check.
  message: What the check said.
  status: True, False or Unknown.
  type: Always Healthy.
ComponentStatus: State of a part of the control plane. Deprecated.
ConfigMap: Configuration as keys and values, for pods to read.
  binaryData: Values that are not text; keys differ from those of data.
  data: Values that are text.
  immutable: Whether the values can never be changed.
ConfigMapNodeConfigSource: A ConfigMap with kubelet configuration. Not used any more.
  kubeletConfigKey: The key of the configuration.
  name: The name of the ConfigMap.
  namespace: Its namespace.
  resourceVersion: Its resourceVersion; only in status.
  uid: Its uid; only in status.
ContainerImage: An image on a node.
  names: Its names, by tag and by digest.
  sizeBytes: Its size in bytes.
DaemonEndpoint: A port of a program on the node.
  Port: The number of the port.
EndpointAddress: An address behind a service.
  hostname: The host name of the pod.
  ip: The address.
  nodeName: The node it is on.
  targetRef: The pod.
EndpointPort: A port behind a service.
  appProtocol: The application protocol, such as http or kubernetes.io/h2c.
  name: The name of the service's port.
  port: The number of the port.
  protocol [SCTP|TCP|UDP]: The transport protocol. Left out = TCP.
EndpointSubset: Addresses that share the same ports.
  addresses: Addresses that are ready.
  notReadyAddresses: Addresses that are not.
  ports: The ports at each address.
Endpoints: Addresses behind a service. Deprecated: use EndpointSlice.
  subsets: The addresses, grouped by ports.
Event: Something that happened to an object. Events are kept for a while only.
  action: What was done.
  count: How many times it happened.
  eventTime: When it was first seen.
  firstTimestamp: When it happened first.
  involvedObject: The object it is about.
  lastTimestamp: When it happened last.
  message: What happened, in a sentence.
  reason: What happened, in one word.
  related: Another object that plays a part.
  reportingComponent =: Who reports it, such as kubernetes.io/kubelet.
  reportingInstance =: Which instance of it.
  series: How often it went on happening.
  source: Who reports it.
  type: Normal or Warning.
EventSeries: A row of like events.
  count: How many, up to the last report.
  lastObservedTime: When the last of them was seen.
EventSource: Who reports an event.
  component: The program.
  host: The node it runs on.
LimitRange: Bounds and defaults for resources of each pod, container or claim of a namespace.
LimitRangeItem: Bounds and defaults for one sort of object.
  default: Limits given where there are none.
  defaultRequest: Requests given where there are none.
  max: The most that is allowed.
  maxLimitRequestRatio: How many times its request a limit may be.
  min: The least that is allowed.
  type: Pod, Container or PersistentVolumeClaim.
LimitRangeSpec: Bounds and defaults.
  limits: One entry for each sort of object.
LoadBalancerIngress: A place where a load balancer takes traffic in.
  hostname: Its host name.
  ip: Its address.
  ipMode: VIP, or Proxy when traffic comes with the node's address as destination.
  ports: State of its ports.
LoadBalancerStatus: State of a load balancer.
  ingress: Where it takes traffic in.
Namespace: A scope of names; deleting it deletes all in it.
NamespaceCondition: One aspect of a namespace's state.
NamespaceSpec: What holds a namespace.
  finalizers: Names that must be gone before the namespace is.
NamespaceStatus: State of a namespace.
  phase [Active|Terminating]: Whether it is being deleted.
Node: A machine of the cluster.
NodeAddress: An address of a node.
  address: The address or name.
  type: Hostname, InternalIP, ExternalIP, InternalDNS or ExternalDNS.
NodeCondition: One aspect of a node's state, such as Ready.
  lastHeartbeatTime: When it was last reported.
NodeConfigSource: Where the kubelet's configuration came from. Not used any more.
  configMap: A ConfigMap.
NodeConfigStatus: State of the kubelet's configuration. Not used any more.
  active: What is in force.
  assigned: What should be.
  error: What went wrong.
  lastKnownGood: What is fallen back to.
NodeDaemonEndpoints: Ports of programs on the node.
  kubeletEndpoint: The kubelet's port.
NodeFeatures: What the node's runtime can do.
  supplementalGroupsPolicy: Whether supplementalGroupsPolicy is supported.
NodeRuntimeHandler: A runtime handler of the node.
  features: What it can do.
  name =: Its name; empty = the default one.
NodeRuntimeHandlerFeatures: What a runtime handler can do.
  recursiveReadOnlyMounts: Whether mounts can be read-only with all below them.
  userNamespaces: Whether pods can have user namespaces.
NodeSpec: What is set for a node.
  configSource: Deprecated and without effect.
  externalID: Deprecated and not set any more.
  podCIDR: Addresses for pods of the node.
  podCIDRs: Addresses for pods of the node, at most one range a family.
  providerID: The machine's ID at the cloud provider.
  taints: Marks that keep pods away that do not tolerate them.
  unschedulable: Whether no new pods are placed here, as after kubectl cordon.
NodeStatus: State of a node, reported by the node.
  addresses: Its addresses and names.
  allocatable: Resources that pods can have.
  capacity: Resources in all.
  conditions: State of the node, aspect by aspect: Ready, MemoryPressure, DiskPressure and others.
  config: Deprecated: state of the kubelet's configuration.
  daemonEndpoints: Ports of programs on the node.
  declaredFeatures: Features that the node says it has.
  features: What its runtime can do.
  images: Images on the node.
  nodeInfo: Versions and identifiers of the machine.
  phase [Pending|Running|Terminated]: Deprecated and not set any more.
  runtimeHandlers: Its runtime handlers.
  volumesAttached: Volumes attached to it.
  volumesInUse: Attachable volumes that are in use; they must not be detached.
NodeSwapStatus: Swap space of a node.
  capacity: How much, in bytes.
NodeSystemInfo: Versions and identifiers of a machine.
  architecture: The processor architecture, such as amd64.
  bootID: An ID that is new at each boot.
  containerRuntimeVersion: The runtime, such as containerd://1.7.0.
  kernelVersion: The version of the kernel.
  kubeProxyVersion: Deprecated: the version of the service proxy.
  kubeletVersion: The version of the node agent.
  machineID: The ID of the installed system.
  operatingSystem: linux or windows.
  osImage: The name of the system, from /etc/os-release.
  swap: Swap space.
  systemUUID: The ID of the hardware.
ObjectReference: A reference to an object.
  apiVersion: Its API version.
  fieldPath: The part of it that is meant, such as spec.containers{web}.
  kind: Its kind.
  name: Its name.
  namespace: Its namespace.
  resourceVersion: The version of it that is meant.
  uid: Its uid.
PortStatus: State of a port of a load balancer.
  error: What is wrong with it, as one CamelCase word, with a domain before it if it is not a common one.
  port: The number of the port.
  protocol [SCTP|TCP|UDP]: The transport protocol.
ReplicationController: Keeps a number of pods running. Deployment and ReplicaSet are its successors.
ReplicationControllerCondition: One aspect of a replication controller's state.
ReplicationControllerSpec: The pods that are wanted.
  minReadySeconds: Seconds a pod must be ready to count as available.
  replicas =1: How many pods.
  selector: Labels of the pods; left out = those of the template.
  template: What new pods look like.
ReplicationControllerStatus: The pods that are there.
  availableReplicas: Pods that have been ready for minReadySeconds.
  fullyLabeledReplicas: Pods with all labels of the template.
  readyReplicas: Pods that are ready.
  replicas: Pods in all.
ResourceQuota: Bounds for what a namespace may use in all.
ResourceQuotaSpec: The bounds.
  hard: The most of each resource or count of objects.
  scopeSelector: Which pods count, by scope and value.
  scopes [BestEffort|CrossNamespacePodAffinity|NotBestEffort|NotTerminating|PriorityClass|Terminating|VolumeAttributesClass]: Objects that count must match all of these.
ResourceQuotaStatus: The bounds in force, and what is used.
  hard: The bounds in force.
  used: How much is used.
ScopeSelector: A choice of objects by scopes.
  matchExpressions: Conditions that must all hold.
ScopedResourceSelectorRequirement: A condition on one scope.
  operator [DoesNotExist|Exists|In|NotIn]: How values are compared.
  scopeName [BestEffort|CrossNamespacePodAffinity|NotBestEffort|NotTerminating|PriorityClass|Terminating|VolumeAttributesClass]: The scope.
  values: Values to compare with; none for Exists and DoesNotExist.
Secret: Confidential values, for pods and controllers to read.
  data: The values, in base64.
  immutable: Whether the values can never be changed.
  stringData: Values as text; written into data, never read back.
  type: What the Secret is for, such as kubernetes.io/tls. Left out = Opaque.
SecretReference: A reference to a Secret.
  name: Its name.
  namespace: Its namespace.
Service: One address and name for a set of pods.
ServiceAccount: Who pods act as towards the API.
  automountServiceAccountToken: Whether pods get its token; a pod can say otherwise.
  imagePullSecrets: Secrets with credentials for pulling images, for its pods.
  secrets: Deprecated: Secrets that its pods may use.
ServicePort: A port of a service.
  appProtocol: The application protocol, such as http or kubernetes.io/h2c.
  name: The name; needed when there is more than one port.
  nodePort: The port of every node that leads here; left out = one is chosen.
  port: The port of the service.
  protocol [SCTP|TCP|UDP] =TCP: The transport protocol.
  targetPort: The port of the pods, by number or name; left out = port.
ServiceSpec: Which pods, and how they are reached.
  allocateLoadBalancerNodePorts: Whether a load balancer needs node ports. Left out = true.
  clusterIP: The address in the cluster; None = headless, empty = one is chosen.
  clusterIPs: The addresses in the cluster, at most one a family; the first equals clusterIP.
  externalIPs: Addresses of nodes, not managed by the cluster, that lead here too.
  externalName: The DNS name this one stands for; for type ExternalName.
  externalTrafficPolicy [Cluster|Local]: Whether traffic from outside stays on the node where it arrived.
  healthCheckNodePort: The node port on which load balancers ask whether a node has pods.
  internalTrafficPolicy [Cluster|Local]: Whether traffic from inside stays on the node where it arose.
  ipFamilies: Address families, IPv4 and IPv6, in order.
  ipFamilyPolicy [PreferDualStack|RequireDualStack|SingleStack]: One family, two if possible, or two.
  loadBalancerClass: Which implementation of load balancers; cannot be changed.
  loadBalancerIP: Deprecated: the address the load balancer should have.
  loadBalancerSourceRanges: Clients that the load balancer lets in.
  ports: The ports.
  publishNotReadyAddresses: Whether pods count that are not ready.
  selector: Labels of the pods; left out = the endpoints are made by others.
  sessionAffinity [ClientIP|None]: Whether a client stays with one pod. Left out = None.
  sessionAffinityConfig: Settings of session affinity.
  trafficDistribution: A wish for near endpoints: PreferSameZone, PreferSameNode or PreferClose.
  type [ClusterIP|ExternalName|LoadBalancer|NodePort]: From where it can be reached. Left out = ClusterIP.
ServiceStatus: State of a service.
  loadBalancer: State of its load balancer.
SessionAffinityConfig: Settings of session affinity.
  clientIP: Settings for ClientIP.
Taint: A mark on a node that keeps pods away.
  effect [NoExecute|NoSchedule|PreferNoSchedule]: Refuse new pods, avoid them, or evict running ones too.
  key: The key.
  timeAdded: When it was added.
  value: The value.
`;
