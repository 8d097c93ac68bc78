// DynamicResources: a pod goes where its claims on devices can be had. Claims that have devices already say on which nodes; the others get
// some of the chosen node, which nobody else gets from then on. Written before the pod is bound.
import {
  canBeReserved,
  claimAwaited,
  claimReference,
  compileNodeSelectorTerms,
  DeviceClass,
  deviceClaimsOf,
  isClaimOfPod,
  isReservedForPod,
  Node,
  type NodeTest,
  notClaimOfPod,
  ResourceClaim,
  ResourceSlice,
  type resourceV1,
} from '../../api/index.ts';
import { keyOf, semanticEqual } from '../../machinery/index.ts';
import type { NodeInfo } from '../node-info.ts';
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
import { bindClaim, deallocateClaim, unreserveClaim } from './claim-pre-bind.ts';
import { allocationOf } from './device-allocation.ts';
import { findDevices, SearchBudget, SearchFailure, type Wanted, type WantedClaim } from './device-search.ts';
import { DeviceStock } from './device-stock.ts';

const reasons = [
  '',
  unresolvable('cannot allocate all claims'),
  unresolvable('resourceclaim not available on the node'),
  // In words of its own.
  unresolvable(''),
];
const noDevices = 1;
const notHere = 2;
const failed = 3;

/** Choices tried for one pod, on all nodes together: some tens of milliseconds, for which nobody else is decided on. */
const searchSteps = 100_000;

interface State {
  readonly pod: PodInfo;
  /** In the order of the pod's entries; replaced by what was written of them. */
  readonly claims: ResourceClaim[];
  /** Where claims that have devices can be used, with their place among the claims. */
  readonly reaches: readonly { readonly at: number; readonly test: NodeTest }[];
  /** Those that have none yet. */
  readonly wanted: readonly WantedClaim[];
  readonly budget: SearchBudget;
  /** By node: what each of `wanted` would get there, or why it gets nothing. */
  readonly found: Map<string, readonly resourceV1.AllocationResult[] | SearchFailure | null>;
  /** Places of claims that kept a node from being taken. */
  readonly unavailable: Set<number>;
  /** What `wanted` get, and what takes it back, once a node is chosen. */
  promised: readonly {
    readonly claim: ResourceClaim;
    readonly allocation: resourceV1.AllocationResult;
    end(): void;
  }[];
}

/** Whether the pod names the claim, or it was made for the pod. */
const uses = ({ pod }: PodInfo, claim: ResourceClaim): boolean => deviceClaimsOf(pod).includes(keyOf(claim));

const quoted = (text: string): string => JSON.stringify(text);

/** The pod's claims, or why it must wait: `made` = somebody else makes the claim for it, and it need not be told. */
function claimsOf(
  { pod, namespace }: PodInfo,
  stock: DeviceStock,
): readonly ResourceClaim[] | { readonly refusal: string; readonly made: boolean } {
  const claims: ResourceClaim[] = [];
  for (const entry of pod.spec.resourceClaims ?? []) {
    const reference = claimReference(pod, entry);
    if (reference === 'none') continue;
    if (reference === 'awaited') return { refusal: claimAwaited(pod), made: true };
    const { name, ofPod } = reference;
    const refuse = (refusal: string) => ({ refusal, made: ofPod });
    const claim = stock.claim(`${namespace}/${name}`);
    if (claim === undefined) return refuse(`could not find resource claim ${quoted(`${namespace}/${name}`)}`);
    if (claim.metadata.deletionTimestamp !== undefined)
      return refuse(`resourceclaim ${quoted(name)} is being deleted`);
    if (ofPod && !isClaimOfPod(pod, claim)) return refuse(notClaimOfPod(pod, claim));
    claims.push(claim);
  }
  return claims;
}

/** What the claim asks for, or why no node can give it. */
function wantedBy(claim: ResourceClaim, stock: DeviceStock): WantedClaim | string {
  const requests: (readonly Wanted[])[] = [];
  for (const { name, exactly, firstAvailable = [] } of claim.spec.devices?.requests ?? []) {
    const alternatives: Wanted[] = [];
    for (const given of exactly === undefined ? firstAvailable : [exactly]) {
      const full = 'name' in given ? `${name}/${given.name}` : name;
      const deviceClass = stock.deviceClass(given.deviceClassName);
      if (deviceClass === undefined)
        return `request ${full}: device class ${given.deviceClassName} does not exist`;
      const adminAccess = 'adminAccess' in given && given.adminAccess === true;
      alternatives.push({ name: full, request: name, deviceClass, given, adminAccess });
    }
    requests.push(alternatives);
  }
  return { claim, requests };
}

