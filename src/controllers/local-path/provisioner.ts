// Volumes that are directories of a node. The choice: nothing is done on the node from here. The volume says which node keeps it; that
// node's agent makes the directory when a pod first needs it, and removes it when the volume is released, whenever it is there to do so.
import {
  type coreV1,
  directoryProvisioner,
  isDirectoryRemoved,
  keeperOf,
  keptByLabel,
  Node,
  volumeDirectoryAnnotation,
} from '../../api/index.ts';
import type { Client } from '../../client/index.ts';
import { isNotFound } from '../../machinery/index.ts';
import {
  DeletionUnderWay,
  type ProvisionedVolume,
  type ProvisionRequest,
  type VolumeProvisioner,
} from '../persistent-volume-binder/provisioner.ts';

const hostnameLabel = 'kubernetes.io/hostname';
/** Names that file systems take, in bytes; all of ours are ASCII. */
const longestName = 255;
/** Where a simulated node has its volumes, in name. */
const simulatedDirectory = '/var/lib/jotasu/volumes';

export const localPathProvisioner = ({ client }: { readonly client: Client }): VolumeProvisioner => ({
  name: directoryProvisioner,
  supportsMountOptions: true,
  provision: async (request) => planDirectoryVolume(request),

  async delete(volume) {
    const keeper = keeperOf(volume);
    if (keeper === undefined || isDirectoryRemoved(volume)) return;
    const node = await client(Node)
      .get(keeper)
      .catch((error: unknown): undefined => {
        if (!isNotFound(error)) throw error;
      });
    throw new DeletionUnderWay(sayWaiting(volume.spec.local?.path ?? '', keeper, node));
  },

  // Nothing bounds a directory but the disk it is on.
  expand: async () => {},
});

/** '' = its node is there and will do it at once. */
function sayWaiting(directory: string, keeper: string, node: Node | undefined): string {
  const ready = node?.status?.conditions?.find(({ type }) => type === 'Ready')?.status;
  if (ready === 'True') return '';
  const why = node === undefined ? 'does not exist' : 'is not ready';
  return `directory ${directory} is removed when node ${JSON.stringify(keeper)} is back: it ${why}`;
}

/** What is refused is thrown, in the words of Rancher's local-path-provisioner, whose users come across them. Pure. */
export function planDirectoryVolume({
  volumeName,
  claim,
  storageClass,
  node,
}: ProvisionRequest): ProvisionedVolume {
  const { spec } = claim;
  if (spec.volumeMode === 'Block')
    throw new Error(`${directoryProvisioner} does not support block volume provisioning`);
  if (spec.selector !== undefined) throw new Error('claim.Spec.Selector is not supported');
  const accessModes = [...(spec.accessModes ?? [])];
  if (accessModes.some((mode) => mode !== 'ReadWriteOnce' && mode !== 'ReadWriteOncePod'))
    throw new Error('NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes');
  const [parameter] = Object.keys(storageClass.parameters ?? {});
  if (parameter !== undefined)
    throw new Error(`invalid parameter ${JSON.stringify(parameter)} for ${directoryProvisioner}`);
  if (node === undefined) throw new Error('configuration error, no node was specified');
  const { name, labels, annotations } = node.metadata;
  const kept = annotations?.[volumeDirectoryAnnotation];
  const simulated = node.status?.nodeInfo?.containerRuntimeVersion?.startsWith('simulation:') === true;
  if (kept === undefined && !simulated)
    throw new Error(`node ${JSON.stringify(name)} has no directory for volumes`);
  const folder = `${volumeName}_${claim.metadata.namespace}_${claim.metadata.name}`.slice(0, longestName);
  return {
    ...(kept !== undefined && { labels: { [keptByLabel]: name } }),
    spec: {
      capacity: { storage: spec.resources?.requests?.['storage'] ?? '0' },
      accessModes,
      volumeMode: 'Filesystem',
      local: { path: `${kept ?? simulatedDirectory}/${folder}` },
      nodeAffinity: onlyFrom(labels?.[hostnameLabel] ?? name),
    },
  };
}

const onlyFrom = (host: string): coreV1.VolumeNodeAffinity => ({
  required: {
    nodeSelectorTerms: [{ matchExpressions: [{ key: hostnameLabel, operator: 'In', values: [host] }] }],
  },
});
