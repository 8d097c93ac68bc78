// Joining a real server of this process, and every way in which it does not come about. Certificates and connections are real; nothing
// waits on time.
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CertificateSigningRequest, Lease, Node, Secret, SelfSubjectReview } from '../../api/index.ts';
import { silentLog, systemClock, systemRandom } from '../../base/index.ts';
import { createClient, createHttpsTransport, mergeKubeconfig } from '../../client/index.ts';
import { createHttpsClient, issueCertificate } from '../../http/index.ts';
import { type Draft, formatMicroTime, isNotFound } from '../../machinery/index.ts';
import { type RunningServer, startServer } from '../server.ts';
import { serverDefaults } from '../server-options.ts';
import { CertificateStore } from './certificate-store.ts';
import { type JoinOptions, joinCluster } from './join.ts';
import { parseJoinToken } from './join-token.ts';
import { nodeServing, requestCertificate } from './request-certificate.ts';
import { tokenCreate, tokenDelete, tokenList } from './token-command.ts';

// Keys, TLS and a server take real time.
const directory = mkdtempSync(join(tmpdir(), 'jotasu-join-'));
const surroundings = { clock: systemClock, random: systemRandom(), log: silentLog };
const never = new AbortController().signal;
let server: RunningServer;
let lines: string[] = [];
const around = {
  clock: systemClock,
  say: (line: string) => void lines.push(line),
  defaultKubeconfig: join(directory, 'kubeconfig'),
  command: './jotasu',
};

const start = (name: string) =>
  startServer(
    {
      ...serverDefaults,
      datastoreEndpoint: 'memory',
      bindAddress: '127.0.0.1',
      httpsListenPort: 0,
      advertiseAddress: '127.0.0.1',
      dataDir: join(directory, name),
    },
    surroundings,
  );
beforeAll(async () => {
  server = await start('server');
  const { ca, admin } = server.pki;
  await mergeKubeconfig(
    around.defaultKubeconfig,
    { name: 'jotasu', server: server.url, ca: ca.cert, cert: admin.cert, key: admin.key },
    systemClock,
  );
});
afterAll(async () => {
  await server.stop();
  rmSync(directory, { recursive: true });
});

async function newToken(flags: Parameters<typeof tokenCreate>[0] = {}): Promise<string> {
  lines = [];
  await tokenCreate(flags, around);
  return lines.at(-1)!;
}

const enter = (nodeName: string, more: Partial<JoinOptions> = {}) =>
  joinCluster({
    ...surroundings,
    servers: [server.url],
    token: undefined,
    nodeName,
    stateDir: join(directory, nodeName),
    userAgent: 'test',
    signal: never,
    ...more,
  });

const as = (pair: { cert: string; key: string }) => {
  const http = createHttpsClient({
    server: server.url,
    ca: server.pki.ca.cert,
    ...pair,
    userAgent: 'test',
    timeoutMs: 60_000,
    clock: systemClock,
  });
  return { http, client: createClient(createHttpsTransport({ http, clock: systemClock })) };
};

test('with a token a machine becomes a node, and stays it without', async () => {
  const token = await newToken({ description: 'for a' });
  expect(lines).toEqual([
    expect.stringMatching(/^Token [a-z0-9]{6}, good for 24h\./),
    '',
    `  ./jotasu agent --server ${server.url} --token ${token}`,
    '',
    token,
  ]);
  const { client: pair, ca, store, settings } = await enter('a', { token });
  expect(settings).toEqual({
    clusterCidr: '10.244.0.0/16',
    clusterDomain: 'cluster.local',
    clusterDns: ['10.96.0.10'],
  });
  expect(ca.trim()).toBe(server.pki.ca.cert.trim());
  const certificate = new X509Certificate(pair.cert);
  expect(certificate.subject.split('\n').sort()).toEqual(['CN=system:node:a', 'O=system:nodes']);
  for (const file of ['ca.crt', 'client.pem'])
    expect(statSync(join(store.directory, file)).mode & 0o777).toBe(0o600);
  const { http, client } = as(pair);
  const { status } = await client(SelfSubjectReview).create({ metadata: { name: '' } });
  expect(status?.userInfo).toMatchObject({
    username: 'system:node:a',
    groups: ['system:nodes', 'system:authenticated'],
  });
  http.close();
  expect(await enter('a')).toMatchObject({ client: pair, settings });
  expect((await enter('a', { token })).client).toEqual(pair);
});

test('of several servers any one will do', async () => {
  const servers = ['https://127.0.0.1:1', server.url, 'https://127.0.0.1:2'];
  const { ca } = await enter('any', { token: await newToken(), servers });
  expect(ca.trim()).toBe(server.pki.ca.cert.trim());
  const none = enter('none', {
    token: await newToken(),
    servers: servers.filter((one) => one !== server.url),
  });
  await expect(none).rejects.toThrow(/^cannot reach https:\S+:1: .*; cannot reach https:\S+:2: /);
});

