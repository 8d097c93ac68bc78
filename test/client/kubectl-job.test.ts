// Work that ends: jobs, cron jobs and pods that are run once, with kubectl's waiting, describing and deleting.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, type Kubectl } from './kubectl.ts';
import { quickPods, type SimulatedNodes, startNodes } from './simulated-nodes.ts';

const program = findKubectl();

/** Pods that fail, and pods of no job that end: by their label. */
const simulation = `
pods:
- name: fails
  selector: {matchLabels: {fate: fails}}
  start: 20ms..60ms
  ends: {after: 50ms, exitCode: 3}
- name: ends
  selector: {matchLabels: {fate: ends}}
  start: 20ms..60ms
  ends: {after: 300ms}
${quickPods.replace('\npods:\n', '')}`;

const failing = `
apiVersion: batch/v1
kind: Job
metadata: {name: bad}
spec:
  backoffLimit: 0
  template:
    metadata: {labels: {fate: fails}}
    spec: {restartPolicy: Never, containers: [{name: c, image: i}]}
`;

const many = `
apiVersion: batch/v1
kind: Job
metadata: {name: many}
spec:
  completions: 6
  parallelism: 3
  suspend: true
  template:
    spec: {restartPolicy: Never, containers: [{name: c, image: i}]}
`;

let nodes: SimulatedNodes;
let k: Kubectl;

describe.skipIf(program === undefined)('work that ends', () => {
  beforeAll(async () => {
    nodes = await startNodes(3, { simulation });
    k = nodes.k;
  });
  afterAll(() => nodes?.stop());

  test('create job, wait, describe', async () => {
    await k.says('create job one --image=work', 'job.batch/one created');
    await k.says('wait job/one --for=condition=complete --timeout=90s', 'job.batch/one condition met');
    await k.says('get job one --no-headers', /^one {2}Complete {2}1\/1 {2}\d+s {2}\d+s$/);
    await k.says('get pods -l job-name=one --no-headers', /^one-\w{5} {2}0\/1 {2}Completed {2}0 {2}\S+$/);
    await k.says('describe job one', /Pods Statuses: {2}0 Active \(0 Ready\) \/ 1 Succeeded \/ 0 Failed/);
    await k.comesToSay(
      'describe job one',
      /Normal {2}SuccessfulCreate {2}\S+ {2}job-controller {2}Created pod: one-\w+\n {2}Normal {2}Completed {2}\S+ {2}job-controller {2}Job completed$/,
    );
  });

  test('a job that fails says why', async () => {
    await k.ok('create -f -', failing);
    await k.ok('wait job/bad --for=condition=failed --timeout=90s');
    await k.says('get job bad --no-headers', /^bad {2}Failed {2}0\/1 {2}/);
    await k.says(
      'get job bad -o jsonpath=\'{.status.conditions[?(@.type=="Failed")].reason}\'',
      'BackoffLimitExceeded',
    );
    await k.comesToSay(
      'describe job bad',
      /Warning {2}BackoffLimitExceeded {2}\S+ {2}job-controller {2}Job has reached the specified backoff limit$/,
    );
    await k.says(
      'describe pods -l job-name=bad',
      /State: {2}Terminated\n {2,}Reason: {2}Error\n {2,}Exit Code: {2}3/,
    );
  });

  test('a suspended job waits until it may go on', async () => {
    await k.ok('create -f -', many);
    await k.ok('wait job/many --for=condition=suspended --timeout=90s');
    await k.says('get pods -l job-name=many -o name', '');
    await k.comesToSay('describe job many', /Normal {2}Suspended {2}\S+ {2}job-controller {2}Job suspended/);
    await k.ok(`patch job many -p '{"spec":{"suspend":false}}'`);
    await k.ok("wait job/many --for=jsonpath='{.status.succeeded}'=6 --timeout=90s");
    await k.ok('wait job/many --for=condition=complete --timeout=90s');
    expect((await k.ok('get pods -l job-name=many -o name')).trim().split('\n')).toHaveLength(6);
    await k.comesToSay('describe job many', /Normal {2}Resumed {2}\S+ {2}job-controller {2}Job resumed/);
  });

  test('create cronjob, and a job from it before its time', async () => {
    // In a year that has such a day only every four.
    await k.says("create cronjob tick --image=work --schedule='0 0 29 2 *'", 'cronjob.batch/tick created');
    await k.says('create job now --from=cronjob/tick', 'job.batch/now created');
    await k.ok('wait job/now --for=condition=complete --timeout=90s');
    await k.says(
      "get job now -o jsonpath='{.metadata.ownerReferences[0].kind}/{.metadata.ownerReferences[0].name} {.metadata.annotations}'",
      'CronJob/tick {"cronjob.kubernetes.io/instantiate":"manual"}',
    );
    await k.says(
      'get cronjob tick --no-headers',
      /^tick {2}0 0 29 2 \* {2}<none> {2}False {2}0 {2}<none> {2}/,
    );
    await k.says('delete cronjob tick', 'cronjob.batch "tick" deleted');
    await k.ok('wait job/now --for=delete --timeout=90s');
  });

  test('run, and wait for what becomes of the pod', async () => {
    await k.says('run once --image=work --restart=Never --labels=fate=ends', 'pod/once created');
    await k.says(
      "wait pod/once --for=jsonpath='{.status.phase}'=Succeeded --timeout=90s",
      'pod/once condition met',
    );
    await k.says('get pod once --no-headers', /^once {2}0\/1 {2}Completed {2}0 {2}/);
    await k.says('delete pod once', 'pod "once" deleted');
    await k.says('run stays --image=work', 'pod/stays created');
    await k.ok('wait pod/stays --for=condition=Ready --timeout=90s');
    const gone = k.run('wait pod/stays --for=delete --timeout=90s');
    await k.ok('delete pod stays --wait=false');
    expect(await gone).toMatchObject({ code: 0, err: '' });
    await k.refuses(
      'wait job/one --for=condition=failed --timeout=1s',
      'error: timed out waiting for the condition on jobs/one',
    );
  });

  test('run --rm: a pod of which nothing can be heard goes all the same', async () => {
    await k.refuses('logs job/one', /pod one-\w+ is on the simulated node sim-\d: it has no containers/);
    const { code, out, err } = await k.run('run chat --image=work --restart=Never --rm -i');
    expect([code, out]).toEqual([1, expect.stringContaining('pod "chat" deleted')]);
    expect(err).toContain('pod chat is on the simulated node');
    await k.ok('wait pod/chat --for=delete --timeout=90s');
  });

  test('deleting a job takes its pods along, or leaves them', async () => {
    await k.says('delete job one --cascade=orphan', 'job.batch "one" deleted');
    await k.says('get pods -l job-name=one --no-headers', /^one-\w{5} {2}0\/1 {2}Completed/);
    await k.says('delete job many --cascade=foreground', 'job.batch "many" deleted');
    await k.says('get pods -l job-name=many -o name', '');
  });
});
