// Which requests take seats of flow control, how many and for how long: everything but what lasts until one side ends it. A watch has
// its seats until it has begun. HOT: bench/api.ts.
import type { HttpResponse } from '../../http/index.ts';
import type { KindDef, Verb } from '../../machinery/index.ts';
import type { RequestAttributes } from '../auth/attributes.ts';
import type { FlowControl } from '../flow-control/flow-control.ts';
import type { Visit } from '../flow-control/priority-level.ts';
import type { WorkEstimator } from '../flow-control/work-estimate.ts';
import { askedTimeoutMs } from './deadlines.ts';
import type { Query } from './query.ts';

export interface SeatedRequest {
  readonly attributes: RequestAttributes;
  readonly response: HttpResponse;
  readonly query: Query;
  readonly verb: Verb | undefined;
  /** Whose objects this server has; undefined = of nothing here. */
  readonly kind: KindDef | undefined;
  readonly measured: Visit;
}

/** Of requests without a deadline, as in kube-apiserver. */
const defaultWaitMs = 15_000;

export class Seating {
  readonly #flowControl: FlowControl;
  readonly #estimator: WorkEstimator;
  readonly #requestTimeoutMs: number;

  /** `requestTimeoutMs` 0 = none */
  constructor(flowControl: FlowControl, estimator: WorkEstimator, requestTimeoutMs: number) {
    this.#flowControl = flowControl;
    this.#estimator = estimator;
    this.#requestTimeoutMs = requestTimeoutMs;
  }

  /** As `work` ends, or rejects with 429 without calling it; `onRefused` hears of that first. */
  async run<T>(asked: SeatedRequest, work: () => Promise<T>, onRefused: () => void): Promise<T> {
    const { attributes, response, measured: visit } = asked;
    const flow = this.#flowControl.classify(attributes);
    response.always = flow.headers;
    const { verb } = attributes;
    if (verb === 'list' || verb === 'watch') visit.seats = this.#seatsOf(asked, flow.level.maxSeats);
    if (!this.#flowControl.enter(visit, flow)) {
      try {
        await this.#flowControl.wait(visit, {
          attributes,
          waitLimitMs: this.#waitLimitMs(asked),
          client: response,
        });
      } catch (error) {
        onRefused();
        throw error;
      }
    }
    try {
      return await work();
    } finally {
      this.#flowControl.leave(visit, verb === 'watch' ? 'watch' : 'regular');
    }
  }

  #seatsOf({ attributes, query, kind, verb }: SeatedRequest, most: number): number {
    if (verb === 'watch') {
      const initial = query.get('sendInitialEvents');
      if (initial !== 'true' && initial !== '1') return 1;
    }
    return this.#estimator.list(attributes, kind, { limit: Number(query.get('limit') ?? 0), most });
  }

  /** A quarter of the time that is left for it. */
  #waitLimitMs({ query, verb }: SeatedRequest): number {
    const own = verb === 'watch' ? 0 : askedTimeoutMs(query);
    const limits = [own, this.#requestTimeoutMs].filter((ms) => ms > 0);
    return limits.length === 0 ? defaultWaitMs : Math.min(...limits) / 4;
  }
}
