import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { ConfigMap, Deployment, Lease } from '../../api/index.ts';
import { FakeClock } from '../../base/index.ts';
import type { HttpRequest, HttpResponse } from '../../http/index.ts';
import { KindTable } from '../registry/kind-table.ts';
import { createOpenApi, type OpenApi } from './openapi.ts';

interface Got {
  readonly code: number;
  readonly headers: Record<string, string | number>;
  readonly body: Buffer;
}

const clock = new FakeClock(Date.UTC(2030, 0, 1));
const made = () => {
  const kinds = new KindTable([ConfigMap, Deployment]);
  return { kinds, openApi: createOpenApi({ kinds, remote: { all: () => [] }, version: 'v1.35.0', clock }) };
};

/** A GET of `target` below /openapi/. */
function get(openApi: OpenApi, target: string, headers: Record<string, string> = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    let head: Pick<Got, 'code' | 'headers'> = { code: 0, headers: {} };
    const response = {
      writeHead(code: number, given: Got['headers']) {
        head = { code, headers: given };
      },
      end: (body?: Buffer) => resolve({ ...head, body: body ?? Buffer.alloc(0) }),
    } as unknown as HttpResponse;
    const [below = '', query = ''] = target.split('?');
    const request = { headers } as unknown as HttpRequest;
    if (!openApi.serve(request, response, below, new URLSearchParams(query)))
      reject(new Error(`nothing at ${target}`));
  });
}

const json = ({ body }: Got) => JSON.parse(body.toString());
const placesOf = async (openApi: OpenApi): Promise<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(json(await get(openApi, 'v3')).paths as Record<string, { serverRelativeURL: string }>).map(
      ([place, { serverRelativeURL }]) => [place, serverRelativeURL.slice('/openapi/'.length)],
    ),
  );

describe('documents', () => {
  test('the index names each group version under the hash that its document has', async () => {
    const { openApi } = made();
    const places = await placesOf(openApi);
    expect(Object.keys(places)).toEqual(['api/v1', 'apis/apps/v1']);
    for (const url of Object.values(places)) {
      const { code, headers } = await get(openApi, url);
      expect([code, headers['etag']]).toEqual([200, `"${url.split('hash=')[1]}"`]);
    }
  });

  test('under its hash a document may be kept for ever, without it for no time', async () => {
    const { openApi } = made();
    const hashed = await get(openApi, (await placesOf(openApi))['apis/apps/v1'] ?? '');
    expect(hashed.headers).toMatchObject({
      'cache-control': 'public, immutable',
      expires: 'Wed, 01 Jan 2031 00:00:00 GMT',
      'content-type': 'application/json',
    });
    for (const target of ['v2', 'v3', 'v3/apis/apps/v1']) {
      const { headers } = await get(openApi, target);
      expect(headers['cache-control']).toBe('no-cache, private');
      expect(headers).not.toHaveProperty('expires');
    }
  });

  test('an old hash leads to the new one', async () => {
    const { openApi } = made();
    const { code, headers } = await get(openApi, 'v3/apis/apps/v1?hash=OLD');
    expect([code, headers['location']]).toEqual([
      301,
      `/openapi/${(await placesOf(openApi))['apis/apps/v1']}`,
    ]);
  });

  test.each(['v2', 'v3', 'v3/api/v1'])('who has %s already is told so', async (target) => {
    const { openApi } = made();
    const { headers } = await get(openApi, target);
    const etag = String(headers['etag']);
    for (const asked of [etag, `"x", ${etag}`, `W/${etag}`, '*']) {
      const again = await get(openApi, target, { 'if-none-match': asked });
      expect([again.code, again.body.length, again.headers['etag']]).toEqual([304, 0, etag]);
    }
    expect((await get(openApi, target, { 'if-none-match': '"x"' })).code).toBe(200);
  });

  test('gzip for who takes it, and the same bytes the second time', async () => {
    const { openApi } = made();
    const plain = await get(openApi, 'v2');
    const headers = { 'accept-encoding': 'gzip' };
    const zipped = await get(openApi, 'v2', headers);
    expect(zipped.headers['content-encoding']).toBe('gzip');
    expect(gunzipSync(zipped.body).equals(plain.body)).toBe(true);
    expect((await get(openApi, 'v2', headers)).body).toBe(zipped.body);
    expect((await get(openApi, 'v3', headers)).headers).not.toHaveProperty('content-encoding');
  });

  test('only documents whose kinds change are made anew', async () => {
    const { kinds, openApi } = made();
    const before = await placesOf(openApi);
    const whole = await get(openApi, 'v2');
    kinds.add(Lease);
    const between = await placesOf(openApi);
    expect(between).toEqual({ ...before, 'apis/coordination.k8s.io/v1': expect.any(String) });
    expect((await get(openApi, 'v3/api/v1')).body).toBe((await get(openApi, 'v3/api/v1')).body);
    expect((await get(openApi, 'v2')).headers['etag']).not.toBe(whole.headers['etag']);
    kinds.remove(Lease);
    expect(await placesOf(openApi)).toEqual(before);
    await expect(get(openApi, 'v3/apis/coordination.k8s.io/v1')).rejects.toThrow('nothing at');
  });

  test('a form that there is not', () => {
    const { openApi } = made();
    const asking = get(openApi, 'v3/api/v1', { accept: 'text/html' });
    return expect(asking).rejects.toMatchObject({ code: 406 });
  });
});
