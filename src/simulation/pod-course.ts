// What a stage has in store for one pod: when its containers are ready, when and how they end, when the node gives it up. What chance
// decides is drawn once. It keeps no pod: there are a hundred thousand of them. HOT: bench/simulation.ts.
import type { coreV1 } from '../api/index.ts';
import type { Random } from '../base/index.ts';
import type { ContainerStatus } from '../node/index.ts';
import { draw, type Ending, type Stage } from './script.ts';

type Containers = Pick<coreV1.PodSpec, 'containers' | 'initContainers'>;

export class PodCourse {
  readonly #stage: Stage;
  /** After the node first heard of the pod; Infinity = never. */
  readonly failDelayMs: number;
  readonly #readyDelayMs: number;
  readonly #endDelayMs: number;

  constructor(stage: Stage, random: Random) {
    this.#stage = stage;
    this.#readyDelayMs = stage.ready === 'never' ? Number.POSITIVE_INFINITY : draw(stage.ready, random);
    this.#endDelayMs = stage.ends === undefined ? Number.POSITIVE_INFINITY : draw(stage.ends.after, random);
    this.failDelayMs = stage.fails === undefined ? Number.POSITIVE_INFINITY : draw(stage.fails.after, random);
  }

  /** Whether the stage is about this container; the others run and are ready. */
  concerns(spec: Containers, name: string): boolean {
    const { containers } = this.#stage;
    return containers.length === 0 ? spec.containers.some((c) => c.name === name) : containers.includes(name);
  }

  /** undefined = it runs until it is told to stop. */
  endingOf(spec: Containers, name: string): Ending | undefined {
    const init = spec.initContainers?.find((c) => c.name === name);
    if (init !== undefined) return init.restartPolicy === 'Always' ? undefined : this.#stage.init;
    return this.concerns(spec, name) ? this.#stage.ends : undefined;
  }

  /** Infinity = not by itself, or it has ended. */
  endMs(spec: Containers, { name, state, attempt, startedAtMs }: ContainerStatus): number {
    if (state !== 'running') return Number.POSITIVE_INFINITY;
    const ending = this.endingOf(spec, name);
    if (ending === undefined || attempt >= ending.times) return Number.POSITIVE_INFINITY;
    const delayMs =
      ending === this.#stage.ends ? this.#endDelayMs : (ending.after.fromMs + ending.after.toMs) / 2;
    return startedAtMs + delayMs;
  }

  readyMs(spec: Containers, { name, startedAtMs }: ContainerStatus): number {
    return this.concerns(spec, name) ? startedAtMs + this.#readyDelayMs : startedAtMs;
  }
}
