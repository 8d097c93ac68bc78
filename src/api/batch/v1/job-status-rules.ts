// What a report about a job may say. Most rules look only at what the report changes, so that a status that was wrong before, or
// became wrong through the spec, can still be corrected field by field.
import { type Causes, FieldAt, parseTime, semanticEqual } from '../../../machinery/index.ts';
import type { Job, JobStatus } from '../../generated/batch-v1.ts';
import { countIndexes, firstOverlap } from './job-indexes.ts';

export const hasJobCondition = (status: JobStatus | undefined, type: string): boolean =>
  status?.conditions?.some((c) => c.type === type && c.status === 'True') ?? false;

export const isJobFinished = (job: Job): boolean =>
  hasJobCondition(job.status, 'Complete') || hasJobCondition(job.status, 'Failed');

const watched = ['Complete', 'Failed', 'FailureTarget', 'SuccessCriteriaMet'] as const;
type Watched = (typeof watched)[number];
type Facts = Readonly<Record<Watched, boolean>>;

const factsOf = (status: JobStatus): Facts =>
  Object.fromEntries(watched.map((type) => [type, hasJobCondition(status, type)])) as Facts;

interface Report {
  readonly job: Job;
  readonly status: JobStatus;
  readonly before: JobStatus;
  readonly facts: Facts;
  readonly factsBefore: Facts;
  readonly finished: boolean;
  readonly finishedChanged: boolean;
  readonly field: FieldAt;
}

const changed = (report: Report, name: keyof JobStatus): boolean =>
  !semanticEqual(report.status[name], report.before[name]);
const turned = (report: Report, ...types: readonly Watched[]): boolean =>
  types.some((type) => report.facts[type] !== report.factsBefore[type]);

export function validateJobStatus(job: Job, old: Job, causes: Causes): void {
  const status = job.status ?? {};
  const before = old.status ?? {};
  const facts = factsOf(status);
  const factsBefore = factsOf(before);
  const finished = facts.Complete || facts.Failed;
  const report: Report = {
    job,
    status,
    before,
    facts,
    factsBefore,
    finished,
    finishedChanged: finished !== (factsBefore.Complete || factsBefore.Failed),
    field: new FieldAt('status', causes),
  };
  validateCounts(report);
  validateConditionSet(report);
  validateTimes(report);
  validateFinished(report);
  validateIndexLists(report);
  validateTransitions(report);
}

function validateCounts({ status, field }: Report): void {
  for (const name of ['active', 'succeeded', 'failed', 'ready', 'terminating'] as const)
    field.child(name).notNegative(status[name]);
  const seen = new Set<string>();
  for (const name of ['succeeded', 'failed'] as const)
    for (const [i, uid] of (status.uncountedTerminatedPods?.[name] ?? []).entries()) {
      const here = field.child('uncountedTerminatedPods', name).index(i);
      if (uid === '') here.invalid(uid, 'must not be empty');
      else if (seen.has(uid)) here.duplicate(uid);
      else seen.add(uid);
    }
}

function validateConditionSet(report: Report): void {
  const { facts, job } = report;
  const field = report.field.child('conditions');
  const refuse = (reason: string): void => field.invalidUnshown(reason);
  if (facts.Complete && facts.Failed && turned(report, 'Complete', 'Failed'))
    refuse('cannot set Complete=True and Failed=true conditions');
  if (facts.Complete && facts.FailureTarget && turned(report, 'Complete', 'FailureTarget'))
    refuse('cannot set Complete=True and FailureTarget=true conditions');
  if (facts.Failed && !facts.FailureTarget && turned(report, 'Failed', 'FailureTarget'))
    refuse('cannot set Failed=True condition without the FailureTarget=true condition');
  if (facts.Complete && !facts.SuccessCriteriaMet && turned(report, 'Complete', 'SuccessCriteriaMet'))
    refuse('cannot set Complete=True condition without the SuccessCriteriaMet=true condition');
  if (facts.SuccessCriteriaMet && facts.Failed)
    refuse('cannot set SuccessCriteriaMet=True and Failed=true conditions');
  if (facts.SuccessCriteriaMet && facts.FailureTarget)
    refuse('cannot set SuccessCriteriaMet=True and FailureTarget=true conditions');
  if (job.spec.successPolicy !== undefined && !facts.SuccessCriteriaMet && facts.Complete)
    refuse('cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True');
}

function validateTimes(report: Report): void {
  const { status, facts } = report;
  const { startTime, completionTime } = status;
  const field = report.field.child('completionTime');
  if (turned(report, 'Complete') || changed(report, 'completionTime')) {
    if (completionTime !== undefined && !facts.Complete)
      field.invalid(completionTime, 'cannot set completionTime when there is no Complete=True condition');
    if (completionTime === undefined && facts.Complete)
      field.required('completionTime is required for Complete jobs');
  }
  if (!changed(report, 'startTime') && !changed(report, 'completionTime')) return;
  const [start, end] = [parseTime(startTime), parseTime(completionTime)];
  if (start !== undefined && end !== undefined && end < start)
    field.invalid(completionTime, 'completionTime cannot be set before startTime');
}

