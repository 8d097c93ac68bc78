import { describe, expect, it } from 'vitest';
import { Causes, type KubeObject } from '../../../machinery/index.ts';
import { complaints, created, updated } from '../../../testkit/index.ts';
import type { JobSpec, JobStatus } from '../../generated/batch-v1.ts';
import { CronJob } from './cron-job.ts';
import { type CronSchedule, parseCronSchedule } from './cron-schedule.ts';
import { Job } from './job.ts';

const template = { spec: { containers: [{ name: 'c', image: 'busybox:1' }], restartPolicy: 'Never' } };
const uid = '4b4c2b67-5b0f-4f2d-9d3b-0d5f3f2a8c11';
const metadata = { uid } as Partial<KubeObject['metadata']>;
const job = (change: object = {}, meta: object = {}) =>
  created(Job, { metadata: { ...metadata, ...meta }, spec: { template, ...change } });

const generated = {
  'batch.kubernetes.io/controller-uid': uid,
  'batch.kubernetes.io/job-name': 'a',
  'controller-uid': uid,
  'job-name': 'a',
};

describe('Job', () => {
  it('reads back as Kubernetes writes it', () => {
    const got = job();
    expect(got.metadata.labels).toEqual(generated);
    const { template: made, ...spec } = got.spec;
    expect(spec).toEqual({
      backoffLimit: 6,
      completionMode: 'NonIndexed',
      completions: 1,
      manualSelector: false,
      parallelism: 1,
      podReplacementPolicy: 'TerminatingOrFailed',
      selector: { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } },
      suspend: false,
    });
    expect(made.metadata?.labels).toEqual(generated);
    expect(complaints(Job, got)).toEqual([]);
  });

  it.each<[object, Partial<JobSpec>]>([
    [{ parallelism: 3 }, { parallelism: 3 }],
    [{ completions: 3 }, { parallelism: 1, completions: 3 }],
    [{ backoffLimitPerIndex: 1 }, { backoffLimit: 2147483647 }],
    [
      {
        podFailurePolicy: { rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget' }] }] },
      },
      {
        podReplacementPolicy: 'Failed',
        podFailurePolicy: {
          rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
        },
      },
    ],
  ])('defaults of %j', (spec, wanted) => expect(job(spec).spec).toMatchObject(wanted));

  it('takes the labels of the template, and keeps its own', () => {
    const labeled = { ...template, metadata: { labels: { app: 'x' } } };
    expect(job({ template: labeled }).metadata.labels).toEqual({ app: 'x', ...generated });
    const own = job({ template: labeled }, { labels: { app: 'x' } });
    expect(own.metadata.labels).toEqual({ app: 'x' });
    expect(own.spec.template.metadata?.labels).toEqual({ app: 'x', ...generated });
  });

  it.each([
    [{ parallelism: -1 }, ['spec.parallelism: Invalid value: -1: must be greater than or equal to 0']],
    [
      { template: { spec: { containers: template.spec.containers } } },
      ['spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'],
    ],
    [
      { completionMode: 'Indexed', completions: undefined, parallelism: 2 },
      ['spec.completions: Required value: when completion mode is Indexed'],
    ],
    [
      { completionMode: 'Sorted' },
      ['spec.completionMode: Unsupported value: "Sorted": supported values: "NonIndexed", "Indexed"'],
    ],
    [
      { maxFailedIndexes: 1 },
      [
        'spec.backoffLimitPerIndex: Required value: when maxFailedIndexes is specified',
        'spec.maxFailedIndexes: Invalid value: 1: requires indexed completion mode',
      ],
    ],
    [
      { managedBy: 'me' },
      ['spec.managedBy: Invalid value: "me": must be a domain-prefixed path (such as "acme.io/foo")'],
    ],
    [
      { manualSelector: true },
      [
        'spec.selector: Required value',
        'spec.template.metadata.labels: Invalid value: null: `selector` does not match template `labels`',
      ],
    ],
    [
      {
        podFailurePolicy: {
          rules: [{ action: 'FailIndex', onExitCodes: { operator: 'In', values: [2, 1, 0] } }],
        },
      },
      [
        'spec.podFailurePolicy.rules[0].action: Invalid value: "FailIndex": requires the backoffLimitPerIndex to be set',
        'spec.podFailurePolicy.rules[0].onExitCodes.values[2]: Invalid value: 0: must not be 0 for the In operator',
        'spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,1,0]: must be ordered',
      ],
    ],
    [
      {
        completionMode: 'Indexed',
        completions: 5,
        successPolicy: { rules: [{ succeededIndexes: '0-2,1', succeededCount: 9 }] },
      },
      [
        'spec.successPolicy.rules[0].succeededIndexes: Invalid value: "0-2,1": error parsing succeededIndexes: non-increasing order, previous: 2, current: 1',
        'spec.successPolicy.rules[0].succeededCount: Invalid value: 9: must be less than or equal to 5 (the number of specified completions)',
        'spec.successPolicy.rules[0].succeededCount: Invalid value: 9: must be less than or equal to 0 (the number of indexes in the specified succeededIndexes field)',
      ],
    ],
    [
      { template: { ...template, metadata: { labels: { 'job-name': 'other' } } } },
      [expect.stringContaining('spec.template.metadata.labels[job-name]: Invalid value: ')],
    ],
  ])('rules of %j', (change, wanted) => expect(complaints(Job, job(change))).toEqual(wanted));

  it.each([
    [{}, { parallelism: 4 }, []],
    [{}, { completions: 4 }, ['spec.completions: Invalid value: 4: field is immutable']],
    [{ completionMode: 'Indexed', completions: 2, parallelism: 2 }, { completions: 3, parallelism: 3 }, []],
    [
      { completionMode: 'Indexed', completions: 2, parallelism: 2 },
      { completions: 3 },
      ['spec.completions: Invalid value: 3: can only be modified in tandem with spec.parallelism'],
    ],
    [{ suspend: true }, { nodeSelector: { a: 'b' } }, []],
    [{}, { nodeSelector: { a: 'b' } }, [expect.stringContaining('spec.template: Invalid value: ')]],
  ])('may %j become %j', (before, change, wanted) => {
    const old = job(before);
    const { nodeSelector, ...spec } = change as { nodeSelector?: object };
    const next = structuredClone({ ...old.spec, ...spec });
    if (nodeSelector !== undefined) Object.assign(next.template.spec!, { nodeSelector });
    expect(complaints(Job, updated(Job, old, { metadata, spec: next }), old)).toEqual(wanted);
  });

  const done = (type: string): JobStatus['conditions'] => [{ type, status: 'True' }];
  it.each<[JobStatus, JobStatus, string[]]>([
    [{}, { active: 1, startTime: '2026-01-01T00:00:00Z' }, []],
    [
      {},
      { conditions: done('Complete') },
      [
        'status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition',
        'status.completionTime: Required value: completionTime is required for Complete jobs',
        'status.startTime: Required value: startTime is required for finished job',
      ],
    ],
    [
      { startTime: '2026-01-01T00:00:00Z' },
      { startTime: '2026-01-02T00:00:00Z' },
      ['status.startTime: Required value: startTime cannot be removed for unsuspended job'],
    ],
    [
      { startTime: '2026-01-01T00:00:00Z', conditions: done('Suspended') },
      { startTime: '2026-01-02T00:00:00Z' },
      [],
    ],
    [{ failed: 3 }, { failed: 2 }, ['status.failed: Invalid value: 2: cannot decrease the failed counter']],
    [
      { conditions: done('Failed') },
      {},
      ['status.conditions: Invalid value: cannot disable the terminal Failed=True condition'],
    ],
    [
      {},
      { completedIndexes: '1' },
      [
        'status.completedIndexes: Invalid value: "1": error parsing completedIndexes: too large index: "1"',
        'status.completedIndexes: Invalid value: "1": cannot set non-empty completedIndexes when non-indexed completion mode',
      ],
    ],
  ])('status %j to %j', (before, after, wanted) => {
    const causes = new Causes();
    Job.validateStatus!({ ...job(), status: after }, { ...job(), status: before }, causes);
    expect(causes.list.map((c) => `${c.field}: ${c.message}`)).toEqual(wanted);
  });
});

