// The API in Kubernetes' protobuf over real HTTPS: what client-go sends and takes when it is told to, and the real kubectl, which
// creates in nothing else.
import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import type { IncomingMessage } from 'node:http';
import * as https from 'node:https';
import * as os from 'node:os';
import * as path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { protobufMessageFor } from '../../src/api/index.ts';
import { type RunningServer, serverDefaults, startServer } from '../../src/app/index.ts';
import { silentLog, systemClock, systemRandom } from '../../src/base/index.ts';
import { decodeMessage, encodeMessage, readEnvelope, writeEnvelope } from '../../src/machinery/index.ts';

type Json = Record<string, unknown>;

const protobuf = 'application/vnd.kubernetes.protobuf';
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'protobuf-'));
const kubeconfig = path.join(directory, 'kubeconfig');
let server: RunningServer;

beforeAll(async () => {
  server = await startServer(
    {
      ...serverDefaults,
      dataDir: directory,
      datastoreEndpoint: 'memory',
      bindAddress: '127.0.0.1',
      httpsListenPort: 0,
      writeKubeconfig: kubeconfig,
      without: ['controllers', 'scheduler'],
    },
    { clock: systemClock, random: systemRandom(), log: silentLog },
  );
});
afterAll(async () => {
  await server.stop();
  fs.rmSync(directory, { recursive: true });
});

interface Reply {
  readonly code: number;
  readonly type: string;
  readonly bytes: Buffer;
}

function open(
  method: string,
  target: string,
  { body, headers = {} }: { body?: Buffer; headers?: Record<string, string> } = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const { ca, admin } = server.pki;
    const request = https.request(
      `${server.url}${target}`,
      {
        method,
        headers: { accept: protobuf, 'content-length': body?.length ?? 0, ...headers },
        ca: ca.cert,
        cert: admin.cert,
        key: admin.key,
      },
      resolve,
    );
    request.on('error', reject);
    request.end(body);
  });
}

async function call(...args: Parameters<typeof open>): Promise<Reply> {
  const response = await open(...args);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    code: response.statusCode!,
    type: response.headers['content-type']!,
    bytes: Buffer.concat(chunks),
  };
}

const write = (apiVersion: string, kind: string, object: Json): Buffer =>
  writeEnvelope(apiVersion, kind, encodeMessage(protobufMessageFor(apiVersion, kind)!, object));

function read(bytes: Buffer): Json {
  const { apiVersion, kind, raw } = readEnvelope(bytes);
  return { apiVersion, kind, ...decodeMessage(protobufMessageFor(apiVersion, kind)!, raw) };
}

/** The fields of a message, for those that no shape describes: lists and watch events. */
function fields(bytes: Buffer): [number: number, value: Buffer][] {
  const found: [number, Buffer][] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const number = varint() >>> 3;
    const length = varint();
    found.push([number, bytes.subarray(at, at + length)]);
    at += length;
  }
  return found;
}

const decode = (apiVersion: string, kind: string, bytes: Buffer): Json =>
  decodeMessage(protobufMessageFor(apiVersion, kind)!, bytes);

const base = '/api/v1/namespaces/default/configmaps';
const asProtobuf = { 'content-type': protobuf };
const create = (name: string, labels: Record<string, string> = {}): Promise<Reply> =>
  call('POST', base, {
    body: write('v1', 'ConfigMap', { metadata: { name, labels }, data: { key: name } }),
    headers: asProtobuf,
  });

describe('objects', () => {
  test('are created from protobuf and answered in it', async () => {
    const reply = await create('one');
    expect([reply.code, reply.type]).toEqual([201, protobuf]);
    const object = read(reply.bytes) as { metadata: Json; data: Json };
    const json = await call('GET', `${base}/one`, { headers: { accept: 'application/json' } });
    expect(json.type).toBe('application/json');
    expect(object).toEqual(JSON.parse(json.bytes.toString()));
    expect((await call('GET', `${base}/one`)).bytes.equals(reply.bytes)).toBe(true);
  });

  test('are replaced and deleted', async () => {
    const created = read((await create('two')).bytes) as { metadata: Json };
    const replaced = await call('PUT', `${base}/two`, {
      body: write('v1', 'ConfigMap', { ...created, data: { other: 'x' } }),
      headers: asProtobuf,
    });
    expect([replaced.code, read(replaced.bytes)['data']]).toEqual([200, { other: 'x' }]);
    const refused = await call('DELETE', `${base}/two`, {
      body: write('v1', 'DeleteOptions', { preconditions: { uid: 'another' } }),
      headers: asProtobuf,
    });
    expect([refused.code, read(refused.bytes)['reason']]).toEqual([409, 'Conflict']);
    const deleted = await call('DELETE', `${base}/two`, {
      body: write('v1', 'DeleteOptions', { propagationPolicy: 'Background' }),
      headers: asProtobuf,
    });
    expect([deleted.code, read(deleted.bytes)]).toMatchObject([200, { kind: 'Status', status: 'Success' }]);
  });
});

