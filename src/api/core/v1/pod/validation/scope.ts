// What the rules of one part of a pod spec must know of the rest of it. Made once per validation.
import { type Causes, FieldAt } from '../../../../../machinery/index.ts';
import type { PodSpec, Volume } from '../../../../generated/core-v1.ts';
import { validateVolumes } from './volumes.ts';

export interface PodScope {
  readonly spec: PodSpec;
  /** The place of the spec: `spec`, or `spec.template.spec`. */
  readonly field: FieldAt;
  /** False inside a template: some rules are only kept by pods themselves. */
  readonly isPod: boolean;
  /** The well-formed volumes by name. */
  readonly volumes: ReadonlyMap<string, Volume>;
  readonly claimNames: ReadonlySet<string>;
}

export interface PodScopeInput {
  readonly spec: PodSpec;
  readonly path: string;
  readonly causes: Causes;
  readonly isPod: boolean;
  /** '' when the pod's name is not known yet. */
  readonly podName: string;
}

/** Checks the volumes on the way, because everything else refers to those that are in order. */
export function openScope({ spec, path, causes, isPod, podName }: PodScopeInput): PodScope {
  const field = new FieldAt(path, causes);
  const volumes = validateVolumes(spec.volumes ?? [], { field: field.child('volumes'), podName, isPod });
  const claimNames = new Set(
    (spec.resourceClaims ?? []).map((claim) => claim.name).filter((name) => name !== ''),
  );
  return { spec, field, isPod, volumes, claimNames };
}

/** A pod's processes have their own user ids unless it asks for the host's, which is the default. */
export const usesHostUsers = (spec: PodSpec): boolean => spec.hostUsers ?? true;
