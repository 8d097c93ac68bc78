// Walking over the containers of a pod spec. Ephemeral containers have the same fields as the others, so one type serves all.
import { at } from '../../../../machinery/index.ts';
import type { Container, PodSpec } from '../../../generated/core-v1.ts';

export interface PlacedContainer {
  readonly container: Container;
  /** `spec.initContainers[0]` */
  readonly path: string;
}

/** Init containers, then containers, then ephemeral ones: the order in which rules report. */
export function* placedContainers(spec: PodSpec, path: string): Generator<PlacedContainer> {
  for (const [field, list] of [
    ['initContainers', spec.initContainers],
    ['containers', spec.containers],
    ['ephemeralContainers', spec.ephemeralContainers],
  ] as const) {
    for (const [i, container] of (list ?? []).entries()) {
      yield { container, path: at.index(at.child(path, field), i) };
    }
  }
}

/** An init container that keeps running beside the others. */
export const isSidecar = (container: Pick<Container, 'restartPolicy'>): boolean =>
  container.restartPolicy === 'Always';