test('a serving certificate is for the name and addresses of the node, and for no others', async () => {
  const { client: pair } = await enter('b', { token: await newToken() });
  const { http, client } = as(pair);
  const ask = (ip: string) =>
    requestCertificate(nodeServing('b', [ip]), { ...surroundings, client, signal: never });
  // Asked for before the node has told its addresses.
  const early = ask('192.0.2.7');
  await client(Node).create({
    metadata: { name: 'b' },
    spec: {},
    status: {
      addresses: [
        { type: 'InternalIP', address: '192.0.2.7' },
        { type: 'InternalIP', address: '127.0.0.1' },
      ],
    },
  } as Draft<Node>);
  const serving = new X509Certificate((await early).cert);
  expect(serving.checkIP('192.0.2.7')).toBe('192.0.2.7');
  expect(serving.checkHost('b')).toBe('b');
  expect(serving.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
  // 127.0.0.1 is the API server's own; the request waits for a person, who says no.
  const greedy = ask('127.0.0.1');
  const refused = expect(greedy).rejects.toThrow('not for you');
  const requests = server.client(CertificateSigningRequest);
  const open = async () =>
    (await requests.list()).items.find(({ status }) => (status?.conditions ?? []).length === 0);
  await expect.poll(open).toBeDefined();
  const { metadata } = (await open())!;
  await requests.patch({ name: metadata.name, subresource: 'approval' }, 'merge', {
    status: { conditions: [{ type: 'Denied', status: 'True', reason: 'No', message: 'not for you' }] },
  });
  await refused;
  http.close();
});

const live = async (name: string) => {
  await server.client(Node).create({ metadata: { name }, spec: {} } as Draft<Node>);
  await server.client(Lease).create({
    metadata: { name, namespace: 'kube-node-lease' },
    spec: { holderIdentity: name, leaseDurationSeconds: 600, renewTime: formatMicroTime(Date.now()) },
  });
};

test('what is in the way is told', async () => {
  const token = await newToken();
  const { id = '', caHash = '' } = parseJoinToken(token) ?? {};
  const other = await start('other');
  await live('taken');
  // Of a machine that was off for longer than its certificate lived.
  const old = new CertificateStore(join(directory, 'old'));
  old.writeAuthority(server.pki.ca.cert);
  const longAgo = Date.now() - 9 * 86_400_000;
  const request = {
    commonName: 'system:node:old',
    organizations: ['system:nodes'],
    usage: 'client',
    days: 1,
  } as const;
  old.write('client', await issueCertificate(server.pki.ca, request, longAgo));
  const refusals: [() => Promise<unknown>, RegExp][] = [
    [() => enter('old'), /^the certificate of node old ended on .*; join again with --token/],
    [() => enter('c'), /not a node yet .*agent needs --token, which "jotasu token create" makes$/],
    [
      () => enter('c', { token: 'abcdef.0123456789abcdef' }),
      /^the token is not of the form K10…::ID\.SECRET/,
    ],
    [() => enter('c', { token, servers: ['http://127.0.0.1:1'] }), /^--server must be https:\/\/HOST:PORT/],
    [
      () => enter('c', { token, servers: ['https://127.0.0.1:1'] }),
      /^cannot reach https:\/\/127\.0\.0\.1:1: .*ECONNREFUSED/,
    ],
    [
      () => enter('c', { token: token.replace(/.$/, (last) => (last === 'a' ? 'b' : 'a')) }),
      new RegExp(`does not accept token ${id}: it is mistyped, was deleted, or its time is over`),
    ],
    [
      () => enter('c', { token, servers: ['https://127.0.0.1:1', other.url] }),
      new RegExp(`^${other.url} has another CA than the token names .*token: ${caHash}.*was not sent$`),
    ],
    [
      () => enter('taken', { token }),
      /^the name taken is taken: a node named "taken" is part of the cluster and alive; choose another with --node-name/,
    ],
    [() => enter('d', { token, stateDir: join(directory, 'a') }), /is that of node a, not d; remove it/],
    [
      () => enter('a', { token: `K10${'0'.repeat(64)}::abcdef.0123456789abcdef` }),
      /is that of a node of another cluster than the token's/,
    ],
  ];
  for (const [refusal, words] of refusals) await expect(refusal()).rejects.toThrow(words);
  await other.stop();
  const renewed = await enter('old', { token });
  expect(Date.parse(new X509Certificate(renewed.client.cert).validTo)).toBeGreaterThan(Date.now());
});

test('a token whose time is over, and one that was deleted, let nobody in', async () => {
  const token = await newToken({ ttlMs: 0, description: 'for ever' });
  const { id = '' } = parseJoinToken(token) ?? {};
  lines = [];
  await tokenList({}, around);
  expect(lines[0]).toMatch(/^ID {7}TTL +EXPIRES +DESCRIPTION$/);
  expect(lines.find((line) => line.startsWith(id))).toMatch(/<forever> +<never> +for ever$/);
  expect(lines.join('\n')).not.toContain(parseJoinToken(token)!.secret);
  await tokenDelete({ token }, around);
  await expect(tokenDelete({ token: id }, around)).rejects.toThrow(`there is no token ${id}`);
  await expect(enter('e', { token })).rejects.toThrow(`does not accept token ${id}`);
  const short = await newToken({ ttlMs: 1000 });
  const shortId = parseJoinToken(short)?.id ?? '';
  // The cleaner has it removed within moments of its end.
  const gone = () =>
    server
      .client(Secret)
      .get(`bootstrap-token-${shortId}`, 'kube-system')
      .catch((error: unknown) => isNotFound(error));
  await expect.poll(gone).toBe(true);
  await expect(enter('e', { token: short })).rejects.toThrow(`does not accept token ${shortId}`);
});

test('credentials that cannot be used are named', async () => {
  const broken = join(directory, 'broken');
  writeFileSync(broken, 'clusters: []');
  await expect(tokenList({ kubeconfig: broken }, around)).rejects.toThrow(
    `${broken}: no current-context is set`,
  );
  await expect(tokenList({ kubeconfig: `${broken}-none` }, around)).rejects.toThrow('no such file');
  const pair = (await enter('f', { token: await newToken() })).client;
  const file = join(directory, 'node.kubeconfig');
  await mergeKubeconfig(
    file,
    { name: 'node', server: server.url, ca: server.pki.ca.cert, ...pair },
    systemClock,
  );
  await expect(tokenCreate({ kubeconfig: file }, around)).rejects.toThrow(
    /the server refuses: secrets is forbidden: User "system:node:f" cannot create/,
  );
});
