// A flood of one user's requests, sent by curl, against a priority level with one seat: who floods is told to come again, and others go on.
import { execFile, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ProgramServer, startProgram } from './program-server.ts';

const run = promisify(execFile);
// Several transfers at once, and single headers printed.
const [, major = 0, minor = 0] =
  /^curl (\d+)\.(\d+)/.exec(spawnSync('curl', ['--version']).stdout?.toString() ?? '') ?? [];
const hasCurl = Number(major) > 7 || (Number(major) === 7 && Number(minor) >= 84);
if (!hasCurl) console.warn('SKIPPED: priority and fairness by curl: no curl from 7.84 on');

const maps = '/api/v1/namespaces/default/configmaps';
const flowcontrol = '/apis/flowcontrol.apiserver.k8s.io/v1';
const rbac = 'rbac.authorization.k8s.io';

let server: ProgramServer;
let ca: string;

/** Code, Retry-After and the flow schema's uid of each answer; `path` may be a range of curl's. */
async function curl(token: string, path: string, ...more: readonly string[]): Promise<string[][]> {
  const format = '%{http_code},%header{retry-after},%header{x-kubernetes-pf-flowschema-uid}\n';
  const all = ['-Z', '--parallel-immediate', '--parallel-max', '60', '-s', '-o', '/dev/null', '-w', format];
  const { stdout } = await run('curl', [
    ...all,
    ...['--cacert', ca, '-H', `Authorization: Bearer ${token}`, ...more],
    `${server.url}${path}`,
  ]);
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.split(','));
}

const create = (path: string, object: object) =>
  curl('root', path, ...['-H', 'Content-Type: application/json', '-d', JSON.stringify(object)]);

async function text(path: string): Promise<string> {
  const { stdout } = await run('curl', [
    ...['-s', '--cacert', ca, '-H', 'Authorization: Bearer root'],
    `${server.url}${path}`,
  ]);
  return stdout;
}

describe.skipIf(!hasCurl)('a level with one seat', () => {
  beforeAll(async () => {
    const users = [
      'root,root,1,"system:masters"',
      'loud,loud,2,"small"',
      'quiet,quiet,3,"small"',
      'jane,jane,4',
    ];
    server = await startProgram({
      tokens: `${users.join('\n')}\n`,
      flags: ['--max-requests-inflight', '150', '--max-mutating-requests-inflight', '50'],
    });
    const config = fs.readFileSync(server.kubeconfig, 'utf8');
    const encoded = /certificate-authority-data: "?([\w+/=]+)/.exec(config)?.[1] ?? '';
    ca = path.join(server.dir, 'ca.crt');
    fs.writeFileSync(ca, Buffer.from(encoded, 'base64'));
    const rules = [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['configmaps'] }];
    await create(`/apis/${rbac}/v1/clusterroles`, { metadata: { name: 'reader' }, rules });
    await create(`/apis/${rbac}/v1/clusterrolebindings`, {
      metadata: { name: 'readers' },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'reader' },
      subjects: [{ apiGroup: rbac, kind: 'Group', name: 'system:authenticated' }],
    });
    const queuing = { queues: 64, handSize: 1, queueLengthLimit: 2 };
    const limited = {
      nominalConcurrencyShares: 1,
      borrowingLimitPercent: 0,
      limitResponse: { type: 'Queue', queuing },
    };
    await create(`${flowcontrol}/prioritylevelconfigurations`, {
      metadata: { name: 'small' },
      spec: { type: 'Limited', limited },
    });
    const subjects = [{ kind: 'Group', group: { name: 'small' } }];
    const all = { verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'] };
    const [[code] = []] = await create(`${flowcontrol}/flowschemas`, {
      metadata: { name: 'small' },
      spec: {
        matchingPrecedence: 50,
        priorityLevelConfiguration: { name: 'small' },
        distinguisherMethod: { type: 'ByUser' },
        rules: [{ subjects, resourceRules: [all] }],
      },
    });
    expect(code).toBe('201');
  });
  afterAll(() => server?.stop());

  test('who floods it is refused, another user of it has his turn, and users of other levels notice nothing', async () => {
    // What gets the seat keeps it for three seconds: it waits for a revision that does not come.
    const flood = curl('loud', `${maps}/x?resourceVersion=999999&n=[1-40]`);
    await expect
      .poll(() => text('/debug/api_priority_and_fairness/dump_priority_levels'), { timeout: 20_000 })
      .toMatch(/^small, +1, +false, +false, +2, +1, +1, +37, /m);
    const began = performance.now();
    const [jane] = await curl('jane', maps);
    expect(jane?.slice(0, 2)).toEqual(['200', '']);
    const [root] = await curl('root', maps);
    expect(root?.slice(0, 2)).toEqual(['200', '']);
    // Whoever holds the seat ends; then it is not the turn of those who came before, but of who asked for less.
    const [quiet] = await curl('quiet', maps);
    expect(quiet?.[0]).toBe('200');
    expect(performance.now() - began).toBeLessThan(8000);
    const told = await flood;
    const refused = told.filter(([code]) => code === '429');
    expect([told.length, refused.length]).toEqual([40, 37]);
    // Longer while many are refused.
    for (const [, retryAfter] of refused) expect(retryAfter).toMatch(/^[12]$/);
    expect(new Set(told.map(([, , uid]) => uid)).size).toBe(1);
    expect(quiet?.[2]).toBe(told[0]?.[2]);
    expect(jane?.[2]).not.toBe(quiet?.[2]);
    expect(await text('/metrics')).toContain(
      'apiserver_flowcontrol_rejected_requests_total{priority_level="small",flow_schema="small",reason="queue-full"} 37',
    );
  });
});
