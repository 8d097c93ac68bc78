// What kubectl explain says of containers and what belongs to one: environment, ports, probes, mounts, resources, state.
// The notation is read by descriptions.ts.
export const coreContainers = `
Capabilities: Linux capabilities to give to a container and to take from it.
  add: Capabilities that are added.
  drop: Capabilities that are removed.
ConfigMapEnvSource: A ConfigMap whose entries all become environment variables.
  name =: The name of the ConfigMap, in the pod's namespace.
  optional: Whether the ConfigMap may be missing.
ConfigMapKeySelector: One key of a ConfigMap.
  key: The key that is read.
  name =: The name of the ConfigMap, in the pod's namespace.
  optional: Whether the ConfigMap or the key may be missing.
Container: One container of a pod: an image, how it is started, and what it may use.
  args: Arguments of the command; left out = the image's CMD. $(NAME) stands for an environment variable.
  command: The program to run, not in a shell; left out = the image's ENTRYPOINT. $(NAME) stands for a variable.
  env: Environment variables, one by one; they win over envFrom.
  envFrom: ConfigMaps and Secrets whose entries become environment variables; later ones win.
  image: The image to run.
  imagePullPolicy [Always|IfNotPresent|Never]: When the image is pulled. Left out = Always for tag :latest, else IfNotPresent.
  lifecycle: What to do right after the container started and before it is stopped.
  livenessProbe: Check of whether the container still works; it is restarted when the check fails.
  name: The container's name, a DNS label that is unique in the pod.
  ports: Ports that the container listens on. For information; a port not listed can be reached too.
  readinessProbe: Check of whether the container takes traffic; services leave out pods that fail it.
  resizePolicy: For each resource, whether changing it needs a restart of the container.
  resources: How much of each resource the container is sure to get and may use at most.
  restartPolicy: Always, on an init container, makes it a sidecar; otherwise the pod's policy for this container alone.
  restartPolicyRules: Rules on exit codes that are asked before restartPolicy; the first that matches decides.
  securityContext: Users, capabilities and confinement of the container; wins over the pod's.
  startupProbe: Check of whether the container has started; the other probes wait until it succeeds.
  stdin: Whether standard input is kept open, so that one can attach to it.
  stdinOnce: Whether standard input is closed when the first client that attached goes away.
  terminationMessagePath: The file in the container whose text becomes the message of its end. Usually /dev/termination-log.
  terminationMessagePolicy [FallbackToLogsOnError|File]: Whether the end of the log may serve when that file is empty.
  tty: Whether the container gets a terminal. Needs stdin.
  volumeDevices: Block volumes that appear in the container as devices.
  volumeMounts: Volumes of the pod that appear in the container as directories.
  workingDir: The directory the command runs in; left out = the image's.
ContainerPort: A port that a container listens on.
  containerPort: The number of the port in the container.
  hostIP: The address of the node on which hostPort is opened; left out = all.
  hostPort: A port of the node that leads here. With hostNetwork it equals containerPort.
  name: A name, unique in the pod, by which services can refer to the port.
  protocol [SCTP|TCP|UDP] =TCP: The transport protocol.
ContainerResizePolicy: What changing one resource means for a running container.
  resourceName: The resource: cpu or memory.
  restartPolicy: NotRequired changes it in place; RestartContainer restarts the container.
ContainerRestartRule: What to do when a container ends in a certain way.
  action: What happens: Restart, or RestartAllContainers for the whole pod.
  exitCodes: The exit codes that the rule is for.
ContainerRestartRuleOnExitCodes: A set of exit codes.
  operator: In, or NotIn.
  values: The exit codes.
ContainerState: What a container is doing; one of the members is there.
  running: The container runs.
  terminated: The container has ended.
  waiting: The container has not started yet, or waits to start again.
ContainerStateRunning: A running container.
  startedAt: When it was started.
ContainerStateTerminated: A container that has ended.
  containerID: Its ID in the runtime, such as containerd://…
  exitCode: The exit status of the process.
  finishedAt: When it ended.
  message: What its termination message file said.
  reason: One word for why it ended, such as Completed, Error or OOMKilled.
  signal: The signal that ended it.
  startedAt: When it had been started.
ContainerStateWaiting: A container that does not run yet.
  message: Why, in a sentence.
  reason: Why, in one word, such as ContainerCreating or ImagePullBackOff.
ContainerStatus: What is known of one container of a pod.
  allocatedResources: Resource requests that the node has set aside for the container.
  allocatedResourcesStatus: Health of devices given to the container.
  containerID: The container's ID in the runtime, such as containerd://…
  image: The image it runs.
  imageID: The digest of that image.
  lastState: How the run before this one ended.
  name: The name of the container in the spec.
  ready: Whether the readiness probe succeeds; true from the start when there is none.
  resources: Requests and limits that are in force now.
  restartCount: How many times it has been started again.
  started: Whether the postStart hook and the startup probe are done.
  state: What the container is doing now.
  stopSignal: The signal that stops it.
  user: The user and groups of its first process.
  volumeMounts: How its volumes came out mounted.
ContainerUser: Who a container's first process runs as.
  linux: User and groups on Linux.
EnvFromSource: A set of environment variables from one object.
  configMapRef: The ConfigMap to take them from.
  prefix: Text put before each name.
  secretRef: The Secret to take them from.
EnvVar: One environment variable.
  name: The variable's name.
  value: Its value. $(NAME) stands for a variable named before, $$ for a dollar sign.
  valueFrom: Where to take the value from instead.
EnvVarSource: A place that the value of a variable comes from; one member is given.
  configMapKeyRef: A key of a ConfigMap.
  fieldRef: A field of the pod: metadata, spec.nodeName, spec.serviceAccountName, status.hostIP(s), status.podIP(s).
  fileKeyRef: A variable in a file on a volume.
  resourceFieldRef: A request or limit of a container.
  secretKeyRef: A key of a Secret.
EphemeralContainer < Container: A container added to a running pod to look into it; never restarted, no guaranteed resources.
  lifecycle: Not allowed in ephemeral containers.
  livenessProbe: Not allowed in ephemeral containers.
  ports: Not allowed in ephemeral containers.
  readinessProbe: Not allowed in ephemeral containers.
  resources: Not allowed in ephemeral containers.
  startupProbe: Not allowed in ephemeral containers.
  targetContainerName: The container whose process namespace is joined.
ExecAction: A command run in the container.
  command: The program and its arguments, not in a shell. Exit status 0 is success.
FileKeySelector: One variable of an environment file on a volume.
  key: The variable's name in the file.
  optional =false: Whether the file or the variable may be missing.
  path: Where the file lies in the volume; relative, without "..".
  volumeName: The name of the volume.
GRPCAction: A call of the gRPC health service.
  port: The number of the port.
  service =: The service name that is asked about; empty = the server as a whole.
HTTPGetAction: An HTTP GET; an answer from 200 to 399 is success.
  host: The host to connect to; left out = the pod's address.
  httpHeaders: Headers to send, repeated ones too.
  path: The path to get.
  port: The port, by number or by the name of a container port.
  scheme [HTTP|HTTPS]: Left out = HTTP. Certificates are not checked.
HTTPHeader: A header of a request.
  name: The header's name.
  value: The header's value.
Lifecycle: What to do when a container starts and stops.
  postStart: Runs right after the start; if it fails, the container is stopped.
  preStop: Runs before the container is stopped, within the grace period.
  stopSignal: The signal that stops the container; left out = the image's, else SIGTERM.
LifecycleHandler: One action; exactly one member is given.
  exec: Run a command in the container.
  httpGet: Make an HTTP request.
  sleep: Wait for some seconds.
  tcpSocket: Deprecated and without effect.
LinuxContainerUser: User and groups of a process on Linux.
  gid: The primary group.
  supplementalGroups: The other groups.
  uid: The user.
ObjectFieldSelector: A field of the pod.
  apiVersion: The version that the path is written for; left out = v1.
  fieldPath: The path of the field, such as metadata.name.
Probe: A check that is repeated while a container runs.
  exec: Run a command in the container.
  failureThreshold: How many failures in a row count as failed. Left out = 3.
  grpc: Call the gRPC health service.
  httpGet: Make an HTTP request.
  initialDelaySeconds: Seconds from the start of the container to the first check.
  periodSeconds: Seconds from one check to the next. Left out = 10.
  successThreshold: How many successes in a row count as healthy again. Left out = 1; other values only for readiness.
  tcpSocket: Open a TCP connection.
  terminationGracePeriodSeconds: Grace when a failed check stops the container; left out = the pod's.
  timeoutSeconds: Seconds after which a check has failed. Left out = 1.
ResourceClaim: A resource claim of the pod that a container uses.
  name: The name of an entry in the pod's resourceClaims.
  request: One request of that claim; left out = all.
ResourceFieldSelector: A request or limit of a container, as a value.
  containerName: The container; may be left out in environment variables.
  divisor: The unit of the result, such as 1Mi. Left out = 1.
  resource: Which: limits.cpu, requests.memory and so on.
ResourceHealth: Health of one device.
  health: Healthy, Unhealthy or Unknown.
  message: More about the health, for people.
  resourceID: The device's ID.
ResourceRequirements: How much of each resource is needed.
  claims: Resource claims of the pod that are used.
  limits: At most this much may be used.
  requests: This much is set aside; left out = the limits.
ResourceStatus: Health of the devices behind one resource.
  name: The resource, or claim:NAME/REQUEST.
  resources: The devices and their health.
SecretEnvSource: A Secret whose entries all become environment variables.
  name =: The name of the Secret, in the pod's namespace.
  optional: Whether the Secret may be missing.
SecretKeySelector: One key of a Secret.
  key: The key that is read.
  name =: The name of the Secret, in the pod's namespace.
  optional: Whether the Secret or the key may be missing.
SleepAction: A pause.
  seconds: How long, in seconds.
TCPSocketAction: A TCP connection; success is that it opens.
  host: The host to connect to; left out = the pod's address.
  port: The port, by number or by the name of a container port.
VolumeDevice: A block volume as a device of a container.
  devicePath: Where the device appears in the container.
  name: The name of the pod's volume.
VolumeMount: A volume as a directory of a container.
  mountPath: Where it appears in the container; no colon.
  mountPropagation [Bidirectional|HostToContainer|None]: Whether later mounts pass between node and container. Left out = None.
  name: The name of the pod's volume.
  readOnly: Whether it can only be read.
  recursiveReadOnly: Whether mounts below are read-only too: Disabled, IfPossible or Enabled.
  subPath: A path in the volume to mount instead of its root.
  subPathExpr: The same with $(NAME) for environment variables; not together with subPath.
VolumeMountStatus: How a volume came out mounted.
  mountPath: Where in the container.
  name: The name of the volume.
  readOnly: Whether it is read-only.
  recursiveReadOnly: Disabled or Enabled.
  volumeStatus: More that depends on the kind of the volume.
`;
