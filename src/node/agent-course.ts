// What an agent does, from top to bottom: how a node comes up, and what it goes on doing. Its parts are made in agent.ts.
import { isMirror, Node, Pod, type Service } from '../api/index.ts';
import { type Clock, type Log, type Scope, sleep } from '../base/index.ts';
import type { Informer, Informers } from '../client/index.ts';
import type { ContainerRuntime } from '../os/index.ts';
import type { Housekeeping } from './garbage/housekeeping.ts';
import type { NetworkFollower } from './network-follower.ts';
import type { NodeRegistration } from './registration/node-registration.ts';
import type { RuntimeCache } from './runtime-cache.ts';
import { whenRuntimeAnswers } from './runtime-start.ts';
import type { StaticPods } from './static-pods/static-pods.ts';
import type { VolumeDirectories } from './volumes/volume-directories.ts';
import type { PodWorkers } from './worker/pod-workers.ts';

export interface AgentParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly scope: Scope;
  readonly nodeName: string;
  readonly informers: Informers;
  readonly runtime: ContainerRuntime;
  readonly runtimeStarted: Promise<unknown> | undefined;
  readonly cache: RuntimeCache;
  readonly registration: NodeRegistration;
  readonly workers: PodWorkers;
  readonly statics: StaticPods;
  /** undefined = somebody else makes the pod network */
  readonly network: NetworkFollower | undefined;
  readonly services: Informer<Service>;
  readonly volumeDirectories: VolumeDirectories;
  readonly house: Housekeeping;
  /** The runtime answers: which one it is, as the Node shows it. */
  foundRuntime(version: string): void;
  /** Puts all pods together under what the node has for them. */
  limitPods(): void;
  /** The node is registered and its pods are followed. */
  ready(): void;
}

/** How often it is looked for what no pod of the node owns any more. */
const cleanUpMs = 15_000;

/** Resolves when the signal aborts. Rejects when the node cannot come up: it is of no use then. */
export async function followCourse(parts: AgentParts, signal: AbortSignal): Promise<void> {
  const { clock, log, scope, informers, registration, workers, statics, network } = parts;
  // The node is made known while the runtime still starts: its subnet is given out meanwhile.
  const registered = registration.start();
  registered.catch(() => {});
  await parts.runtimeStarted;
  parts.foundRuntime(await listRuntime(parts, signal));
  parts.limitPods();
  scope.onStop(() => workers.stop());
  await statics.start();
  registration.touch();
  await registered;
  observeNode(parts);
  parts.volumeDirectories.start();
  await parts.services.synced;
  if (network !== undefined) scope.run('node network', (ending) => network.run(ending));
  const pods = informers(Pod, { fieldSelector: `spec.nodeName=${parts.nodeName}` });
  await pods.synced;
  followPods(pods, parts);
  statics.mirrorsKnown();
  const cleanUp = () => workers.cleanUp().catch((error: unknown) => log.warn('cannot clean up', { error }));
  await cleanUp();
  await parts.house.start(scope);
  log.info('node agent is ready', { node: parts.nodeName, pods: workers.size });
  parts.ready();
  // What could not be removed, and what nobody owns any more, is looked for again now and then.
  while (!signal.aborted) {
    await sleep(clock, cleanUpMs, signal).catch(() => {});
    if (!signal.aborted) await cleanUp();
  }
}

/** Waits for the runtime and learns what it has. `NAME://VERSION` of it. */
function listRuntime({ runtime, cache, clock, log }: AgentParts, signal: AbortSignal): Promise<string> {
  return whenRuntimeAnswers({ runtime, clock, log, signal }, async () => {
    const { name, version } = await runtime.version();
    await cache.start();
    return `${name}://${version}`;
  });
}

function observeNode({ informers, nodeName, registration }: AgentParts): void {
  const observe = (node: Node) => {
    if (node.metadata.name === nodeName) registration.observe(node);
  };
  informers(Node).onChange({ added: observe, updated: (_, node) => observe(node) });
}

function followPods(pods: Informer<Pod>, { workers, statics }: AgentParts): void {
  const put = (pod: Pod) => (isMirror(pod) ? statics.observeMirror(pod) : workers.put(pod));
  pods.onChange({
    added: put,
    updated: (_, pod) => put(pod),
    deleted: (pod) => (isMirror(pod) ? statics.mirrorRemoved(pod) : workers.removed(pod.metadata.uid)),
  });
}
