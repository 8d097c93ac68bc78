// Volumes that are directories of a node: what the server, which makes the objects, and the node, which has the directories, say to each
// other. All of it is on the objects, so that either may be away while the other goes on.
import type { PersistentVolume } from '../../generated/core-v1.ts';
import { provisionedByAnnotation } from './volume-binding.ts';

/** As storage classes name it. */
export const directoryProvisioner = 'jotasu.dev/local-path';

/** On a Node, by its agent: below which directory it keeps volumes. A node without it has no volumes of this kind. */
export const volumeDirectoryAnnotation = 'volumes.jotasu.dev/directory';

/** On a volume, by whoever made it: the name of the node whose agent keeps its directory; by it an agent finds its own. */
export const keptByLabel = 'volumes.jotasu.dev/kept-by';

/** On a volume, by its node: there is no directory any more. */
export const removedAnnotation = 'volumes.jotasu.dev/removed';

export const isDirectoryVolume = ({ metadata }: PersistentVolume): boolean =>
  metadata.annotations?.[provisionedByAnnotation] === directoryProvisioner;

/** The node that keeps the volume's directory; undefined = nobody does. */
export const keeperOf = (volume: PersistentVolume): string | undefined =>
  isDirectoryVolume(volume) ? volume.metadata.labels?.[keptByLabel] : undefined;

export const isDirectoryRemoved = ({ metadata }: PersistentVolume): boolean =>
  metadata.annotations?.[removedAnnotation] !== undefined;
