// One pod's resize in place: reviews what it wants, brings its containers to what was granted, and tells people how far it is.
import type { coreV1, Pod } from '../../api/index.ts';
import type { ContainerStatus, LinuxResources } from '../../os/index.ts';
import { isStaticPod } from '../container/names.ts';
import { containerResources } from '../container/resources.ts';
import type { UpdateContainer } from '../plan/pod-plan.ts';
import { planContainerResize, type ResizeState, resizeMessage, reviewResize } from '../plan/resize.ts';
import type { NodeContext } from './node-context.ts';

/** What has to wait for others is looked at again at least this often. */
const deferredRetryMs = 30_000;

export class PodResize {
  readonly #node: NodeContext;
  #state: ResizeState = {};
  /** As it was before the resize that is in progress. */
  #before: Pod | undefined;

  constructor(node: NodeContext) {
    this.#node = node;
  }

  get state(): ResizeState {
    return this.#state;
  }

  get retryInMs(): number | undefined {
    return this.#state.pending?.reason === 'Deferred' ? deferredRetryMs : undefined;
  }

  /** The pod as far as the node grants it now. */
  review(pod: Pod, others: () => readonly Pod[]): Pod {
    const { allocations } = this.#node;
    const granted = allocations.grantsTo(pod.metadata.uid);
    const on = this.#node.node();
    if (granted === undefined || on === undefined) return pod;
    const verdict = reviewResize({ pod, granted, others, node: on, isStatic: isStaticPod(pod) });
    const { generation } = pod.metadata;
    if (verdict.kind === 'nothing') this.#state = { ...this.#state, pending: undefined };
    else if (verdict.kind === 'grant') {
      this.#before ??= allocations.granted(pod);
      allocations.grant(pod);
      this.#state = { inProgress: { generation } };
      this.#event(pod, 'Normal', 'ResizeStarted', resizeMessage('started', { pod, generation }));
    } else {
      const { reason, message } = verdict;
      const { pending } = this.#state;
      if (pending?.reason !== reason || pending.generation !== generation)
        this.#event(
          pod,
          'Warning',
          reason === 'Infeasible' ? 'ResizeInfeasible' : 'ResizeDeferred',
          resizeMessage(reason, { pod, generation, error: message }),
        );
      this.#state = { ...this.#state, pending: { reason, message, generation } };
    }
    return allocations.granted(pod);
  }

  /** For the plan: what a running container needs to have what it was granted. */
  needOf(pod: Pod, container: coreV1.Container, status: ContainerStatus): 'nothing' | 'update' | 'restart' {
    const actual = this.#node.allocations.actual(pod, status.id);
    return actual === undefined ? 'nothing' : planContainerResize(container, actual);
  }

  /** Changes running containers. Resolves to whether all of them have what they were granted. */
  async apply(pod: Pod, updates: readonly UpdateContainer[]): Promise<boolean> {
    const { cgroups, log } = this.#node;
    // Of a resize that an earlier run of the agent began, only what was asked for is known.
    this.#state = {
      ...this.#state,
      inProgress: this.#state.inProgress ?? { generation: pod.metadata.generation },
    };
    try {
      cgroups.loosen(pod, this.#before ?? pod);
      for (const update of updates) await this.#update(pod, update);
      return true;
    } catch (error) {
      const { message } = error as Error;
      const { generation, error: before } = this.#state.inProgress!;
      if (before !== message)
        this.#event(
          pod,
          'Warning',
          'ResizeError',
          resizeMessage('error', { pod, generation, error: message }),
        );
      this.#state = { ...this.#state, inProgress: { generation, error: message } };
      log.warn('cannot resize', { pod: `${pod.metadata.namespace}/${pod.metadata.name}`, error });
      return false;
    }
  }

  /** Every container has what it was granted. */
  settle(pod: Pod): void {
    const { inProgress } = this.#state;
    if (inProgress === undefined) return;
    this.#node.cgroups.ensure(pod);
    this.#before = undefined;
    this.#state = { ...this.#state, inProgress: undefined };
    const { generation } = inProgress;
    this.#event(pod, 'Normal', 'ResizeCompleted', resizeMessage('completed', { pod, generation }));
  }

  async #update(pod: Pod, { id, container }: UpdateContainer): Promise<void> {
    const { runtime, allocations, memoryCapacityBytes } = this.#node;
    const { oomScoreAdj: _, ...resources } = containerResources(pod, container, memoryCapacityBytes);
    await this.#checkMemory(id, container, resources);
    await runtime.updateContainerResources(id, resources);
    allocations.set(pod.metadata.uid, id, container.resources ?? {});
  }

  /** A limit below what is used would kill it at once where the kernel does not refuse it. */
  async #checkMemory(id: string, container: coreV1.Container, resources: LinuxResources): Promise<void> {
    const limit = resources.memoryLimitBytes ?? 0;
    if (limit === 0) return;
    const [stats] = await this.#node.runtime.containerStats({ id });
    const used = stats?.memoryWorkingSetBytes ?? 0;
    if (used > limit)
      throw new Error(
        `attempting to set container ${JSON.stringify(container.name)} memory limit (${limit}) below current usage (${used})`,
      );
  }

  #event(pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#node.event(pod, type, { reason, message });
  }
}
