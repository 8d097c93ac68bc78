// Controllers and scheduler of a server. Over a store of its own a server is the only one, and they start at once. Over a store
// that it shares, each role is held by one server at a time, elected by Lease: kube-controller-manager and kube-scheduler in
// kube-system, as in Kubernetes.
import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { kinds, Node } from '../api/index.ts';
import type { ApiServer } from '../apiserver/index.ts';
import type { Clock, Log, MetricRegistry, Random, Scope } from '../base/index.ts';
import {
  createClient,
  createEventRecorder,
  createInformers,
  type ElectionTiming,
  type Informers,
  standForElection,
} from '../client/index.ts';
import {
  allControllers,
  type ClusterAutoscalerOptions,
  type ClusterAutoscalerSettings,
  type ControllerSettings,
  localPathProvisioner,
  startControllers,
  startGarbageCollector,
  startLocalPathClass,
} from '../controllers/index.ts';
import { planIngress, startIngressClass } from '../ingress/index.ts';
import { type SchedulerConfiguration, startScheduler } from '../scheduler/index.ts';
import type { NodeGroupBounds, Script, SimulatedNodeGroupsOptions } from '../simulation/index.ts';
import { trialsWith } from './node-trial.ts';
import type { SimulatedUsage } from './simulated-usage.ts';

/** The parts that can be left out and run elsewhere; local-storage is the storage class that a cluster comes with, servicelb what
 *  gives load balancers their addresses, ingress what makes nodes answer for ingresses. */
export type ServerPart = 'controllers' | 'scheduler' | 'local-storage' | 'servicelb' | 'ingress';

export interface ControlLoopsOptions extends Omit<ControllerSettings, 'kinds'> {
  readonly api: Pick<ApiServer, 'client' | 'transport'>;
  readonly without: readonly ServerPart[];
  /** Ranges of addresses for load balancers; none = the nodes' own. */
  readonly servicelbPool: readonly string[];
  /** null = nobody else can hold the roles. */
  readonly election: ElectionTiming | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: MetricRegistry;
  /** Stopping it stops everything, and hands the roles back. */
  readonly scope: Scope;
  /** undefined = kube-scheduler's defaults. */
  readonly schedulerConfiguration: SchedulerConfiguration | undefined;
  /** undefined = no simulated nodes are run. */
  readonly simulation:
    | {
        readonly nodes: number;
        readonly script: Script;
        readonly version: string;
        /** Groups of nodes that come and go with the need for them. */
        readonly groups: readonly NodeGroupBounds[];
        readonly scaleDown: Pick<ClusterAutoscalerSettings, 'unneededMs' | 'delayAfterAddMs'>;
      }
    | undefined;
  readonly simulatedUsage: SimulatedUsage;
}

const namespace = 'kube-system';
type IngressFacts = Omit<Parameters<typeof planIngress>[0], 'slices'>;

/** Resolves when everything runs, or, with an election, when this server stands for its roles. */
export async function startControlLoops(options: ControlLoopsOptions): Promise<void> {
  const { api, clock, random, log, metrics, scope, without } = options;
  const newInformers = (of: Scope) => createInformers(api.client, { scope: of, log, clock, random });
  const shared = newInformers(scope);
  const events = createEventRecorder(api.client, { scope, clock, random, log });
  const as = (name: string, part: string) => ({
    client: createClient(api.transport, name),
    clock,
    random,
    log: log.with({ part }),
    metrics,
  });
  /** A role that can be lost and won again has informers of its own each time: nothing of the last time is left in them. */
  const within = (work: Scope) => ({
    scope: work,
    informers: options.election === null ? shared : newInformers(work),
  });

  /** undefined = no group of nodes is ours to change. */
  const autoscalerOf = async (
    parts: Omit<SimulatedNodeGroupsOptions, 'nodes' | 'bounds' | 'script' | 'version'> & {
      readonly informers: Informers;
    },
  ): Promise<ClusterAutoscalerOptions | undefined> => {
    const { simulation } = options;
    if (simulation === undefined || simulation.groups.length === 0) return undefined;
    const { SimulatedNodeGroups } = await import('../simulation/index.ts');
    const nodes = parts.informers(Node);
    const provider = new SimulatedNodeGroups({ ...simulation, ...parts, nodes, bounds: simulation.groups });
    await nodes.synced;
    await provider.ensureMinimum();
    return {
      provider,
      beginTrial: trialsWith(parts),
      settings: simulation.scaleDown,
    };
  };

  const controllers = async (work: Scope): Promise<void> => {
    const parts = { ...as('kube-controller-manager', 'controllers'), ...within(work) };
    const clusterAutoscaler = await autoscalerOf(parts);
    // Volumes that are there are looked after whether the class is made or not.
    const volumeProvisioners = [...(options.volumeProvisioners ?? []), localPathProvisioner(parts)];
    if (!without.includes('local-storage')) startLocalPathClass(parts);
    const serviceLoadBalancer = without.includes('servicelb') ? undefined : { pool: options.servicelbPool };
    const hasIngress = !without.includes('ingress');
    if (hasIngress) startIngressClass(parts);
    const ingressStatus = hasIngress
      ? { findProblems: (view: IngressFacts) => planIngress({ ...view, slices: () => [] }).problems }
      : undefined;
    const settings = {
      ...options,
      kinds,
      clusterAutoscaler,
      volumeProvisioners,
      serviceLoadBalancer,
      ingressStatus,
    };
    startControllers(allControllers(settings), { ...parts, events });
    await startGarbageCollector({ ...parts, events, kinds, log: log.with({ part: 'garbage-collector' }) });
  };
  const scheduler = (work: Scope): Promise<void> =>
    startScheduler({
      ...as('kube-scheduler', 'scheduler'),
      ...within(work),
      events,
      configuration: options.schedulerConfiguration,
    });

  const simulation = async (work: Scope): Promise<void> => {
    const { startSimulation } = await import('../simulation/index.ts');
    const parts = { ...as('kubelet', 'simulation'), ...within(work) };
    // A recorder of its own: what nodes say must not crowd out what controllers say.
    const { usage } = await startSimulation({
      ...parts,
      events: createEventRecorder(api.client, parts),
      ...options.simulation!,
    });
    options.simulatedUsage.connect(usage);
    work.onStop(() => options.simulatedUsage.disconnect());
  };

  const roles: readonly [ServerPart | 'simulation', string, (work: Scope) => Promise<void>][] = [
    ['controllers', 'kube-controller-manager', controllers],
    ['scheduler', 'kube-scheduler', scheduler],
    ['simulation', 'jotasu-simulation', simulation],
  ];
  for (const [part, name, lead] of roles) {
    if (part === 'simulation' ? options.simulation === undefined : without.includes(part)) continue;
    if (options.election === null) {
      await lead(scope);
      continue;
    }
    const election = {
      ...options.election,
      ...as(name, 'election'),
      event: events.from(name),
      namespace,
      name,
      identity: `${hostname()}_${randomUUID()}`,
    };
    scope.run(`election ${name}`, (signal) => standForElection(election, lead, signal));
  }
}
