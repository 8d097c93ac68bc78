// What is told to whoever asks whether the server lives, and whether it is ready.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ApiFixture } from '../../testkit/index.ts';

let f: ApiFixture;
beforeAll(async () => {
  f = await ApiFixture.create();
});
afterAll(() => f.close());

/** The lines of the checks after ping. */
const others = `[+]log ok
[+]etcd ok
[+]poststarthook/start-system-namespaces-controller ok
[+]poststarthook/rbac/bootstrap-roles ok
[+]poststarthook/scheduling/bootstrap-system-priority-classes ok
[+]poststarthook/priority-and-fairness-config-producer ok
[+]poststarthook/start-kubernetes-service-cidr-controller ok
[+]poststarthook/start-service-ip-repair-controllers ok
[+]poststarthook/bootstrap-controller ok
[+]poststarthook/start-cluster-authentication-info-controller ok
`;

describe('health', () => {
  it.each([
    ['/livez', 200, 'ok'],
    ['/livez?verbose', 200, `[+]ping ok\n${others}livez check passed\n`],
    ['/readyz?verbose', 200, `[+]ping ok\n${others}[+]shutdown ok\nreadyz check passed\n`],
    ['/healthz?verbose=', 200, `[+]ping ok\n${others}healthz check passed\n`],
    ['/livez/ping', 200, 'ok'],
    ['/livez/etcd', 200, 'ok'],
    ['/readyz/poststarthook/bootstrap-controller', 200, 'ok'],
    ['/healthz', 200, 'ok'],
    ['/livez/shutdown', 404, '404 page not found\n'],
    [
      '/livez?verbose&exclude=ping&exclude=x&exclude=b',
      200,
      `[+]ping excluded: ok\n${others}warn: some health checks cannot be excluded: no matches for "b","x"\nlivez check passed\n`,
    ],
  ])('%s', async (url, code, text) => {
    const told = await f.ask('GET', url);
    expect([told.code, told.text]).toEqual([code, text]);
  });

  it('is not ready while it stops, and says which check failed but not why', async () => {
    const g = await ApiFixture.create();
    g.api.drain();
    const told = await g.ask('GET', '/readyz');
    expect(told.code).toBe(500);
    expect(told.text).toContain('[-]shutdown failed: reason withheld\nreadyz check failed\n');
    expect((await g.ask('GET', '/livez')).code).toBe(200);
    expect((await g.ask('GET', '/readyz?exclude=shutdown')).code).toBe(200);
    const why = await g.ask('GET', '/readyz/shutdown');
    expect([why.code, why.text]).toEqual([500, 'internal server error: process is shutting down\n']);
    await g.close();
  });

  it('a storage that fails or does not answer is told', async () => {
    const g = await ApiFixture.create();
    g.store.catchUp = () => Promise.reject(new Error('no leader'));
    expect((await g.ask('GET', '/readyz')).text).toContain('[+]log ok\n[-]etcd failed: reason withheld\n');
    expect((await g.ask('GET', '/livez/etcd')).text).toBe('internal server error: no leader\n');
    g.store.catchUp = () => new Promise(() => {});
    const told = g.ask('GET', '/livez/etcd');
    await g.pass(2000);
    expect((await told).text).toBe('internal server error: the storage did not answer in time\n');
    await g.close();
  });
});
