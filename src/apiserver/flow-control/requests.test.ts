// Priority and fairness at the door: what clients see of it, over a whole API server.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { settle } from '../../base/index.ts';
import { ApiFixture, type FakeResponse, type Told } from '../../testkit/index.ts';
import { createAuthorizer } from '../auth/index.ts';

const flowcontrol = '/apis/flowcontrol.apiserver.k8s.io/v1';
const maps = '/api/v1/namespaces/default/configmaps';
const authorize = createAuthorizer([
  ({ verb }) => ({ decision: verb === 'deletecollection' ? 'deny' : 'allow', reason: 'no' }),
]);

let f: ApiFixture;
beforeEach(async () => {
  f = await ApiFixture.create({ server: { authorize } });
});
afterEach(() => f.close());

const schemaUid = 'x-kubernetes-pf-flowschema-uid';
const levelUid = 'x-kubernetes-pf-prioritylevel-uid';

/** The names behind the two headers. */
async function flowOf({ headers }: Told): Promise<string[]> {
  const of = async (plural: string, header: string) => {
    const { items } = (await f.ask('GET', `${flowcontrol}/${plural}`)).json;
    const found = items.find(
      ({ metadata }: { metadata: { uid: string } }) => metadata.uid === headers[header],
    );
    return found?.metadata.name ?? 'none';
  };
  return [await of('flowschemas', schemaUid), await of('prioritylevelconfigurations', levelUid)];
}

const queue = { type: 'Queue', queuing: { queues: 4, handSize: 1, queueLengthLimit: 2 } };
const level = (limitResponse: object = queue, more: object = {}) => ({
  metadata: { name: 'small' },
  spec: {
    type: 'Limited',
    limited: { nominalConcurrencyShares: 0, borrowingLimitPercent: 0, limitResponse, ...more },
  },
});
const schema = (spec: object = {}) => ({
  metadata: { name: 'small' },
  spec: {
    matchingPrecedence: 50,
    priorityLevelConfiguration: { name: 'small' },
    distinguisherMethod: { type: 'ByUser' },
    rules: [
      {
        subjects: [{ kind: 'Group', group: { name: 'small' } }],
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'] }],
      },
    ],
    ...spec,
  },
});

async function makeSmall(
  limitResponse?: object,
  more: object = { nominalConcurrencyShares: 1 },
): Promise<void> {
  const levels = `${flowcontrol}/prioritylevelconfigurations`;
  expect((await f.ask('POST', levels, { body: level(limitResponse, more) })).code).toBe(201);
  expect((await f.ask('POST', `${flowcontrol}/flowschemas`, { body: schema() })).code).toBe(201);
}

/** A read of a revision yet to come: it keeps its seat until so many writes have been made. */
const holding = (user: string, writes = 1): Promise<Told> =>
  f.ask('GET', `${maps}/kube-root-ca.crt?resourceVersion=${f.store.revision + writes}`, { user });
let written = 0;
const release = () =>
  f.ask('POST', maps, { body: { metadata: { name: `released-${written++}` } } }).then(({ code }) => code);

const sample = (name: string, labels: Readonly<Record<string, string>>): number | undefined => {
  const line = f.metrics
    .text()
    .split('\n')
    .find(
      (text) =>
        text.startsWith(`apiserver_flowcontrol_${name}{`) &&
        Object.entries(labels).every(([key, value]) => text.includes(`${key}="${value}"`)),
    );
  return line === undefined ? undefined : Number(line.split(' ').at(-1));
};
const small = { priority_level: 'small', flow_schema: 'small' };

describe('every answer says which schema and level its request had', () => {
  it.each([
    ['admin@system:masters', 'GET', maps, 200, ['exempt', 'exempt']],
    ['jane', 'GET', maps, 200, ['global-default', 'global-default']],
    ['jane', 'DELETE', maps, 403, ['global-default', 'global-default']],
    ['jane', 'GET', `${maps}/missing`, 404, ['global-default', 'global-default']],
    ['jane', 'GET', '/readyz', 200, ['probes', 'exempt']],
    ['jane', 'GET', '/version', 200, ['global-default', 'global-default']],
    ['system:node:a@system:nodes', 'GET', '/api/v1/nodes/a', 404, ['system-node-high', 'node-high']],
    [
      'system:serviceaccount:default:x@system:serviceaccounts',
      'GET',
      maps,
      200,
      ['service-accounts', 'workload-low'],
    ],
  ])('%s %s %s: %d', async (user, method, url, code, expected) => {
    const told = await f.ask(method, url, { user });
    expect(told.code).toBe(code);
    expect(await flowOf(told)).toEqual(expected);
  });

  it('but not of those that last until one side ends them, nor of strangers', async () => {
    const log = await f.ask('GET', '/api/v1/namespaces/default/pods/x/log', { user: 'jane' });
    const stranger = await f.ask('GET', maps, { user: '' });
    expect([log.code, stranger.code]).toEqual([404, 401]);
    for (const { headers } of [log, stranger]) expect(headers[schemaUid]).toBeUndefined();
  });
});

