// What kubectl explain says of networking.k8s.io, discovery.k8s.io, storage.k8s.io and node.k8s.io. The notation is read by
// descriptions.ts.
export const networking = `
HTTPIngressPath: A path and where it leads.
  backend: Where requests go.
  path: The path, beginning with /.
  pathType [Exact|ImplementationSpecific|Prefix]: Whether the whole path must be equal, or its first parts, or as the controller has it.
HTTPIngressRuleValue: Paths and where they lead.
  paths: The paths.
IPAddress: An address of the service ranges that is in use; its name is the address.
IPAddressSpec: Who uses an address.
  parentRef: The object, usually a service.
IPBlock: A range of addresses, less some.
  cidr: The range, such as 192.168.1.0/24.
  except: Ranges within it that are left out.
Ingress: Leads HTTP requests from outside to services, by host and path.
IngressBackend: Where requests go; one member is given.
  resource: An object in the same namespace.
  service: A service.
IngressClass: A sort of Ingress, and the controller that serves it.
IngressClassParametersReference: An object with settings of the controller.
  apiGroup: Its API group; left out = core.
  kind: Its kind.
  name: Its name.
  namespace: Its namespace; needed for scope Namespace.
  scope: Cluster or Namespace. Left out = Cluster.
IngressClassSpec: The controller of a class.
  controller: The controller's name, such as example.com/ingress-controller. Cannot be changed.
  parameters: An object with settings of the controller.
IngressLoadBalancerIngress: A place where traffic comes in.
  hostname: Its host name.
  ip: Its address.
  ports: State of its ports.
IngressLoadBalancerStatus: State of the load balancer.
  ingress: Where traffic comes in.
IngressPortStatus: State of a port.
  error: What is wrong with it, as one CamelCase word, with a domain before it if it is not a common one.
  port: The number of the port.
  protocol [SCTP|TCP|UDP]: The transport protocol.
IngressRule: A host and its paths.
  host: The host; *.example.com stands for one label. Left out = any.
  http: Its paths.
IngressServiceBackend: A port of a service.
  name: The service.
  port: The port.
IngressSpec: What leads where.
  defaultBackend: Where requests go that no rule matches.
  ingressClassName: The IngressClass; left out = the default one.
  rules: Hosts and paths.
  tls: Certificates of the hosts, on port 443.
IngressStatus: State of an Ingress.
  loadBalancer: State of its load balancer.
IngressTLS: A certificate and its hosts.
  hosts: The hosts of the certificate.
  secretName: The Secret with certificate and key.
NetworkPolicy: Which traffic is allowed to and from pods.
NetworkPolicyEgressRule: Traffic that may leave; peers and ports must both match.
  ports: Destination ports; left out = all.
  to: Destinations; left out = all.
NetworkPolicyIngressRule: Traffic that may come in; peers and ports must both match.
  from: Sources; left out = all.
  ports: Ports of the pods; left out = all.
NetworkPolicyPeer: Pods or addresses.
  ipBlock: Addresses; not together with the others.
  namespaceSelector: Namespaces, by label; {} = all.
  podSelector: Pods, by label, of those namespaces, or of the policy's own.
NetworkPolicyPort: A port or range of ports.
  endPort: The end of a range that begins with port.
  port: The port, by number or name; left out = all.
  protocol [SCTP|TCP|UDP]: The transport protocol. Left out = TCP.
NetworkPolicySpec: The pods, and what is allowed.
  egress: Traffic that may leave; none given = nothing may.
  ingress: Traffic that may come in; none given = nothing may.
  podSelector: The pods; {} = all of the namespace.
  policyTypes [Egress|Ingress]: Directions it is about; left out = Ingress, and Egress if there are such rules.
ParentReference: The object that uses an address.
  group: Its API group.
  name: Its name.
  namespace: Its namespace.
  resource: Its resource, in the plural.
ServiceBackendPort: A port of a service, by name or number.
  name: The name.
  number: The number.
ServiceCIDR: Ranges from which services get addresses.
ServiceCIDRSpec: The ranges.
  cidrs: At most one range a family. Cannot be changed.
ServiceCIDRStatus: State of the ranges.
`;

