// One node with real containers: containerd, CNI and the node agent against an API server in memory. Pods, logs and what is waited for,
// as tests speak of them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Event, Namespace, Node, Pod } from '../../src/api/index.ts';
import { createLog, seededRandom, silentLog, systemClock } from '../../src/base/index.ts';
import { type Client, createClient } from '../../src/client/index.ts';
import { createCa, createHttpsClient, issueCertificate } from '../../src/http/index.ts';
import { type Agent, type AgentOptions, createNodeNetwork, startAgent } from '../../src/node/index.ts';
import {
  type Containerd,
  type ContainerRuntime,
  connectRuntime,
  readCgroupLayout,
  removeCgroup,
  startContainerd,
  systemExec,
} from '../../src/os/index.ts';
import { inProcessApiServer, type ServedTransport } from '../../src/testkit/index.ts';
import { busyboxImage, root } from './tour-machine.ts';

const clock = systemClock;
const log =
  process.env['JOTASU_TEST_LOG'] === '1'
    ? createLog({ level: 'debug', write: (line) => process.stderr.write(line), nowMs: Date.now })
    : silentLog;

export interface RealNodeOptions {
  /** Of its cgroup and its directory. */
  readonly name: string;
  /** The node has the addresses `10.NETWORK.7.0/24`. */
  readonly network: number;
  /** What the agent is given besides. */
  readonly agent?: Partial<AgentOptions>;
}

type HttpsClient = ReturnType<typeof createHttpsClient>;
type Pki = Awaited<ReturnType<typeof makePki>>;

async function makePki() {
  const nowMs = clock.nowMs();
  const ca = await createCa({ commonName: 'test', days: 1, nowMs });
  const issue = (request: Parameters<typeof issueCertificate>[1]) => issueCertificate(ca, request, nowMs);
  return {
    ca,
    serving: await issue({ commonName: 'node', ips: ['127.0.0.1'], usage: 'server', days: 1 }),
    admin: await issue({ commonName: 'api', organizations: ['system:masters'], usage: 'client', days: 1 }),
    stranger: await issue({ commonName: 'nobody', usage: 'client', days: 1 }),
  };
}

export class RealNode {
  readonly cgroup: string;
  readonly directory: string;
  readonly client: Client;
  readonly containerd: Containerd;
  readonly runtime: ContainerRuntime;
  readonly pki: Pki;
  readonly #api: ServedTransport;
  readonly #options: RealNodeOptions;
  #running: { readonly agent: Agent; readonly https: HttpsClient } | undefined;

  private constructor(
    options: RealNodeOptions,
    parts: Pick<RealNode, 'directory' | 'containerd' | 'runtime' | 'pki'> & { readonly api: ServedTransport },
  ) {
    this.#options = options;
    this.#api = parts.api;
    this.cgroup = `/jotasu-${options.name}-${process.pid}`;
    this.directory = parts.directory;
    this.containerd = parts.containerd;
    this.runtime = parts.runtime;
    this.pki = parts.pki;
    this.client = createClient(parts.api.transport);
  }

  /** Resolves when it has a network and busybox. */
  static async start(options: RealNodeOptions): Promise<RealNode> {
    const directory = mkdtempSync(join(tmpdir(), `jotasu-${options.name}-`));
    const containerd = await startContainerd({
      rootDir: join(directory, 'root'),
      runDir: join(directory, 'run'),
      logFile: join(directory, 'containerd.log'),
      cniBinDir: '/usr/lib/cni',
      cniConfDir: join(directory, 'cni/net.d'),
      cniDataDir: join(directory, 'cni/data'),
      exec: systemExec,
      clock,
      log,
    });
    const archive = join(directory, 'busybox.tar');
    await systemExec.run([process.execPath, join(root, 'tools/busybox-image.mjs'), archive]);
    const images = await containerd.importImage(archive);
    if (!images.includes(busyboxImage)) throw new Error(`${archive} has ${images.join(', ')}`);
    const node = new RealNode(options, {
      directory,
      containerd,
      runtime: await connectRuntime({ socketPath: containerd.socketPath }),
      pki: await makePki(),
      api: await inProcessApiServer(),
    });
    await node
      .client(Namespace)
      .create({ metadata: { name: 'kube-node-lease' }, spec: {} })
      .catch(() => {});
    await node.launchAgent();
    // What a controller does in a cluster.
    await node.until('the node', () => node.object().catch(() => undefined));
    const podCIDR = `10.${options.network}.7.0/24`;
    await node.client(Node).patch({ name: 'n1' }, 'merge', { spec: { podCIDR, podCIDRs: [podCIDR] } });
    await node.agent.ready;
    return node;
  }

  get agent(): Agent {
    return this.#parts.agent;
  }

  /** Speaks to the agent's server as the API server does. */
  get https(): HttpsClient {
    return this.#parts.https;
  }

  get #parts() {
    if (this.#running === undefined) throw new Error('the agent does not run');
    return this.#running;
  }

