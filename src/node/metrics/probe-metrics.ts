// What probes found, for /metrics/probes. A page of its own, since it has a series for each probe of each container of the node.
import type { Pod } from '../../api/index.ts';
import { MetricRegistry } from '../../base/index.ts';
import type { ProbeKind } from '../probes/probe-plan.ts';
import { defaultBuckets } from './default-buckets.ts';

const typeOf = { startup: 'Startup', liveness: 'Liveness', readiness: 'Readiness' } as const;

export class ProbeMetrics {
  readonly #registry = new MetricRegistry();
  readonly #results = this.#registry.counter({
    name: 'prober_probe_total',
    help: 'Probes by what they found.',
    labels: ['probe_type', 'result', 'container', 'pod', 'namespace', 'pod_uid'],
  });
  readonly #durations = this.#registry.histogram({
    name: 'prober_probe_duration_seconds',
    help: 'How long successful probes took.',
    labels: ['probe_type', 'container', 'pod', 'namespace'],
    buckets: defaultBuckets,
  });
  /** By uid of the pod: how to forget it. */
  readonly #pods = new Map<string, Map<string, () => void>>();

  /** A probe that was made. One that could not be made says nothing, and is not counted, as in the kubelet. */
  probed(
    { pod, container }: { readonly pod: Pod; readonly container: { readonly name: string } },
    kind: ProbeKind,
    { ok, seconds }: { readonly ok: boolean; readonly seconds: number },
  ): void {
    const { name, namespace = '', uid } = pod.metadata;
    const place = [container.name, name, namespace] as const;
    const results = (result: string) => [typeOf[kind], result, ...place, uid] as const;
    const durations = [typeOf[kind], ...place] as const;
    this.#results.of(...results(ok ? 'successful' : 'failed')).increment();
    if (ok) this.#durations.of(...durations).observe(seconds);
    const probes = this.#pods.get(uid) ?? new Map<string, () => void>();
    this.#pods.set(uid, probes);
    probes.set(`${kind} ${container.name}`, () => {
      for (const result of ['successful', 'failed']) this.#results.delete(...results(result));
      this.#durations.delete(...durations);
    });
  }

  /** The page. Pods that `isHere` does not know any more are forgotten; those that are restarted keep their counts. */
  text(isHere: (podUid: string) => boolean): string {
    for (const [uid, probes] of this.#pods) {
      if (isHere(uid)) continue;
      for (const forget of probes.values()) forget();
      this.#pods.delete(uid);
    }
    return this.#registry.text();
  }
}
