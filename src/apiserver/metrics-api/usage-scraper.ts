// What real nodes use: every 15 s each node is asked for /metrics/resource, as metrics-server does. Cpu is a counter, so that it takes two
// looks at the same container to know how fast it runs; only the last two are kept.
import { request } from 'node:https';
import type { ContainerUsage, Node, NodeUsage, PodUsage, UsageSource } from '../../api/index.ts';
import { type Clock, type Log, sleep } from '../../base/index.ts';
import type { NodeCredentials } from '../endpoints/targets.ts';

export interface UsageScraperOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Nodes that can be asked, now. */
  nodes(): readonly Node[];
  /** The text of /metrics/resource of the node. Rejects when there is none. */
  fetch(node: Node, signal: AbortSignal): Promise<string>;
}

const periodMs = 15_000;
const atOnce = 32;

/** One look at a node. */
interface Look {
  readonly node: Counter | undefined;
  /** By `namespace/pod`, then by container. */
  readonly pods: ReadonlyMap<string, ReadonlyMap<string, Counter>>;
}

interface Counter {
  cpuSeconds: number;
  memoryBytes: number;
  startSeconds: number;
  atMs: number;
}

export class UsageScraper implements UsageSource {
  readonly #options: UsageScraperOptions;
  readonly #looks = new Map<string, { readonly last: Look; readonly before: Look | undefined }>();
  /** On which node a pod was seen. */
  #nodeOf = new Map<string, string>();

  constructor(options: UsageScraperOptions) {
    this.#options = options;
  }

  get ready(): boolean {
    return [...this.#looks.values()].some(({ before }) => before !== undefined);
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      await this.look(signal);
      await sleep(clock, periodMs, signal).catch(() => {});
    }
  }

  /** Asks every node once. A node that does not answer is forgotten. */
  async look(signal: AbortSignal): Promise<void> {
    const nodes = [...this.#options.nodes()];
    const names = new Set(nodes.map(({ metadata }) => metadata.name));
    for (const name of this.#looks.keys()) if (!names.has(name)) this.#looks.delete(name);
    const work = async (): Promise<void> => {
      for (let node = nodes.pop(); node !== undefined && !signal.aborted; node = nodes.pop())
        await this.#ask(node, signal);
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, nodes.length) }, work));
    this.#nodeOf = new Map(
      [...this.#looks].flatMap(([name, { last }]) =>
        [...last.pods.keys()].map((pod) => [pod, name] as const),
      ),
    );
  }

  node(name: string): NodeUsage | undefined {
    const looks = this.#looks.get(name);
    return usageOf(looks?.before?.node, looks?.last.node);
  }

  pod(namespace: string, name: string): PodUsage | undefined {
    const key = `${namespace}/${name}`;
    const looks = this.#looks.get(this.#nodeOf.get(key) ?? '');
    const containers: (ContainerUsage & NodeUsage)[] = [];
    for (const [container, counter] of looks?.last.pods.get(key) ?? []) {
      const usage = usageOf(looks?.before?.pods.get(key)?.get(container), counter);
      // As long as one is new, the pod as a whole is not known.
      if (usage === undefined) return undefined;
      containers.push({ name: container, ...usage });
    }
    const [first] = containers;
    if (first === undefined) return undefined;
    const { timeMs, windowMs } = first;
    return {
      timeMs,
      windowMs,
      containers: containers.map(({ name: container, cpuNanoCores, memoryBytes }) => ({
        name: container,
        cpuNanoCores,
        memoryBytes,
      })),
    };
  }

  async #ask(node: Node, signal: AbortSignal): Promise<void> {
    const { name } = node.metadata;
    try {
      const last = readLook(await this.#options.fetch(node, signal));
      const known = this.#looks.get(name)?.last;
      // The runtime looks now and then: the same numbers again are no second look.
      if (known?.node?.atMs !== undefined && known.node.atMs === last.node?.atMs) return;
      this.#looks.set(name, { last, before: known });
    } catch (error) {
      this.#looks.delete(name);
      if (!signal.aborted) this.#options.log.debug('a node does not say what it uses', { node: name, error });
    }
  }
}

/** undefined = not the same container, or no time in between. */
function usageOf(before: Counter | undefined, last: Counter | undefined): NodeUsage | undefined {
  if (before === undefined || last === undefined) return undefined;
  const windowMs = last.atMs - before.atMs;
  if (windowMs <= 0 || last.startSeconds !== before.startSeconds || last.cpuSeconds < before.cpuSeconds)
    return undefined;
  return {
    timeMs: last.atMs,
    windowMs,
    cpuNanoCores: ((last.cpuSeconds - before.cpuSeconds) * 1e12) / windowMs,
    memoryBytes: last.memoryBytes,
  };
}

const line = /^(\w+)(?:\{([^}]*)\})? ([-+.\deE]+)(?: (\d+))?$/;
const fields: Readonly<Record<string, 'cpuSeconds' | 'memoryBytes' | 'startSeconds'>> = {
  cpu_usage_seconds_total: 'cpuSeconds',
  memory_working_set_bytes: 'memoryBytes',
  start_time_seconds: 'startSeconds',
};

/** Lines of other metrics, and what is no line, are passed over. */
function readLook(text: string): Look {
  let node: Counter | undefined;
  const pods = new Map<string, Map<string, Counter>>();
  const empty = (): Counter => ({ cpuSeconds: 0, memoryBytes: 0, startSeconds: 0, atMs: 0 });
  for (const one of text.split('\n')) {
    const [, name = '', labels = '', value = '', at] = line.exec(one) ?? [];
    const [, of = '', metric = ''] = /^(node|container)_(.*)$/.exec(name) ?? [];
    const field = fields[metric];
    if (field === undefined) continue;
    let counter: Counter;
    if (of === 'node') counter = node ??= empty();
    else {
      const said = new Map(
        [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key, text]) => [key, text ?? '']),
      );
      const pod = `${said.get('namespace')}/${said.get('pod')}`;
      let containers = pods.get(pod);
      if (containers === undefined) pods.set(pod, (containers = new Map()));
      const container = said.get('container') ?? '';
      counter = containers.get(container) ?? empty();
      containers.set(container, counter);
    }
    counter[field] = Number(value);
    if (at !== undefined) counter.atMs = Number(at);
  }
  return { node, pods };
}

const timeoutMs = 10_000;

/** Asks nodes over their HTTPS API, as the API server itself. */
export function resourceMetricsOf(
  credentials: NodeCredentials,
): (node: Node, signal: AbortSignal) => Promise<string> {
  return ({ metadata, status }, signal) =>
    new Promise((resolve, reject) => {
      const host = status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
      if (host === undefined) throw new Error(`node ${metadata.name} has no address`);
      const asking = request(
        {
          host,
          port: status?.daemonEndpoints?.kubeletEndpoint?.Port ?? 10250,
          path: '/metrics/resource',
          cert: credentials.cert,
          key: credentials.key,
          ca: credentials.ca,
          // Nodes are dialled by address; the CA vouches for them.
          checkServerIdentity: () => undefined,
          timeout: timeoutMs,
          signal,
        },
        (answer) => {
          const pieces: Buffer[] = [];
          answer.on('data', (piece: Buffer) => pieces.push(piece));
          answer.on('error', reject);
          answer.on('end', () => {
            const text = Buffer.concat(pieces).toString('utf8');
            if (answer.statusCode === 200) resolve(text);
            else reject(new Error(`${answer.statusCode}: ${text}`));
          });
        },
      );
      asking.on('timeout', () => asking.destroy(new Error('i/o timeout')));
      asking.on('error', reject);
      asking.end();
    });
}