describe('CronJob', () => {
  const cron = (change: object = {}, meta: object = {}) =>
    created(CronJob, {
      metadata: meta,
      spec: { schedule: '*/5 * * * *', jobTemplate: { spec: { template } }, ...change },
    });

  it('reads back as Kubernetes writes it', () => {
    const { jobTemplate, ...spec } = cron().spec;
    expect(spec).toEqual({
      concurrencyPolicy: 'Allow',
      failedJobsHistoryLimit: 1,
      schedule: '*/5 * * * *',
      successfulJobsHistoryLimit: 3,
      suspend: false,
    });
    expect(Object.keys(jobTemplate.spec!)).toEqual(['template']);
    expect(jobTemplate.spec?.template.spec?.dnsPolicy).toBe('ClusterFirst');
    expect(complaints(CronJob, cron())).toEqual([]);
  });

  it.each([
    [
      { schedule: '* * *' },
      ['spec.schedule: Invalid value: "* * *": expected exactly 5 fields, found 3: [* * *]'],
    ],
    [
      { schedule: 'TZ=UTC 0 0 * * *' },
      [
        'spec.schedule: Invalid value: "TZ=UTC 0 0 * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
      ],
    ],
    [{ timeZone: 'Asia/Seoul' }, []],
    [{ timeZone: 'Asia/Soul' }, ['spec.timeZone: Invalid value: "Asia/Soul": unknown time zone Asia/Soul']],
    [
      { concurrencyPolicy: 'Both' },
      ['spec.concurrencyPolicy: Unsupported value: "Both": supported values: "Allow", "Forbid", "Replace"'],
    ],
    [
      { jobTemplate: { spec: { template, selector: { matchLabels: { a: 'b' } } } } },
      [
        'spec.jobTemplate.spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` will be auto-generated',
      ],
    ],
  ])('rules of %j', (change, wanted) => expect(complaints(CronJob, cron(change))).toEqual(wanted));

  it('has room for the names of its jobs', () => {
    expect(complaints(CronJob, cron({}, { name: 'x'.repeat(53) }))).toEqual([
      `metadata.name: Invalid value: "${'x'.repeat(53)}": must be no more than 52 characters`,
    ]);
  });
});

