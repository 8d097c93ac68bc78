// A pod of the node's tests as its manifest, and what may be waited for of it, in a few words.
import { expect } from 'vitest';
import type { coreV1, Pod } from '../../src/api/index.ts';

export const node = 'jt-pods-node-1';
export const image = 'busybox:1.36';

export type Spec = Omit<Partial<coreV1.PodSpec>, 'containers' | 'initContainers'> & {
  readonly containers?: readonly Partial<coreV1.Container>[];
  readonly initContainers?: readonly Partial<coreV1.Container>[];
};

/** A pod, what is waited for of it, and the event or the log that must be there. */
export interface Case {
  readonly spec: Spec;
  readonly metadata?: object;
  readonly until: (pod: Pod) => boolean;
  /** `REASON: MESSAGE` of an event that must be there. */
  readonly event?: string | RegExp;
  /** Of its first container. */
  readonly log?: (text: string) => void;
}

export const sh = (script: string, more: Partial<coreV1.Container> = {}): Partial<coreV1.Container> => ({
  command: ['sh', '-c', script],
  ...more,
});
export const idle = (more: Partial<coreV1.Container> = {}) => sh('exec sleep 1000', more);

export function manifest(name: string, spec: Spec, metadata: object = {}): object {
  const complete = (containers: readonly Partial<coreV1.Container>[] | undefined, prefix: string) =>
    containers?.map((container, i) => ({ name: `${prefix}${i}`, image, ...container }));
  const { containers = [idle()], initContainers, ...rest } = spec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, ...metadata },
    spec: {
      terminationGracePeriodSeconds: 1,
      nodeName: node,
      ...rest,
      containers: complete(containers, 'c'),
      ...(initContainers !== undefined && { initContainers: complete(initContainers, 'i') }),
    },
  };
}

/** What is waited for: the status in a few words. */
export const waiting = (reason: string, message?: string | RegExp) => (pod: Pod) => {
  const state = pod.status?.containerStatuses?.[0]?.state?.waiting;
  if (state?.reason !== reason) return false;
  const said = state.message ?? '';
  return message === undefined || (typeof message === 'string' ? said === message : message.test(said));
};
export const refused = (reason: string, message: string) => (pod: Pod) =>
  pod.status?.phase === 'Failed' &&
  pod.status.reason === reason &&
  pod.status.message === `Pod was rejected: ${message}` &&
  pod.status.containerStatuses === undefined;
export const ready = (pod: Pod) => pod.status?.conditions?.find((c) => c.type === 'Ready')?.status === 'True';
export const ended = (reason: string, exitCode?: number, message?: string) => (pod: Pod) => {
  const state = pod.status?.containerStatuses?.[0]?.state?.terminated;
  return (
    state?.reason === reason &&
    (exitCode === undefined || state.exitCode === exitCode) &&
    (message === undefined || state.message === message)
  );
};
export const restarted = (times: number) => (pod: Pod) =>
  (pod.status?.containerStatuses?.[0]?.restartCount ?? 0) >= times;

/** The log has these lines, or matches. */
export const says =
  (...lines: (string | RegExp)[]) =>
  (text: string) => {
    for (const line of lines)
      if (typeof line === 'string') expect(text.split('\n')).toContain(line);
      else expect(text).toMatch(line);
  };
