// Node lifecycle: hears the heartbeats, says which nodes are unreachable or out of service, and marks their pods not ready.
// A heartbeat only notes the time: a node is looked at when its grace would end, not each time it says that it is alive.
import { getCondition, Lease, Node, Pod } from '../../api/index.ts';
import { formatTime, isNotFound } from '../../machinery/index.ts';
import { type Controller, type ControllerContext, defineController } from '../framework/index.ts';
import {
  excuseMs,
  graceEndsMs,
  healthOf,
  isEvicting,
  isExcluded,
  type LifecycleOptions,
  planTaints,
  planUnknown,
  settleMs,
  zoneOf,
} from './plan.ts';
import { type Health, type Judged, Zones } from './zones.ts';

const leaseNamespace = 'kube-node-lease';

/** A node as it was heard of. Times are those of this server. */
interface Observed {
  atMs: number;
  leaseMs: number | undefined;
  /** Of the Ready condition: an agent without a Lease beats there. */
  statusBeat: string | undefined;
  /** As of the last look; undefined = not looked at yet. */
  health: Health | undefined;
  /** From when its state counts against it: when it was found silent or not ready, or later; 0 = it is ready. */
  silentSinceMs: number;
  /** It has had its turn to be given up. */
  givenUp: boolean;
  podsMarked: boolean;
  /** The end of a grace after which it was given more time. */
  excusedMs: number;
}

