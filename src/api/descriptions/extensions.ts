// What kubectl explain says of apiextensions, apiregistration, coordination, events, scheduling and resource. The notation is
// read by descriptions.ts.
export const apiextensions = `
CustomResourceColumnDefinition: A column of kubectl get.
  description: What it shows.
  format: The OpenAPI format, such as date-time.
  jsonPath: Where the value is, as a JSON path.
  name: The heading.
  priority: 0 = always shown, more = only with -o wide.
  type: The OpenAPI type.
CustomResourceConversion: How objects are turned from one version into another.
  strategy: None changes apiVersion only; Webhook calls a program.
  webhook: The program; for strategy Webhook.
CustomResourceDefinition: Adds a kind to the API; its name is PLURAL.GROUP.
CustomResourceDefinitionCondition: One aspect of a definition's state: Established, NamesAccepted and others.
CustomResourceDefinitionNames: The names of a kind.
  categories: Names for several resources together, such as all.
  kind: The kind, in CamelCase.
  listKind: The kind of lists. Left out = KINDList.
  plural: The plural name, as in URLs.
  shortNames: Short names.
  singular: The singular name. Left out = the kind in lower case.
CustomResourceDefinitionSpec: The kind that is added.
  conversion: How objects are turned from one version into another.
  group: The API group.
  names: Its names.
  preserveUnknownFields: Deprecated: whether fields without a schema are kept. Must be false.
  scope: Cluster or Namespaced.
  versions: Its versions.
CustomResourceDefinitionStatus: State of a definition.
  acceptedNames: The names in use.
  storedVersions: Versions in which objects were ever stored; these cannot be removed from the spec.
CustomResourceDefinitionVersion: One version of a kind.
  additionalPrinterColumns: Columns of kubectl get. Left out = the age.
  deprecated: Whether clients are warned.
  deprecationWarning: The warning; left out = a usual one.
  name: The version, such as v1beta1.
  schema: What objects look like.
  selectableFields: Fields by which objects can be selected.
  served: Whether it is served.
  storage: Whether objects are stored in it; true for exactly one.
  subresources: Subresources it has.
CustomResourceSubresourceScale: Where a kind keeps what scale is about.
  labelSelectorPath: The path of the selector in the status, as text.
  specReplicasPath: The path of the number wanted.
  statusReplicasPath: The path of the number there is.
CustomResourceSubresourceStatus: Says that status is written apart from the rest.
CustomResourceSubresources: Subresources of a kind.
  scale: Gives it a scale subresource.
  status: Gives it a status subresource.
CustomResourceValidation: What objects look like.
  openAPIV3Schema: The schema.
ExternalDocumentation: Where more is written.
  description: What is there.
  url: The address.
JSONSchemaProps: A schema: what a value looks like.
  $ref: Not allowed in definitions of kinds.
  $schema: The dialect of the schema.
  additionalItems: Schema of items beyond those listed. Not allowed in definitions of kinds.
  additionalProperties: Schema of members that are not named; not together with properties.
  allOf: Schemas that must all match.
  anyOf: Schemas of which at least one must match.
  default: The value of a member that is left out.
  definitions: Schemas to refer to. Not allowed in definitions of kinds.
  dependencies: What the presence of a member asks for. Not allowed in definitions of kinds.
  description: What the value is, for people.
  enum: All values that are allowed.
  example: An example.
  exclusiveMaximum: Whether maximum itself is too large.
  exclusiveMinimum: Whether minimum itself is too small.
  externalDocs: Where more is written.
  format: The form of a text or number, such as date-time or int32.
  id: A name of the schema. Not allowed in definitions of kinds.
  items: Schema of the items of a list.
  maxItems: The most items.
  maxLength: The most characters.
  maxProperties: The most members.
  maximum: The largest number.
  minItems: The fewest items.
  minLength: The fewest characters.
  minProperties: The fewest members.
  minimum: The smallest number.
  multipleOf: A number must be a multiple of this.
  not: A schema that must not match.
  nullable: Whether null is allowed.
  oneOf: Schemas of which exactly one must match.
  pattern: A regular expression that a text must match.
  patternProperties: Schemas of members by pattern. Not allowed in definitions of kinds.
  properties: Schemas of members by name.
  required: Members that must be there.
  title: A heading.
  type: object, array, string, integer, number or boolean.
  uniqueItems: Whether items must differ. Only false is allowed.
  x-kubernetes-embedded-resource: Whether the value is an object with apiVersion, kind and metadata.
  x-kubernetes-int-or-string: Whether the value is an integer or a text.
  x-kubernetes-list-map-keys: Members that identify an item of a map list.
  x-kubernetes-list-type: How lists are merged: atomic, set or map.
  x-kubernetes-map-type: How objects are merged: granular or atomic.
  x-kubernetes-preserve-unknown-fields: Whether members without a schema are kept.
  x-kubernetes-validations: Rules in CEL.
SelectableField: A field by which objects can be selected.
  jsonPath: Where it is, as a JSON path.
ServiceReference < admissionregistration.v1.ServiceReference: A service that is called.
ValidationRule: A rule in CEL.
  fieldPath: The field that an error names, relative to here.
  message: What is said when the rule is broken.
  messageExpression: CEL that makes the message.
  optionalOldSelf: Whether the rule also runs when there is no old value.
  reason: FieldValueInvalid, FieldValueForbidden, FieldValueRequired or FieldValueDuplicate.
  rule: The rule; self is the value, oldSelf the one before.
WebhookClientConfig < admissionregistration.v1.WebhookClientConfig: How a program is called; service or url is given.
WebhookConversion: A program that turns objects from one version into another.
  clientConfig: How it is called.
  conversionReviewVersions: Versions of ConversionReview it knows, the best first.
`;

