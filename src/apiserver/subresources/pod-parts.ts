// What may change of a pod although its own PUT forbids it: pods/ephemeralcontainers (kubectl debug) and pods/resize. Both raise
// the generation, for the node has to act.
import {
  type Pod,
  prepareEphemeralContainers,
  preparePodResize,
  validateEphemeralContainersUpdate,
  validatePodResize,
} from '../../api/index.ts';
import type { KindDef } from '../../machinery/index.ts';
import { partOf } from './part.ts';

const isPod = (kind: KindDef): boolean => kind.group === '' && kind.kind === 'Pod';

export const ephemeralContainers = partOf(
  {
    subresource: 'ephemeralcontainers',
    prepare: (_, pod, old) => prepareEphemeralContainers(pod as Pod, old as Pod),
    validate: (_, pod, old, causes) => validateEphemeralContainersUpdate(pod as Pod, old as Pod, causes),
    owns: 'whole',
    desired: true,
  },
  isPod,
);

export const resize = partOf(
  {
    subresource: 'resize',
    prepare: (_, pod, old) => preparePodResize(pod as Pod, old as Pod),
    validate: (_, pod, old, causes) => validatePodResize(pod as Pod, old as Pod, causes),
    owns: 'whole',
    desired: true,
  },
  isPod,
);
