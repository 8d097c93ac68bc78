// A server for the API benches: the API server on the durable store, over TLS, in this process, with one token that may all.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import {
  createApiServer,
  createAuthenticator,
  createAuthorizer,
  tokenChain,
  tokenTable,
} from '../src/apiserver/index.ts';
import { systemClock as clock, silentLog as log, MetricRegistry, systemRandom } from '../src/base/index.ts';
import { loadOrCreatePki, startHttpsServer } from '../src/http/index.ts';
import { createStore, openLmdbBackend } from '../src/storage/index.ts';

const version = {
  major: '1',
  minor: '35',
  gitVersion: 'v1.35.0+test',
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: 'none',
  compiler: 'none',
  platform: 'linux/amd64',
};

export const token = 'bench';

/** `group` is the one of whoever asks: it decides the priority level. */
export async function serve(group = 'system:masters') {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'jotasu-bench-'));
  const pki = await loadOrCreatePki(path.join(dir, 'pki'), {
    clusterDomain: 'cluster.local',
    firstServiceIp: '10.96.0.1',
    hosts: ['127.0.0.1'],
    nowMs: clock.nowMs(),
    log,
  });
  const metrics = new MetricRegistry();
  const store = await createStore(await openLmdbBackend(path.join(dir, 'db'), { clock, log }), {
    clock,
    log,
    metrics,
  });
  const user = { name: 'bench', uid: '', groups: [group] };
  const api = createApiServer({
    store,
    clock,
    log,
    random: systemRandom(),
    metrics,
    authenticate: createAuthenticator({
      token: tokenChain([tokenTable(new Map([[token, user]]))]),
      anonymous: 'refuse',
      clock,
    }),
    authorize: createAuthorizer([() => ({ decision: 'allow', reason: '' })]),
    nodeCredentials: { cert: '', key: '', ca: '' },
    version,
    serviceCidr: '10.96.0.0/16',
    nodePorts: [30000, 32767],
    defaultNotReadyTolerationSeconds: 300,
    defaultUnreachableTolerationSeconds: 300,
    advertiseAddress: '127.0.0.1',
    advertisePort: () => 6443,
  });
  const { cert, key } = pki.serving;
  const { onRequest } = api;
  const https = await startHttpsServer({ host: '127.0.0.1', port: 0, cert, key, onRequest, clock, log });
  await api.bootstrap();
  return {
    port: https.port,
    client: api.client,
    async stop() {
      await https.close(0);
      await store.close();
      fs.rmSync(dir, { recursive: true });
    },
  };
}

/** CPU time of this process in milliseconds since `since`. */
export function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}