describe('a level with one seat', () => {
  // Of 200 and 246 shares.
  const one = async (limitResponse?: object) => {
    await f.close();
    f = await ApiFixture.create({ server: { authorize, inFlight: { reads: 150, writes: 50 } } });
    await makeSmall(limitResponse);
    expect(sample('nominal_limit_seats', { priority_level: 'small' })).toBe(1);
  };

  it('refuses what comes while it is taken', async () => {
    await one({ type: 'Reject' });
    const first = holding('a@small');
    const second = await f.ask('GET', maps, { user: 'b@small' });
    expect(second).toMatchObject({ code: 429, headers: { 'retry-after': 1 } });
    expect(second.json).toMatchObject({
      reason: 'TooManyRequests',
      message: 'Too many requests, please try again later.',
    });
    expect(await flowOf(second)).toEqual(['small', 'small']);
    expect((await f.ask('GET', maps, { user: 'c' })).code).toBe(200);
    await release();
    await first;
    expect((await f.ask('GET', maps, { user: 'b@small' })).code).toBe(200);
    expect(sample('rejected_requests_total', { ...small, reason: 'concurrency-limit' })).toBe(1);
    expect(sample('dispatched_requests_total', small)).toBe(2);
    expect(sample('request_wait_duration_seconds_count', { ...small, execute: 'false' })).toBe(1);
  });

  it('has what comes wait its turn, and refuses what finds the queue full', async () => {
    await one();
    const first = holding('a@small');
    const waiting = [1, 2].map(() => f.ask('GET', maps, { user: 'a@small' }));
    const third = await f.ask('GET', maps, { user: 'a@small' });
    expect(third.code).toBe(429);
    expect(sample('current_inqueue_requests', small)).toBe(2);
    expect(sample('current_executing_requests', small)).toBe(1);
    expect(sample('rejected_requests_total', { ...small, reason: 'queue-full' })).toBe(1);
    const debug = '/debug/api_priority_and_fairness';
    const levels = (await f.ask('GET', `${debug}/dump_priority_levels`)).text;
    expect(levels).toMatch(/^PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, WaitingRequests,/);
    expect(levels).toMatch(/^small, +1, +false, +false, +2, +1, +1, +1, +0, +0$/m);
    const queues = (await f.ask('GET', `${debug}/dump_queues`)).text;
    expect(queues).toMatch(/^small, +\d, +2, +0, +0, +\S+ss, +2, +2, +0\.00600000ss$/m);
    const requests = (await f.ask('GET', `${debug}/dump_requests?includeRequestDetails=1`)).text;
    expect(requests.match(/^small, .*\ba, .* list, /gm)?.length).toBe(2);
    expect((await f.ask('GET', `${debug}/dump_all`)).code).toBe(404);
    await f.pass(40);
    await release();
    expect((await Promise.all([first, ...waiting])).map(({ code }) => code)).toEqual([404, 200, 200]);
    expect(sample('current_inqueue_requests', small)).toBe(0);
    expect(sample('current_executing_seats', small)).toBe(0);
    expect(sample('request_wait_duration_seconds_sum', { ...small, execute: 'true' })).toBeCloseTo(0.08, 6);
  });

  it('tells who has waited a quarter of his time to come again', async () => {
    await makeSmall(queue, { nominalConcurrencyShares: 0 });
    const late = f.ask('GET', maps, { user: 'a@small' });
    const watch = f.watch(`${maps}?watch=1&timeoutSeconds=4`, { user: 'a@small' });
    const soon = f.ask('GET', `${maps}?timeout=4s`, { user: 'b@small' });
    await f.pass(1000);
    expect((await soon).code).toBe(429);
    await f.pass(13_999);
    expect(sample('current_inqueue_requests', small)).toBe(2);
    await f.pass(1);
    expect([(await late).code, (await watch).statusCode]).toEqual([429, 429]);
    expect(sample('rejected_requests_total', { ...small, reason: 'time-out' })).toBe(3);
  });

  it('forgets who went away while he waited', async () => {
    await makeSmall(queue, { nominalConcurrencyShares: 0 });
    const gone = f.begin('GET', maps, { user: 'a@small' });
    await f.pass(1);
    expect(sample('current_inqueue_requests', small)).toBe(1);
    gone.close();
    await f.pass(1);
    expect(sample('current_inqueue_requests', small)).toBe(0);
    expect(sample('rejected_requests_total', { ...small, reason: 'cancelled' })).toBe(1);
  });

  it('has a watch keep its seat only while it begins', async () => {
    await one({ type: 'Reject' });
    const watches: FakeResponse[] = [];
    for (let i = 0; i < 5; i++) {
      watches.push(await f.watch(`${maps}?watch=1`, { user: 'a@small' }));
      // Its headers are out before it has wholly begun.
      await settle();
    }
    expect(watches.map(({ statusCode }) => statusCode)).toEqual([200, 200, 200, 200, 200]);
    expect((await f.ask('GET', maps, { user: 'a@small' })).code).toBe(200);
    expect(sample('request_execution_seconds_count', { ...small, type: 'watch' })).toBe(5);
    for (const watch of watches) watch.close();
  });

  it('lets administrators in, however full it is', async () => {
    await one({ type: 'Reject' });
    const first = holding('a@small');
    expect((await f.ask('GET', maps, { user: 'root@small,system:masters' })).code).toBe(200);
    await release();
    await first;
  });

  it('lends what idle levels may lend, when they are adjusted', async () => {
    await one();
    const levels = `${flowcontrol}/prioritylevelconfigurations`;
    const unbounded = { spec: { limited: { borrowingLimitPercent: null } } };
    await f.ask('PATCH', `${levels}/small`, { body: unbounded, type: 'application/merge-patch+json' });
    expect(sample('upper_limit_seats', { priority_level: 'small' })).toBe(201);
    const stop = new AbortController();
    const kept = f.api.keepUp(stop.signal);
    await f.pass(9000);
    const held = [1, 2, 3, 4].map(() => holding('a@small'));
    expect(sample('current_inqueue_requests', small)).toBe(2);
    await f.pass(1000);
    expect(sample('demand_seats_high_watermark', { priority_level: 'small' })).toBe(4);
    expect(sample('current_limit_seats', { priority_level: 'small' })).toBeGreaterThan(3);
    expect(sample('current_executing_requests', small)).toBe(4);
    stop.abort();
    await kept;
    await release();
    await Promise.all(held);
  });
});

