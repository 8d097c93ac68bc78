import { describe, expect, it, test } from 'vitest';
import { FakeClock } from '../../base/index.ts';
import type { Client } from '../../client/index.ts';
import { NodeAuthorizer, type NodeCall, subresourcesOf } from './node-authorizer.ts';

it.each([
  ['/stats/summary', 'stats'],
  ['/statsx', 'proxy'],
  ['/metrics/cadvisor', 'metrics'],
  ['/logs/', 'log'],
  ['/pods', 'pods proxy'],
  ['/healthz', 'healthz proxy'],
  ['/containerLogs/a/b/c', 'proxy'],
  ['/exec/a/b/c', 'proxy'],
])('%s is %s', (path, subresources) => expect(subresourcesOf(path).join(' ')).toBe(subresources));

/** An API server that knows one token, and lets one user read statistics and pods. */
function world() {
  const clock = new FakeClock();
  const asked: string[] = [];
  let broken = false;
  const client = ((kind: { kind: string }) => ({
    async create(object: { spec: Record<string, unknown> }) {
      if (broken) throw new Error('no server');
      const { spec } = object;
      if (kind.kind === 'TokenReview') {
        asked.push(`token ${String(spec['token'])}`);
        return spec['token'] === 'good'
          ? { status: { authenticated: true, user: { username: 'watcher', groups: ['g'] } } }
          : { status: { authenticated: false } };
      }
      const { verb, subresource, name } = spec['resourceAttributes'] as Record<string, string>;
      asked.push(`${String(spec['user'])} ${verb} ${name}/${subresource}`);
      const allowed =
        spec['user'] === 'watcher' && verb === 'get' && ['stats', 'proxy'].includes(subresource!);
      return { status: { allowed } };
    },
  })) as unknown as Client;
  const authorizer = new NodeAuthorizer({ client, clock, nodeName: 'n' });
  const call = (path: string, more: Partial<NodeCall> = {}): NodeCall => ({
    method: 'GET',
    path,
    authorization: undefined,
    peer: undefined,
    ...more,
  });
  const judge = async (path: string, more: Partial<NodeCall> = {}) => {
    const verdict = await authorizer.judge(call(path, more));
    return verdict.code === 200 ? '200' : `${verdict.code} ${verdict.message}`;
  };
  const peer = (commonName: string, organizations: readonly string[] = [], validMs = 1000) => ({
    peer: { commonName, organizations, notAfterMs: clock.nowMs() + validMs },
  });
  return { clock, asked, judge, peer, breakDown: () => (broken = true) };
}

describe('NodeAuthorizer', () => {
  const good = { authorization: 'Bearer good' };

  test('nobody gets in without saying who it is', async () => {
    const { judge, peer, asked } = world();
    expect(await judge('/stats/summary')).toBe('401 Unauthorized');
    expect(await judge('/healthz', { authorization: 'Basic YQ==' })).toBe('401 Unauthorized');
    expect(await judge('/pods', { authorization: 'Bearer bad' })).toBe('401 Unauthorized');
    expect(await judge('/pods', peer('api', ['system:masters'], -1))).toBe('401 Unauthorized');
    expect(asked).toEqual(['token bad']);
  });

  test('the API server is not asked about', async () => {
    const { judge, peer, asked } = world();
    expect(await judge('/exec/a/b/c', { method: 'POST', ...peer('api', ['system:masters']) })).toBe('200');
    expect(asked).toEqual([]);
  });

  test('others may what the API server says, and it is not asked twice', async () => {
    const { judge, peer, asked, clock } = world();
    expect(await judge('/stats/summary', good)).toBe('200');
    expect(await judge('/stats/summary', good)).toBe('200');
    expect(await judge('/pods', good)).toBe('200');
    expect(await judge('/run', { method: 'POST', ...good })).toBe(
      '403 Forbidden (user=watcher, verb=create, resource=nodes, subresource(s)=[proxy])',
    );
    expect(await judge('/pods', peer('stranger'))).toBe(
      '403 Forbidden (user=stranger, verb=get, resource=nodes, subresource(s)=[pods proxy])',
    );
    const first = [
      'token good',
      'watcher get n/stats',
      'watcher get n/pods',
      'watcher get n/proxy',
      'watcher create n/proxy',
      'stranger get n/pods',
      'stranger get n/proxy',
    ];
    expect(asked).toEqual(first);
    await clock.advance(60_000);
    await judge('/stats/summary', good);
    expect(asked).toEqual(first);
    await clock.advance(300_000);
    await judge('/stats/summary', good);
    expect(asked.slice(first.length)).toEqual(['token good', 'watcher get n/stats']);
  });

  test('when nobody can be asked nobody is let in', async () => {
    const { judge, peer, breakDown } = world();
    breakDown();
    expect(await judge('/pods', good)).toMatch(/^401 Unauthorized: no server/);
    expect(await judge('/stats/summary', peer('someone'))).toBe(
      '500 Authorization error (user=someone, verb=get, resource=nodes, subresource(s)=[stats]): no server',
    );
  });
});