describe('refusals', () => {
  test('are a Status in protobuf', async () => {
    const { code, type, bytes } = await call('GET', `${base}/none`);
    expect([code, type]).toEqual([404, protobuf]);
    expect(read(bytes)).toEqual({
      apiVersion: 'v1',
      kind: 'Status',
      metadata: {},
      status: 'Failure',
      message: 'configmaps "none" not found',
      reason: 'NotFound',
      details: { name: 'none', kind: 'configmaps' },
      code: 404,
    });
  });

  test.each<[string, Buffer, string]>([
    [
      'no envelope',
      Buffer.from('{}'),
      'the object provided is unrecognized (must be of type ConfigMap): provided data does not appear to be a protobuf message, expected prefix [107 56 115 0] (0x7b7d)',
    ],
    [
      'a message cut short',
      writeEnvelope('v1', 'ConfigMap', Buffer.from([0x0a, 9])),
      'ConfigMap in version "v1" cannot be handled as a ConfigMap: unexpected EOF',
    ],
    [
      'an unknown kind',
      writeEnvelope('example.com/v1', 'Thing', Buffer.alloc(0)),
      'Thing in version "v1" cannot be handled as a ConfigMap: no kind "Thing" is registered for version "example.com/v1"',
    ],
  ])('400 for %s', async (_, body, message) => {
    const reply = await call('POST', base, { body, headers: asProtobuf });
    expect([reply.code, read(reply.bytes)['message']]).toEqual([400, message]);
  });

  test('406 where protobuf has no form and nothing else is taken', async () => {
    const accept = `${protobuf};as=Table;v=v1;g=meta.k8s.io`;
    expect((await call('GET', base, { headers: { accept } })).code).toBe(406);
    const both = await call('GET', base, { headers: { accept: `${accept},application/json` } });
    expect([both.code, both.type]).toEqual([200, 'application/json']);
  });
});

describe('lists', () => {
  test('have their items and metadata', async () => {
    await create('list-a', { app: 'list' });
    await create('list-b', { app: 'list' });
    const reply = await call('GET', `${base}?labelSelector=app%3Dlist`);
    expect(reply.type).toBe(protobuf);
    const { apiVersion, kind, raw } = readEnvelope(reply.bytes);
    expect([apiVersion, kind]).toEqual(['v1', 'ConfigMapList']);
    const parts = fields(raw);
    expect(parts.map(([number]) => number)).toEqual([1, 2, 2]);
    const json = await call('GET', `${base}?labelSelector=app%3Dlist`, {
      headers: { accept: 'application/json' },
    });
    expect(parts.slice(1).map(([, item]) => decode('v1', 'ConfigMap', item))).toEqual(
      JSON.parse(json.bytes.toString()).items,
    );
    expect(decode('meta.k8s.io/v1', 'ListMeta', parts[0]![1])).toEqual(
      JSON.parse(json.bytes.toString()).metadata,
    );
  });

  test.each([
    ['v1', 2],
    ['v1beta1', 1],
  ])('of metadata only, %s', async (version, itemsNumber) => {
    await create(`partial-${version}`, { app: version });
    const accept = `${protobuf};as=PartialObjectMetadataList;g=meta.k8s.io;v=${version}`;
    const reply = await call('GET', `${base}?labelSelector=app%3D${version}`, { headers: { accept } });
    const { apiVersion, kind, raw } = readEnvelope(reply.bytes);
    expect([apiVersion, kind]).toEqual([`meta.k8s.io/${version}`, 'PartialObjectMetadataList']);
    const item = fields(raw).find(([number]) => number === itemsNumber)![1];
    const meta = fields(item);
    expect(meta.map(([number]) => number)).toEqual([1]);
    expect(decode('meta.k8s.io/v1', 'ObjectMeta', meta[0]![1])).toMatchObject({ name: `partial-${version}` });
  });
});

test('a watch is a stream of frames', async () => {
  await create('watched', { app: 'watch' });
  const response = await open(
    'GET',
    `${base}?watch=1&labelSelector=app%3Dwatch&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
  );
  expect(response.headers['content-type']).toBe(`${protobuf};stream=watch`);
  const seen: [string, Json][] = [];
  let rest = Buffer.alloc(0);
  for await (const chunk of response) {
    rest = Buffer.concat([rest, chunk as Buffer]);
    while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE(0)) {
      const event = fields(rest.subarray(4, 4 + rest.readUInt32BE(0)));
      rest = rest.subarray(4 + rest.readUInt32BE(0));
      const [raw] = fields(event[1]![1]);
      const object = read(raw![1]);
      seen.push([event[0]![1].toString(), object]);
      if (seen.length === 2) await call('DELETE', `${base}/watched`);
    }
    if (seen.length === 3) break;
  }
  expect(seen.map(([type]) => type)).toEqual(['ADDED', 'BOOKMARK', 'DELETED']);
  expect(seen[0]![1]).toMatchObject({ kind: 'ConfigMap', data: { key: 'watched' } });
  expect(seen[1]![1]).toMatchObject({ metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } });
});

describe('kubectl', () => {
  const kubectl = async (...args: string[]): Promise<string> => {
    try {
      const { stdout } = await promisify(execFile)('kubectl', ['--kubeconfig', kubeconfig, ...args]);
      return stdout.trim();
    } catch (error) {
      return (error as { stderr: string }).stderr.trim();
    }
  };

  test('creates in protobuf, reads and deletes', async () => {
    expect(await kubectl('create', 'deployment', 'web', '--image=nginx', '--port=80')).toBe(
      'deployment.apps/web created',
    );
    expect(await kubectl('create', 'deployment', 'web', '--image=nginx')).toBe(
      'error: failed to create deployment: deployments.apps "web" already exists',
    );
    expect(
      await kubectl('get', 'deployment', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].ports}'),
    ).toBe('[{"containerPort":80,"protocol":"TCP"}]');
    expect(await kubectl('create', 'configmap', 'settings', '--from-literal=a=b')).toBe(
      'configmap/settings created',
    );
    expect(await kubectl('create', 'secret', 'generic', 'keys', '--from-literal=a=b')).toBe(
      'secret/keys created',
    );
    expect(await kubectl('get', 'secret', 'keys', '-o', 'jsonpath={.data.a}')).toBe('Yg==');
    expect(await kubectl('delete', 'deployment/web', 'configmap/settings', 'secret/keys')).toBe(
      ['deployment.apps "web" deleted', 'configmap "settings" deleted', 'secret "keys" deleted'].join('\n'),
    );
  });
});