export const apiregistration = `
APIService: Says who serves a version of an API group; its name is VERSION.GROUP.
APIServiceCondition: One aspect of an API service's state: Available.
APIServiceSpec: Who serves which group version.
  caBundle: Certificates in PEM that vouch for the server.
  group: The API group.
  groupPriorityMinimum: Groups with a higher number come first, 0 to 20000.
  insecureSkipTLSVerify: Whether the server's certificate is not checked.
  service: The service of the server; left out = this server.
  version: The version.
  versionPriority: Versions of a group with a higher number come first, 0 to 1000.
APIServiceStatus: State of an API service.
ServiceReference: A service that is called.
  name: Its name.
  namespace: Its namespace.
  port: The port. Left out = 443.
`;

export const coordination = `
Lease: Says who holds something, and until when; used for elections and heartbeats.
LeaseSpec: Who holds it.
  acquireTime: When the holder got it.
  holderIdentity: The holder.
  leaseDurationSeconds: How long after renewTime others must wait to take it.
  leaseTransitions: How many times it went from one holder to another.
  preferredHolder: Who should get it next; needs strategy.
  renewTime: When the holder last renewed it.
  strategy: How the holder is chosen, such as OldestEmulationVersion.
`;

export const events = `
Event: Something that happened to an object. Events are kept for a while only.
  action: What was done, in one word.
  deprecatedCount: How many times it happened, in the older form.
  deprecatedFirstTimestamp: When it happened first, in the older form.
  deprecatedLastTimestamp: When it happened last, in the older form.
  deprecatedSource: Who reports it, in the older form.
  eventTime: When it was first seen.
  note: What happened, in a sentence of at most 1 kB.
  reason: Why it was done, in one word.
  regarding: The object it is about.
  related: Another object that plays a part.
  reportingController: Who reports it, such as kubernetes.io/kubelet.
  reportingInstance: Which instance of it.
  series: How often it went on happening.
  type: Normal or Warning.
EventSeries < core.v1.EventSeries: A row of like events.
`;

export const scheduling = `
PriorityClass: A name for a priority of pods.
  description: When to use it, for people.
  globalDefault: Whether pods without a class get this one.
  preemptionPolicy [Never|PreemptLowerPriority]: Whether its pods may evict others. Left out = PreemptLowerPriority.
  value: The priority; higher comes first. Cannot be changed.
`;

