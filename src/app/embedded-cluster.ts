// A cluster for another program: `jotasu up` and its family as one object. The choice: with nodes of this machine it is the same as
// the command makes, in processes of its own, so that `jotasu status` shows it and `jotasu down` removes what a program that was
// killed left; with simulated nodes alone it is a server in this process, and needs neither root nor packages.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Node } from '../api/index.ts';
import { nameSuffix, sleep, systemClock, systemRandom } from '../base/index.ts';
import { type Client, createClient, createHttpsTransport, printKubeconfig } from '../client/index.ts';
import { createHttpsClient } from '../http/index.ts';
import { isNotFound } from '../machinery/index.ts';
import type { Machine } from './cluster/machine.ts';
import { startServer } from './embedded-server.ts';

export interface StartClusterOptions {
  /** Under which `jotasu status --name` finds it. Default: a new one, `lib-…`. A cluster of this name that is there is used. */
  readonly name?: string | undefined;
  /** Nodes with real containers; they need root. Default 3, or none when there are simulated ones. */
  readonly nodes?: number | undefined;
  /** Nodes without containers. Alone they need no root. */
  readonly simulatedNodes?: number | undefined;
  /** The file that says what happens on simulated nodes; only without others. */
  readonly simulation?: string | undefined;
  /** Image archives to load into every node. */
  readonly images?: readonly string[] | undefined;
  /** Default: /var/lib/jotasu/NAME, or a temporary folder for simulated nodes alone. Removed by `stop` when it was not there before. */
  readonly dataDir?: string | undefined;
  /** Addresses of pods: a range, or one of each address family with a comma between. Default: a free IPv4 range. */
  readonly clusterCidr?: string | undefined;
  /** Of services, of the same families. */
  readonly serviceCidr?: string | undefined;
  /** A file to add the context to; undefined = one of its own. */
  readonly kubeconfig?: string | undefined;
  /** Whether Debian packages that are missing may be installed. Default: no, and they are named. */
  readonly install?: boolean | undefined;
  /** Gets what `jotasu up` would print, line by line. */
  readonly log?: ((line: string) => void) | undefined;
  /** Ends the start; what was made is undone. */
  readonly signal?: AbortSignal | undefined;
}

export interface ClusterNode {
  readonly name: string;
  /** Off = powered off or stopped. Unknown = the server cannot be asked. */
  readonly state: 'Ready' | 'NotReady' | 'Off' | 'Unknown';
  readonly simulated: boolean;
}

export interface StartedCluster {
  readonly name: string;
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  /** An administrator's: `client(Pod).list({ namespace })`. */
  readonly client: Client;
  /** An administrator's, as the text of a kubeconfig file. Holds a private key. */
  readonly kubeconfig: string;
  /** Where that is: `kubectl --kubeconfig FILE`. Gone after `stop`, unless it is the caller's. */
  readonly kubeconfigFile: string;
  /** All of them, simulated ones last. */
  nodes(): Promise<readonly ClusterNode[]>;
  /** Resolves to the node's name when it is Ready. */
  addNode(options?: {
    readonly name?: string | undefined;
    readonly simulated?: boolean | undefined;
  }): Promise<string>;
  /** Power off: everything on it ends at once. */
  killNode(name: string): Promise<void>;
  /** In order; its data stays. */
  stopNode(name: string): Promise<void>;
  /** Resolves when it is Ready again. */
  startNode(name: string): Promise<void>;
  /** With its data. */
  removeNode(name: string): Promise<void>;
  /** Docker and OCI archives, plain or gzipped, into all nodes that run or those named. */
  loadImages(
    files: readonly string[],
    options?: { readonly nodes?: readonly string[] | undefined },
  ): Promise<void>;
  /** Removes the cluster with its data: nothing of it is left on the machine. A second call shares the first one's end. */
  stop(): Promise<void>;
}

/**
 * Starts a cluster; resolves when all its nodes are Ready. Rejects with an Error for a person (not root, packages that are missing, an
 * archive that is none), and leaves nothing then. A program that ends without `stop` leaves a cluster with real nodes running.
 */
