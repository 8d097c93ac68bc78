// What the scheduler tells about a pod that it could not place: the event, the PodScheduled condition, where it is to go later.
import { getCondition, Pod } from '../api/index.ts';
import type { Clock, Log } from '../base/index.ts';
import type { Client } from '../client/index.ts';
import { formatTime, isNotFound } from '../machinery/index.ts';

export interface PodReport {
  readonly reason: 'Unschedulable' | 'SchedulerError';
  readonly message: string;
  /** '' clears it, undefined leaves it. */
  readonly nominatedNodeName: string | undefined;
}

export class PodStatusWriter {
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor({ client, clock, log }: { client: Client; clock: Clock; log: Log }) {
    this.#client = client;
    this.#clock = clock;
    this.#log = log;
  }

  /** Writes only what is news. Never rejects: a lost report is written with the next try. */
  async report(pod: Pod, { reason, message, nominatedNodeName }: PodReport): Promise<void> {
    const known = getCondition(pod, 'PodScheduled');
    const { generation } = pod.metadata;
    const said =
      known?.status === 'False' &&
      known.reason === reason &&
      known.message === message &&
      known.observedGeneration === generation;
    const condition = {
      type: 'PodScheduled',
      status: 'False',
      reason,
      message,
      lastProbeTime: null,
      lastTransitionTime:
        known?.status === 'False' ? known.lastTransitionTime : formatTime(this.#clock.nowMs()),
      observedGeneration: generation,
    };
    const moved =
      nominatedNodeName !== undefined && (pod.status?.nominatedNodeName ?? '') !== nominatedNodeName;
    if (said && !moved) return;
    await this.#patch(pod, {
      ...(!said && { conditions: [condition] }),
      ...(moved && { nominatedNodeName: nominatedNodeName === '' ? null : nominatedNodeName }),
    });
  }

  async clearNomination(pod: Pod): Promise<void> {
    if ((pod.status?.nominatedNodeName ?? '') !== '') await this.#patch(pod, { nominatedNodeName: null });
  }

  async #patch(pod: Pod, status: object): Promise<void> {
    const { name, namespace } = pod.metadata;
    try {
      await this.#client(Pod).patch({ name, namespace, subresource: 'status' }, 'strategic', { status });
    } catch (error) {
      if (!isNotFound(error))
        this.#log.warn('could not write the status of a pod', { pod: `${namespace}/${name}`, error });
    }
  }
}