export const resource = `
AllocatedDeviceStatus: State of a device in use, reported by its driver.
  data: Whatever the driver has to say.
  device: The device, unique in its pool.
  driver: The driver.
  networkData: Network facts.
  pool: The pool.
  shareID: The share of a device that several use.
AllocationResult: Devices given to a claim.
  allocationTimestamp: When.
  devices: The devices.
  nodeSelector: Nodes from which they can be used; left out = all.
CELDeviceSelector: A choice of devices by CEL.
  expression: CEL over device; true = chosen.
CapacityRequestPolicy: Which amounts of a capacity can be asked for.
  default: The amount when none is asked for.
  validRange: Amounts in a range.
  validValues: Amounts one by one, rising.
CapacityRequestPolicyRange: A range of amounts.
  max: The largest.
  min: The smallest.
  step: Amounts are min plus a multiple of this.
CapacityRequirements: Capacity that is wanted.
  requests: How much of each capacity.
Counter: An amount.
  value: How much.
CounterSet: Counters that devices share.
  counters: The counters, by name.
  name: The name of the set.
Device: One device.
  allNodes: Whether all nodes can use it.
  allowMultipleAllocations: Whether several claims can have it at once.
  attributes: Facts about it, by name.
  bindingConditions: Conditions that must be True before a pod that uses it is bound.
  bindingFailureConditions: Conditions of which one that is True undoes the allocation.
  bindsToNode: Whether its use ties the claim to the chosen node.
  capacity: Capacities, by name.
  consumesCounters: What it takes from shared counters.
  name: Its name, unique in the pool.
  nodeAllocatableResourceMappings: Node resources, such as cpu, that it stands for.
  nodeName: The node that can use it.
  nodeSelector: Nodes that can use it.
  taints: Marks that keep claims away that do not tolerate them.
DeviceAllocationConfiguration: Settings for devices given out.
  opaque: Settings for a driver.
  requests: Requests they are for; left out = all.
  source: FromClass or FromClaim.
DeviceAllocationResult: Devices given out.
  config: Settings, from class and claim.
  results: The devices.
DeviceAttribute: A fact about a device; one member is given.
  bool: True or false.
  bools: A list of true and false.
  int: A number.
  ints: A list of numbers.
  string: A text of at most 64 characters.
  strings: A list of texts.
  version: A semantic version.
  versions: A list of semantic versions.
DeviceCapacity: A capacity of a device.
  requestPolicy: Which amounts can be asked for, if it is shared.
  value: How much there is.
DeviceClaim: Devices that are wanted.
  config: Settings for drivers.
  constraints: What must hold across devices.
  requests: The devices, one entry each.
DeviceClaimConfiguration: Settings in a claim.
  opaque: Settings for a driver.
  requests: Requests they are for; left out = all.
DeviceClass: A sort of devices.
DeviceClassConfiguration: Settings in a class.
  opaque: Settings for a driver.
DeviceClassSpec: Which devices, and their settings.
  config: Settings for each device.
  extendedResourceName: The extended resource by which pods can ask for such devices too.
  selectors: Expressions that a device must all match.
DeviceConstraint: What must hold across devices; one of the attributes is given.
  distinctAttribute: Devices must differ in this attribute.
  matchAttribute: Devices must agree in this attribute.
  requests: Requests it is about; left out = all.
DeviceCounterConsumption: What a device takes from shared counters.
  counterSet: The set.
  counters: How much of each counter.
DeviceRequest: Devices that are wanted; exactly or firstAvailable is given.
  exactly: One sort of devices.
  firstAvailable: Several sorts; the first that can be had is taken.
  name: Its name, a DNS label.
DeviceRequestAllocationResult: A device given out.
  adminAccess: Whether it is for looking after a device that others use.
  bindingConditions: Conditions that must be True before the pod is bound.
  bindingFailureConditions: Conditions of which one that is True undoes the allocation.
  consumedCapacity: How much of each capacity is taken.
  device: The device, unique in its pool.
  driver: The driver.
  pool: The pool.
  request: The request, REQUEST or REQUEST/SUBREQUEST.
  shareID: The share of a device that several use.
  tolerations: Taints that the request put up with.
DeviceSelector: A choice of devices.
  cel: By CEL.
DeviceSubRequest: One of several sorts of devices.
  allocationMode: ExactCount or All. Left out = ExactCount.
  capacity: Capacity that is wanted of each.
  count: How many. Left out = 1.
  deviceClassName: The class.
  name: Its name, a DNS label.
  selectors: Expressions that a device must all match.
  tolerations: Taints that are put up with.
DeviceTaint: A mark on a device.
  effect: None, NoSchedule or NoExecute.
  key: The key.
  timeAdded: When it was added.
  value: The value.
DeviceToleration: Taints of devices that a request puts up with.
  effect: The effect; left out = any.
  key: The key; left out, with Exists, = any.
  operator =Equal: Exists or Equal.
  tolerationSeconds: How long a NoExecute taint is put up with; left out = for ever.
  value: The value; empty with Exists.
ExactDeviceRequest: One sort of devices.
  adminAccess: Whether devices that others use are wanted, to look after them.
  allocationMode: ExactCount or All. Left out = ExactCount.
  capacity: Capacity that is wanted of each.
  count: How many. Left out = 1.
  deviceClassName: The class.
  selectors: Expressions that a device must all match.
  tolerations: Taints that are put up with.
NetworkDeviceData: Network facts about a device.
  hardwareAddress: The hardware address.
  interfaceName: The interface in the pod.
  ips: Addresses, with prefix length.
NodeAllocatableResourceMapping: What a device is worth in a node resource.
  allocationMultiplier: How much for each device, or for each unit of capacity.
  capacityKey: The capacity that is counted; left out = devices are.
OpaqueDeviceConfiguration: Settings that only the driver understands.
  driver: The driver.
  parameters: The settings, an object of at most 10 kB.
ResourceClaim: A wish for devices; pods use what is given to it.
ResourceClaimConsumerReference: Who uses a claim.
  apiGroup: Its API group; left out = core.
  name: Its name.
  resource: Its resource, in the plural, such as pods.
  uid: Its uid.
ResourceClaimSpec: What is wanted. Cannot be changed.
  devices: The devices.
ResourceClaimStatus: What was given.
  allocation: The devices; absent = none yet.
  devices: State of each device, from its driver.
  reservedFor: Who may use it now, at most 256.
ResourceClaimTemplate: What claims made for pods look like.
ResourceClaimTemplateSpec: What claims look like.
  metadata: Labels and annotations that the claims get.
  spec: What is wanted.
ResourcePool: A pool of devices, spread over slices.
  generation: A number that rises when the pool changes; older slices do not count.
  name: Its name, often the node's.
  resourceSliceCount: How many slices it has.
ResourceSlice: A part of a pool of devices, published by a driver.
ResourceSliceSpec: The devices.
  allNodes: Whether all nodes can use them.
  devices: The devices.
  driver: The driver. Cannot be changed.
  nodeName: The node that can use them. Cannot be changed.
  nodeSelector: Nodes that can use them.
  perDeviceNodeSelection: Whether each device says which nodes can use it.
  pool: The pool.
  sharedCounters: Counters that devices share.
`;
