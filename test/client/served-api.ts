// An API server over real TLS in this process, for clients that others wrote: memory store, real clock, no controllers.
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import {
  createApiServer,
  createAuthenticator,
  createAuthorizer,
  everyoneAuthorizer,
  mastersAuthorizer,
} from '../../src/apiserver/index.ts';
import {
  systemClock as clock,
  silentLog as log,
  MetricRegistry,
  systemRandom,
} from '../../src/base/index.ts';
import { mergeKubeconfig } from '../../src/client/index.ts';
import { loadOrCreatePki, startHttpsServer } from '../../src/http/index.ts';
import { createMemoryBackend, createStore, type Store } from '../../src/storage/index.ts';

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

export interface ServedApi {
  readonly store: Store;
  /** An administrator's. */
  readonly kubeconfig: string;
  /** An empty directory of its own. */
  readonly dir: string;
  stop(): Promise<void>;
}

export async function serveApi(): Promise<ServedApi> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'served-api-'));
  const pki = await loadOrCreatePki(path.join(dir, 'pki'), {
    clusterDomain: 'cluster.local',
    firstServiceIp: '10.96.0.1',
    hosts: ['127.0.0.1'],
    nowMs: clock.nowMs(),
    log,
  });
  const store = await createStore(await createMemoryBackend({ clock, log }), { clock, log });
  let port = 0;
  const api = createApiServer({
    store,
    clock,
    log,
    random: systemRandom(),
    metrics: new MetricRegistry(),
    authenticate: createAuthenticator({ token: () => undefined, anonymous: 'health', clock }),
    authorize: createAuthorizer([mastersAuthorizer, everyoneAuthorizer]),
    nodeCredentials: { cert: pki.kubeletClient.cert, key: pki.kubeletClient.key, ca: pki.ca.cert },
    version,
    serviceCidr: '10.96.0.0/16',
    nodePorts: [30000, 32767],
    defaultNotReadyTolerationSeconds: 300,
    defaultUnreachableTolerationSeconds: 300,
    advertiseAddress: '127.0.0.1',
    advertisePort: () => port,
  });
  const { cert, key } = pki.serving;
  const { onRequest, onUpgrade } = api;
  const https = await startHttpsServer({
    host: '127.0.0.1',
    port: 0,
    cert,
    key,
    clientCa: pki.ca.cert,
    onRequest,
    onUpgrade,
    clock,
    log,
  });
  port = https.port;
  await api.bootstrap();
  const kubeconfig = path.join(dir, 'kubeconfig');
  const server = `https://127.0.0.1:${port}`;
  const { admin } = pki;
  await mergeKubeconfig(
    kubeconfig,
    { name: 'test', server, ca: pki.ca.cert, cert: admin.cert, key: admin.key },
    clock,
  );
  return {
    store,
    kubeconfig,
    dir,
    async stop() {
      await https.close(0);
      await store.close();
      fs.rmSync(dir, { recursive: true });
    },
  };
}
