// kubectl explain: kubectl of today reads /openapi/v3, an older one /openapi/v2 in protobuf.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { findKubectl, findKubectl120, Kubectl } from './kubectl.ts';
import { type ProgramServer, startProgram } from './program-server.ts';

const programs = [
  ['today', findKubectl()],
  ['1.20', findKubectl120()],
] as const;
let server: ProgramServer;

beforeAll(async () => {
  server = await startProgram();
});
afterAll(() => server?.stop());

/** What `text` says in plain lines, however it was wrapped. */
const flat = (text: string): string => text.replace(/\s+/g, ' ');

describe.each(programs)('kubectl %s', (version, program) => {
  if (program === undefined) return test.skip('there is none');
  let k: Kubectl;
  beforeAll(() => {
    k = new Kubectl({ ...server, program });
  });
  afterAll(() => k?.stop());

  /** Fields of a page: name → what is said of it. */
  async function pageOf(command: string): Promise<Map<string, string>> {
    const page = await k.ok(command);
    const lines = page.slice(page.indexOf('\nFIELDS:')).split('\n').slice(2);
    const out = new Map<string, string>();
    let name = '';
    for (const line of lines) {
      const field = /^ {2,3}(\S+)\t+</.exec(line);
      if (field !== null) name = field[1] ?? '';
      else if (name !== '') out.set(name, `${out.get(name) ?? ''} ${line}`.trim());
      if (field !== null && !out.has(name)) out.set(name, '');
    }
    return out;
  }

  test('every kind opens to its leaves', async () => {
    // Asked for nodes of metrics.k8s.io, kubectl 1.20 looks for the kind of core's nodes there.
    const rows = (await k.ok('api-resources --no-headers'))
      .trim()
      .split('\n')
      .filter((row) => version !== '1.20' || !row.includes('metrics.k8s.io/'));
    const bad: string[] = [];
    const check = async (row: string): Promise<void> => {
      const [apiVersion] = row.trim().split(/\s+/).slice(-3);
      const what = `--api-version=${apiVersion} ${row.split(/\s+/)[0]}`;
      const tree = await k.ok(`explain --recursive ${what}`);
      if (!tree.includes('creationTimestamp\t<') || tree.includes('<empty>')) bad.push(what);
    };
    // Two at a time: each is a process that reads the documents.
    while (rows.length > 0) await Promise.all(rows.splice(0, 2).map(check));
    expect(bad).toEqual([]);
  });

  test.each(['pod', 'pod.spec', 'pod.status', 'deploy.spec', 'pvc.spec', 'csr.spec', 'ing.spec.rules'])(
    '%s: words for each field',
    async (what) => {
      const page = await pageOf(`explain ${what}`);
      expect(page.size).toBeGreaterThan(1);
      expect([...page].filter(([, said]) => flat(said) === '')).toEqual([]);
    },
  );

  test('a field deep inside: what it is for, what its type is, what it holds', async () => {
    const page = flat(await k.ok('explain pod.spec.containers.livenessProbe'));
    expect(page).toContain(
      'Check of whether the container still works; it is restarted when the check fails.',
    );
    expect(page).toContain('A check that is repeated while a container runs.');
    expect(page).toMatch(/periodSeconds <integer> Seconds from one check to the next\. Left out = 10\./);
  });

  test('what is deprecated says so', async () => {
    expect(flat(await k.ok('explain pod.spec.serviceAccount'))).toContain(
      'Deprecated: use serviceAccountName.',
    );
    expect(flat(await k.ok('explain pod.spec.volumes.gitRepo'))).toContain(
      'Deprecated: clone in an init container',
    );
  });

  test('lists, maps and single values', async () => {
    for (const [field, said] of [
      [
        'deploy.spec.strategy.rollingUpdate.maxSurge',
        'How many pods, or which share, there may be beyond replicas.',
      ],
      ['pod.spec.containers.resources.limits', 'At most this much may be used.'],
      ['pod.metadata.labels', 'Names and values by which objects are selected.'],
      ['node.spec.taints.effect', 'Refuse new pods, avoid them, or evict running ones too.'],
      ['pod.metadata.creationTimestamp', 'a timestamp of when the object was created.'],
    ])
      expect(flat(await k.ok(`explain ${field}`))).toContain(said);
  });
});

const [, today] = programs[0];

describe.skipIf(today === undefined)('kubectl today', () => {
  test('values that are allowed, fields that are required', async () => {
    const k = new Kubectl({ ...server, program: today ?? '' });
    expect(await k.ok('explain pod.spec.restartPolicy')).toMatch(/ENUM:\n +Always\n +Never\n +OnFailure\n/);
    const ports = await k.ok('explain service.spec.ports');
    expect(ports).toMatch(/port\t<integer> -required-\n/);
    expect(flat(ports)).toContain('protocol <string> enum: SCTP, TCP, UDP The transport protocol.');
  });

  test('the older page has the same words', async () => {
    const k = new Kubectl({ ...server, program: today ?? '' });
    const page = flat(await k.ok('explain cronjob.spec --output=plaintext-openapiv2'));
    expect(page).toContain('RESOURCE: spec <Object> DESCRIPTION: What is wanted. The schedule and the jobs.');
    expect(page).toContain('timeZone <string> The time zone of the schedule');
  });
});
