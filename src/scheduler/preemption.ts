// Making room: the victims of a preemption are told why and deleted with their grace, through the API.
import { Pod } from '../api/index.ts';
import type { Clock } from '../base/index.ts';
import type { Client, RecordEvent } from '../client/index.ts';
import { formatTime, isNotFound } from '../machinery/index.ts';
import type { PodInfo } from './pod-info.ts';

export interface Displacement {
  readonly client: Client;
  readonly clock: Clock;
  readonly event: RecordEvent;
  readonly schedulerName: string;
  readonly preemptor: PodInfo;
}

/** Resolves with what went wrong, if anything did; the other victims are evicted all the same. Victims already gone are fine. */
export async function displace(victims: readonly PodInfo[], task: Displacement): Promise<unknown> {
  const results = await Promise.allSettled(victims.map((victim) => evict(victim, task)));
  return results.find((result) => result.status === 'rejected')?.reason;
}

async function evict({ pod }: PodInfo, task: Displacement): Promise<void> {
  const { client, clock, event, schedulerName, preemptor } = task;
  const { name, namespace, uid, deletionTimestamp, generation } = pod.metadata;
  if (deletionTimestamp !== undefined) return;
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'PreemptionByScheduler',
    message: `${schedulerName}: preempting to accommodate a higher priority pod`,
    lastTransitionTime: formatTime(clock.nowMs()),
    observedGeneration: generation,
  };
  try {
    await client(Pod).patch({ name, namespace, subresource: 'status' }, 'strategic', {
      metadata: { uid },
      status: { conditions: [condition] },
    });
    await client(Pod).delete(name, namespace, { preconditions: { uid } });
  } catch (error) {
    if (isNotFound(error)) return;
    throw error;
  }
  event(pod, 'Normal', 'Preempted', `Preempted by pod ${preemptor.uid} on node ${pod.spec.nodeName}`);
}
