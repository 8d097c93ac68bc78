// Which pods a pod that says nothing is to be spread from: those of its services and of what controls it.
import { ReplicaSet, ReplicationController, Service, StatefulSet } from '../api/index.ts';
import {
  compileLabelMap,
  compileLabelSelector,
  controllerOf,
  formatLabelRequirements,
  type KindDef,
  type KubeObject,
  type LabelMatcher,
  type LabelRequirement,
  labelRequirements,
  semanticEqual,
} from '../machinery/index.ts';
import type { PluginContext, Watched } from './plugin.ts';
import type { PodInfo } from './pod-info.ts';

export interface DefaultSelector {
  /** The same text = the same pods within a namespace. */
  readonly id: string;
  readonly matches: LabelMatcher;
}

interface Selecting extends KubeObject {
  readonly spec?: { readonly selector?: unknown } | undefined;
}

export class DefaultSelectors {
  readonly #services: Watched<Service>;
  readonly #controllers: ReadonlyMap<string, Watched<Selecting>>;
  /** null = it has none. Thrown away when any selector changes. */
  readonly #known = new Map<string, DefaultSelector | null>();

  constructor(context: PluginContext) {
    const watch = <T extends Selecting>(kind: KindDef<T>): Watched<T> => {
      const watched = context.watch(kind);
      watched.onChange({
        added: () => this.#known.clear(),
        updated: (old, object) => {
          if (!semanticEqual(old.spec?.selector, object.spec?.selector)) this.#known.clear();
        },
        deleted: () => this.#known.clear(),
      });
      return watched;
    };
    this.#services = watch(Service);
    this.#controllers = new Map<string, Watched<Selecting>>([
      ['v1 ReplicationController', watch(ReplicationController)],
      ['apps/v1 ReplicaSet', watch(ReplicaSet)],
      ['apps/v1 StatefulSet', watch(StatefulSet)],
    ]);
  }

  /** null = nothing selects the pod. */
  of(pod: PodInfo): DefaultSelector | null {
    const key = `${pod.owner} ${pod.likeness}`;
    let found = this.#known.get(key);
    if (found === undefined) {
      if (this.#known.size > 10_000) this.#known.clear();
      this.#known.set(key, (found = this.#find(pod)));
    }
    return found;
  }

  #find({ pod, namespace }: PodInfo): DefaultSelector | null {
    const labels: Record<string, string> = {};
    for (const { spec } of this.#services.list(namespace)) {
      const { selector } = spec;
      if (selector === undefined || Object.keys(selector).length === 0) continue;
      if (compileLabelMap(selector)(pod.metadata.labels)) Object.assign(labels, selector);
    }
    const requirements: LabelRequirement[] = [];
    const owner = controllerOf(pod);
    const selector =
      owner === undefined
        ? undefined
        : this.#controllers.get(`${owner.apiVersion} ${owner.kind}`)?.get(`${namespace}/${owner.name}`)?.spec
            ?.selector;
    if (owner?.kind === 'ReplicationController') Object.assign(labels, selector);
    else if (selector !== undefined)
      requirements.push(...labelRequirements(selector as Parameters<typeof labelRequirements>[0]));
    requirements.push(...labelRequirements({ matchLabels: labels }));
    if (requirements.length === 0) return null;
    return { id: formatLabelRequirements(requirements), matches: compileLabelSelector(requirements) };
  }
}
