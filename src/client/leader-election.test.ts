import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Lease } from '../api/index.ts';
import { FakeClock, Scope, seededRandom, settle, silentLog } from '../base/index.ts';
import { StatusError } from '../machinery/index.ts';
import { FakeTransport } from '../testkit/index.ts';
import { createClient } from './client.ts';
import { leaseSpec, planLease, standForElection } from './leader-election.ts';

const lease = (holderIdentity: string, leaseDurationSeconds = 4): Lease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: { name: 'role', namespace: 'kube-system', uid: 'u', creationTimestamp: '', resourceVersion: '1' },
  spec: {
    holderIdentity,
    leaseDurationSeconds,
    leaseTransitions: 3,
    acquireTime: '2026-01-01T00:00:00.000000Z',
  },
});

test.each([
  ['there is none', undefined, 0, 'create'],
  ['it is mine', lease('me'), 0, 'renew'],
  ['it is mine, and old', lease('me'), 60_000, 'renew'],
  ['nobody holds it', lease(''), 0, 'take'],
  ['another holds it', lease('you'), 3999, 'wait'],
  ['another held it', lease('you'), 4000, 'take'],
] as const)('%s', (_, held, unchangedMs, move) => {
  expect(planLease(held, { identity: 'me', unchangedMs })).toBe(move);
});

test('a new holder counts as a transition, a renewal does not', () => {
  const holder = { identity: 'me', leaseDurationMs: 4500, nowMs: Date.parse('2026-01-02T00:00:00Z') };
  const now = '2026-01-02T00:00:00.000000Z';
  const said = { holderIdentity: 'me', leaseDurationSeconds: 5, renewTime: now };
  expect(leaseSpec('create', undefined, holder)).toEqual({ ...said, acquireTime: now, leaseTransitions: 0 });
  expect(leaseSpec('take', lease('you').spec, holder)).toEqual({
    ...said,
    acquireTime: now,
    leaseTransitions: 4,
  });
  expect(leaseSpec('renew', lease('me').spec, holder)).toEqual({
    ...said,
    acquireTime: '2026-01-01T00:00:00.000000Z',
    leaseTransitions: 3,
  });
});

describe('candidates', () => {
  let clock: FakeClock;
  let transport: FakeTransport;
  let scope: Scope;
  /** What happened, in order. */
  let story: string[];
  const candidates = new Map<string, AbortController>();
  let cut = new Set<string>();

  beforeEach(() => {
    clock = new FakeClock();
    transport = new FakeTransport({ clock, random: seededRandom(1) });
    scope = new Scope(silentLog);
    story = [];
    cut = new Set();
    candidates.clear();
  });

  afterEach(async () => {
    await scope.stop();
    await transport.close();
    transport.dropUndelivered();
    expect(clock.waiting).toBe(0);
  });

  /** `cut`: whose calls fail. */
  function stand(identity: string, lead?: () => Promise<void>): void {
    const abort = new AbortController();
    candidates.set(identity, abort);
    const reach = new Proxy(transport, {
      get(target, name) {
        if (cut.has(identity))
          return () => Promise.reject(new StatusError(503, 'ServiceUnavailable', 'away'));
        const value = Reflect.get(target, name) as unknown;
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    scope.run(identity, (signal) =>
      standForElection(
        {
          client: createClient(reach),
          clock,
          random: seededRandom(identity.charCodeAt(0)),
          log: silentLog,
          event: (_object, _type, _reason, message) => story.push(message),
          namespace: 'kube-system',
          name: 'role',
          identity,
          leaseDurationMs: 4000,
          renewDeadlineMs: 3000,
          retryPeriodMs: 500,
        },
        async (work) => {
          story.push(`${identity} starts`);
          work.onStop(() => void story.push(`${identity} stops`));
          await lead?.();
        },
        AbortSignal.any([signal, abort.signal]),
      ),
    );
  }

  test('one leads, and goes on leading', async () => {
    stand('a');
    stand('b');
    await settle();
    await clock.advance(60_000);
    expect(story).toEqual(['a became leader', 'a starts']);
  });

  test('a leader that leaves hands over at once', async () => {
    stand('a');
    await settle();
    stand('b');
    await clock.advance(5000);
    candidates.get('a')?.abort();
    await clock.advance(1200);
    expect(story).toEqual(['a became leader', 'a starts', 'a stops', 'b became leader', 'b starts']);
    const [held] = (await createClient(transport)(Lease).list()).items;
    expect(held?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
  });

  test('a leader that is cut off has stopped before the next one starts', async () => {
    stand('a');
    await settle();
    stand('b');
    await clock.advance(2000);
    cut.add('a');
    await clock.advance(2900);
    expect(story).toEqual(['a became leader', 'a starts']);
    await clock.advance(6000);
    expect(story).toEqual(['a became leader', 'a starts', 'a stops', 'b became leader', 'b starts']);
    cut.delete('a');
    await clock.advance(20_000);
    expect(story).toHaveLength(5);
  });

  test('work that fails gives up the role', async () => {
    stand('a', () => Promise.reject(new Error('broken')));
    await settle();
    stand('b');
    await clock.advance(3000);
    expect(story.slice(0, 5)).toEqual([
      'a became leader',
      'a starts',
      'a stops',
      'b became leader',
      'b starts',
    ]);
  });
});
