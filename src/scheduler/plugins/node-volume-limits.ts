// NodeVolumeLimits: a driver attaches only so many volumes to a node. CSINode says how many; a volume counts once, however many pods use
// it there.
import {
  CSINode,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
  storageClassOf,
} from '../../api/index.ts';
import { keyOf } from '../../machinery/index.ts';
import type { NodeInfo } from '../node-info.ts';
import { definePlugin, definePluginFactory, fits, wakeOn } from '../plugin.ts';

const tooMany = 1;

interface Attached {
  readonly driver: string;
  /** Distinguishes volumes of the driver. */
  readonly handle: string;
}

/** Handles of volumes that the pod needs, by driver. */
type State = ReadonlyMap<string, ReadonlySet<string>>;

const countOf = ({ spec }: CSINode, driver: string): number | undefined =>
  spec.drivers.find(({ name }) => name === driver)?.allocatable?.count;

export const nodeVolumeLimits = definePluginFactory<State>({
  name: 'NodeVolumeLimits',

  build(context) {
    const claims = context.watch(PersistentVolumeClaim);
    const volumes = context.watch(PersistentVolume);
    const classes = context.watch(StorageClass);
    const csiNodes = context.watch(CSINode);

    /** What the claim attaches, or will; undefined = nothing that is counted. */
    function attachedFor(key: string): Attached | undefined {
      const claim = claims.get(key);
      if (claim === undefined) return undefined;
      const { volumeName } = claim.spec;
      const volume = volumeName ? volumes.get(volumeName) : undefined;
      if (volume !== undefined) {
        const { csi } = volume.spec;
        return csi && { driver: csi.driver, handle: csi.volumeHandle };
      }
      // Its volume will come from the driver that its class names; until then the claim stands for it.
      const driver = classes.get(storageClassOf(claim))?.provisioner;
      return driver === undefined ? undefined : { driver, handle: `claim ${key}` };
    }

    /** Volumes that are there already need no room, even where there are too many. */
    function exceeds(
      node: NodeInfo,
      driver: string,
      { wanted, limit }: { readonly wanted: ReadonlySet<string>; readonly limit: number },
    ): boolean {
      const here = new Set<string>();
      for (const key of node.claims.keys()) {
        const attached = attachedFor(key);
        if (attached?.driver === driver) here.add(attached.handle);
      }
      let more = 0;
      for (const handle of wanted) if (!here.has(handle)) more++;
      return more > 0 && here.size + more > limit;
    }

    return definePlugin<State>({
      name: 'NodeVolumeLimits',
      reasons: ['', 'node(s) exceed max volume count'],
      wakeOn: [
        wakeOn(CSINode, 'add'),
        wakeOn(CSINode, 'update', (_, now, old) =>
          now.spec.drivers.some(
            ({ name, allocatable }) =>
              old === undefined || (allocatable?.count ?? Infinity) > (countOf(old, name) ?? Infinity),
          ),
        ),
        wakeOn(Pod, 'delete', (_, pod) =>
          (pod.spec.volumes ?? []).some(
            (v) => v.persistentVolumeClaim !== undefined || v.ephemeral !== undefined,
          ),
        ),
        wakeOn(
          PersistentVolumeClaim,
          'add',
          (waiting, claim) => waiting.claims?.includes(keyOf(claim)) ?? false,
        ),
      ],

      preFilter(pod) {
        const state = new Map<string, Set<string>>();
        for (const key of pod.claims ?? []) {
          const attached = attachedFor(key);
          if (attached === undefined) continue;
          const handles = state.get(attached.driver);
          if (handles === undefined) state.set(attached.driver, new Set([attached.handle]));
          else handles.add(attached.handle);
        }
        return state.size === 0 ? undefined : state;
      },
      filter(state, node) {
        const csiNode = csiNodes.get(node.name);
        if (csiNode === undefined) return fits;
        for (const [driver, wanted] of state) {
          const limit = countOf(csiNode, driver);
          if (limit !== undefined && exceeds(node, driver, { wanted, limit })) return tooMany;
        }
        return fits;
      },
    });
  },
});