describe('schedules', () => {
  const fields = (text: string): Record<string, readonly number[]> => {
    const parsed = parseCronSchedule(text);
    if (!parsed.ok) throw new Error(parsed.error);
    const { timeZone: _, ...rest } = parsed.value as Extract<CronSchedule, { minute: unknown }>;
    return Object.fromEntries(Object.entries(rest).map(([name, { values }]) => [name, [...values]]));
  };

  it.each([
    ['0 12 1 jan sun', { minute: [0], hour: [12], dayOfMonth: [1], month: [1], dayOfWeek: [0] }],
    [
      '50/5 1-3 1,15 */6 MON-WED',
      { minute: [50, 55], hour: [1, 2, 3], dayOfMonth: [1, 15], month: [1, 7], dayOfWeek: [1, 2, 3] },
    ],
  ])('%s', (text, wanted) => expect(fields(text)).toEqual(wanted));

  it('has words', () => {
    expect(parseCronSchedule('@every 1h30m')).toEqual({ ok: true, value: { everySeconds: 5400 } });
    expect(parseCronSchedule('@daily')).toEqual(parseCronSchedule('0 0 * * *'));
  });

  it.each([
    ['', 'empty spec string'],
    ['60 * * * *', 'end of range (60) above maximum (59): 60'],
    ['* * 0 * *', 'beginning of range (0) below minimum (1): 0'],
    ['5-1 * * * *', 'beginning of range (5) beyond end of range (1): 5-1'],
    ['a * * * *', 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
    ['*/0 * * * *', 'step of range should be a positive number: */0'],
    ['*/1/2 * * * *', 'too many slashes: */1/2'],
    ['1-2-3 * * * *', 'too many hyphens: 1-2-3'],
    ['@never', 'unrecognized descriptor: @never'],
  ])('%s: %s', (text, error) => expect(parseCronSchedule(text)).toEqual({ ok: false, error }));
});
