// CronJob: makes a job at each time of its schedule.
import { CronJob, isJobFinished, Job } from '../../api/index.ts';
import { referenceTo } from '../../client/index.ts';
import {
  controllerOf,
  formatTime,
  isAlreadyExists,
  isNotFound,
  semanticEqual,
} from '../../machinery/index.ts';
import { type ControllerContext, defineController, owns } from '../framework/index.ts';
import { isNamespaceEnding } from '../pod-facts.ts';
import { type CronJobPlan, type CronJobStatus, doubtfulJobs, planCronJob } from './plan.ts';

export const cronJobController = defineController({
  name: 'cronjob',
  reconciles: CronJob,
  watches: [
    owns(Job, {
      when: (old, job) =>
        isJobFinished(old) !== isJobFinished(job) || controllerOf(old)?.uid !== controllerOf(job)?.uid,
    }),
  ],
  concurrency: 4,

  build(context) {
    const { clock, lister, client } = context;
    const cronJobs = lister(CronJob);
    const jobs = lister(Job);

    return async function reconcile(key, signal) {
      const cronJob = cronJobs.get(key);
      if (cronJob === undefined) return;
      const owned = jobs.byIndex('byController', cronJob.metadata.uid);
      const gone = new Set<string>();
      for (const { name = '', namespace, uid = '' } of doubtfulJobs(cronJob, owned)) {
        const found = await client(Job)
          .get(name, namespace)
          .catch((error: unknown) => {
            if (!isNotFound(error)) throw error;
          });
        if (found?.metadata.uid !== uid) gone.add(uid);
      }
      const plan = planCronJob({ cronJob, jobs: owned, gone, nowMs: clock.nowMs() });
      await apply(context, cronJob, plan, signal);
      return plan.wakeInMs === undefined ? undefined : { requeueAfterMs: plan.wakeInMs };
    };
  },
});

async function apply(
  context: ControllerContext,
  cronJob: CronJob,
  plan: CronJobPlan,
  signal: AbortSignal,
): Promise<void> {
  const { client, event } = context;
  let status = plan.status;
  for (const { type, reason, message } of plan.events) event(cronJob, type, reason, message);
  try {
    for (const { name = '', uid = '' } of plan.replace) {
      signal.throwIfAborted();
      await deleteJob(context, cronJob, { name, uid });
      status = without(status, uid);
    }
    if (plan.start !== undefined) status = await startJob(context, cronJob, { ...plan.start, status });
    for (const { metadata } of plan.forget) {
      signal.throwIfAborted();
      await deleteJob(context, cronJob, metadata);
    }
  } finally {
    // What is done is written down also when something failed after it.
    if (!semanticEqual(status, cronJob.status ?? {}))
      await client(CronJob)
        .updateStatus({ ...cronJob, status })
        .catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
  }
}

interface Starting {
  readonly job: NonNullable<CronJobPlan['start']>['job'];
  readonly scheduledMs: number;
  readonly status: CronJobStatus;
}

/** The status with the job in it. A job of that name that is ours was made by a run that ended before its status was written. */
async function startJob(
  { client, event }: ControllerContext,
  cronJob: CronJob,
  { job, scheduledMs, status }: Starting,
): Promise<CronJobStatus> {
  const lastScheduleTime = formatTime(scheduledMs);
  let made: Job;
  try {
    made = await client(Job).create(job);
    event(cronJob, 'Normal', 'SuccessfulCreate', `Created job ${made.metadata.name}`);
  } catch (error) {
    if (isNamespaceEnding(error)) return status;
    if (!isAlreadyExists(error)) {
      event(cronJob, 'Warning', 'FailedCreate', `Error creating job: ${(error as Error).message}`);
      throw error;
    }
    made = await client(Job).get(job.metadata.name!, job.metadata.namespace);
    if (controllerOf(made)?.uid !== cronJob.metadata.uid) return status;
    if (isJobFinished(made)) return { ...status, lastScheduleTime };
  }
  return { ...status, active: [...(status.active ?? []), referenceTo(made)], lastScheduleTime };
}

async function deleteJob(
  { client, event }: ControllerContext,
  cronJob: CronJob,
  { name, uid }: { readonly name: string; readonly uid: string },
): Promise<void> {
  try {
    await client(Job).delete(name, cronJob.metadata.namespace, {
      preconditions: { uid },
      propagationPolicy: 'Background',
    });
    event(cronJob, 'Normal', 'SuccessfulDelete', `Deleted job ${name}`);
  } catch (error) {
    if (isNotFound(error)) return;
    event(cronJob, 'Warning', 'FailedDelete', `Deleted job: ${(error as Error).message}`);
    throw error;
  }
}

function without({ active = [], ...rest }: CronJobStatus, uid: string): CronJobStatus {
  const left = active.filter((ref) => ref.uid !== uid);
  return { ...rest, ...(left.length > 0 && { active: left }) };
}
