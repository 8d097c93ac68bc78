// Why a container has no log that could be shown: nothing of it has run yet. Pure; words as the kubelet's.
import type { coreV1 } from '../../api/index.ts';

/** `status`: the pod's newest, as far as there is one. */
export function noLogYet(
  { container, pod }: { readonly container: string; readonly pod: string },
  status: coreV1.PodStatus | undefined,
): string {
  const statuses = [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
    ...(status?.ephemeralContainerStatuses ?? []),
  ];
  const found = statuses.find(({ name }) => name === container);
  const it = `container "${container}" in pod "${pod}"`;
  if (found === undefined) return `${it} is not available`;
  const { reason } = found.state?.waiting ?? {};
  if (reason === undefined) return `${it} is waiting to start - no logs yet`;
  return `${it} is waiting to start: ${pulls.get(reason) ?? reason}`;
}

const pulls: ReadonlyMap<string, string> = new Map([
  ['ErrImagePull', "image can't be pulled"],
  ['ImagePullBackOff', 'trying and failing to pull image'],
]);
