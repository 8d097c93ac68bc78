// VolumeBinding: a pod goes where its volumes can be reached. Claims that wait for their first consumer get a volume there: one that is
// free, or one that is made.
import {
  type ClaimNeeds,
  CSIDriver,
  CSIStorageCapacity,
  isFullyBound,
  isMadeFor,
  Node,
  needsOf,
  notMadeFor,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
  storageClassOf,
  waitsForConsumer,
} from '../../api/index.ts';
import { compareQuantity, keyOf, semanticEqual } from '../../machinery/index.ts';
import { fieldsOf, wholeOf } from '../arguments.ts';
import {
  definePlugin,
  definePluginFactory,
  fits,
  PodRefusal,
  reasonText,
  unresolvable,
  wakeOn,
} from '../plugin.ts';
import type { PodInfo } from '../pod-info.ts';
import { VolumePreBind } from './volume-pre-bind.ts';
import { type Binding, findBound, type PodClaims, VolumeSearch, volumeLimit } from './volume-search.ts';
import { isReachedByAll, VolumeStock } from './volume-stock.ts';

const name = 'VolumeBinding';
const reasons = [
  '',
  unresolvable('node(s) had volume node affinity conflict'),
  unresolvable("node(s) didn't find available persistent volumes to bind"),
  unresolvable('node(s) did not have enough free storage'),
  unresolvable('node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)'),
];

interface Args {
  readonly bindTimeoutMs: number;
}

/** What was taken for the pod. */
interface Reserved {
  readonly bindings: readonly Binding[];
  readonly provisions: readonly PersistentVolumeClaim[];
  readonly giveBack: readonly (() => void)[];
}

interface State extends PodClaims {
  readonly pod: PodInfo;
  reserved: Reserved | null;
}

const uses = ({ claims }: PodInfo, claim: PersistentVolumeClaim): boolean =>
  claims?.includes(keyOf(claim)) ?? false;

const bySize = (a: ClaimNeeds, b: ClaimNeeds): number => compareQuantity(a.size, b.size);

/** Gathers the pod's claims, or says why it cannot be placed with them. */
function claimsOf(pod: PodInfo, stock: VolumeStock): PodClaims | PodRefusal {
  const volumes: (PersistentVolume | undefined)[] = [];
  const waiting: ClaimNeeds[] = [];
  let notBound = false;
  for (const volume of pod.pod.spec.volumes ?? []) {
    const { persistentVolumeClaim, ephemeral } = volume;
    if (persistentVolumeClaim === undefined && ephemeral === undefined) continue;
    const claimName = persistentVolumeClaim?.claimName ?? `${pod.pod.metadata.name}-${volume.name}`;
    const claim = stock.claim(`${pod.namespace}/${claimName}`);
    const text = JSON.stringify(claimName);
    if (claim === undefined)
      return new PodRefusal(
        ephemeral === undefined
          ? `persistentvolumeclaim ${text} not found`
          : `waiting for ephemeral volume controller to create the persistentvolumeclaim ${text}`,
      );
    const { volumeName = '' } = claim.spec;
    if (claim.status?.phase === 'Lost')
      return new PodRefusal(
        `persistentvolumeclaim ${text} bound to non-existent persistentvolume ${JSON.stringify(volumeName)}`,
      );
    if (claim.metadata.deletionTimestamp !== undefined)
      return new PodRefusal(`persistentvolumeclaim ${text} is being deleted`);
    if (ephemeral !== undefined && !isMadeFor(pod.pod, claim))
      return new PodRefusal(notMadeFor(pod.pod, claim));
    if (isFullyBound(claim)) volumes.push(stock.volume(volumeName));
    else if (volumeName === '' && waitsForConsumer(stock.storageClass(storageClassOf(claim))))
      waiting.push(needsOf(claim));
    else notBound = true;
  }
  if (notBound) return new PodRefusal('pod has unbound immediate PersistentVolumeClaims');
  return { volumes, waiting: waiting.sort(bySize) };
}

export const volumeBinding = definePluginFactory<State, Args>({
  name,

  readArgs(given) {
    const { bindTimeoutSeconds } = fieldsOf(given, '', ['bindTimeoutSeconds']);
    const range = { least: 0, most: 2 ** 31 - 1 };
    return { bindTimeoutMs: wholeOf(bindTimeoutSeconds ?? 600, 'bindTimeoutSeconds', range) * 1000 };
  },

  build(context, { bindTimeoutMs }) {
    const stock = VolumeStock.of(context);
    const search = new VolumeSearch(context, stock);
    const preBind = new VolumePreBind(context, stock, bindTimeoutMs);
    return definePlugin<State>({
      name,
      reasons,
      wakeOn: [
        wakeOn(StorageClass, 'add'),
        wakeOn(
          StorageClass,
          'update',
          (_, now, old) => !semanticEqual(now.allowedTopologies, old?.allowedTopologies),
        ),
        wakeOn(PersistentVolumeClaim, 'add', uses),
        wakeOn(PersistentVolumeClaim, 'update', uses),
        wakeOn(PersistentVolume, 'add'),
        wakeOn(PersistentVolume, 'update'),
        wakeOn(Node, 'add'),
        wakeOn(Node, 'update', (_, now, old) => !semanticEqual(now.metadata.labels, old?.metadata.labels)),
        wakeOn(
          CSIDriver,
          'update',
          (_, now, old) => old?.spec.storageCapacity === true && now.spec.storageCapacity !== true,
        ),
        wakeOn(CSIStorageCapacity, 'add'),
        wakeOn(CSIStorageCapacity, 'update', (_, now, old) => {
          const [limit, before] = [volumeLimit(now), old && volumeLimit(old)];
          return limit !== undefined && (before === undefined || compareQuantity(limit, before) > 0);
        }),
      ],

      preFilter(pod) {
        if (pod.claims === null) return undefined;
        const claims = claimsOf(pod, stock);
        return claims instanceof PodRefusal ? claims : { ...claims, pod, reserved: null };
      },
      skipFilter: ({ volumes, waiting }) =>
        waiting.length === 0 && volumes.every((volume) => volume !== undefined && isReachedByAll(volume)),
      filter: (state, node) =>
        state.waiting.length === 0
          ? findBound(state.volumes, node)
          : (search.find(state, node).against[0] ?? fits),
      explain: (state, node) =>
        search.find(state, node).against.map((reason) => reasonText(reasons[reason]!)),

      reserve(state, node) {
        if (state.waiting.length === 0) return undefined;
        const { against, bindings, provisions } = search.find(state, node);
        if (against.length > 0) return reasonText(reasons[against[0]!]!);
        const giveBack = [
          ...bindings.map(({ volume, claim }) => stock.promise(volume.metadata.name, keyOf(claim))),
          ...provisions.map((claim) => stock.select(keyOf(claim), node.name)),
        ];
        state.reserved = { bindings, provisions, giveBack };
        return undefined;
      },
      unreserve(state) {
        for (const giveBack of state.reserved?.giveBack ?? []) giveBack();
        state.reserved = null;
      },
      async preBind(state, node, signal) {
        const { pod, reserved } = state;
        if (reserved === null) return;
        await preBind.run({ pod, node, ...reserved }, signal);
        // What was promised is written now, and seen.
        for (const giveBack of reserved.giveBack) giveBack();
      },
    });
  },
});
