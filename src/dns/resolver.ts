// From a query to its answer: what is refused, what the cluster knows, what is forwarded, and CNAMEs followed to their end.
import type { ClusterZone, ZoneAnswer } from './cluster-zone.ts';
import type { Forwarder } from './forwarder.ts';
import { classIn, type Question, rcode, type } from './message.ts';
import type { Answer } from './message-writer.ts';
import { labelsOf, type WireName } from './name.ts';
import type { Query } from './query.ts';
import { obsoleteAny } from './records.ts';

export interface ResolverOptions {
  readonly zone: ClusterZone;
  readonly forwarder: Pick<Forwarder, 'resolve'>;
  /** Whether the zone can be asked: `later` = not yet, and the client shall try again; `failed` = it takes too long. */
  readonly zoneState: () => 'ready' | 'later' | 'failed';
}

const maxChain = 8;

/** No answer now: the client asks again. */
export const silence = Symbol('silence');

export class Resolver {
  readonly #options: ResolverOptions;
  #turn = 0;

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /** At once for names of the cluster and for what is kept. */
  resolve(query: Query): Answer | typeof silence | Promise<Answer> {
    if (query.refusal !== undefined) return refusal(query.refusal);
    if (query.class !== classIn || query.type === type.AXFR || query.type === type.IXFR)
      return refusal(rcode.refused);
    if (query.type === type.OPT || query.type === 0) return refusal(rcode.formErr);
    const own = this.#own(query);
    if (own === silence) return silence;
    if (own !== undefined) return own.target === undefined ? this.#turned(own) : this.#follow(query, own);
    if (query.type === type.ANY) return { ...empty, answers: [obsoleteAny(query.name)] };
    return this.#options.forwarder.resolve(query, forwardFlags(query));
  }

  #own(question: Question): ZoneAnswer | typeof silence | undefined {
    const { zone, zoneState } = this.#options;
    const labels = labelsOf(question.name);
    const state = zoneState();
    if (state === 'ready') return zone.answer(question, labels);
    // Whether a reverse name is ours is not known yet either.
    if (!zone.mayOwn(labels)) return undefined;
    return state === 'later' ? silence : refusal(rcode.servFail);
  }

  /** Each answer begins with another record, so that clients which take the first are spread. */
  #turned(answer: ZoneAnswer): Answer {
    const { length } = answer.answers;
    if (length < 2) return answer;
    this.#turn = (this.#turn + 1) & 0xffffff;
    return { ...answer, first: this.#turn % length };
  }

  /** The records of the name that a CNAME of ours leads to, after it; its rcode is that of the last name (RFC 6604). */
  async #follow(query: Query, start: ZoneAnswer): Promise<Answer> {
    const chain = [...start.answers];
    const seen = new Set<WireName>([query.name]);
    let target = start.target;
    for (let i = 0; target !== undefined && i < maxChain; i++) {
      if (seen.has(target)) break;
      seen.add(target);
      const question: Question = { name: target, type: query.type, class: query.class };
      const own = this.#own(question);
      if (own === silence) return refusal(rcode.servFail);
      if (own === undefined) {
        const { answers, ...rest } = await this.#options.forwarder.resolve(question, forwardFlags(query));
        return { ...rest, authoritative: false, authenticated: false, answers: [...chain, ...answers] };
      }
      if (own.target === undefined) return { ...own, answers: [...chain, ...this.#rotated(own)] };
      chain.push(...own.answers);
      target = own.target;
    }
    // It goes in a circle.
    return refusal(rcode.servFail);
  }

  #rotated(answer: ZoneAnswer): Answer['answers'] {
    const { first = 0 } = this.#turned(answer);
    return [...answer.answers.slice(first), ...answer.answers.slice(0, first)];
  }
}

const forwardFlags = ({ edns, flags }: Query) => ({
  dnssecOk: edns?.dnssecOk === true,
  checkingDisabled: (flags & 0x10) !== 0,
});

const empty: Answer = { rcode: 0, authoritative: false, answers: [], authorities: [], additionals: [] };
const refusal = (code: number): Answer => ({ ...empty, rcode: code });