export const dynamicResources = definePluginFactory<State>({
  name: 'DynamicResources',

  build(context) {
    const stock = DeviceStock.of(context);
    /** For postFilter, which is told of the pod alone. */
    const states = new WeakMap<PodInfo, State>();

    const search = (
      state: State,
      node: NodeInfo,
    ): readonly resourceV1.AllocationResult[] | SearchFailure | null => {
      const known = state.found.get(node.name);
      if (known !== undefined) return known;
      let found: readonly resourceV1.AllocationResult[] | SearchFailure | null;
      try {
        const chosen = findDevices({
          claims: state.wanted,
          pools: stock.pools.on(node),
          isTaken: (id) => stock.isTaken(id),
          budget: state.budget,
        });
        found =
          chosen === undefined ? null : state.wanted.map(({ claim }, i) => allocationOf(claim, chosen[i]!));
      } catch (error) {
        if (!(error instanceof SearchFailure)) throw error;
        found = error;
      }
      state.found.set(node.name, found);
      return found;
    };

    return definePlugin<State>({
      name: 'DynamicResources',
      reasons,
      wakeOn: [
        wakeOn(Node, 'add'),
        wakeOn(Node, 'update', (_, now, old) => !semanticEqual(now.metadata.labels, old?.metadata.labels)),
        wakeOn(ResourceClaim, 'add', uses),
        wakeOn(ResourceClaim, 'update', (waiting, claim, old) => {
          const freed = old?.status?.allocation !== undefined && claim.status?.allocation === undefined;
          return freed || (uses(waiting, claim) && !semanticEqual(claim.status, old?.status));
        }),
        wakeOn(ResourceClaim, 'delete', (_, claim) => claim.status?.allocation !== undefined),
        wakeOn(DeviceClass, 'add'),
        wakeOn(DeviceClass, 'update'),
        wakeOn(ResourceSlice, 'add'),
        wakeOn(ResourceSlice, 'update'),
      ],

      gate(pod) {
        if (pod.pod.spec.resourceClaims === undefined) return undefined;
        const claims = claimsOf(pod, stock);
        return 'refusal' in claims && claims.made ? claims.refusal : undefined;
      },

      preFilter(pod) {
        if (pod.pod.spec.resourceClaims === undefined) return undefined;
        states.delete(pod);
        const claims = claimsOf(pod, stock);
        if ('refusal' in claims) return new PodRefusal(claims.refusal);
        if (claims.length === 0) return undefined;
        const reaches: { at: number; test: NodeTest }[] = [];
        const wanted: WantedClaim[] = [];
        for (const [at, claim] of claims.entries()) {
          const allocation = claim.status?.allocation;
          if (allocation !== undefined) {
            if (!canBeReserved(claim) && !isReservedForPod(pod.pod, claim))
              return new PodRefusal('resourceclaim in use');
            const terms = allocation.nodeSelector?.nodeSelectorTerms;
            if (terms !== undefined) reaches.push({ at, test: compileNodeSelectorTerms(terms) });
            continue;
          }
          if (stock.isPromised(claim))
            return new PodRefusal(`resource claim ${keyOf(claim)} is in the process of being allocated`);
          const wants = wantedBy(claim, stock);
          if (typeof wants === 'string') return new PodRefusal(wants);
          // An entry may stand twice.
          if (!wanted.some((other) => other.claim === claim)) wanted.push(wants);
        }
        const state: State = {
          pod,
          claims: [...claims],
          reaches,
          wanted,
          budget: new SearchBudget(searchSteps),
          found: new Map(),
          unavailable: new Set(),
          promised: [],
        };
        states.set(pod, state);
        return state;
      },
      skipFilter: ({ wanted, reaches }) => wanted.length === 0 && reaches.length === 0,

      filter(state, node) {
        if (state.wanted.length > 0) {
          const found = search(state, node);
          if (found === null) return noDevices;
          if (found instanceof SearchFailure) return failed;
        }
        let refusal = fits;
        for (const { at, test } of state.reaches)
          if (!test(node)) {
            state.unavailable.add(at);
            refusal = notHere;
          }
        return refusal;
      },
      explain(state, node) {
        const found = state.wanted.length === 0 ? undefined : search(state, node);
        if (found instanceof SearchFailure) return [found.message];
        return [reasonText(reasons[found === null ? noDevices : notHere]!)];
      },

      reserve(state, node) {
        if (state.wanted.length === 0) return undefined;
        const found = search(state, node);
        if (found === null || found instanceof SearchFailure) return 'claim allocation not found for node';
        state.promised = state.wanted.map(({ claim }, i) => {
          const allocation = found[i]!;
          return { claim, allocation, end: stock.promise(claim, allocation) };
        });
        return undefined;
      },
      unreserve(state) {
        for (const { end } of state.promised) end();
        state.promised = [];
        const { pod } = state.pod;
        for (const claim of state.claims)
          if (claim.status?.allocation !== undefined && isReservedForPod(pod, claim))
            context.background('unreserve claim', () => unreserveClaim(context.client, claim, pod));
      },
      async preBind({ pod, claims, promised }, _, signal) {
        for (const [i, claim] of claims.entries()) {
          if (isReservedForPod(pod.pod, claim)) continue;
          const promise = promised.find((one) => one.claim === claim);
          const allocation = promise?.allocation;
          const written = await bindClaim(context.client, { claim, pod: pod.pod, allocation }, signal);
          claims[i] = written;
          // In this order, so that nobody sees the devices free in between.
          stock.assume(written);
          promise?.end();
        }
      },

      postFilter({ pod }) {
        if (pod.pod.spec.resourceClaims === undefined) return undefined;
        const state = states.get(pod);
        if (state === undefined) return { message: 'no new claims to deallocate' };
        for (const at of state.unavailable) {
          const claim = state.claims[at]!;
          const users = claim.status?.reservedFor ?? [];
          if (users.some(({ uid }) => uid !== pod.uid)) continue;
          context.background('deallocate claim', () => deallocateClaim(context.client, claim));
          return { message: 'deallocation of ResourceClaim completed' };
        }
        return { message: 'still not schedulable' };
      },
    });
  },
});
