// What nodes and their pods use, for the metrics API: each is asked for what its agent has gathered.
import { Node } from '../api/index.ts';
import { type ApiServerOptions, objectOf, resourceMetricsOf, UsageScraper } from '../apiserver/index.ts';
import type { Clock, Log } from '../base/index.ts';
import type { Store } from '../storage/index.ts';

export interface NodeUsageOptions {
  readonly store: Store;
  /** With which the nodes are asked. */
  readonly credentials: ApiServerOptions['nodeCredentials'];
  readonly clock: Clock;
  readonly log: Log;
}

export function createNodeUsage({ store, credentials, clock, log }: NodeUsageOptions): UsageScraper {
  const nodes = () => readyNodes(store);
  return new UsageScraper({ nodes, fetch: resourceMetricsOf(credentials), clock, log });
}

/** Those that can be asked what they use: nobody listens at the addresses of simulated ones. */
function readyNodes(store: Store): readonly Node[] {
  return store
    .list(Node.storagePrefix)
    .map((entry) => objectOf<Node>(entry))
    .filter(
      ({ status }) =>
        status?.nodeInfo?.containerRuntimeVersion?.startsWith('simulation:') !== true &&
        status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') === true,
    );
}