function validateFinished(report: Report): void {
  const { status, finished, finishedChanged, field } = report;
  const { active = 0, ready, terminating = 0, startTime, uncountedTerminatedPods: uncounted } = status;
  const asked = (name: keyof JobStatus): boolean => finished && (finishedChanged || changed(report, name));
  if (active > 0 && asked('active'))
    field.child('active').invalid(active, 'active>0 is invalid for finished job');
  if (startTime === undefined && asked('startTime'))
    field.child('startTime').required('startTime is required for finished job');
  const uncountedPods = (uncounted?.failed?.length ?? 0) + (uncounted?.succeeded?.length ?? 0);
  if (uncountedPods > 0 && asked('uncountedTerminatedPods'))
    field
      .child('uncountedTerminatedPods')
      .invalid(uncounted, 'uncountedTerminatedPods needs to be empty for finished job');
  if (terminating > 0 && asked('terminating'))
    field.child('terminating').invalid(terminating, 'terminating>0 is invalid for finished job');
  if (ready !== undefined && ready > active && (changed(report, 'ready') || changed(report, 'active')))
    field.child('ready').invalid(ready, 'cannot set more ready pods than active');
}

function validateIndexLists(report: Report): void {
  const { completions, completionMode, backoffLimitPerIndex } = report.job.spec;
  const { completedIndexes = '', failedIndexes } = report.status;
  const completedAt = report.field.child('completedIndexes');
  const failedAt = report.field.child('failedIndexes');
  const completedChanged = changed(report, 'completedIndexes');
  const failedChanged = changed(report, 'failedIndexes');
  if (completedChanged && completions !== undefined) {
    const counted = countIndexes(completedIndexes, completions);
    if (!counted.ok)
      completedAt.invalid(completedIndexes, `error parsing completedIndexes: ${counted.error}`);
  }
  if (
    failedChanged &&
    completions !== undefined &&
    backoffLimitPerIndex !== undefined &&
    failedIndexes !== undefined
  ) {
    const counted = countIndexes(failedIndexes, completions);
    if (!counted.ok) failedAt.invalid(failedIndexes, `error parsing failedIndexes: ${counted.error}`);
  }
  if (completedChanged && completedIndexes !== '' && completionMode !== 'Indexed')
    completedAt.invalid(
      completedIndexes,
      'cannot set non-empty completedIndexes when non-indexed completion mode',
    );
  if (failedChanged && failedIndexes !== undefined && backoffLimitPerIndex === undefined)
    failedAt.invalid(failedIndexes, 'cannot set non-null failedIndexes when backoffLimitPerIndex is null');
  if ((completedChanged || failedChanged) && completions !== undefined && failedIndexes !== undefined) {
    const index = firstOverlap(completedIndexes, failedIndexes, completions);
    if (index !== undefined)
      failedAt.invalid(failedIndexes, `failedIndexes and completedIndexes overlap at index: ${index}`);
  }
}

/** What was once reported and may not be taken back. */
function validateTransitions(report: Report): void {
  const { job, status, before, facts, factsBefore, field } = report;
  for (const type of ['Failed', 'Complete', 'FailureTarget'] as const)
    if (factsBefore[type] && !facts[type])
      field.child('conditions').invalidUnshown(`cannot disable the terminal ${type}=True condition`);
  const { completions, parallelism, completionMode, suspend } = job.spec;
  // an indexed job can be scaled down, and its finished indexes with it
  const elastic = completionMode === 'Indexed' && completions === parallelism;
  for (const name of ['failed', 'succeeded'] as const)
    if ((status[name] ?? 0) < (before[name] ?? 0) && !(name === 'succeeded' && elastic))
      field.child(name).invalid(status[name] ?? 0, `cannot decrease the ${name} counter`);
  if (
    status.completionTime !== undefined &&
    before.completionTime !== undefined &&
    status.completionTime !== before.completionTime
  )
    field.child('completionTime').invalid(status.completionTime, 'completionTime cannot be mutated');
  // a job that is resumed starts anew
  const resumed = hasJobCondition(before, 'Suspended') && status.startTime !== undefined;
  if (before.startTime !== undefined && changed(report, 'startTime') && suspend !== true && !resumed)
    field.child('startTime').required('startTime cannot be removed for unsuspended job');
  if (factsBefore.SuccessCriteriaMet && !facts.SuccessCriteriaMet)
    field.child('conditions').invalidUnshown('cannot disable the SuccessCriteriaMet=True condition');
  if (factsBefore.Complete && !factsBefore.SuccessCriteriaMet && facts.SuccessCriteriaMet)
    field
      .child('conditions')
      .invalidUnshown('cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions');
}