export function nodeLifecycleController(options: LifecycleOptions): Controller {
  return defineController({
    name: 'node-lifecycle',
    component: 'node-controller',
    reconciles: Node,
    concurrency: 4,

    build(context) {
      const { clock, lister, informer, client, event, enqueueAfter, enqueueAt, enqueue } = context;
      const nodes = informer(Node);
      lister(Pod);
      const observed = new Map<string, Observed>();
      const zones = new Zones(options);

      function observe(name: string): Observed {
        let seen = observed.get(name);
        if (seen === undefined) {
          seen = {
            atMs: clock.monotonicMs(),
            leaseMs: undefined,
            statusBeat: undefined,
            health: undefined,
            silentSinceMs: 0,
            givenUp: false,
            podsMarked: false,
            excusedMs: 0,
          };
          observed.set(name, seen);
        }
        return seen;
      }

      /** Only a renewal counts: a Lease that somebody else touches does not show that the node is alive. */
      function hear({ metadata: { name }, spec }: Lease): void {
        const seen = observe(name);
        seen.atMs = clock.monotonicMs();
        const before = seen.leaseMs ?? Number.POSITIVE_INFINITY;
        seen.leaseMs = (spec?.leaseDurationSeconds ?? 0) * 1000;
        // With its first Lease, or a shorter one, its grace ends sooner than it was to be looked at.
        if (seen.health === 'unreachable' || seen.leaseMs < before) enqueue(name);
      }

      /**
       * A zone fell silent or came back. When it comes back its nodes are heard one after the other: those that are still silent
       * get a whole grace from now, or the first to return would be the end of all others.
       */
      function judgedAnew({ changed, relieved }: Judged): void {
        for (const name of relieved) {
          const seen = observed.get(name);
          if (seen?.health === 'unreachable') {
            seen.silentSinceMs = clock.monotonicMs() + options.gracePeriodMs;
            seen.givenUp = false;
          }
        }
        for (const name of changed) enqueue(name);
      }

      informer(Lease, { namespace: leaseNamespace }).onChange({
        added: hear,
        updated: (old, lease) => {
          if (old.spec?.renewTime !== lease.spec?.renewTime) hear(lease);
        },
      });
      nodes.onChange({
        deleted: (node) => {
          const { name } = node.metadata;
          observed.delete(name);
          event(node, 'Normal', 'RemovingNode', `Node ${name} event: Removing Node ${name} from Controller`);
        },
      });

      return async function reconcile(name) {
        const found = nodes.get(name);
        if (found === undefined) {
          judgedAnew(zones.delete(name));
          return;
        }
        let node: Node = found;
        const seen = observe(name);
        const now = clock.monotonicMs();
        const beat = readyOf(node)?.lastHeartbeatTime;
        if (seen.statusBeat !== beat) {
          if (seen.health !== undefined) seen.atMs = now;
          seen.statusBeat = beat;
        }
        const graceEndMs = graceEndsMs(seen, options);
        const excuse = excuseMs(now - graceEndMs, options);
        if (seen.health === 'ready' && excuse > 0 && seen.excusedMs !== graceEndMs) {
          seen.excusedMs = graceEndMs;
          enqueueAfter(name, excuse);
          return;
        }
        const health = healthOf(node, graceEndMs, now);
        if (seen.health === undefined)
          event(
            node,
            'Normal',
            'RegisteredNode',
            `Node ${name} event: Registered Node ${name} in Controller`,
          );
        if (seen.health === 'ready' && health !== 'ready')
          event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
        seen.health = health;
        if (health === 'ready') {
          seen.silentSinceMs = 0;
          seen.givenUp = false;
        } else if (seen.silentSinceMs === 0) seen.silentSinceMs = now;
        const zone = zoneOf(node);
        judgedAnew(isExcluded(node) ? zones.delete(name) : zones.set(name, zone, health));

        const conditions = health === 'unreachable' ? planUnknown(node, clock.nowMs()) : undefined;
        if (conditions !== undefined) {
          const patch = { status: { conditions } };
          node = await client(Node).patch({ name, subresource: 'status' }, 'strategic', patch);
        }
        const outOfServiceMs =
          health === 'unreachable' && options.outOfServiceAfterMs > 0 && !zones.isCutOff(zone)
            ? seen.silentSinceMs + options.outOfServiceAfterMs
            : undefined;
        const giveUpMs = health === 'ready' ? undefined : nextTurn(node, seen, now);
        const evicting = giveUpMs === 0;
        const outOfService = evicting && outOfServiceMs !== undefined && now >= outOfServiceMs;
        const taints = planTaints(node, { health, evicting, outOfService, nowMs: clock.nowMs() });
        if (taints !== undefined) {
          // A list of taints is written as a whole: somebody else's must not get lost.
          const { resourceVersion } = node.metadata;
          await client(Node).patch({ name }, 'merge', { metadata: { resourceVersion }, spec: { taints } });
        }
        if (health === 'ready') seen.podsMarked = false;
        else if (!seen.podsMarked) {
          await markPodsNotReady(context, name);
          seen.podsMarked = true;
        }
        // Heard in time means nothing to do, so a node that is well is not looked at each time its grace would have ended.
        if (health === 'ready') enqueueAt(name, () => graceEndsMs(seen, options) + 1);
        else if (health === 'notReady') enqueueAfter(name, Math.max(1, graceEndMs - now + 1));
        if (giveUpMs !== undefined && giveUpMs > 0) enqueueAfter(name, giveUpMs);
        else if (outOfServiceMs !== undefined && now < outOfServiceMs)
          enqueueAfter(name, outOfServiceMs - now);
      };

      /**
       * When the pods of a node that is not ready may be driven away: 0 = now; undefined = not before its zone is judged
       * differently. A node whose pods are already driven away goes on, unless nobody anywhere is heard.
       */
      function nextTurn(node: Node, seen: Observed, now: number): number | undefined {
        const zone = zoneOf(node);
        if (zones.stateOf(zone) === 'everywhere') {
          seen.givenUp = false;
          return undefined;
        }
        if (isEvicting(node) || seen.givenUp) return 0;
        const settling = seen.silentSinceMs + settleMs - now;
        if (settling > 0) return settling;
        const waitMs = zones.takeTurn(zone, now);
        if (waitMs === 0) seen.givenUp = true;
        return waitMs;
      }
    },
  });
}

const readyOf = (node: Node) => node.status?.conditions?.find((c) => c.type === 'Ready');

/** Once when a node falls silent: services stop sending to its pods. */
async function markPodsNotReady(
  { clock, lister, client, event }: ControllerContext,
  nodeName: string,
): Promise<void> {
  for (const pod of lister(Pod).byIndex('byNode', nodeName)) {
    const ready = getCondition(pod, 'Ready');
    if (ready?.status !== 'True') continue;
    const { name, namespace, uid } = pod.metadata;
    const condition = { type: 'Ready', status: 'False', lastTransitionTime: formatTime(clock.nowMs()) };
    try {
      await client(Pod).patch({ name, namespace, subresource: 'status' }, 'strategic', {
        metadata: { uid },
        status: { conditions: [condition] },
      });
      event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}
