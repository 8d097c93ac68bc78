// Which level of security a namespace asks for, by its labels. Pure.
import { Causes, type Labels } from '../../../machinery/index.ts';

export type Level = 'privileged' | 'baseline' | 'restricted';

export interface LevelAt {
  readonly level: Level;
  /** `latest`, or `v1.N`: checks that are younger do not count. */
  readonly version: string;
}

/** What is refused, and what its author is warned of. There is no audit log, so nothing is noted there. */
export interface SecurityPolicy {
  readonly enforce: LevelAt;
  readonly warn: LevelAt;
}

const prefix = 'pod-security.kubernetes.io/';
export const levels: readonly Level[] = ['privileged', 'baseline', 'restricted'];

export const isStricter = (a: Level, b: Level): boolean => levels.indexOf(a) > levels.indexOf(b);

/** Whoever sets what is refused and says nothing of warnings is warned of the same: of templates too, before their pods are refused. */
export function policyOf(labels: Labels | undefined): SecurityPolicy {
  const read = (mode: string): { level: Level | undefined; version: string | undefined } => ({
    level: levels.find((level) => level === labels?.[prefix + mode]),
    version: labels?.[`${prefix}${mode}-version`],
  });
  const [enforce, warn] = [read('enforce'), read('warn')];
  return {
    enforce: { level: enforce.level ?? 'privileged', version: enforce.version ?? 'latest' },
    warn: {
      level: warn.level ?? enforce.level ?? 'privileged',
      version: warn.version ?? (warn.level === undefined ? enforce.version : undefined) ?? 'latest',
    },
  };
}

/** Complains of labels that say nothing. */
export function checkLabels(labels: Labels | undefined): Causes {
  const causes = new Causes();
  for (const mode of ['enforce', 'audit', 'warn']) {
    const at = (key: string) => `metadata.labels[${key}]`;
    const level = labels?.[prefix + mode];
    if (level !== undefined && !levels.includes(level as Level))
      causes.invalid(at(prefix + mode), level, `must be one of ${levels.join(', ')}`);
    const version = labels?.[`${prefix}${mode}-version`];
    if (version !== undefined && version !== 'latest' && !/^v1\.(0|[1-9]\d*)$/.test(version))
      causes.invalid(at(`${prefix}${mode}-version`), version, 'must be "latest" or "v1.x"');
  }
  return causes;
}
