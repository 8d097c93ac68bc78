// componentstatuses: each part of the control plane is asked how it is, whenever somebody asks.
import { ComponentStatus } from '../../api/index.ts';
import type { KubeObject } from '../../machinery/index.ts';
import type { AnsweredKind } from '../registry/core.ts';

/** A part of the control plane, under the name that Kubernetes gives it: scheduler, controller-manager, etcd-0. */
export interface ComponentCheck {
  readonly name: string;
  /** Resolves with the error; undefined = it is well. Must end soon, and not reject. */
  check(): Promise<string | undefined>;
}

async function statusOf({ name, check }: ComponentCheck): Promise<KubeObject> {
  const error = await check();
  const condition =
    error === undefined
      ? { type: 'Healthy', status: 'True', message: 'ok' }
      : { type: 'Healthy', status: 'False', error };
  const { apiVersion, kind } = ComponentStatus;
  return {
    kind,
    apiVersion,
    metadata: { name, creationTimestamp: null },
    conditions: [condition],
  } as unknown as KubeObject;
}

export const componentStatuses = (checks: readonly ComponentCheck[]): AnsweredKind => {
  const sorted = [...checks].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    kind: ComponentStatus,
    readAll: () => Promise.all(sorted.map(statusOf)),
  };
};
