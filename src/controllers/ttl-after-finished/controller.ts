// TTL after finished: deletes a finished job, with all that it owns, when its ttlSecondsAfterFinished have passed.
import { isJobFinished, Job } from '../../api/index.ts';
import { isNotFound, parseTime } from '../../machinery/index.ts';
import { defineController } from '../framework/index.ts';

/** Undefined when it is never to be deleted. Not before it has finished; once deleted it is no business of ours. */
export function expiresAtMs(job: Job): number | undefined {
  const { ttlSecondsAfterFinished } = job.spec;
  if (ttlSecondsAfterFinished === undefined || !isJobFinished(job)) return undefined;
  if (job.metadata.deletionTimestamp !== undefined) return undefined;
  const last = job.status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  const finishedMs = parseTime(last?.lastTransitionTime);
  return finishedMs === undefined ? undefined : finishedMs + ttlSecondsAfterFinished * 1000;
}

export const ttlAfterFinishedController = defineController({
  name: 'ttl-after-finished',
  reconciles: Job,

  build({ clock, lister, client }) {
    const jobs = lister(Job);
    const leftMs = (job: Job): number | undefined => {
      const atMs = expiresAtMs(job);
      return atMs === undefined ? undefined : atMs - clock.nowMs();
    };

    return async function reconcile(key) {
      const job = jobs.get(key);
      const waitMs = job === undefined ? undefined : leftMs(job);
      if (job === undefined || waitMs === undefined) return;
      if (waitMs > 0) return { requeueAfterMs: waitMs };
      try {
        // Memory may not know yet that it shall live longer.
        const { name, namespace, uid } = job.metadata;
        const fresh = await client(Job).get(name, namespace);
        const freshWaitMs = leftMs(fresh);
        if (fresh.metadata.uid !== uid || freshWaitMs === undefined) return;
        if (freshWaitMs > 0) return { requeueAfterMs: freshWaitMs };
        await client(Job).delete(name, namespace, {
          preconditions: { uid },
          propagationPolicy: 'Foreground',
        });
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    };
  },
});