  async launchAgent(): Promise<void> {
    const { directory, client, runtime, pki } = this;
    const agent = await startAgent({
      client,
      nodeName: 'n1',
      nodeIps: ['127.0.0.1'],
      runtime,
      exec: systemExec,
      stateDir: join(directory, 'state'),
      logDir: join(directory, 'logs'),
      cgroupParent: this.cgroup,
      network: createNodeNetwork({
        exec: systemExec,
        nodeName: 'n1',
        clusterCidr: `10.${this.#options.network}.0.0/16`,
        cniConfDir: join(directory, 'cni/net.d'),
        cniDataDir: join(directory, 'cni/data'),
        log,
      }),
      server: {
        host: '127.0.0.1',
        port: 0,
        cert: pki.serving.cert,
        key: pki.serving.key,
        clientCa: pki.ca.cert,
      },
      version: 'v1.35.0',
      clock,
      random: seededRandom(1),
      log,
      ...this.#options.agent,
    });
    this.#running = { agent, https: this.httpsAs({ ...pki.admin, port: agent.port }) };
  }

  async stopAgent(): Promise<void> {
    const { agent, https } = this.#parts;
    this.#running = undefined;
    await agent.stop();
    https.close();
  }

  /** To be closed by the caller. */
  httpsAs({
    cert,
    key,
    port = this.agent.port,
  }: Partial<Record<'cert' | 'key', string>> & { port?: number }) {
    return createHttpsClient({
      server: `https://127.0.0.1:${port}`,
      ca: this.pki.ca.cert,
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      userAgent: 'test',
      timeoutMs: 60_000,
      clock,
    });
  }

  /** Deletes all pods and waits until nothing of them is left. */
  async empty(): Promise<void> {
    const { client, runtime } = this;
    for (const { metadata } of (await client(Pod).list({ namespace: 'default' })).items)
      await client(Pod).delete(metadata.name, 'default', { gracePeriodSeconds: 1 });
    await this.until(
      'no pods',
      async () => this.agent.podCount === 0 && (await runtime.listPodSandbox()).length === 0,
    );
  }

  async stop(): Promise<void> {
    await this.stopAgent();
    await removeCgroup(readCgroupLayout(), this.cgroup, clock);
    this.runtime.close();
    await this.containerd.stop();
    await this.#api.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Looks until there is something; the error of what never comes shows all pods and events. */
  async until<T>(what: string, look: () => Promise<T | undefined | false>, limitMs = 60_000): Promise<T> {
    const end = Date.now() + limitMs;
    for (;;) {
      const found = await look();
      if (found) return found;
      if (Date.now() > end) {
        const pods = (await this.client(Pod).list({})).items.map((p) => [p.metadata.name, p.status]);
        throw new Error(
          `never came: ${what}\n${JSON.stringify(pods, null, 1)}\n${(await this.events()).join('\n')}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  object(): Promise<Node> {
    return this.client(Node).get('n1');
  }

  /** `NAME REASON: MESSAGE` */
  async events(): Promise<string[]> {
    const { items } = await this.client(Event).list({});
    return items.map((e) => `${e.involvedObject.name} ${e.reason}: ${e.message}`);
  }

  /** undefined = there is none. */
  pod(name: string): Promise<Pod | undefined> {
    return this.client(Pod)
      .get(name, 'default')
      .catch(() => undefined);
  }

  ready(name: string): Promise<Pod> {
    return this.until(`${name} is ready`, async () => {
      const found = await this.pod(name);
      return found?.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') && found;
    });
  }

  ended(name: string): Promise<Pod> {
    return this.until(`${name} has ended`, async () => {
      const found = await this.pod(name);
      return (found?.status?.phase === 'Succeeded' || found?.status?.phase === 'Failed') && found;
    });
  }

  /** A pod of one container that runs a script of the shell. */
  create(
    name: string,
    script: string,
    { container = {}, spec = {} }: { container?: object; spec?: object } = {},
  ): Promise<Pod> {
    return this.client(Pod).create({
      metadata: { name, namespace: 'default', labels: { app: name } },
      spec: {
        nodeName: 'n1',
        terminationGracePeriodSeconds: 1,
        automountServiceAccountToken: false,
        containers: [{ name: 'main', image: busyboxImage, command: ['sh', '-c', script], ...container }],
        ...spec,
      } as Pod['spec'],
    });
  }

  /** The pod's newest container. */
  async containerOf(pod: string): Promise<string> {
    const [first] = await this.runtime.listContainers({ labels: { 'io.kubernetes.pod.name': pod } });
    if (first === undefined) throw new Error(`${pod} has no container`);
    return first.id;
  }

  /** All that the command says inside the pod. */
  async run(pod: string, ...command: string[]): Promise<string> {
    const { stdout, stderr } = await this.runtime.execSync(await this.containerOf(pod), command, 60_000);
    return stdout.toString() + stderr.toString();
  }

  /** What the agent's server answers: `STATUS TEXT`. */
  async get(path: string): Promise<string> {
    const { status, body } = await this.https.request({ method: 'GET', path });
    return `${status} ${body.toString()}`;
  }
}
