// Requests that another API server answers: what it is told, what is kept from it, and how long they may take.
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { KindDef } from '../../machinery/index.ts';
import { AggregationWorld, base, flunders, until, user } from './testdata/aggregation-world.ts';

let w: AggregationWorld;
beforeAll(async () => {
  w = await AggregationWorld.start();
  await w.register();
});
afterAll(() => w.stop());

describe('a request', () => {
  test('is handed on with the user, and nothing that he claims of himself', async () => {
    w.extension.asked.length = 0;
    const body = { apiVersion: 'wardle.example.com/v1alpha1', kind: 'Flunder', metadata: { name: 'a' } };
    const { status, text } = await w.ask('POST', `${flunders}?fieldManager=me`, {
      headers: {
        ...user('jane@system:masters,dev team'),
        authorization: 'Bearer secret',
        'x-remote-user': 'root',
        'X-Remote-Extra-Scopes': 'all',
        'content-type': 'application/json',
      },
      body,
    });
    expect([status, JSON.parse(text).metadata]).toMatchObject([201, { name: 'a', namespace: 'default' }]);
    const told = w.extension.asked.find((one) => one.method === 'POST');
    expect(told).toMatchObject({
      method: 'POST',
      url: `${flunders}?fieldManager=me`,
      shown: 'front-proxy-client',
      user: 'jane',
      groups: ['system:masters', 'dev team', 'system:authenticated'],
    });
    expect(Object.keys(told!.headers)).not.toContain('authorization');
    expect(Object.keys(told!.headers)).not.toContain('x-remote-extra-scopes');
  });

  test.each([
    ['GET', `${flunders}/a`, 200],
    ['GET', `${flunders}/b`, 404],
    ['GET', base, 200],
    ['GET', `${base}/`, 404],
  ])('%s %s: %s', async (method, path, code) => {
    expect((await w.ask(method, path)).status).toBe(code);
  });

  test('is asked of our own authorizers first', async () => {
    w.extension.asked.length = 0;
    const { status, text } = await w.ask('GET', flunders, { headers: user('jane') });
    expect([status, JSON.parse(text).message]).toEqual([
      403,
      expect.stringContaining(
        'User "jane" cannot list resource "flunders" in API group "wardle.example.com"',
      ),
    ]);
    expect(w.extension.asked).toEqual([]);
  });

  test('has as long as one to this server', async () => {
    let release = (): void => {};
    const held = new Promise<undefined>((resolve) => {
      release = () => resolve(undefined);
    });
    w.extension.interfere = ({ url }) => (url.endsWith('timeout=1s') ? held : undefined);
    w.extension.asked.length = 0;
    const asking = w.ask('GET', `${flunders}?timeout=1s`);
    await until(() => w.extension.asked.some(({ url }) => url.endsWith('timeout=1s')));
    await w.clock.advance(1000);
    const { status, text } = await asking;
    // What comes now, nobody waits for.
    release();
    expect([status, JSON.parse(text).message]).toEqual([
      504,
      'Timeout: request did not complete within the allotted timeout',
    ]);
    w.extension.interfere = undefined;
    expect((await w.ask('GET', flunders)).status).toBe(200);
  });

  test('may go on for as long as both like', async () => {
    const answer = await w.http.stream({
      method: 'GET',
      path: `${flunders}?watch=true`,
      headers: user('admin@system:masters'),
    });
    const first = new Promise((resolve) => answer.body.once('data', (chunk) => resolve(String(chunk))));
    await until(() => w.extension.asked.some(({ url }) => url.endsWith('watch=true')));
    await w.ask('POST', flunders, { body: { metadata: { name: 'seen' } } });
    expect(JSON.parse((await first) as string)).toMatchObject({
      type: 'ADDED',
      object: { metadata: { name: 'seen' } },
    });
    answer.body.destroy();
  });

  test('to go on in another protocol is handed on', async () => {
    const socket = connect({ host: '127.0.0.1', port: w.server.port, rejectUnauthorized: false });
    const heard: string[] = [];
    socket.on('data', (chunk) => heard.push(String(chunk)));
    socket.write(
      `GET ${flunders}/a/talk HTTP/1.1\r\nHost: x\r\nX-User: jane@system:masters\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n`,
    );
    await until(() => heard.join('').includes(`jane ${flunders}/a/talk`));
    socket.write('hello');
    await until(() => heard.join('').endsWith('hello'));
    expect(heard.join('')).toMatch(/^HTTP\/1.1 101 /);
    socket.destroy();
  });

  test('of the server’s own parts goes there too', async () => {
    const kind = {
      group: 'wardle.example.com',
      version: 'v1alpha1',
      apiVersion: 'wardle.example.com/v1alpha1',
      kind: 'Flunder',
      plural: 'flunders',
      scope: 'Namespaced',
    } as unknown as KindDef;
    const found = await w.f.api.client(kind).get('a', 'default');
    expect(found.metadata.name).toBe('a');
    expect(w.extension.asked.at(-1)).toMatchObject({ user: 'system:apiserver' });
    const resources = await w.f.api.transport.resources({ group: 'wardle.example.com', version: 'v1alpha1' });
    expect(resources.map((one) => one.name)).toEqual(['flunders']);
  });
});
