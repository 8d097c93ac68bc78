// Node lifecycle: hears the heartbeats, says which nodes are unreachable or out of service, and marks their pods not ready.
import { Lease, Node, Pod } from '../../api/index.ts';
import { formatTime, isNotFound } from '../../machinery/index.ts';
import { type Controller, defineController, maps } from '../framework/index.ts';
import { readyCondition } from '../pod-facts.ts';
import {
  cutOffZones,
  type Health,
  healthOf,
  type LifecycleOptions,
  planTaints,
  planUnknown,
  zoneOf,
} from './plan.ts';

const leaseNamespace = 'kube-node-lease';

/** What a heartbeat changes: the renewal, or the time in a condition. */
function heartbeatOf(node: Node, lease: Lease | undefined): string {
  const ready = node.status?.conditions?.find((c) => c.type === 'Ready');
  return `${lease?.spec?.renewTime ?? ''} ${ready?.lastHeartbeatTime ?? ''}`;
}

interface Observed {
  heartbeat: string;
  atMs: number;
  /** When it was first found unreachable; 0 = it is not. */
  silentSinceMs: number;
}

export function nodeLifecycleController(options: LifecycleOptions): Controller {
  return defineController({
    name: 'node-lifecycle',
    reconciles: Node,
    watches: [maps(Lease, (lease) => [lease.metadata.name], { selection: { namespace: leaseNamespace } })],
    concurrency: 4,

    build({ clock, lister, client, event, enqueueAfter, enqueue }) {
      const nodes = lister(Node);
      const leases = lister(Lease, { namespace: leaseNamespace });
      const pods = lister(Pod);
      const observed = new Map<string, Observed>();
      const cutOff = new Map<string, boolean>();

      /** Time counts from when this server saw the heartbeat change: the node's own clock may be wrong. */
      function observe(node: Node): Observed {
        const heartbeat = heartbeatOf(node, leases.get(`${leaseNamespace}/${node.metadata.name}`));
        let seen = observed.get(node.metadata.name);
        if (seen === undefined)
          observed.set(
            node.metadata.name,
            (seen = { heartbeat, atMs: clock.monotonicMs(), silentSinceMs: 0 }),
          );
        else if (seen.heartbeat !== heartbeat) {
          seen.heartbeat = heartbeat;
          seen.atMs = clock.monotonicMs();
        }
        return seen;
      }

      const health = (node: Node): Health => healthOf(node, observe(node), clock.monotonicMs(), options);

      /** A zone that falls silent or comes back changes what its nodes may get: they are looked at again. */
      function isCutOff(zone: string): boolean {
        const all = nodes.list().map((node) => ({ zone: zoneOf(node), health: health(node) }));
        const zones = cutOffZones(all, options);
        for (const known of new Set(all.map((n) => n.zone))) {
          if (cutOff.get(known) === zones.has(known)) continue;
          cutOff.set(known, zones.has(known));
          for (const node of nodes.list()) if (zoneOf(node) === known) enqueue(node.metadata.name);
        }
        return zones.has(zone);
      }

      return async function reconcile(name) {
        const node = nodes.get(name);
        if (node === undefined) {
          observed.delete(name);
          return;
        }
        const seen = observe(node);
        const now = clock.monotonicMs();
        const state = health(node);
        if (state !== 'unreachable') seen.silentSinceMs = 0;
        else if (seen.silentSinceMs === 0) seen.silentSinceMs = now;

        if (state === 'unreachable') {
          const conditions = planUnknown(node, clock.nowMs());
          if (conditions !== undefined) {
            event(node, 'Normal', 'NodeNotReady', `Node ${name} status is now: NodeNotReady`);
            await client(Node).patch({ name, subresource: 'status' }, 'strategic', {
              status: { conditions },
            });
          }
        }
        const due = seen.silentSinceMs + options.outOfServiceAfterMs;
        const mayEvict =
          state === 'unreachable' && options.outOfServiceAfterMs > 0 && !isCutOff(zoneOf(node));
        const taints = planTaints(node, state, mayEvict && now >= due, clock.nowMs());
        if (taints !== undefined) {
          await client(Node).patch({ name }, 'merge', {
            metadata: { resourceVersion: undefined },
            spec: { taints },
          });
        }
        if (state !== 'ready') await markPodsNotReady(name);
        if (state !== 'unreachable')
          enqueueAfter(name, Math.max(1, seen.atMs + options.gracePeriodMs - now + 1));
        else if (mayEvict && now < due) enqueueAfter(name, due - now);
      };

      async function markPodsNotReady(nodeName: string): Promise<void> {
        for (const pod of pods.byIndex('byNode', nodeName)) {
          const ready = readyCondition(pod);
          if (ready?.status !== 'True') continue;
          const { name, namespace } = pod.metadata;
          const condition = { type: 'Ready', status: 'False', lastTransitionTime: formatTime(clock.nowMs()) };
          event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
          try {
            await client(Pod).patch({ name, namespace, subresource: 'status' }, 'strategic', {
              status: { conditions: [condition] },
            });
          } catch (error) {
            if (!isNotFound(error)) throw error;
          }
        }
      }
    },
  });
}
