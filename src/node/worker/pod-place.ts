// The place of one pod on its node: whether it was taken, what of its wishes has been granted, and when others may have it.
import { isTerminalPhase, type Pod } from '../../api/index.ts';
import type { Rejection } from '../plan/admission.ts';
import type { NodeContext } from './node-context.ts';
import { admitPod, ranBefore } from './pod-admission.ts';
import { PodResize } from './pod-resize.ts';

/** The other pods of the node, as one of them sees them. */
export interface Neighbourhood {
  /** Nothing of the pod is left. */
  onGone(uid: string): void;
  /** The other pods that the node has taken and that have not ended, as far as they were granted. */
  others(): readonly Pod[];
  /** What this pod holds of the node has changed. */
  changed(): void;
}

export class PodPlace {
  readonly resize: PodResize;
  readonly #node: NodeContext;
  readonly #around: Neighbourhood;
  #granted: Pod;
  #taken = false;
  /** The others know that it was taken. */
  #told = false;
  #released = false;

  constructor(pod: Pod, node: NodeContext, around: Neighbourhood) {
    this.#node = node;
    this.#around = around;
    this.#granted = pod;
    this.resize = new PodResize(node);
    if (ranBefore(node, pod)) this.#take(pod);
  }

  /** The pod as far as the node has granted what it asks for: what is run. */
  get granted(): Pod {
    return this.#granted;
  }

  /** Whether it takes up room on the node. */
  get isHeld(): boolean {
    if (!this.#taken || this.#released) return false;
    const { metadata, status } = this.#granted;
    return !isTerminalPhase(this.#node.statuses.get(metadata.uid)?.phase ?? status?.phase);
  }

  /** A newer version of the pod; what it asks for is not granted by that. */
  update(pod: Pod): void {
    this.#granted = this.#node.allocations.granted(pod);
  }

  /** Takes the pod unless the node cannot run it. Resolves to why not. */
  async enter(pod: Pod): Promise<Rejection | undefined> {
    if (this.#told) return undefined;
    if (!this.#taken) {
      // Pods that come with it, and run already, are counted first.
      await Promise.resolve();
      const rejection = await admitPod(this.#node, pod, () => this.#around.others());
      if (rejection !== undefined) return rejection;
      this.#take(pod);
    }
    this.#told = true;
    this.#around.changed();
    return undefined;
  }

  /** Looks at what the pod asks for now. */
  review(pod: Pod): void {
    const { inProgress } = this.resize.state;
    this.#granted = this.resize.review(pod, () => this.#around.others());
    if (this.resize.state.inProgress !== inProgress) this.#around.changed();
  }

  /** It has ended: its room is free, even before others hear of it. */
  release(): void {
    if (this.#released) return;
    this.#released = true;
    if (this.#told) this.#around.changed();
  }

  #take(pod: Pod): void {
    this.#node.allocations.add(pod);
    this.#taken = true;
    this.#granted = this.#node.allocations.granted(pod);
  }
}
