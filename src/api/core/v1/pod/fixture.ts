// For tests of the pod rules: bodies as authors write them, and what the server makes of them.
import { Causes, decodeObject, type KubeObject } from '../../../../machinery/index.ts';
import type { Container, Pod as PodObject, PodSpec, PodStatus } from '../../../generated/core-v1.ts';
import { Pod } from '../pod.ts';

export const context = { nowMs: Date.UTC(2026, 0, 2, 3, 4, 5) };

/** A part of a body: whatever an author may write, right or wrong. */
export type Body = Record<string, unknown>;

export const container = (more: Body = {}): Container =>
  ({ name: 'web', image: 'nginx:1.27', ...more }) as unknown as Container;

/** Decoded and defaulted, as every hook gets it. `spec` is laid over a pod with one container. */
export function podOf(spec: Body = {}, metadata: Body = {}): PodObject {
  return decoded({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'default', ...metadata },
    spec: { containers: [container()], ...spec },
  });
}

export function decoded(body: Body): PodObject {
  const unknown: string[] = [];
  const pod = decodeObject(Pod.schema, body, unknown) as unknown as PodObject & KubeObject;
  if (unknown.length > 0) throw new Error(`not fields of a pod: ${unknown.join(', ')}`);
  Pod.defaults?.(pod);
  return pod;
}

/** As it is stored: also prepared. */
export function createdPod(spec: Body = {}, metadata: Body = {}): PodObject {
  const pod = podOf(spec, metadata);
  Pod.prepareCreate?.(pod, context);
  return pod;
}

export const withStatus = (pod: PodObject, status: Body): PodObject => ({
  ...pod,
  status: status as PodStatus,
});

/** `field: message` of each cause. */
export function causesOf(run: (causes: Causes) => void): string[] {
  const causes = new Causes();
  run(causes);
  return causes.list.map((cause) => `${cause.field}: ${cause.message}`);
}

export const createCauses = (spec: Body, metadata: Body = {}): string[] =>
  causesOf((causes) => Pod.validate?.(createdPod(spec, metadata), undefined, causes));

/** Of an update that lays `change` over the spec of a stored pod. */
export function updateCauses(spec: Body, change: (spec: PodSpec) => void): string[] {
  const old = createdPod(spec);
  const pod = structuredClone(old);
  change(pod.spec);
  Pod.defaults?.(pod);
  Pod.prepareUpdate?.(pod, old, context);
  return causesOf((causes) => Pod.validate?.(pod, old, causes));
}
