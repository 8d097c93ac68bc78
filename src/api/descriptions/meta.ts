// What kubectl explain says of metadata and of what many kinds share. The notation is read by descriptions.ts.
export const meta = `
APIGroup: An API group and its versions.
  name: The group's name.
  preferredVersion: The version to use if any will do.
  serverAddressByClientCIDRs: Which address clients should use, by where they are.
  versions: The versions served.
APIGroupList: The API groups served.
  groups: The groups.
APIResource: One resource of a group version.
  categories: Names for several resources together, such as all.
  group: Its group, if another than the list's.
  kind: The kind of its objects.
  name: The plural name, as in URLs.
  namespaced: Whether objects are in namespaces.
  shortNames: Short names.
  singularName: The singular name.
  storageVersionHash: A hash that changes with the stored version.
  verbs: What can be done with it.
  version: Its version, if another than the list's.
APIResourceList: The resources of a group version.
  groupVersion: The group and version.
  resources: The resources.
APIVersions: The versions of the core group.
  serverAddressByClientCIDRs: Which address clients should use, by where they are.
  versions: The versions served.
Condition: One aspect of an object's state.
DeleteOptions: How an object is deleted.
  dryRun: All = check everything and delete nothing.
  gracePeriodSeconds: Seconds before it is really gone; 0 = at once, left out = the kind's own.
  ignoreStoreReadErrorWithClusterBreakingPotential: Whether an object that cannot be decoded is removed anyway. Dangerous.
  orphanDependents: Deprecated: use propagationPolicy.
  preconditions: What must hold for the deletion.
  propagationPolicy: What happens to what it owns: Orphan, Background or Foreground.
FieldSelectorRequirement: A condition on one field.
  key: The field.
  operator: In, NotIn, Exists or DoesNotExist.
  values: Values to compare with; none for Exists and DoesNotExist.
GroupResource: A resource of a group.
  group: The group.
  resource: The resource, in the plural.
GroupVersionForDiscovery: A version of a group.
  groupVersion: GROUP/VERSION.
  version: VERSION.
LabelSelector: A choice of objects by labels; both parts must match, {} matches all.
  matchExpressions: Conditions on labels; all must hold.
  matchLabels: Labels with the values they must have.
LabelSelectorRequirement: A condition on one label.
  key: The label.
  operator: In, NotIn, Exists or DoesNotExist.
  values: Values to compare with; none for Exists and DoesNotExist.
ListMeta: Metadata of a list.
  continue: Present when there is more: send it back to get the next part.
  remainingItemCount: How many objects are not in this part.
  resourceVersion: The version of the list; a watch can start from it.
  selfLink: Deprecated and not set any more.
  shardInfo: Which part of the objects the list is about.
ManagedFieldsEntry: Which fields somebody has set.
  apiVersion: The version in which the fields are named.
  fieldsType: The form of fieldsV1: FieldsV1.
  fieldsV1: The fields.
  manager: Who has set them.
  operation: Apply or Update.
  subresource: The subresource through which they were set.
  time: When they last changed.
ObjectMeta: Metadata that every object has.
  annotations: Further facts about the object, for programs. Nothing is selected by them.
  creationTimestamp: CreationTimestamp is a timestamp of when the object was created. Set by the server.
  deletionGracePeriodSeconds: How long it has from deletionTimestamp being set to the end.
  deletionTimestamp: When it will be or could have been gone; set when somebody deletes it.
  finalizers: Names that must be gone before the object is; each belongs to a program that has work to do first.
  generateName: The beginning of a name that the server completes; used when name is empty.
  generation: A number that rises with each change of what is wanted.
  labels: Names and values by which objects are selected.
  managedFields: Who has set which fields. Kept by the server for server-side apply.
  name: The name; unique for the kind in the namespace, and cannot be changed.
  namespace: The namespace; empty for kinds of the whole cluster.
  ownerReferences: Objects it belongs to; it goes when all of them are gone.
  resourceVersion: The version of the object; an update must come from the newest. Only to be compared for equality.
  selfLink: Deprecated and not set any more.
  uid: An ID that no other object ever has. Set by the server.
OwnerReference: An object that this one belongs to; in the same namespace, or of the whole cluster.
  apiVersion: Its API version.
  blockOwnerDeletion: Whether a foreground deletion of the owner waits for this object.
  controller: Whether it is the one that manages this object.
  kind: Its kind.
  name: Its name.
  uid: Its uid.
Patch: A change to an object, in one of the patch formats.
Preconditions: What must hold for an operation.
  resourceVersion: The resourceVersion the object must have.
  uid: The uid the object must have.
ServerAddressByClientCIDR: An address of the server for some clients.
  clientCIDR: The clients.
  serverAddress: The address.
ShardInfo: Which part of the objects a list is about.
  selector: The choice.
Status: The answer to a call that returns no object, or an error.
  code: The HTTP status.
  details: More about it, by reason.
  message: What it is, in a sentence.
  metadata: Metadata of a list.
  reason: What it is, in one word, such as NotFound.
  status: Success or Failure.
StatusCause: One of several causes of an error.
  field: The field it is about, as a path.
  message: What is wrong, in a sentence.
  reason: What is wrong, in one word.
StatusDetails: More about an error.
  causes: The causes.
  group: The group of the object.
  kind: The kind or resource of the object.
  name: The name of the object.
  retryAfterSeconds: Seconds to wait before trying again.
  uid: The uid of the object.
WatchEvent: A change seen by a watch.
  object: The object after the change; for ERROR a Status.
  type: ADDED, MODIFIED, DELETED, BOOKMARK or ERROR.
`;