export async function startCluster(options: StartClusterOptions = {}): Promise<StartedCluster> {
  const { simulatedNodes = 0 } = options;
  const nodes = options.nodes ?? (simulatedNodes > 0 ? 0 : 3);
  for (const [what, number] of Object.entries({ nodes, simulatedNodes }))
    if (!Number.isInteger(number) || number < 0)
      throw new Error(`${what} must be a whole number, not ${number}`);
  if (nodes + simulatedNodes === 0) throw new Error('a cluster needs a node, real or simulated');
  if (nodes > 0 && options.simulation !== undefined)
    throw new Error('simulation goes with simulated nodes alone');
  return nodes > 0
    ? startOnMachine(options, { nodes, simulatedNodes })
    : startSimulated(options, simulatedNodes);
}

/** The program beside this library: that of the package, or of a checkout that has been built. */
function programFile(): string {
  const places = ['./jotasu.js', '../../dist/jotasu.js'].map((place) =>
    fileURLToPath(new URL(place, import.meta.url)),
  );
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw new Error('the program is not built: node tools/build.mjs');
  return found;
}

async function startOnMachine(
  options: StartClusterOptions,
  { nodes, simulatedNodes }: { nodes: number; simulatedNodes: number },
): Promise<StartedCluster> {
  const [
    { systemMachine },
    { up },
    { down },
    verbs,
    { readStatus },
    { loadImages },
    states,
    { pkiDir, serverUrl },
  ] = await Promise.all([
    import('./up.ts'),
    import('./cluster/up.ts'),
    import('./cluster/down.ts'),
    import('./cluster/nodes.ts'),
    import('./cluster/status.ts'),
    import('./cluster/images.ts'),
    import('./cluster/state.ts'),
    import('./cluster/places.ts'),
  ]);
  const name = options.name ?? `lib-${nameSuffix(systemRandom())}`;
  const machine: Machine = {
    ...systemMachine({ program: programFile(), say: options.log ?? (() => {}) }),
    // Ours are for this program, not for a server.
    program: [process.execPath, '--min-semi-space-size=16', '--max-semi-space-size=32', programFile()],
  };
  const signal = options.signal ?? new AbortController().signal;
  const dataDir = options.dataDir === undefined ? undefined : resolve(options.dataDir);
  const home = dataDir ?? join(machine.clustersDir, name);
  const wasThere = states.readStateOf(machine.clustersDir, name) !== undefined;
  await up(
    machine,
    {
      name,
      nodes,
      install: options.install === true,
      images: options.images ?? [],
      ...(dataDir !== undefined && { dataDir }),
      ...rangesOf(options),
      ...(wasThere && options.kubeconfig === undefined
        ? {}
        : { kubeconfig: options.kubeconfig ?? join(home, 'kubeconfig') }),
    },
    signal,
  );
  const state = () => states.needState(machine.clustersDir, name);
  const read = (file: string) => readFileSync(join(pkiDir(state()), file), 'utf8');
  const entry = {
    name: state().kubeconfig.context,
    server: serverUrl(state()),
    ca: read('ca.crt'),
    cert: read('admin.crt'),
    key: read('admin.key'),
  };
  const http = createHttpsClient({
    ...entry,
    userAgent: 'jotasu-library',
    timeoutMs: 30_000,
    clock: systemClock,
  });
  let stopped: Promise<void> | undefined;
  const stop = () =>
    (stopped ??= (async () => {
      http.close();
      await down(machine, { name });
    })());
  try {
    if (simulatedNodes > 0) await verbs.nodeAdd(machine, { name, simulate: simulatedNodes }, signal);
  } catch (error) {
    if (!wasThere) await stop();
    throw error;
  }
  const names = async () => (await readStatus(machine, state())).nodes.map((node) => node.name);
  return {
    name,
    url: entry.server,
    client: createClient(createHttpsTransport({ http, clock: systemClock, random: systemRandom() })),
    kubeconfig: await printKubeconfig(entry),
    kubeconfigFile: state().kubeconfig.file,
    nodes: async () =>
      (await readStatus(machine, state())).nodes.map(({ name, state, simulated }) => ({
        name,
        state,
        simulated,
      })),
    async addNode({ name: node, simulated = false } = {}) {
      const before = new Set(await names());
      await verbs.nodeAdd(
        machine,
        { name, ...(node !== undefined && { node }), ...(simulated && { simulate: 1 }) },
        signal,
      );
      return node ?? (await names()).find((one) => !before.has(one))!;
    },
    killNode: (node) => verbs.nodeKill(machine, { name, node }),
    stopNode: (node) => verbs.nodeStop(machine, { name, node }),
    startNode: (node) => verbs.nodeStart(machine, { name, node }, signal),
    removeNode: (node) => verbs.nodeRemove(machine, { name, node }),
    loadImages: (files, { nodes: into } = {}) =>
      loadImages(machine, state(), { files, ...(into !== undefined && { nodes: into }) }),
    stop,
  };
}

