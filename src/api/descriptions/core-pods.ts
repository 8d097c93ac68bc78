// What kubectl explain says of pods: the spec, its scheduling, security and network parts, and the status.
// The notation is read by descriptions.ts.
export const corePods = `
Affinity: Rules that draw a pod to nodes and to other pods, or keep it away from them.
  nodeAffinity: Which nodes the pod wants, by their labels.
  podAffinity: Which pods it wants to be near.
  podAntiAffinity: Which pods it wants to be apart from.
AppArmorProfile: The AppArmor profile of a container or of all in a pod.
  localhostProfile: The name of a profile loaded on the node; for type Localhost only.
  type [Localhost|RuntimeDefault|Unconfined]: Which sort of profile.
Binding: Assigns a pod to a node; the scheduler sends it to the pod's binding subresource.
  target: The node.
ContainerExtendedResourceRequest: Says which device request stands for a container's extended resource.
  containerName: The container.
  requestName: The request in the claim.
  resourceName: The extended resource.
HostAlias: A line of the pod's /etc/hosts.
  hostnames: Names for the address.
  ip: The address.
HostIP: An address of the node.
  ip: The address.
LocalObjectReference: The name of an object in the same namespace.
  name =: The object's name.
NodeAffinity: Which nodes a pod may and should run on.
  preferredDuringSchedulingIgnoredDuringExecution: Nodes that are better than others; the weights of matching terms add up.
  requiredDuringSchedulingIgnoredDuringExecution: Nodes that are allowed. Later changes of labels do not move the pod.
NodeAllocatableResourceClaimStatus: Node resources, such as cpu, that a pod gets through a resource claim.
  containers: The containers that use the claim.
  resourceClaimName: The claim.
  resources: How much of each resource.
NodeSelector: A choice of nodes; a node that any term matches is chosen.
  nodeSelectorTerms: The terms.
NodeSelectorRequirement: One condition on a label or field of a node.
  key: The label or field.
  operator [DoesNotExist|Exists|Gt|In|Lt|NotIn]: How values are compared.
  values: Values to compare with: none for Exists and DoesNotExist, one integer for Gt and Lt.
NodeSelectorTerm: Conditions that must all hold for a node. An empty term matches nothing.
  matchExpressions: Conditions on labels.
  matchFields: Conditions on fields; only metadata.name.
Pod: Containers that run together on one node and share its address and volumes.
PodAffinity: Which pods this one wants to share a place with.
  preferredDuringSchedulingIgnoredDuringExecution: Places that are better than others; the weights of matching terms add up.
  requiredDuringSchedulingIgnoredDuringExecution: Terms that must all hold when the pod is scheduled.
PodAffinityTerm: A set of pods, and what counts as the same place.
  labelSelector: The pods, by their labels. Left out = none.
  matchLabelKeys: Labels whose values on this pod are added to the selector with In.
  mismatchLabelKeys: Labels whose values on this pod are added to the selector with NotIn.
  namespaceSelector: Namespaces of those pods, by label; {} = all.
  namespaces: Namespaces of those pods, by name. Both left out = this pod's.
  topologyKey: The node label whose value makes a place, such as topology.kubernetes.io/zone.
PodAntiAffinity: Which pods this one wants to stay apart from.
  preferredDuringSchedulingIgnoredDuringExecution: Places that are worse than others; the weights of matching terms add up.
  requiredDuringSchedulingIgnoredDuringExecution: Terms that must all be kept when the pod is scheduled.
PodCondition: One aspect of a pod's state, such as Ready.
  lastProbeTime: When it was last checked.
PodDNSConfig: DNS settings, added to what dnsPolicy makes.
  nameservers: Addresses of name servers.
  options: Options of the resolver.
  searches: Domains in which short names are looked up.
PodDNSConfigOption: An option of resolv.conf.
  name: The option, such as ndots.
  value: Its value, if it has one.
PodExtendedResourceClaimStatus: The claim made for extended resources that devices provide.
  requestMappings: Which request of the claim stands for which resource of which container.
  resourceClaimName: The claim.
PodIP: An address of the pod.
  ip: The address.
PodOS: The operating system of a pod's images.
  name: linux or windows.
PodReadinessGate: A condition that must be True for the pod to be ready.
  conditionType: The type of the condition.
PodResourceClaim: A claim on devices that containers of the pod can use; one source is given.
  name: The name by which containers refer to it.
  resourceClaimName: A ResourceClaim in the pod's namespace.
  resourceClaimTemplateName: A template from which a claim is made for this pod.
PodResourceClaimStatus: The claim made from a template.
  name: The entry in the pod's resourceClaims.
  resourceClaimName: The claim; absent = none was needed.
PodSchedulingGate: A gate that keeps a pod from being scheduled until it is removed.
  name: The gate's name.
PodSchedulingGroup: The group with which a pod is scheduled.
  podGroupName: The name of the PodGroup.
PodSecurityContext: Users, groups and confinement for all containers of a pod.
  appArmorProfile: The AppArmor profile.
  fsGroup: A group added to every container that owns the volumes which support it.
  fsGroupChangePolicy [Always|OnRootMismatch]: When ownership of a volume is changed for fsGroup. Left out = Always.
  runAsGroup: The primary group of the processes; left out = the runtime's choice.
  runAsNonRoot: Whether a container that would run as user 0 is refused.
  runAsUser: The user of the processes; left out = the image's.
  seLinuxChangePolicy: How volumes get their SELinux label: MountOption or Recursive.
  seLinuxOptions: The SELinux label; left out = the runtime makes one for each container.
  seccompProfile: The seccomp profile.
  supplementalGroups: Further groups of the first process of each container.
  supplementalGroupsPolicy [Merge|Strict]: Whether groups from the image's /etc/group count too. Left out = Merge.
  sysctls: Kernel parameters set in the pod's namespaces.
  windowsOptions: Settings for Windows containers.
PodSpec: What a pod runs, and where.
  activeDeadlineSeconds: Seconds from the pod's start after which it is failed and stopped.
  affinity: Rules about which nodes and which neighbours the pod wants.
  automountServiceAccountToken: Whether the service account's token is mounted into the containers.
  containers: The containers. At least one; they cannot be added or removed later.
  dnsConfig: DNS settings, added to what dnsPolicy makes.
  dnsPolicy [ClusterFirst|ClusterFirstWithHostNet|Default|None]: Where names are resolved. Left out = ClusterFirst.
  enableServiceLinks: Whether services of the namespace appear as environment variables. Left out = true.
  ephemeralContainers: Containers added later for debugging, through the ephemeralcontainers subresource.
  hostAliases: Lines added to /etc/hosts.
  hostIPC: Whether the node's IPC namespace is used.
  hostNetwork: Whether the node's network is used; ports are then ports of the node.
  hostPID: Whether the node's process namespace is used.
  hostUsers: Whether the node's user namespace is used; false gives the pod one of its own. Left out = true.
  hostname: The host name in the pod; left out = the pod's name.
  hostnameOverride: The host name as it is, without any domain; DNS does not know it.
  imagePullSecrets: Secrets with credentials for pulling the images.
  initContainers: Containers that run one after the other before the rest; each must succeed.
  nodeName: The node the pod is on. Set by the scheduler; given at creation it goes round the scheduler.
  nodeSelector: Labels that the node must have.
  os: The operating system of the images; some fields are refused for one or the other.
  overhead: Resources the pod needs beyond its containers; comes from the RuntimeClass.
  preemptionPolicy [Never|PreemptLowerPriority]: Whether pods of lower priority may be evicted for this one.
  priority: The priority as a number; comes from priorityClassName.
  priorityClassName: The PriorityClass of the pod; left out = the default class, else priority 0.
  readinessGates: Conditions that must be True, besides ready containers, for the pod to be ready.
  resourceClaims: Claims on devices that the containers can use.
  resources: Requests and limits for the pod as a whole, shared by its containers.
  restartPolicy [Always|Never|OnFailure]: When ended containers are started again. Left out = Always.
  runtimeClassName: The RuntimeClass that runs the pod; left out = the node's default.
  schedulerName: The scheduler that places the pod; left out = default-scheduler.
  schedulingGates: Gates that keep the pod from being scheduled; after creation they can only be removed.
  schedulingGroup: The group with which the pod is scheduled.
  securityContext: Users, groups and confinement for all containers.
  serviceAccount: Deprecated: use serviceAccountName.
  serviceAccountName: The ServiceAccount the pod acts as; left out = default.
  setHostnameAsFQDN: Whether the host name is the full domain name.
  shareProcessNamespace: Whether the containers see each other's processes.
  subdomain: Gives the pod the name HOSTNAME.SUBDOMAIN.NAMESPACE.svc under a headless service of this name.
  terminationGracePeriodSeconds: Seconds the containers get to end by themselves when the pod is deleted. Left out = 30.
  tolerations: Taints of nodes that the pod puts up with.
  topologySpreadConstraints: How evenly pods like this one are spread over places; all must hold.
  volumes: Volumes that the containers can mount.
PodStatus: What is known of a pod; it may lag behind.
  allocatedResources: Resources that the node has set aside for the pod as a whole.
  conditions: State of the pod, aspect by aspect: PodScheduled, Initialized, ContainersReady, Ready and others.
  containerStatuses: What is known of each container.
  ephemeralContainerStatuses: What is known of each ephemeral container.
  extendedResourceClaimStatus: The claim made for extended resources that devices provide.
  hostIP: The first address of the node.
  hostIPs: The addresses of the node, at most one a family.
  initContainerStatuses: What is known of each init container.
  message: Why the pod is in this state, in a sentence.
  nodeAllocatableResourceClaimStatuses: Node resources that the pod gets through resource claims.
  nominatedNodeName: The node on which room is being made for the pod.
  phase [Failed|Pending|Running|Succeeded|Unknown]: Where in its life the pod is.
  podIP: The first address of the pod.
  podIPs: The addresses of the pod, at most one a family.
  qosClass [BestEffort|Burstable|Guaranteed]: The class that requests and limits put the pod in.
  reason: Why the pod is in this state, in one word, such as Evicted.
  resize: Deprecated: see the conditions PodResizePending and PodResizeInProgress.
  resourceClaimStatuses: The claims made from templates.
  resources: Requests and limits in force for the pod as a whole.
  startTime: When the node took up the pod, before any image was pulled.
PodTemplate: A template of pods, kept as an object of its own.
  template: The template.
PodTemplateSpec: What pods made from it look like.
  metadata: Labels, annotations and other metadata that the pods get.
  spec: What the pods run, and where.
PreferredSchedulingTerm: Nodes that are better than others.
  preference: The nodes.
  weight: How much better, 1 to 100.
SELinuxOptions: Parts of an SELinux label.
  level: The level.
  role: The role.
  type: The type.
  user: The user.
SeccompProfile: Which system calls are allowed.
  localhostProfile: A file below the node's seccomp directory; for type Localhost only.
  type [Localhost|RuntimeDefault|Unconfined]: Which sort of profile.
SecurityContext: User, capabilities and confinement of one container. Wins over the pod's.
  allowPrivilegeEscalation: Whether a process may gain more rights than its parent. Always true when privileged.
  appArmorProfile: The AppArmor profile.
  capabilities: Capabilities to add and drop.
  privileged: Whether processes are in effect root on the node.
  procMount [Default|Unmasked]: How /proc is mounted. Left out = Default, with paths masked.
  readOnlyRootFilesystem: Whether the root file system cannot be written.
  runAsGroup: The primary group of the processes.
  runAsNonRoot: Whether the container is refused if it would run as user 0.
  runAsUser: The user of the processes; left out = the image's.
  seLinuxOptions: The SELinux label.
  seccompProfile: The seccomp profile.
  windowsOptions: Settings for Windows containers.
Sysctl: A kernel parameter.
  name: Its name, such as net.core.somaxconn.
  value: Its value.
Toleration: Taints that a pod puts up with.
  effect [NoExecute|NoSchedule|PreferNoSchedule]: The effect of the taint; left out = any.
  key: The key of the taint; left out, with Exists, = any.
  operator [Equal|Exists|Gt|Lt]: How the value is compared. Left out = Equal; Gt and Lt compare integers.
  tolerationSeconds: How long a NoExecute taint is put up with; left out = for ever.
  value: The value of the taint; empty with Exists.
TopologySpreadConstraint: How evenly pods are spread over places.
  labelSelector: The pods that are counted.
  matchLabelKeys: Labels whose values on this pod are added to the selector.
  maxSkew: How many more pods a place may have than the emptiest one.
  minDomains: With fewer places than this the emptiest counts as having no pods. Left out = 1.
  nodeAffinityPolicy [Honor|Ignore]: Whether only nodes that the pod's affinity allows count. Left out = Honor.
  nodeTaintsPolicy [Honor|Ignore]: Whether nodes with taints that the pod does not tolerate are left out. Left out = Ignore.
  topologyKey: The node label whose value makes a place.
  whenUnsatisfiable [DoNotSchedule|ScheduleAnyway]: Whether a pod that would break the rule waits or is placed where it is best.
WeightedPodAffinityTerm: A term with a weight.
  podAffinityTerm: The term.
  weight: How much it counts, 1 to 100.
WindowsSecurityContextOptions: Settings for Windows containers.
  gmsaCredentialSpec: A GMSA credential spec, in full.
  gmsaCredentialSpecName: The name of a GMSA credential spec.
  hostProcess: Whether the container runs as a process of the host; the same for all of a pod.
  runAsUserName: The Windows user; left out = the image's.
`;
