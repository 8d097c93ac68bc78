// The two ways to change a pod that its own PUT forbids: containers added to debug it (pods/ephemeralcontainers), and resources
// changed in place (pods/resize). Each first takes over everything it may not change, then judges what is left.
import { type Causes, FieldAt, semanticEqual } from '../../../../machinery/index.ts';
import type { Container, Pod, ResourceRequirements } from '../../../generated/core-v1.ts';
import { isSidecar } from './containers.ts';
import { qosClass } from './qos.ts';
import { mirrorPodAnnotation } from './validation/annotations.ts';
import { validatePodAsWhole } from './validation/create.ts';

/** Mutates `pod`: all but spec.ephemeralContainers is that of `old`. */
export function prepareEphemeralContainers(pod: Pod, old: Pod): void {
  const { ephemeralContainers } = pod.spec;
  keepOthers(pod, old);
  if (ephemeralContainers === undefined) delete pod.spec.ephemeralContainers;
  else pod.spec.ephemeralContainers = ephemeralContainers;
}

/** Ephemeral containers may be added, never changed or removed. Pure. */
export function validateEphemeralContainersUpdate(pod: Pod, old: Pod, causes: Causes): void {
  if (old.metadata.annotations?.[mirrorPodAnnotation] !== undefined) {
    causes.forbidden('', 'static pods do not support ephemeral containers');
    return;
  }
  validatePodAsWhole(pod, causes);
  const now = new Map((pod.spec.ephemeralContainers ?? []).map((container) => [container.name, container]));
  for (const container of old.spec.ephemeralContainers ?? []) {
    const next = now.get(container.name);
    const what = `existing ephemeral containers ${JSON.stringify(container.name)} may not be`;
    if (next === undefined) causes.forbidden('spec.ephemeralContainers', `${what} removed\n`);
    else if (!semanticEqual(next, container))
      causes.forbidden('spec.ephemeralContainers', `${what} changed\n`);
  }
}

const lists = ['containers', 'initContainers'] as const;

/** Mutates `pod`: all but the resources and resize policies of its containers is that of `old`. */
export function preparePodResize(pod: Pod, old: Pod): void {
  const wanted = { containers: pod.spec.containers, initContainers: pod.spec.initContainers };
  // Containers that were added, removed or renamed are left for the rules to refuse.
  const sameNames = lists.every((list) =>
    semanticEqual(
      (wanted[list] ?? []).map((container) => container.name),
      (old.spec[list] ?? []).map((container) => container.name),
    ),
  );
  if (!sameNames) return;
  keepOthers(pod, old);
  for (const list of lists)
    for (const [i, container] of (pod.spec[list] ?? []).entries()) {
      const { resources, resizePolicy } = wanted[list]![i]!;
      container.resources = resources;
      if (resizePolicy === undefined) delete container.resizePolicy;
      else container.resizePolicy = resizePolicy;
    }
}

/** Only cpu and memory of containers and sidecars may change, and none may be taken away. Pure. */
export function validatePodResize(pod: Pod, old: Pod, causes: Causes): void {
  const reason = notResizable(pod, old);
  if (reason !== undefined) {
    causes.forbidden('', reason);
    return;
  }
  validatePodAsWhole(pod, causes);
  const field = new FieldAt('spec', causes);
  if (qosClass(pod) !== qosClass(old))
    field.invalid(pod.status?.qosClass ?? '', 'Pod QOS Class may not change as a result of resizing');
  const running = old.status?.containerStatuses?.find((status) => status.state?.running !== undefined);
  if (running !== undefined && running.resources === undefined)
    field.forbidden('Pod running on node without support for resize');

  for (const list of lists) {
    const before = old.spec[list] ?? [];
    if (before.length !== (pod.spec[list] ?? []).length) {
      field.child(list).forbidden('pod updates may not add or remove containers');
      return;
    }
    for (const [i, container] of before.entries()) {
      const next = pod.spec[list]![i]!;
      if (list === 'initContainers' && !isSidecar(container)) {
        if (!semanticEqual(next, container))
          field.forbidden('resources for non-sidecar init containers are immutable');
        continue;
      }
      refuseRemoval(next.resources, container.resources, field.child(list).index(i).child('resources'));
      if (!semanticEqual(withCpuAndMemoryOf(next, container), container))
        field.forbidden(
          list === 'containers'
            ? 'only cpu and memory resources are mutable'
            : 'only cpu and memory resources for sidecar containers are mutable',
        );
    }
  }
  const { containers: _, initContainers: __, ...rest } = pod.spec;
  const { containers: ___, initContainers: ____, ...oldRest } = old.spec;
  if (causes.empty && !semanticEqual(rest, oldRest))
    field.forbidden('only cpu and memory resources are mutable');
}

function notResizable(pod: Pod, old: Pod): string | undefined {
  const shared = ({ spec }: Pod): boolean =>
    Object.keys({ ...spec.resources?.requests, ...spec.resources?.limits }).length > 0;
  if (shared(pod) || shared(old)) return 'pods with pod-level resources cannot be resized';
  if (old.metadata.annotations?.[mirrorPodAnnotation] !== undefined) return 'static pods cannot be resized';
  return old.spec.os?.name === 'windows' ? 'windows pods cannot be resized' : undefined;
}

function refuseRemoval(
  now: ResourceRequirements | undefined,
  old: ResourceRequirements | undefined,
  field: FieldAt,
): void {
  for (const name of ['requests', 'limits'] as const)
    if (Object.keys(old?.[name] ?? {}).some((resource) => now?.[name]?.[resource] === undefined))
      field.child(name).forbidden(`resource ${name} cannot be removed`);
}

/** The new container as it would be without its change of cpu and memory. */
function withCpuAndMemoryOf(container: Container, old: Container): Container {
  const restore = (list: Record<string, string> | undefined, before: Record<string, string> | undefined) => {
    const out: Record<string, string> = { ...list };
    for (const name of ['cpu', 'memory']) {
      const amount = before?.[name];
      if (amount === undefined) delete out[name];
      else out[name] = amount;
    }
    return Object.keys(out).length === 0 ? undefined : out;
  };
  const { resources } = container;
  return {
    ...container,
    resizePolicy: old.resizePolicy,
    resources: {
      ...resources,
      requests: restore(resources?.requests, old.resources?.requests),
      limits: restore(resources?.limits, old.resources?.limits),
    },
  };
}

/** Everything is that of `old`, copied, except what the registry itself keeps of the new object's metadata. */
function keepOthers(pod: Pod, old: Pod): void {
  pod.spec = structuredClone(old.spec);
  if (old.status !== undefined) pod.status = old.status;
  for (const name of ['labels', 'annotations', 'finalizers', 'ownerReferences'] as const) {
    const value = old.metadata[name];
    if (value === undefined) delete pod.metadata[name];
    else Object.assign(pod.metadata, { [name]: value });
  }
}
