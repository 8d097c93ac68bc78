import { expect, test } from 'vitest';
import { buildPod } from '../testkit/index.ts';
import { defaultScript, jobStage, plainStage, stageOf } from './script.ts';
import { parseScript } from './script-file.ts';

test('an empty file is what there is without one', async () => {
  expect(await parseScript('')).toEqual(defaultScript);
});

test('everything a file can say', async () => {
  const script = await parseScript(`
nodes:
  region: r
  zones: [a, b]
  types:
    - { name: big, share: 2, cpu: 64, memory: 256Gi, storage: 1Ti, pods: 200, labels: { disk: ssd }, resources: { example.com/gpu: 4 } }
pods:
  - name: crash
    selector: { matchLabels: { app: crash } }
    start: 1s..3s
    ready: never
    init: { after: 10ms, exitCode: 3 }
    ends: { after: 2s, reason: OOMKilled, times: 2 }
    pullFailures: always
    fails: { after: 1m, reason: Evicted, message: no room }
    stop: 0
    containers: [main]
    usage: { cpu: 250m, memory: 1Gi }
incidents:
  - { name: outage, selector: { matchExpressions: [{ key: zone, operator: In, values: [a] }] }, after: 1m, lasts: 10s, share: 0.5, power: off }
  - { name: slow, after: 0s, delay: 2s, network: cut, conditions: [MemoryPressure] }
`);
  const [crash] = script.stages;
  expect({ ...crash, matches: undefined }).toEqual({
    name: 'crash',
    matches: undefined,
    start: { fromMs: 1000, toMs: 3000 },
    ready: 'never',
    init: {
      after: { fromMs: 10, toMs: 10 },
      exitCode: 3,
      reason: '',
      message: '',
      times: Number.POSITIVE_INFINITY,
    },
    ends: { after: { fromMs: 2000, toMs: 2000 }, exitCode: 137, reason: 'OOMKilled', message: '', times: 2 },
    pullFailures: Number.POSITIVE_INFINITY,
    fails: { after: { fromMs: 60_000, toMs: 60_000 }, reason: 'Evicted', message: 'no room' },
    stop: { fromMs: 0, toMs: 0 },
    containers: ['main'],
    usage: { cpuMilli: 250, memoryBytes: 1024 ** 3 },
  });
  expect(script.stages.slice(1)).toEqual([jobStage, plainStage]);
  expect(script.park).toEqual({
    region: 'r',
    zones: ['a', 'b'],
    types: [
      {
        name: 'big',
        share: 2,
        cpus: 64,
        memoryBytes: 256 * 1024 ** 3,
        storageBytes: 1024 ** 4,
        pods: 200,
        labels: { disk: 'ssd' },
        resources: { 'example.com/gpu': '4' },
      },
    ],
  });
  expect(
    script.incidents.map(({ matches, ...rest }) => [rest, matches({ zone: 'a' }), matches({ zone: 'b' })]),
  ).toEqual([
    [
      {
        name: 'outage',
        after: { fromMs: 60_000, toMs: 60_000 },
        lasts: { fromMs: 10_000, toMs: 10_000 },
        share: 0.5,
        fault: { off: true, cut: false, delayMs: 0, conditions: [] },
      },
      true,
      false,
    ],
    [
      {
        name: 'slow',
        after: { fromMs: 0, toMs: 0 },
        lasts: undefined,
        share: 1,
        fault: { off: false, cut: true, delayMs: 2000, conditions: ['MemoryPressure'] },
      },
      true,
      true,
    ],
  ]);
});

test.each([
  ['pods: [{ name: a, statr: 1s }]', 'pods[0].statr: no such field'],
  ['pods: [{}]', 'pods[0].name: is missing'],
  ['pods: [{ name: a, start: soon }]', 'pods[0].start: must be a time such as 300ms or 1m30s'],
  ['pods: [{ name: a, start: 3s..1s }]', 'pods[0].start: the second time is shorter than the first'],
  ['pods: [{ name: a, ends: { exitCode: 1 } }]', 'pods[0].ends.after: is missing'],
  [
    'pods: [{ name: a, ends: { after: 1s, exitCode: 256 } }]',
    'pods[0].ends.exitCode: must be a number from 0 to 255',
  ],
  [
    'pods: [{ name: a, usage: { cpu: lots, memory: 1Gi } }]',
    'pods[0].usage.cpu: lots is not a quantity such as 500m or 2Gi',
  ],
  [
    'pods: [{ name: a, selector: { matchExpressions: [{ key: a, operator: Near }] } }]',
    'pods[0].selector: "Near" is not a valid label selector operator',
  ],
  ['pods: { name: a }', 'pods: must be a list'],
  ['nodes: { zones: [] }', 'nodes.zones: must not be empty'],
  [
    'incidents: [{ name: a, after: 1s, conditions: [Fire] }]',
    'incidents[0].conditions[0]: must be one of MemoryPressure, DiskPressure, PIDPressure',
  ],
  ['incidents: [{ name: a, after: 1s, power: half }]', 'incidents[0].power: must be off or on'],
  ['- a', 'must be a map'],
])('%s is refused', async (text, message) => {
  await expect(parseScript(text)).rejects.toThrow(message);
});

test('the first stage that fits decides', async () => {
  const script = await parseScript(`
pods:
  - { name: one, selector: { matchLabels: { app: a } }, annotations: { mode: x } }
  - { name: two, selector: { matchLabels: { app: a } } }
  - { name: three, namespace: other }
`);
  const nameFor = (labels: Record<string, string>, annotations = {}, namespace = 'default') => {
    const pod = buildPod('p', { labels });
    Object.assign(pod.metadata, { annotations, namespace });
    return stageOf(script, pod).name;
  };
  expect([
    nameFor({ app: 'a' }, { mode: 'x' }),
    nameFor({ app: 'a' }),
    nameFor({}, {}, 'other'),
    nameFor({ 'batch.kubernetes.io/job-name': 'j' }),
    nameFor({}),
  ]).toEqual(['one', 'two', 'three', 'job', 'run']);
});
