// Walking over the containers of a pod spec. Ephemeral containers have the same fields as the others, so one type serves all.
import { at } from '../../../../machinery/index.ts';
import type { Container, PodSpec } from '../../../generated/core-v1.ts';

export interface PlacedContainer {
  readonly container: Container;
  /** `spec.initContainers[0]` */
  readonly path: string;
}

/** Init containers, then containers, then ephemeral ones: the order in which rules report. HOT: bench/api.ts. */
export function placedContainers(spec: PodSpec, path: string): readonly PlacedContainer[] {
  const out: PlacedContainer[] = [];
  const place = (field: string, list: readonly Container[] | undefined | null) => {
    if (!list) return;
    const above = at.child(path, field);
    for (let i = 0; i < list.length; i++) out.push({ container: list[i]!, path: at.index(above, i) });
  };
  place('initContainers', spec.initContainers);
  place('containers', spec.containers);
  place('ephemeralContainers', spec.ephemeralContainers as readonly Container[] | undefined);
  return out;
}

/** An init container that keeps running beside the others. */
export const isSidecar = (container: Pick<Container, 'restartPolicy'>): boolean =>
  container.restartPolicy === 'Always';
