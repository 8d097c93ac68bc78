// What kubectl explain says of volumes: those of pods, PersistentVolumes and claims on them. The notation is read by descriptions.ts.
export const coreVolumes = `
AWSElasticBlockStoreVolumeSource: A disk of AWS EBS. Deprecated: served by the CSI driver ebs.csi.aws.com.
  partition: The partition; 0 or left out = the first.
  volumeID: The ID of the disk.
AzureDiskVolumeSource: A data disk of Azure. Deprecated: served by the CSI driver disk.csi.azure.com.
  cachingMode [None|ReadOnly|ReadWrite] =ReadWrite: How the host caches the disk.
  diskName: The name of the disk.
  diskURI: The URI of the disk.
  fsType =ext4: The file system on the disk.
  kind [Dedicated|Managed|Shared] =Shared: How the disk is kept: in a shared or own storage account, or managed.
  readOnly =false: Whether it can only be read.
AzureFilePersistentVolumeSource: A share of Azure Files. Deprecated: served by the CSI driver file.csi.azure.com.
  secretName: The Secret with the name and key of the storage account.
  secretNamespace: The namespace of that Secret; left out = the pod's.
  shareName: The name of the share.
AzureFileVolumeSource: A share of Azure Files. Deprecated: served by the CSI driver file.csi.azure.com.
  secretName: The Secret with the name and key of the storage account.
  shareName: The name of the share.
CSIPersistentVolumeSource: Storage of a CSI driver.
  controllerExpandSecretRef: The Secret handed to the driver when the volume is made larger.
  controllerPublishSecretRef: The Secret handed to the driver when the volume is attached and detached.
  driver: The name of the driver.
  nodeExpandSecretRef: The Secret handed to the driver when the volume is made larger on a node.
  nodePublishSecretRef: The Secret handed to the driver when the volume is mounted for a pod.
  nodeStageSecretRef: The Secret handed to the driver when the volume is prepared on a node.
  volumeAttributes: What the driver wants to know about the volume.
  volumeHandle: The driver's ID of the volume.
CSIVolumeSource: A volume of a CSI driver that lives as long as the pod.
  driver: The name of the driver.
  fsType: The file system wanted; left out = the driver's choice.
  nodePublishSecretRef: The Secret handed to the driver when the volume is mounted.
  volumeAttributes: What the driver wants to know about the volume.
CephFSPersistentVolumeSource: A directory of CephFS. Deprecated and not served any more.
  monitors: The Ceph monitors.
  path: The directory to mount; left out = /.
  secretFile: The key file of the user on the node.
  secretRef: The Secret with the user's key; wins over secretFile.
  user: The Ceph user; left out = admin.
CephFSVolumeSource < CephFSPersistentVolumeSource: A directory of CephFS. Deprecated and not served any more.
CinderPersistentVolumeSource: A disk of OpenStack Cinder. Deprecated: served by the CSI driver cinder.csi.openstack.org.
  secretRef: The Secret with parameters for connecting to OpenStack.
  volumeID: The ID of the disk.
CinderVolumeSource < CinderPersistentVolumeSource: A disk of OpenStack Cinder. Deprecated: served by its CSI driver.
ClusterTrustBundleProjection: Certificates of trust bundles, joined in one file.
  labelSelector: The bundles of signerName to join; {} = all.
  name: One bundle by name; not with signerName.
  optional: Whether the bundles may be missing.
  path: Where the file lies in the volume.
  signerName: The signer whose bundles are joined.
ConfigMapProjection: Entries of a ConfigMap as files.
  items: The entries and their paths; left out = all, named by their keys.
  name =: The name of the ConfigMap.
  optional: Whether the ConfigMap or its keys may be missing.
ConfigMapVolumeSource: A ConfigMap as a directory of files.
  defaultMode: Permission bits of the files. Left out = 0644.
  items: The entries and their paths; left out = all, named by their keys.
  name =: The name of the ConfigMap.
  optional: Whether the ConfigMap or its keys may be missing.
DownwardAPIProjection: Facts about the pod as files.
  items: The files.
DownwardAPIVolumeFile: One fact about the pod as a file.
  fieldRef: A field of the pod: name, namespace, uid, labels or annotations.
  mode: Permission bits of the file; left out = the volume's defaultMode.
  path: Where the file lies in the volume; relative, without "..".
  resourceFieldRef: A request or limit of a container.
DownwardAPIVolumeSource: Facts about the pod as a directory of files.
  defaultMode: Permission bits of the files. Left out = 0644.
  items: The files.
EmptyDirVolumeSource: A directory, empty at first, that lives as long as the pod.
  medium: What it is kept on: empty = the node's disk, Memory, or HugePages-SIZE.
  sizeLimit: The pod is evicted when the directory grows beyond this.
EphemeralVolumeSource: A volume with a claim of its own that lives as long as the pod.
  volumeClaimTemplate: What the claim looks like; it is named POD-VOLUME.
FCVolumeSource: A disk over Fibre Channel.
  lun: The number of the logical unit.
  targetWWNs: World wide names of the targets.
  wwids: World wide identifiers; either these, or targetWWNs and lun.
FlexPersistentVolumeSource: A volume mounted by a program on the node. Deprecated: use a CSI driver.
  driver: The name of the program.
  options: Options for the program.
  secretRef: The Secret handed to the program.
FlexVolumeSource < FlexPersistentVolumeSource: A volume mounted by a program on the node. Deprecated: use a CSI driver.
FlockerVolumeSource: A Flocker data set. Deprecated and not served any more.
  datasetName: The name of the data set. Deprecated.
  datasetUUID: The UUID of the data set.
GCEPersistentDiskVolumeSource: A disk of Google Compute Engine. Deprecated: served by the CSI driver pd.csi.storage.gke.io.
  partition: The partition; 0 or left out = the first.
  pdName: The name of the disk.
GitRepoVolumeSource: A Git repository at one revision. Deprecated: clone in an init container instead.
  directory: Where in the volume it is cloned to; . = the root.
  repository: The URL.
  revision: The commit.
GlusterfsPersistentVolumeSource: A volume of GlusterFS. Deprecated and not served any more.
  endpoints: The Endpoints object of the servers.
  endpointsNamespace: The namespace of that object; left out = the claim's.
  path: The name of the volume.
GlusterfsVolumeSource: A volume of GlusterFS. Deprecated and not served any more.
  endpoints: The Endpoints object of the servers.
  path: The name of the volume.
HostPathVolumeSource: A file or directory of the node.
  path: Its path on the node.
  type [|BlockDevice|CharDevice|Directory|DirectoryOrCreate|File|FileOrCreate|Socket]: What must be there. Empty = not checked.
ISCSIPersistentVolumeSource: A disk over iSCSI.
  chapAuthDiscovery: Whether CHAP is used for discovery.
  chapAuthSession: Whether CHAP is used for the session.
  initiatorName: The initiator's name; left out = the node's.
  iqn: The target's name.
  iscsiInterface =default: The interface that is used.
  lun: The number of the logical unit.
  portals: Further portals, ADDRESS or ADDRESS:PORT.
  secretRef: The Secret with the CHAP credentials.
  targetPortal: The portal, ADDRESS or ADDRESS:PORT.
ISCSIVolumeSource < ISCSIPersistentVolumeSource: A disk over iSCSI.
ImageVolumeSource: The contents of an image, read-only.
  pullPolicy [Always|IfNotPresent|Never]: When the image is pulled. Left out = Always for tag :latest, else IfNotPresent.
  reference: The image.
ImageVolumeStatus: Which image a volume shows.
  imageRef: The digest of the image.
KeyToPath: An entry as a file.
  key: The key of the entry.
  mode: Permission bits of the file; left out = the volume's defaultMode.
  path: Where the file lies in the volume; relative, without "..".
LocalVolumeSource: A disk or directory of one node.
  fsType: The file system to make when the path is a block device.
  path: The path on the node.
ModifyVolumeStatus: How the change to another VolumeAttributesClass goes.
  status [InProgress|Infeasible|Pending]: Where it stands.
  targetVolumeAttributesClassName: The class that is being changed to.
NFSVolumeSource: A directory of an NFS server.
  path: The exported directory.
  server: The server's name or address.
PersistentVolume: A piece of storage of the cluster that a claim can be bound to.
PersistentVolumeClaim: A wish for storage; pods use the volume that is bound to it.
PersistentVolumeClaimCondition: One aspect of a claim's state.
  lastProbeTime: When it was last checked.
PersistentVolumeClaimSpec: The storage that is wanted.
  accessModes [ReadOnlyMany|ReadWriteMany|ReadWriteOnce|ReadWriteOncePod]: How many nodes and pods must be able to use it.
  dataSource: A VolumeSnapshot or claim whose data the volume starts with.
  dataSourceRef: Any object, also of another namespace, whose data the volume starts with.
  resources: How much storage at least.
  selector: Labels that the volume must have.
  storageClassName: The StorageClass; empty = none, left out = the default one.
  volumeAttributesClassName: The VolumeAttributesClass; can be changed later.
  volumeMode [Block|Filesystem]: Whether a file system or a raw device is wanted. Left out = Filesystem.
  volumeName: The volume that is bound, or must be.
PersistentVolumeClaimStatus: What became of a claim.
  accessModes [ReadOnlyMany|ReadWriteMany|ReadWriteOnce|ReadWriteOncePod]: What the bound volume can do.
  allocatedResourceStatuses: Where a change of size stands, for each resource.
  allocatedResources: The size that is being worked towards.
  capacity: How large the bound volume is.
  currentVolumeAttributesClassName: The VolumeAttributesClass in force.
  modifyVolumeStatus: How a change to another VolumeAttributesClass goes.
  phase [Bound|Lost|Pending]: Whether a volume is bound.
PersistentVolumeClaimTemplate: What a claim made for a pod looks like.
  metadata: Labels and annotations that the claim gets.
  spec: The storage that is wanted.
PersistentVolumeClaimVolumeSource: The volume bound to a claim.
  claimName: The claim, in the pod's namespace.
PersistentVolumeSpec: What a volume is; one source is given.
  accessModes [ReadOnlyMany|ReadWriteMany|ReadWriteOnce|ReadWriteOncePod]: How many nodes and pods can use it.
  awsElasticBlockStore: A disk of AWS EBS. Deprecated: use csi.
  azureDisk: A data disk of Azure. Deprecated: use csi.
  azureFile: A share of Azure Files. Deprecated: use csi.
  capacity: How large it is.
  cephfs: A directory of CephFS. Deprecated and not served any more.
  cinder: A disk of OpenStack Cinder. Deprecated: use csi.
  claimRef: The claim it is bound to, or kept for.
  csi: Storage of a CSI driver.
  fc: A disk over Fibre Channel.
  flexVolume: A volume mounted by a program on the node. Deprecated: use csi.
  flocker: A Flocker data set. Deprecated and not served any more.
  gcePersistentDisk: A disk of Google Compute Engine. Deprecated: use csi.
  glusterfs: A volume of GlusterFS. Deprecated and not served any more.
  hostPath: A directory of the node; for trials on a single node only.
  iscsi: A disk over iSCSI.
  local: A disk or directory of one node.
  mountOptions: Options of mount; they are not checked before.
  nfs: A directory of an NFS server.
  nodeAffinity: Nodes from which it can be reached.
  persistentVolumeReclaimPolicy [Delete|Recycle|Retain]: What happens to it when its claim goes.
  photonPersistentDisk: A disk of Photon. Deprecated and not served any more.
  portworxVolume: A volume of Portworx. Deprecated: use csi.
  quobyte: A volume of Quobyte. Deprecated and not served any more.
  rbd: A Ceph block device. Deprecated and not served any more.
  scaleIO: A volume of ScaleIO. Deprecated and not served any more.
  storageClassName: The StorageClass it belongs to; empty = none.
  storageos: A volume of StorageOS. Deprecated and not served any more.
  volumeAttributesClassName: The VolumeAttributesClass it belongs to.
  volumeMode [Block|Filesystem]: Whether it is a file system or a raw device. Left out = Filesystem.
  vsphereVolume: A disk of vSphere. Deprecated: use csi.
PersistentVolumeStatus: What became of a volume.
  lastPhaseTransitionTime: When the phase last changed.
  message: Why it is in this state, in a sentence.
  phase [Available|Bound|Failed|Pending|Released]: Whether it is free, bound, or left behind.
  reason: Why it failed, in one word.
PhotonPersistentDiskVolumeSource: A disk of Photon. Deprecated and not served any more.
  pdID: The ID of the disk.
PodCertificateProjection: A key and a certificate for the pod, made and renewed by the node.
  certificateChainPath: The file for the certificates; credentialBundlePath is simpler.
  credentialBundlePath: The file for the key followed by the certificates.
  keyPath: The file for the key; credentialBundlePath is simpler.
  keyType: The sort of key: RSA3072, RSA4096, ECDSAP256, ECDSAP384, ECDSAP521 or ED25519.
  maxExpirationSeconds: The longest time in seconds that the certificate may hold. Left out = 86400.
  signerName: The signer that is asked.
  userAnnotations: What the signer is told besides; keys belong to the signer's domain.
PortworxVolumeSource: A volume of Portworx. Deprecated: served by its CSI driver.
  volumeID: The ID of the volume.
ProjectedVolumeSource: Several sources in one directory.
  defaultMode: Permission bits of the files. Left out = 0644.
  sources: The sources.
QuobyteVolumeSource: A volume of Quobyte. Deprecated and not served any more.
  group: The group that accesses it.
  registry: The registries, HOST:PORT with commas between.
  tenant: The tenant it belongs to.
  user: The user that accesses it.
  volume: The name of the volume.
RBDPersistentVolumeSource: A Ceph block device. Deprecated and not served any more.
  image: The name of the image.
  keyring =/etc/ceph/keyring: The key ring file on the node.
  monitors: The Ceph monitors.
  pool =rbd: The pool.
  secretRef: The Secret with the user's key; wins over keyring.
  user =admin: The Ceph user.
RBDVolumeSource < RBDPersistentVolumeSource: A Ceph block device. Deprecated and not served any more.
ScaleIOPersistentVolumeSource: A volume of ScaleIO. Deprecated and not served any more.
  fsType =xfs: The file system on the volume.
  gateway: The address of the gateway.
  protectionDomain: The protection domain.
  secretRef: The Secret with the user and password.
  sslEnabled: Whether the gateway is spoken to over TLS.
  storageMode =ThinProvisioned: ThickProvisioned or ThinProvisioned.
  storagePool: The storage pool.
  system: The name of the storage system.
  volumeName: The name of the volume.
ScaleIOVolumeSource < ScaleIOPersistentVolumeSource: A volume of ScaleIO. Deprecated and not served any more.
SecretProjection: Entries of a Secret as files.
  items: The entries and their paths; left out = all, named by their keys.
  name =: The name of the Secret.
  optional: Whether the Secret or its keys may be missing.
SecretVolumeSource: A Secret as a directory of files.
  defaultMode: Permission bits of the files. Left out = 0644.
  items: The entries and their paths; left out = all, named by their keys.
  optional: Whether the Secret or its keys may be missing.
  secretName: The name of the Secret, in the pod's namespace.
ServiceAccountTokenProjection: A token of the pod's service account, renewed in time.
  audience: Who the token is for; left out = the API server.
  expirationSeconds: How long it holds, at least 600 seconds. Left out = 3600.
  path: Where the file lies in the volume.
StorageOSPersistentVolumeSource: A volume of StorageOS. Deprecated and not served any more.
  secretRef: The Secret with credentials.
  volumeName: The name of the volume in its namespace.
  volumeNamespace: The StorageOS namespace; left out = the pod's.
StorageOSVolumeSource < StorageOSPersistentVolumeSource: A volume of StorageOS. Deprecated and not served any more.
TopologySelectorLabelRequirement: A label and the values it may have.
  key: The label.
  values: The values; one of them must be there.
TopologySelectorTerm: A place, by the labels of its nodes.
  matchLabelExpressions: Labels that must all match.
TypedLocalObjectReference: An object in the same namespace, by kind and name.
  apiGroup: Its API group; left out = core.
  kind: Its kind.
  name: Its name.
TypedObjectReference < TypedLocalObjectReference: An object, by kind, name and namespace.
  namespace: Its namespace; another than this one must allow it with a ReferenceGrant.
Volume: A volume of a pod: a name and one source.
  awsElasticBlockStore: A disk of AWS EBS. Deprecated: use csi.
  azureDisk: A data disk of Azure. Deprecated: use csi.
  azureFile: A share of Azure Files. Deprecated: use csi.
  cephfs: A directory of CephFS. Deprecated and not served any more.
  cinder: A disk of OpenStack Cinder. Deprecated: use csi.
  configMap: A ConfigMap as files.
  csi: A volume of a CSI driver that lives as long as the pod.
  downwardAPI: Facts about the pod as files.
  emptyDir: A directory, empty at first, that lives as long as the pod.
  ephemeral: A volume with a claim of its own that lives as long as the pod.
  fc: A disk over Fibre Channel.
  flexVolume: A volume mounted by a program on the node. Deprecated: use csi.
  flocker: A Flocker data set. Deprecated and not served any more.
  gcePersistentDisk: A disk of Google Compute Engine. Deprecated: use csi.
  gitRepo: A Git repository. Deprecated: clone in an init container instead.
  glusterfs: A volume of GlusterFS. Deprecated and not served any more.
  hostPath: A file or directory of the node. Gives the pod a hold on the node.
  image: The contents of an image, read-only.
  iscsi: A disk over iSCSI.
  name: The name by which containers mount it; a DNS label, unique in the pod.
  nfs: A directory of an NFS server.
  persistentVolumeClaim: The volume bound to a claim.
  photonPersistentDisk: A disk of Photon. Deprecated and not served any more.
  portworxVolume: A volume of Portworx. Deprecated: use csi.
  projected: Several sources in one directory.
  quobyte: A volume of Quobyte. Deprecated and not served any more.
  rbd: A Ceph block device. Deprecated and not served any more.
  scaleIO: A volume of ScaleIO. Deprecated and not served any more.
  secret: A Secret as files.
  storageos: A volume of StorageOS. Deprecated and not served any more.
  vsphereVolume: A disk of vSphere. Deprecated: use csi.
VolumeNodeAffinity: Nodes from which a volume can be reached.
  required: The nodes.
VolumeProjection: One source of a projected volume; one member is given.
  clusterTrustBundle: Certificates of trust bundles.
  configMap: Entries of a ConfigMap.
  downwardAPI: Facts about the pod.
  podCertificate: A key and a certificate for the pod.
  secret: Entries of a Secret.
  serviceAccountToken: A token of the pod's service account.
VolumeResourceRequirements: How much storage is wanted.
  limits: At most this much.
  requests: At least this much.
VolumeStatus: State of a mounted volume, by kind of source.
  image: The image of an image volume.
VsphereVirtualDiskVolumeSource: A disk of vSphere. Deprecated: served by the CSI driver csi.vsphere.vmware.com.
  storagePolicyID: The ID of the storage policy.
  storagePolicyName: The storage policy.
  volumePath: The path of the disk.
`;
