import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { FakeClock, MetricRegistry } from '../base/index.ts';
import { ConnectionError, type HttpsCall, type HttpsClient } from '../http/index.ts';
import { sampleOf } from '../testkit/index.ts';
import { countRequests } from './request-metrics.ts';

const clock = new FakeClock();
const done: string[] = [];
/** The fake of a server that takes two seconds, and answers what the path says. */
const server: HttpsClient = {
  async request({ path }: HttpsCall) {
    await clock.advance(2_000);
    if (path === '/gone') throw new ConnectionError('reset', 'gone');
    return { status: Number(path.slice(1)), headers: {}, body: Buffer.alloc(100) };
  },
  stream: async () => ({ status: 200, headers: {}, body: new PassThrough() }),
  upgrade: async () => ({ headers: {}, socket: new PassThrough(), head: Buffer.alloc(0) }),
  setCertificate: (cert) => void done.push(cert),
  close: () => void done.push('close'),
};

it('counts requests by code, and times those that end with their answer', async () => {
  const registry = new MetricRegistry();
  const http = countRequests(server, { registry, clock, server: 'https://[fd00::1]:6443/base' });
  for (const path of ['/200', '/200', '/404']) await http.request({ method: 'GET', path });
  await expect(http.request({ method: 'PUT', path: '/gone', body: 'é' })).rejects.toThrow('gone');
  await http.stream({ method: 'GET', path: '/watch' });
  await http.upgrade({ method: 'POST', path: '/exec' });
  const text = registry.text();
  const total = (method: string, code: string) =>
    sampleOf(text, 'rest_client_requests_total', { code, method, host: '[fd00::1]:6443' });
  expect([total('GET', '200'), total('GET', '404'), total('PUT', '<error>'), total('POST', '101')]).toEqual([
    3, 1, 1, 1,
  ]);
  const took = (what: string, verb: string) =>
    sampleOf(text, `rest_client_request_duration_seconds_${what}`, { verb, host: '[fd00::1]:6443' });
  expect([took('count', 'GET'), took('sum', 'GET'), took('count', 'PUT'), took('count', 'POST')]).toEqual([
    3,
    6,
    1,
    undefined,
  ]);
});

it('weighs what is sent and what comes back', async () => {
  const registry = new MetricRegistry();
  const http = countRequests(server, { registry, clock, server: 'https://a:1' });
  await http.request({ method: 'PUT', path: '/200', body: 'é'.repeat(40) });
  await http.request({ method: 'PUT', path: '/200' });
  await expect(http.request({ method: 'PUT', path: '/gone', body: Buffer.alloc(5) })).rejects.toThrow();
  const text = registry.text();
  const value = (what: string) => sampleOf(text, `rest_client_${what}`, { verb: 'PUT', host: 'a:1' });
  expect([value('request_size_bytes_sum'), value('request_size_bytes_count')]).toEqual([85, 3]);
  expect([value('response_size_bytes_sum'), value('response_size_bytes_count')]).toEqual([200, 2]);
});

it('is the same client in everything else', () => {
  const http = countRequests(server, { registry: new MetricRegistry(), clock, server: 'https://a' });
  http.setCertificate('certificate', 'key');
  http.close();
  expect(done).toEqual(['certificate', 'close']);
});