describe('changes', () => {
  it('hold from the moment they are written', async () => {
    const who = { user: 'x@small' };
    expect(await flowOf(await f.ask('GET', maps, who))).toEqual(['global-default', 'global-default']);
    await f.ask('POST', `${flowcontrol}/flowschemas`, { body: schema() });
    // Its level does not exist yet.
    expect(await flowOf(await f.ask('GET', maps, who))).toEqual(['global-default', 'global-default']);
    await f.ask('POST', `${flowcontrol}/prioritylevelconfigurations`, {
      body: level(queue, { nominalConcurrencyShares: 1 }),
    });
    expect(await flowOf(await f.ask('GET', maps, who))).toEqual(['small', 'small']);
    await f.ask('DELETE', `${flowcontrol}/flowschemas/small`);
    expect(await flowOf(await f.ask('GET', maps, who))).toEqual(['global-default', 'global-default']);
  });

  it('leave what runs and waits at a level that is deleted where it is', async () => {
    await f.close();
    f = await ApiFixture.create({ server: { authorize, inFlight: { reads: 150, writes: 50 } } });
    await makeSmall();
    const first = holding('a@small', 2);
    const second = f.ask('GET', maps, { user: 'a@small' });
    await f.ask('DELETE', `${flowcontrol}/prioritylevelconfigurations/small`);
    expect(sample('nominal_limit_seats', { priority_level: 'small' })).toBe(1);
    const third = await f.ask('GET', maps, { user: 'a@small' });
    expect(await flowOf(third)).toEqual(['global-default', 'global-default']);
    await release();
    expect([(await first).code, (await second).code]).toEqual([404, 200]);
    expect(sample('nominal_limit_seats', { priority_level: 'small' })).toBeUndefined();
  });

  it('cannot take away exempt and catch-all', async () => {
    for (const plural of ['flowschemas', 'prioritylevelconfigurations'])
      for (const name of ['exempt', 'catch-all', 'global-default'])
        expect((await f.ask('DELETE', `${flowcontrol}/${plural}/${name}`)).code).toBe(200);
    const admin = await f.ask('GET', maps);
    const jane = await f.ask('GET', maps, { user: 'jane' });
    expect([admin.code, jane.code]).toEqual([200, 200]);
    expect([admin.headers[levelUid], jane.headers[levelUid]]).toEqual([undefined, undefined]);
    expect(f.metrics.text()).toContain(
      'apiserver_flowcontrol_dispatched_requests_total{priority_level="catch-all",flow_schema="catch-all"}',
    );
  });
});

it('can be turned off: then the plain limits hold', async () => {
  await f.close();
  f = await ApiFixture.create({
    server: { authorize, priorityAndFairness: false, inFlight: { reads: 1, writes: 1 } },
  });
  const first = holding('a');
  const second = await f.ask('GET', maps, { user: 'b' });
  expect(second.code).toBe(429);
  expect(second.headers[schemaUid]).toBeUndefined();
  await release();
  await first;
  expect((await f.ask('GET', '/debug/api_priority_and_fairness/dump_queues')).code).toBe(404);
  expect(f.metrics.text()).not.toContain('apiserver_flowcontrol');
});
