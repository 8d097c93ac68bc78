// Every number and every duration that server and agent take: which of them may be nothing, and that none may be nonsense.
import type { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { takesOf } from './flags.ts';
import type { Handlers } from './handlers.ts';
import { createProgram, runProgram } from './program.ts';

const silent = { out: () => {}, err: () => {} };
const handlers = new Proxy({} as Handlers, { get: () => async () => {} });
const command = (name: string): Command =>
  createProgram(handlers, silent).commands.find((c) => c.name() === name)!;

const flags = (['server', 'agent'] as const).flatMap((name) =>
  command(name)
    .options.map((option) => ({ name, flag: option.long!, takes: takesOf(option.parseArg) }))
    .filter(({ takes }) => takes === 'number' || takes === 'duration'),
);

async function refusal(name: string, flag: string, text: string): Promise<string> {
  let err = '';
  const rest = name === 'agent' ? ['--server', 'https://h'] : [];
  const code = await runProgram([name, ...rest, `${flag}=${text}`], handlers, {
    ...silent,
    err: (more) => (err += more),
  });
  expect(code).toBe(err === '' ? 0 : 2);
  return err;
}

const nonsense = [
  '',
  ' ',
  '-1',
  '-1s',
  'NaN',
  'Infinity',
  'x',
  '1e99',
  '99999999999999',
  '9999999h',
  '1s 2s',
  '0x10',
];

describe.each(flags)('$name $flag', ({ name, flag, takes }) => {
  it.each(nonsense)('refuses %j', async (text) => {
    const what = takes === 'duration' ? /Must be (a duration|0, or from|from)/ : /Must be a (whole )?number/;
    expect(await refusal(name, flag, text)).toMatch(what);
  });
});

it('knows which may be zero', async () => {
  const zero = new Set<string>();
  for (const { name, flag } of flags) if ((await refusal(name, flag, '0')) === '') zero.add(flag.slice(2));
  expect([...zero].sort()).toEqual([
    'default-not-ready-toleration-seconds',
    'default-unreachable-toleration-seconds',
    'etcd-compaction-interval',
    'eviction-max-pod-grace-period',
    'horizontal-pod-autoscaler-cpu-initialization-period',
    'horizontal-pod-autoscaler-downscale-stabilization',
    'horizontal-pod-autoscaler-initial-readiness-delay',
    'horizontal-pod-autoscaler-tolerance',
    'https-listen-port',
    'image-gc-low-threshold',
    'large-cluster-size-threshold',
    'max-mutating-requests-inflight',
    'max-requests-inflight',
    'min-request-timeout',
    'node-eviction-rate',
    'node-out-of-service-after',
    'node-startup-grace-period',
    'scale-down-delay-after-add',
    'scale-down-unneeded-time',
    'secondary-node-eviction-rate',
    'simulate-nodes',
    'terminated-pod-gc-threshold',
    'unhealthy-zone-threshold',
    'v',
  ]);
});

it.each([
  ['horizontal-pod-autoscaler-sync-period', '0', 'Must be from 100ms to 596h31m23.647s.'],
  ['horizontal-pod-autoscaler-sync-period', '99ms', 'Must be from 100ms to 596h31m23.647s.'],
  ['horizontal-pod-autoscaler-sync-period', '100ms', ''],
  ['horizontal-pod-autoscaler-sync-period', '596h', ''],
  ['node-monitor-grace-period', '597h', 'Must be from 100ms to 596h31m23.647s.'],
  ['etcd-compaction-interval', '10ms', 'Must be 0, or from 1s to 596h31m23.647s.'],
  ['cluster-signing-duration', '9s', 'Must be from 10s to 876000h0m0s.'],
  ['cluster-signing-duration', '8760h', ''],
  ['node-eviction-rate', '-0.1', 'Must be a number from 0 to 1000000.'],
])('--%s %s: %s', async (flag, text, message) => {
  const err = await refusal('server', `--${flag}`, text);
  if (message === '') expect(err).toBe('');
  else expect(err).toContain(`argument '${text}' is invalid. ${message}`);
});
