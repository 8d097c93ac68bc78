// The contract of admission plugins: steps that may change or refuse a write, whatever its kind. chain.ts is their order.
import type { KindDef, KubeObject } from '../../machinery/index.ts';
import type { CallContext } from '../registry/context.ts';
import type { AdmissionHook, AdmissionMetrics } from './admission-metrics.ts';

export interface AdmissionRequest {
  readonly operation: 'create' | 'update' | 'delete';
  readonly kind: KindDef;
  readonly namespace: string | undefined;
  /** '' for a create with generateName before the name is made */
  readonly name: string;
  readonly subresource: string;
  /** The object to be written; null for delete. */
  readonly object: KubeObject | null;
  /** What is there now; null for create. Frozen. */
  readonly old: KubeObject | null;
  readonly context: CallContext;
}

/** Both hooks are synchronous: they decide from what the server has in memory. They refuse by throwing a StatusError. */
export interface AdmissionPlugin {
  readonly name: string;
  /** May change request.object. Runs after defaulting, before prepare and validation. */
  readonly mutate?: (request: AdmissionRequest) => void;
  /** Must not change anything. Runs after validation. */
  readonly validate?: (request: AdmissionRequest) => void;
}

export interface AdmissionChain {
  mutate(request: AdmissionRequest): void;
  validate(request: AdmissionRequest): void;
}

export function createChain(metrics: AdmissionMetrics, plugins: readonly AdmissionPlugin[]): AdmissionChain {
  const hooks = (hook: 'mutate' | 'validate'): AdmissionHook<AdmissionRequest>[] =>
    plugins.flatMap(({ name, [hook]: act }) => (act === undefined ? [] : [{ name, act }]));
  return {
    mutate: metrics.measured('admit', hooks('mutate')),
    validate: metrics.measured('validate', hooks('validate')),
  };
}
