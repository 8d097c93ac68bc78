import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Handlers } from './handlers.ts';
import { createProgram, runProgram } from './program.ts';

let dir: string;
let file: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'jotasu-config-'));
  file = join(dir, 'c.yaml');
});
afterAll(() => rmSync(dir, { recursive: true }));

/** Runs one command with this file; `flags` is what it would do. */
async function run(yaml: string, line = 'server') {
  writeFileSync(file, yaml);
  let flags: unknown;
  let err = '';
  const handlers = new Proxy({} as Handlers, {
    get: () => async (given: unknown) => {
      flags = given;
    },
  });
  const args = [...line.split(' '), '--config', file];
  const code = await runProgram(args, handlers, { out: () => {}, err: (text) => (err += text) });
  return { code, flags, err: err.replace(file, 'FILE') };
}

describe('a file says what flags say', () => {
  const cases: [name: string, yaml: string, flags: unknown, line?: string][] = [
    ['an empty one', '', {}],
    [
      'every type',
      `data-dir: /d
https-listen-port: 0
tls-san: [a, b]
without: [scheduler]
node-monitor-grace-period: 1m2.5s
node-out-of-service-after: 0
request-timeout: 5s
max-requests-inflight: 7
enable-priority-and-fairness: false
token-auth-file: "007"
`,
      {
        dataDir: '/d',
        httpsListenPort: 0,
        tlsSans: ['a', 'b'],
        without: ['scheduler'],
        nodeMonitorGracePeriodMs: 62_500,
        nodeOutOfServiceAfterMs: 0,
        requestTimeoutMs: 5000,
        maxRequestsInflight: 7,
        enablePriorityAndFairness: false,
        tokenAuthFile: '007',
      },
    ],
    ['a list in the form of the flag', 'tls-san: a,b', { tlsSans: ['a', 'b'] }],
    ['an empty list', 'tls-san: []', { tlsSans: [] }],
    ['klog levels', 'v: 4', { logLevel: 'debug', logRequests: true }],
    [
      'flags win',
      'data-dir: /d\ntls-san: [a]\nbind-address: 10.0.0.1',
      { dataDir: '/e', tlsSans: ['b'], bindAddress: '10.0.0.1' },
      'server --data-dir /e --tls-san b',
    ],
    [
      'a flag wins over what it excludes',
      'log-level: warn',
      { logLevel: 'info', logRequests: true },
      'server -v 3',
    ],
    ['and the other way round', 'v: 9', { logLevel: 'warn', logRequests: false }, 'server --log-level warn'],
    [
      'the agent has one too',
      'server: https://h:1\nnode-labels: [a=b]\nmax-pods: 5',
      { server: ['https://h:1'], nodeLabels: ['a=b'], maxPods: 5 },
      'agent',
    ],
  ];
  test.each(cases)('%s', async (_, yaml, flags, line) => {
    expect(await run(yaml, line)).toEqual({ code: 0, flags, err: '' });
  });
});

describe('mistakes name the file and the key', () => {
  const cases: [yaml: string, err: string][] = [
    ['data-dirr: /d', 'unknown key "data-dirr", see --help for the flags'],
    ['dataDir: /d', 'unknown key "dataDir" (did you mean "data-dir"?)'],
    ['config: other.yaml', 'unknown key "config", see --help for the flags'],
    ['- a', 'it must hold keys and their values'],
    ['data-dir: [a]', 'data-dir must be a text, not ["a"]'],
    ['token: 123456', 'token must be a text'],
    ['data-dir: 5', 'data-dir must be a text, not 5'],
    ['https-listen-port: "x"', 'https-listen-port must be a number, not "x"'],
    [
      'https-listen-port: 70000',
      'https-listen-port: 70000 is invalid. Must be a whole number from 0 to 65535.',
    ],
    ['node-monitor-grace-period: 5', 'node-monitor-grace-period must be a duration such as 2.5s, not 5'],
    ['tls-san: {a: b}', 'tls-san must be a list of texts, not {"a":"b"}'],
    [
      'enable-priority-and-fairness: maybe',
      'enable-priority-and-fairness must be true or false, not "maybe"',
    ],
    ['tls-san: [1]', 'tls-san must be a list of texts, not [1]'],
    [
      'without: [storage]',
      'without: ["storage"] is invalid. Must be any of controllers, scheduler, local-storage, servicelb, ingress.',
    ],
    ['log-level: loud', 'log-level: "loud" is invalid. Allowed choices are debug, info, warn, error.'],
    ['data-dir:', 'data-dir must be a text, not null'],
    ['v: 2\nlog-level: info', 'v and log-level cannot be used together'],
  ];
  test.each(cases)('%s', async (yaml, message) => {
    expect(await run(yaml)).toEqual({
      code: 2,
      flags: undefined,
      err: `jotasu: config file FILE: ${message}\n`,
    });
  });

  test('what is no YAML', async () => {
    const { code, err } = await run('a: [');
    expect(code).toBe(2);
    expect(err).toMatch(/^jotasu: config file FILE: it is not YAML: /);
  });

  test('no such file', async () => {
    const handlers = {} as Handlers;
    let err = '';
    const code = await runProgram(['server', '--config', join(dir, 'none')], handlers, {
      out: () => {},
      err: (text) => (err += text),
    });
    expect([code, err]).toEqual([1, `jotasu: cannot read the config file ${dir}/none: no such file\n`]);
  });
});

test('every flag of a command but --config and --help can stand in a file', async () => {
  const program = createProgram({} as Handlers, { out: () => {}, err: () => {} });
  const server = program.commands.find((command) => command.name() === 'server')!;
  for (const option of server.options) {
    const key = option.long!.slice(2);
    if (key === 'config') continue;
    const { err } = await run(`${key}: {}`);
    expect(err).toContain(`config file FILE: ${key} must be`);
  }
});

test('whatever is in the file, the end is a line or a start', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(
        fc.constantFrom('v', 'data-dir', 'tls-san', 'https-listen-port', 'x', '__proto__'),
        fc.jsonValue({ maxDepth: 1 }),
      ),
      async (content) => {
        const { code, flags, err } = await run(JSON.stringify(content));
        if (code === 0) expect([err, flags === undefined]).toEqual(['', false]);
        else expect(err).toMatch(/^jotasu: config file FILE: .*\n$/);
      },
    ),
    { numRuns: 60 },
  );
});