const rangesOf = ({ clusterCidr, serviceCidr }: StartClusterOptions) => ({
  ...(clusterCidr !== undefined && { clusterCidr }),
  ...(serviceCidr !== undefined && { serviceCidr }),
});

const readyTimeoutMs = 120_000;

async function startSimulated(options: StartClusterOptions, count: number): Promise<StartedCluster> {
  if ((options.images ?? []).length > 0) throw new Error(noImages);
  const { powerAnnotation, simulatedLabel } = await import('../simulation/index.ts');
  const { name = `lib-${nameSuffix(systemRandom())}`, log } = options;
  const directory = options.dataDir ?? mkdtempSync(join(tmpdir(), 'jotasu-cluster-'));
  const server = await startServer({
    dataDir: directory,
    simulateNodes: count,
    ...rangesOf(options),
    ...(options.simulation !== undefined && { simulation: options.simulation }),
    ...(log !== undefined && { log: (line) => log(line.trimEnd()) }),
  });
  const { client } = server;
  const kubeconfigFile = join(directory, 'kubeconfig');
  let stopped: Promise<void> | undefined;
  const stop = () =>
    (stopped ??= server.stop().finally(() => {
      rmSync(kubeconfigFile, { force: true });
      if (options.dataDir === undefined) rmSync(directory, { recursive: true, force: true });
    }));
  const nodes = async (): Promise<ClusterNode[]> =>
    (await client(Node).list()).items.map((node) => ({
      name: node.metadata.name,
      state:
        node.metadata.annotations?.[powerAnnotation] === 'off' ? 'Off' : isReady(node) ? 'Ready' : 'NotReady',
      simulated: true,
    }));
  const waitUntilReady = async (wanted: (ready: ReadonlySet<string>) => boolean): Promise<void> => {
    const endMs = systemClock.monotonicMs() + readyTimeoutMs;
    for (;;) {
      const ready = (await nodes()).filter(({ state }) => state === 'Ready').map(({ name }) => name);
      if (wanted(new Set(ready))) return;
      if (systemClock.monotonicMs() > endMs)
        throw new Error(`simulated nodes are not ready after ${readyTimeoutMs / 1000} s`);
      await sleep(systemClock, 50, options.signal);
    }
  };
  const power = async (node: string, value: 'off' | null): Promise<void> => {
    await client(Node)
      .patch({ name: node }, 'merge', { metadata: { annotations: { [powerAnnotation]: value } } })
      .catch((error: unknown) => {
        throw isNotFound(error) ? new Error(`cluster ${name} has no node ${node}`, { cause: error }) : error;
      });
  };
  try {
    await waitUntilReady((ready) => ready.size >= count);
    writeFileSync(kubeconfigFile, server.kubeconfig, { mode: 0o600 });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    name,
    url: server.url,
    client,
    kubeconfig: server.kubeconfig,
    kubeconfigFile,
    nodes,
    async addNode({ name: given, simulated = true } = {}) {
      if (!simulated) throw new Error('a cluster of simulated nodes alone takes no others');
      const taken = new Set((await nodes()).map(({ name }) => name));
      let number = 1;
      while (taken.has(`sim-${number}`)) number++;
      const node = given ?? `sim-${number}`;
      await client(Node).create({ metadata: { name: node, labels: { [simulatedLabel]: 'true' } }, spec: {} });
      await waitUntilReady((ready) => ready.has(node));
      return node;
    },
    killNode: (node) => power(node, 'off'),
    stopNode: (node) => power(node, 'off'),
    async startNode(node) {
      await power(node, null);
      await waitUntilReady((ready) => ready.has(node));
    },
    removeNode: async (node) => void (await client(Node).delete(node)),
    loadImages: () => Promise.reject(new Error(noImages)),
    stop,
  };
}

const noImages = 'simulated nodes hold no images: their pods run whatever their images are called';
const isReady = (node: Node): boolean =>
  node.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true;
