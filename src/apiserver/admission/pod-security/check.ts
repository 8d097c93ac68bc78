// What a check of the Pod Security Standards is, and the words that all of them use.
import type { coreV1 } from '../../../api/index.ts';
import type { Level } from './levels.ts';

export type PodSpec = coreV1.PodSpec;
export type Container = Pick<
  coreV1.Container,
  | 'name'
  | 'image'
  | 'securityContext'
  | 'ports'
  | 'livenessProbe'
  | 'readinessProbe'
  | 'startupProbe'
  | 'lifecycle'
>;
export type Context = coreV1.SecurityContext;

export interface Complaint {
  readonly reason: string;
  readonly detail: string;
}

export interface Check {
  readonly level: Exclude<Level, 'privileged'>;
  /** Stands in for a check of the baseline, under the stricter level. */
  readonly replaces?: Check;
  /** The minor version with which it came; pods of an older version of the standard need not pass it. */
  readonly since?: number;
  readonly reason: string;
  /** Why it fails; none = it passes. */
  readonly find: (spec: PodSpec) => readonly string[];
}

/** Init containers first, as they start; they are all looked at alike. */
export const containersOf = (spec: PodSpec): readonly Container[] => [
  ...(spec.initContainers ?? []),
  ...(spec.containers ?? []),
  ...((spec.ephemeralContainers ?? []) as readonly Container[]),
];

export const quoted = (names: readonly string[]): string =>
  names.map((name) => JSON.stringify(name)).join(', ');
export const noun = (what: string, names: readonly string[]): string =>
  `${what}${names.length === 1 ? '' : 's'} ${quoted(names)}`;
export const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** `container "a" must …`, or nothing when none does wrong. */
export function ofContainers(
  spec: PodSpec,
  isWrong: (context: Context | undefined) => boolean,
  must: string,
): string[] {
  const names = containersOf(spec)
    .filter(({ securityContext }) => isWrong(securityContext))
    .map(({ name }) => name);
  return names.length === 0 ? [] : [`${noun('container', names)} ${must}`];
}