export const discovery = `
Endpoint: One backend of a service.
  addresses: Its addresses; clients use the first.
  conditions: Whether it takes traffic.
  deprecatedTopology: Labels of older versions. Cannot be set.
  hints: Who should use it.
  hostname: The host name of the pod.
  nodeName: The node it is on.
  targetRef: The object behind it, usually a pod.
  zone: The zone it is in.
EndpointConditions: Whether a backend takes traffic.
  ready: Whether it should get traffic; never while it terminates. Left out = true.
  serving: Whether it answers, terminating or not. Left out = ready.
  terminating: Whether it is ending. Left out = false.
EndpointHints: Who should use a backend.
  forNodes: The nodes.
  forZones: The zones.
EndpointPort: A port of the backends.
  appProtocol: The application protocol, such as http or kubernetes.io/h2c.
  name: The name of the service's port; unique in the slice.
  port: The number of the port.
  protocol [SCTP|TCP|UDP]: The transport protocol. Left out = TCP.
EndpointSlice: A part of the backends of a service, all with the same ports and sort of address.
  addressType [FQDN|IPv4|IPv6]: The sort of addresses. Cannot be changed.
  endpoints: The backends, at most 1000.
  ports: The ports, at most 100.
ForNode: A node that should use a backend.
  name: The node.
ForZone: A zone that should use a backend.
  name: The zone.
`;

export const storage = `
CSIDriver: What a CSI driver needs and can do; its name is the driver's.
CSIDriverSpec: What the driver needs and can do.
  attachRequired: Whether volumes must be attached before they are mounted. Left out = true.
  fsGroupPolicy: When ownership is changed for fsGroup: ReadWriteOnceWithFSType, File or None.
  nodeAllocatableUpdatePeriodSeconds: How often CSINode's allocatable is asked anew, at least 10 seconds; left out = never.
  podInfoOnMount: Whether the driver is told about the pod when mounting. Left out = false.
  preventPodSchedulingIfMissing: Whether pods stay off nodes on which the driver is not installed.
  requiresRepublish: Whether mounting is called again and again to renew contents. Left out = false.
  seLinuxMount: Whether volumes can be mounted with an SELinux label. Left out = false.
  serviceAccountTokenInSecrets: Whether tokens are handed over among the secrets and not the attributes.
  storageCapacity: Whether the scheduler should look at CSIStorageCapacity objects. Left out = false.
  tokenRequests: Service account tokens of the pod that the driver is handed.
  volumeLifecycleModes: Persistent, Ephemeral or both. Left out = Persistent.
CSINode: CSI drivers on a node; its name is the node's.
CSINodeDriver: A CSI driver on a node.
  allocatable: How many volumes fit.
  name: The driver.
  nodeID: The driver's ID of the node.
  topologyKeys: Node labels by which the driver tells places apart.
CSINodeSpec: CSI drivers on a node.
  drivers: The drivers.
CSIStorageCapacity: How much storage of a class there is in a place.
  capacity: How much there is.
  maximumVolumeSize: The largest volume.
  nodeTopology: The place, by labels of its nodes; left out = none.
  storageClassName: The StorageClass.
StorageClass: A sort of storage, and how volumes of it are made.
  allowVolumeExpansion: Whether volumes can be made larger.
  allowedTopologies: Places in which volumes can be made; left out = all.
  mountOptions: Options of mount that the volumes get; not checked before.
  parameters: Settings for the provisioner. Cannot be changed.
  provisioner: Who makes the volumes. Cannot be changed.
  reclaimPolicy [Delete|Recycle|Retain]: What happens to a volume when its claim goes. Left out = Delete.
  volumeBindingMode [Immediate|WaitForFirstConsumer]: Whether a volume waits for its first pod. Left out = Immediate.
TokenRequest: A token for a driver.
  audience: Who the token is for; empty = the API server.
  expirationSeconds: How long it holds.
VolumeAttachment: Wants a volume attached to a node.
VolumeAttachmentSource: The volume; one member is given.
  inlineVolumeSpec: A volume of a pod, translated to a CSI one.
  persistentVolumeName: A PersistentVolume.
VolumeAttachmentSpec: What is to be attached where.
  attacher: The driver that does it.
  nodeName: The node.
  source: The volume.
VolumeAttachmentStatus: State of the attachment.
  attachError: The last error of attaching.
  attached: Whether it is attached.
  attachmentMetadata: What the driver needs to mount it.
  detachError: The last error of detaching.
VolumeAttributesClass: Attributes of volumes that can be changed later, such as speed.
  driverName: The CSI driver. Cannot be changed.
  parameters: The attributes. Cannot be changed.
VolumeError: An error of a driver.
  errorCode: The gRPC code.
  message: What went wrong. No secrets.
  time: When.
VolumeNodeResources: How much fits on a node.
  count: How many volumes; left out = no limit.
`;

export const node = `
Overhead: What running a pod costs besides its containers.
  podFixed: Resources for each pod.
RuntimeClass: A way of running pods, such as in a virtual machine.
  handler: The runtime handler of the nodes. Cannot be changed.
  overhead: What running a pod costs besides its containers.
  scheduling: Nodes that support it; left out = all.
Scheduling: Nodes for the pods of a RuntimeClass.
  nodeSelector: Labels of those nodes, added to the pods' own.
  tolerations: Tolerations that the pods get.
`;
