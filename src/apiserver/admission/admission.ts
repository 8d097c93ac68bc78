// The contract of admission plugins: steps that may change or refuse a write, whatever its kind. chain.ts is their order.
import type { KindDef, KubeObject } from '../../machinery/index.ts';
import type { CallContext } from '../registry/context.ts';
import type { AdmissionHook, AdmissionMetrics } from './admission-metrics.ts';

/** What a connection is asked to be: PodExecOptions and its like. Not an object of its own: it has no metadata. */
export interface ConnectOptions {
  apiVersion: string;
  kind: string;
  [field: string]: unknown;
}

export interface AdmissionRequest {
  readonly operation: 'create' | 'update' | 'delete' | 'connect';
  readonly kind: KindDef;
  readonly namespace: string | undefined;
  /** '' for a create with generateName before the name is made */
  readonly name: string;
  readonly subresource: string;
  /** The object to be written; null for delete and connect. */
  readonly object: KubeObject | null;
  /** What is there now; null for create and connect. Frozen. */
  readonly old: KubeObject | null;
  /** Only with connect. */
  readonly connect?: ConnectOptions;
  readonly context: CallContext;
  /**
   * What to take back when the write does not happen after all, set by a hook that takes something for it. Must not reject. The
   * registry calls it once, after `validate` of this very request.
   */
  undo: (() => Promise<void>) | null;
}

/** A promise only when there is something to wait for: most hooks decide from what the server has in memory. */
export type Admitted = Promise<void> | void;

/** Both hooks refuse by throwing a StatusError, or rejecting with one. */
export interface AdmissionPlugin {
  readonly name: string;
  /** May change request.object, or request.connect. Runs after defaulting, before prepare and validation. */
  readonly mutate?: (request: AdmissionRequest) => Admitted;
  /** Must not change anything. Runs after validation. */
  readonly validate?: (request: AdmissionRequest) => Admitted;
}

export interface AdmissionChain {
  mutate(request: AdmissionRequest): Admitted;
  validate(request: AdmissionRequest): Admitted;
}

export function createChain(metrics: AdmissionMetrics, plugins: readonly AdmissionPlugin[]): AdmissionChain {
  const hooks = (hook: 'mutate' | 'validate'): AdmissionHook<AdmissionRequest>[] =>
    plugins.flatMap(({ name, [hook]: act }) => (act === undefined ? [] : [{ name, act }]));
  return {
    mutate: metrics.measured('admit', hooks('mutate')),
    validate: metrics.measured('validate', hooks('validate')),
  };
}
