// The service proxy of one node: follows services and endpoint slices and keeps the kernel's tables as they ask. The choice: what
// changed is gathered for a few milliseconds and brought to the kernel as one transaction of what differs; after an error, and at the
// start, everything is made anew in one transaction, which breaks no connection.
import { EndpointSlice, Node, Service } from '../api/index.ts';
import { type Clock, type Log, Scope, sleep } from '../base/index.ts';
import type { Informers } from '../client/index.ts';
import { keyOf } from '../machinery/index.ts';
import { applyRuleset, type Exec, tableExists } from '../os/index.ts';
import type { Family } from './contribution.ts';
import { protocols, tableName } from './frame.ts';
import { type LocalAddress, Rules } from './rules.ts';
import { familyOfAddress } from './service-ports.ts';

export interface ServiceProxyOptions {
  /** Of services, endpoint slices and nodes; shared with others of the node. */
  readonly informers: Informers;
  readonly nodeName: string;
  readonly nodeIps: readonly string[];
  /** Addresses of pods in the whole cluster. */
  readonly podCidrs: readonly string[];
  /** Ranges of the node's addresses at which node ports answer; default: the node's addresses in `nodeIps`. */
  readonly nodePortAddresses?: readonly string[] | undefined;
  /** What the node itself answers at: no rule is made for it. */
  readonly localAddresses?: readonly LocalAddress[] | undefined;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly log: Log;
}

export interface ServiceProxy {
  /** Resolves when the kernel knows every service there was at the start. */
  readonly ready: Promise<void>;
  /** Stops following. The rules stay in the kernel. */
  stop(): Promise<void>;
}

/** How long changes are gathered. */
const batchMs = 10;
const retryMs = 1_000;
/** How often it is looked whether somebody removed the table. */
const checkMs = 30_000;

const serviceLabel = 'kubernetes.io/service-name';

const serviceOf = ({ metadata }: EndpointSlice): string | undefined => {
  const name = metadata.labels?.[serviceLabel];
  return name === undefined || name === '' ? undefined : `${metadata.namespace ?? ''}/${name}`;
};

export function startServiceProxy(options: ServiceProxyOptions): ServiceProxy {
  const { informers, nodeName, nodeIps, exec, clock, log } = options;
  const scope = new Scope(log);
  const services = informers(Service);
  const slices = informers(EndpointSlice);
  const nodes = informers(Node);
  slices.addIndex('service', byService);
  const families = [...new Set(nodeIps.map(familyOfAddress))] as Family[];
  let zone = '';
  const rules = new Rules({
    node: { place: { nodeName, zone }, nodeIps, podCidrs: options.podCidrs, families, protocols },
    localAddresses: options.localAddresses ?? [],
    nodePortAddresses: nodeIps,
    maskedPodCidrs: [],
  });

  const dirty = new Set<string>();
  let wake: (() => void) | undefined;
  const mark = (key: string | undefined): void => {
    if (key === undefined) return;
    dirty.add(key);
    wake?.();
  };
  const markAll = (): void => {
    for (const service of services.list()) mark(keyOf(service));
  };

  const follow = (): void => {
    scope.onStop(
      services.onChange({
        added: (service) => mark(keyOf(service)),
        updated: (_, service) => mark(keyOf(service)),
        deleted: (service) => mark(keyOf(service)),
      }),
    );
    scope.onStop(
      slices.onChange({
        added: (slice) => mark(serviceOf(slice)),
        updated: (old, slice) => {
          mark(serviceOf(slice));
          mark(serviceOf(old));
        },
        deleted: (slice) => mark(serviceOf(slice)),
      }),
    );
    const place = (node: Node): void => {
      const now = node.metadata.labels?.['topology.kubernetes.io/zone'] ?? '';
      if (node.metadata.name !== nodeName || now === zone) return;
      zone = now;
      rules.setPlace({ nodeName, zone });
      markAll();
    };
    scope.onStop(nodes.onChange({ added: place, updated: (_, node) => place(node) }));
  };

  const plan = (): void => {
    // In order of their age at the start, so that after a restart each address has the same owner.
    const keys = [...dirty].sort();
    dirty.clear();
    for (const key of keys) {
      const service = services.get(key);
      const mine = service === undefined ? [] : slices.byIndex('service', key);
      for (const other of rules.put(key, service, mine)) if (!keys.includes(other)) dirty.add(other);
    }
    if (dirty.size > 0) plan();
  };

  let settle!: { resolve: () => void; reject: (why: unknown) => void };
  const ready = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  ready.catch(() => {});

  scope.run('service proxy', async (signal) => {
    await Promise.all([services.synced, slices.synced, nodes.synced]);
    follow();
    let whole = true;
    while (!signal.aborted) {
      try {
        plan();
        const text = whole ? rules.takeReplacement() : rules.takeChanges();
        if (text !== '') await applyRuleset(exec, text);
        whole = false;
        settle.resolve();
      } catch (error) {
        if (signal.aborted) return;
        log.warn('cannot bring services to the kernel, making all rules anew', { error });
        whole = true;
        await sleep(clock, retryMs, signal).catch(() => {});
        continue;
      }
      if (dirty.size === 0) {
        const changed = await waitForChange(signal);
        if (!changed) {
          for (const family of families) whole ||= !(await tableExists(exec, family, tableName));
          if (whole) log.warn('the rules of services were removed by somebody, making them anew');
          continue;
        }
      }
      await sleep(clock, batchMs, signal).catch(() => {});
    }
  });

  /** False when nothing changed for a while. */
  const waitForChange = (signal: AbortSignal): Promise<boolean> =>
    new Promise((resolve) => {
      const end = (changed: boolean) => {
        wake = undefined;
        timer.cancel();
        signal.removeEventListener('abort', stop);
        resolve(changed);
      };
      const stop = () => end(true);
      const timer = clock.after(checkMs, () => end(false));
      wake = () => end(true);
      signal.addEventListener('abort', stop, { once: true });
    });

  scope.signal.addEventListener('abort', () => settle.reject(scope.signal.reason), { once: true });
  return { ready, stop: () => scope.stop() };
}

const byService = (slice: EndpointSlice): readonly string[] => {
  const key = serviceOf(slice);
  return key === undefined ? [] : [key];
};
