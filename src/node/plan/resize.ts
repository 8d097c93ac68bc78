// Resources of a running pod that are changed in place: whether the node grants what the pod now wants, what a container then needs,
// and what people are told meanwhile. Pure; words, reasons and conditions are the kubelet's since 1.33.
import { type coreV1, isSidecar, type Node, type Pod, podRequests } from '../../api/index.ts';
import { mustParseQuantity, semanticEqual, toMilli, toValue } from '../../machinery/index.ts';
import { insufficient, lacking } from './admission.ts';

/** By container: what the node has granted. */
export type Grants = ReadonlyMap<string, coreV1.ResourceRequirements>;

/** Containers whose resources may change while they run. */
export const resizableContainers = (pod: Pod): coreV1.Container[] => [
  ...(pod.spec.initContainers ?? []).filter(isSidecar),
  ...pod.spec.containers,
];

/** What a pod asks for now. */
export const grantsOf = (pod: Pod): Grants =>
  new Map(resizableContainers(pod).map((c) => [c.name, c.resources ?? {}]));

/** The pod as far as it has been granted: the same object when that is all of it. */
export function withGrants(pod: Pod, grants: Grants | undefined): Pod {
  if (grants === undefined) return pod;
  let changed = false;
  const grant = (container: coreV1.Container): coreV1.Container => {
    const granted = grants.get(container.name);
    if (granted === undefined || semanticEqual(granted, container.resources ?? {})) return container;
    changed = true;
    return { ...container, resources: granted };
  };
  const containers = pod.spec.containers.map(grant);
  const initContainers = pod.spec.initContainers?.map(grant);
  if (!changed) return pod;
  return {
    ...pod,
    spec: { ...pod.spec, containers, ...(initContainers !== undefined && { initContainers }) },
  };
}

/**
 * What had been granted before the agent was restarted, as the API tells it: allocated requests, and the limits in force unless the
 * rest of the wish has come true. undefined = it tells nothing.
 */
export function grantsFromStatus(pod: Pod): Grants | undefined {
  const statuses = [...(pod.status?.initContainerStatuses ?? []), ...(pod.status?.containerStatuses ?? [])];
  const grants = new Map<string, coreV1.ResourceRequirements>();
  for (const container of resizableContainers(pod)) {
    const said = statuses.find((s) => s.name === container.name);
    if (said?.resources === undefined) continue;
    const wanted = container.resources ?? {};
    const allocated = said.allocatedResources ?? said.resources.requests;
    const came = semanticEqual(allocated ?? {}, wanted.requests ?? {});
    grants.set(
      container.name,
      came ? wanted : { ...said.resources, ...(allocated !== undefined && { requests: allocated }) },
    );
  }
  return grants.size === 0 ? undefined : grants;
}

export type ResizeVerdict =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'grant' }
  | { readonly kind: 'pending'; readonly reason: 'Deferred' | 'Infeasible'; readonly message: string };

export interface ResizeInput {
  /** As its author wants it. */
  readonly pod: Pod;
  readonly granted: Grants;
  /** The other pods on the node, as far as they have been granted. */
  others(): readonly Pod[];
  readonly node: Node;
  readonly isStatic: boolean;
}

/** Whether the node grants what the pod wants now. What could never be is told apart from what may be later. */
export function reviewResize({ pod, granted, others, node, isStatic }: ResizeInput): ResizeVerdict {
  if (withGrants(pod, granted) === pod) return { kind: 'nothing' };
  const pending = (reason: 'Deferred' | 'Infeasible', message: string): ResizeVerdict => ({
    kind: 'pending',
    reason,
    message,
  });
  if (isStatic) return pending('Infeasible', 'In-place resize of static-pods is not supported');
  // What it holds now is not asked for twice.
  const { status: _, ...wish } = pod;
  const requests = podRequests(wish as Pod);
  const allocatable = node.status?.allocatable;
  if (allocatable === undefined) return pending('Deferred', 'Node has not reported its resources yet');
  for (const resource of ['memory', 'cpu']) {
    const parsed = mustParseQuantity(allocatable[resource] ?? '0');
    const capacity = resource === 'cpu' ? toMilli(parsed) : toValue(parsed);
    const requested = requests[resource] ?? 0;
    if (requested > capacity)
      return pending(
        'Infeasible',
        `Node didn't have enough capacity: ${resource}, requested: ${requested}, capacity: ${capacity}`,
      );
  }
  const need = lacking({ pod: wish as Pod, others: others(), node })[0];
  return need === undefined ? { kind: 'grant' } : pending('Deferred', insufficient(need));
}

const resizedNames = ['cpu', 'memory'] as const;

/** From the resources that a running container has to those it was granted. */
export function planContainerResize(
  container: coreV1.Container,
  actual: coreV1.ResourceRequirements,
): 'nothing' | 'update' | 'restart' {
  const wanted = container.resources ?? {};
  let answer: 'nothing' | 'update' | 'restart' = 'nothing';
  for (const name of resizedNames) {
    const same = (list: 'requests' | 'limits') =>
      amount(name, wanted[list]?.[name]) === amount(name, actual[list]?.[name]);
    if (same('requests') && same('limits')) continue;
    const policy = container.resizePolicy?.find((p) => p.resourceName === name)?.restartPolicy;
    if (policy === 'RestartContainer') return 'restart';
    answer = 'update';
  }
  return answer;
}

function amount(name: 'cpu' | 'memory', quantity: string | undefined): number | undefined {
  if (quantity === undefined) return undefined;
  const parsed = mustParseQuantity(quantity);
  return name === 'cpu' ? toMilli(parsed) : toValue(parsed);
}

/** `Pod resize started: {"containers":[…],"generation":2}`: the message of a resize's events. */
export function resizeMessage(
  what: string,
  { pod, generation, error }: { pod: Pod; generation: number | undefined; error?: string | undefined },
): string {
  const listed = (containers: readonly coreV1.Container[]) =>
    containers.map(({ name, resources }) => {
      const { limits, requests } = resources ?? {};
      return {
        name,
        resources: {
          ...(limits && { limits: sorted(limits) }),
          ...(requests && { requests: sorted(requests) }),
        },
      };
    });
  const sidecars = (pod.spec.initContainers ?? []).filter(isSidecar);
  const summary = {
    ...(sidecars.length > 0 && { initContainers: listed(sidecars) }),
    containers: listed(pod.spec.containers),
    generation: generation ?? 0,
    ...(error !== undefined && { error }),
  };
  return `Pod resize ${what}: ${JSON.stringify(summary)}`;
}

const sorted = (list: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(list).sort(([a], [b]) => (a < b ? -1 : 1)));

/** What the conditions of a pod say about its resize. */
export interface ResizeState {
  readonly pending?:
    | {
        readonly reason: 'Deferred' | 'Infeasible';
        readonly message: string;
        readonly generation: number | undefined;
      }
    | undefined;
  readonly inProgress?:
    | { readonly generation: number | undefined; readonly error?: string | undefined }
    | undefined;
}
