// Autoscalers: every 15 s each reads its metrics, plans and resizes its target through the scale subresource, whatever kind it is of.
import { APIService, CustomResourceDefinition, HorizontalPodAutoscaler, Pod } from '../../api/index.ts';
import {
  compileLabelSelector,
  isNotFound,
  keyOf,
  type LabelMatcher,
  parseLabelSelector,
  semanticEqual,
} from '../../machinery/index.ts';
import { type Controller, type ControllerContext, defineController } from '../framework/index.ts';
import { type History, newHistory, noteChange } from './limits.ts';
import { MetricReader } from './metric-reader.ts';
import { isFailure } from './outcome.ts';
import {
  type AutoscalerStatus,
  afterResize,
  type Measurements,
  needsMetrics,
  type PlannedEvent,
  planAutoscaler,
  type SelectorProblem,
  withoutScale,
} from './plan.ts';
import { type AutoscalerSettings, autoscalerDefaults } from './settings.ts';
import { type FoundScale, kindsNamed, readScale } from './targets.ts';

export function horizontalPodAutoscalerController(
  settings: AutoscalerSettings = autoscalerDefaults,
): Controller {
  return defineController({
    name: 'horizontal-pod-autoscaler',
    component: 'horizontal-pod-autoscaler',
    reconciles: HorizontalPodAutoscaler,
    // Its own reports are no reason to look again before it is time.
    when: (old, hpa) => !semanticEqual(old.spec, hpa.spec),
    concurrency: 5,
    build: (context) => {
      const work = new Autoscaling(context, settings);
      return (key, signal) => work.reconcile(key, signal);
    },
  });
}

class Autoscaling {
  readonly #context: ControllerContext;
  readonly #settings: AutoscalerSettings;
  readonly #autoscalers;
  readonly #pods;
  readonly #definitions;
  readonly #reader: MetricReader;
  readonly #histories = new Map<string, History>();
  /** Which pods each means, as far as it has been looked at. */
  readonly #selectors = new Map<string, LabelMatcher>();

  constructor(context: ControllerContext, settings: AutoscalerSettings) {
    this.#context = context;
    this.#settings = settings;
    this.#autoscalers = context.lister(HorizontalPodAutoscaler);
    this.#pods = context.lister(Pod);
    this.#definitions = context.lister(CustomResourceDefinition);
    this.#reader = new MetricReader(context.client, {
      definitions: this.#definitions,
      apiServices: context.lister(APIService),
    });
  }

  async reconcile(key: string, signal: AbortSignal): Promise<{ requeueAfterMs: number } | undefined> {
    const hpa = this.#autoscalers.get(key);
    if (hpa === undefined) {
      this.#histories.delete(key);
      this.#selectors.delete(key);
      return undefined;
    }
    if (hpa.metadata.deletionTimestamp !== undefined) return undefined;
    await this.#scale(hpa, signal);
    return { requeueAfterMs: this.#settings.syncPeriodMs };
  }

  async #scale(hpa: HorizontalPodAutoscaler, signal: AbortSignal): Promise<void> {
    const { clock, client } = this.#context;
    const { scaleTargetRef } = hpa.spec;
    const namespace = hpa.metadata.namespace!;
    const key = keyOf(hpa);
    const found = kindsNamed(scaleTargetRef, this.#definitions);
    const scale = await readScale(client, found, { namespace, name: scaleTargetRef.name });
    if (isFailure(scale)) {
      const { status, event } = withoutScale(hpa, scale.failure, clock.nowMs());
      this.#say(hpa, event);
      return this.#report(hpa, status);
    }
    const history = this.#histories.get(key) ?? newHistory(scale.replicas, clock.nowMs());
    const measurements = needsMetrics(hpa, scale) ? await this.#measure(hpa, scale) : undefined;
    signal.throwIfAborted();
    const nowMs = clock.nowMs();
    const plan = planAutoscaler({ hpa, scale, measurements, history, nowMs, settings: this.#settings });
    for (const event of plan.events) this.#say(hpa, event);
    this.#histories.set(key, plan.history);
    if (plan.resize === undefined) return this.#report(hpa, plan.status);

    const { replicas } = plan.resize;
    const error = await this.#resize(scale, { namespace, name: scaleTargetRef.name, replicas });
    if (error === undefined)
      this.#histories.set(
        key,
        noteChange(plan.history, { from: scale.replicas, to: replicas, atMs: nowMs }, hpa.spec.behavior),
      );
    const { status, event } = afterResize(hpa, plan, { nowMs, error });
    this.#say(hpa, event);
    return this.#report(hpa, status);
  }

  /** undefined = done; else why not. Somebody else's change in between is a failure: the next round sees it. */
  async #resize(
    { kind, resourceVersion }: FoundScale,
    { namespace, name, replicas }: { namespace: string; name: string; replicas: number },
  ): Promise<string | undefined> {
    try {
      await this.#context.client(kind).patch({ namespace, name, subresource: 'scale' }, 'merge', {
        metadata: { resourceVersion },
        spec: { replicas },
      });
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  }

  async #measure(hpa: HorizontalPodAutoscaler, { selector }: FoundScale): Promise<Measurements> {
    const namespace = hpa.metadata.namespace!;
    const requirements = parseLabelSelector(selector);
    if (selector === '')
      return {
        problem: problemOf('SelectorRequired', 'selector is required', {
          reason: 'InvalidSelector',
          message: "the HPA target's scale is missing a selector",
        }),
      };
    if (!requirements.ok)
      return {
        problem: problemOf(
          'InvalidSelector',
          `couldn't convert selector into a corresponding internal selector object: ${requirements.error}`,
        ),
      };
    const matches = compileLabelSelector(requirements.value);
    this.#selectors.set(keyOf(hpa), matches);
    const pods = this.#pods.list(namespace).filter((pod) => matches(pod.metadata.labels));
    const rivals = this.#selecting(pods, namespace);
    if (rivals.length > 1)
      return {
        problem: problemOf(
          'AmbiguousSelector',
          `pods by selector ${selector} are controlled by multiple HPAs: [${rivals.map((name) => `{${name} ${namespace}}`).join(' ')}]`,
        ),
      };
    const readings = await Promise.all(
      (hpa.spec.metrics ?? []).map((spec) => this.#reader.read(spec, { namespace, selector })),
    );
    return { pods, readings };
  }

  /** Names of the autoscalers that mean any of the pods. */
  #selecting(pods: readonly Pod[], namespace: string): readonly string[] {
    const names: string[] = [];
    for (const [key, matches] of this.#selectors) {
      if (!key.startsWith(`${namespace}/`)) continue;
      if (pods.some((pod) => matches(pod.metadata.labels))) names.push(key.slice(namespace.length + 1));
    }
    return names.sort();
  }

  #say(hpa: HorizontalPodAutoscaler, { type, reason, message }: PlannedEvent): void {
    this.#context.event(hpa, type, reason, message);
  }

  async #report(hpa: HorizontalPodAutoscaler, status: AutoscalerStatus): Promise<void> {
    if (semanticEqual(hpa.status, status)) return;
    try {
      await this.#context.client(HorizontalPodAutoscaler).updateStatus({ ...hpa, status });
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

const problemOf = (
  reason: string,
  error: string,
  condition: SelectorProblem['condition'] = { reason, message: error },
): SelectorProblem => ({ reason, error, condition });
