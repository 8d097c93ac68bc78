import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Arrangement, arrange, planStep, splitEndpoint } from './arrangement.ts';
import type { Certificate } from './certificates.ts';
import type { IngressPlan, Route } from './plan.ts';

const settings = { timeoutMs: 60_000, maxBodyBytes: 0, redirects: false };
const route = (backend: string): Route => ({ ...settings, backend });
const plan = (endpoints: readonly string[], more: Partial<IngressPlan> = {}): IngressPlan => ({
  backends: [{ name: 'd_web_80', protocol: 'h1', sticky: false, endpoints }],
  exact: new Map(),
  prefix: new Map([['/', route('d_web_80')]]),
  certificates: [],
  problems: [],
  ...more,
});
const certificate = (pem: string, hosts = ['a.example']): Certificate => ({ name: 'd_tls', pem, hosts });
const step = (from: IngressPlan, to: IngressPlan) => {
  const before = arrange(from, undefined);
  return planStep(before, arrange(to, before));
};

test.each<[string, IngressPlan, IngressPlan, object]>([
  ['the same', plan(['1.1.1.1:80']), plan(['1.1.1.1:80']), { kind: 'nothing' }],
  [
    'one comes and one goes',
    plan(['1.1.1.1:80', '1.1.1.2:80']),
    plan(['1.1.1.2:80', '1.1.1.3:80']),
    {
      kind: 'runtime',
      commands: [
        'set server d_web_80/s3 addr 1.1.1.3 port 80',
        'set server d_web_80/s3 state ready',
        'set server d_web_80/s1 state maint',
      ],
      maps: [],
      certificates: [],
    },
  ],
  [
    'a rule',
    plan([]),
    plan([], { exact: new Map([['a/x', route('d_web_80')]]) }),
    { kind: 'runtime', commands: [], maps: ['exact'], certificates: [] },
  ],
  [
    'a renewed certificate',
    plan([], { certificates: [certificate('old')] }),
    plan([], { certificates: [certificate('new')] }),
    { kind: 'runtime', commands: [], maps: [], certificates: [certificate('new')] },
  ],
  [
    'a certificate for another host',
    plan([], { certificates: [certificate('old')] }),
    plan([], { certificates: [certificate('old', ['b.example'])] }),
    { kind: 'restart' },
  ],
  [
    'a certificate too large for a command',
    plan([], { certificates: [certificate('old')] }),
    plan([], { certificates: [certificate('x'.repeat(20_000))] }),
    { kind: 'restart' },
  ],
  ['more than there are places', plan([]), plan(['a:1', 'b:1', 'c:1', 'd:1', 'e:1']), { kind: 'restart' }],
  ['a backend goes', plan([]), plan([], { backends: [] }), { kind: 'nothing' }],
  [
    'another protocol',
    plan([]),
    plan([], { backends: [{ name: 'd_web_80', protocol: 'h2', sticky: false, endpoints: [] }] }),
    { kind: 'restart' },
  ],
])('%s', (_, from, to, expected) => {
  expect(step(from, to)).toEqual(expected);
});

test('an address of version 6', () => {
  expect(splitEndpoint('fd00::1:80')).toEqual({ address: 'fd00::1', port: '80' });
});

/** What HAProxy makes of the commands. */
function obey(before: Arrangement, commands: readonly string[]): (string | null)[] {
  const servers = [...before.backends[0]!.servers];
  const addresses = servers.map((one) => one ?? '127.0.0.1:1');
  for (const command of commands) {
    const [, at, what, value] = /\/s(\d+) (addr|state) (.+)$/.exec(command)!;
    const i = Number(at) - 1;
    if (what === 'addr') {
      addresses[i] = value!.replace(' port ', ':');
      if (servers[i] !== null) servers[i] = addresses[i];
    } else servers[i] = value === 'ready' ? addresses[i]! : null;
  }
  return servers;
}

test('commands lead from any state to the next, and no endpoint stands in two places', () => {
  const endpoints = fc.uniqueArray(
    fc.integer({ min: 1, max: 12 }).map((n) => `10.0.0.${n}:80`),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(fc.array(endpoints, { minLength: 2, maxLength: 8 }), (history) => {
      let now = arrange(plan(history[0]!), undefined);
      for (const wanted of history.slice(1)) {
        const next = arrange(plan(wanted), now);
        const servers = next.backends[0]!.servers;
        expect(servers.filter((one) => one !== null).sort()).toEqual([...wanted].sort());
        const decided = planStep(now, next);
        if (decided.kind === 'runtime') expect(obey(now, decided.commands)).toEqual(servers);
        else if (decided.kind === 'nothing') expect(servers).toEqual(now.backends[0]!.servers);
        now = next;
      }
    }),
  );
});
