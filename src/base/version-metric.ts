// kubernetes_build_info: which version a program is, as every part of a Kubernetes says it.
import type { MetricRegistry } from './metrics.ts';

/** As `/version` tells it. */
export interface ProgramVersion {
  readonly major: string;
  readonly minor: string;
  readonly gitVersion: string;
  readonly gitCommit: string;
  readonly gitTreeState: string;
  readonly buildDate: string;
  readonly goVersion: string;
  readonly compiler: string;
  readonly platform: string;
}

export function showVersion(registry: MetricRegistry, version: ProgramVersion): void {
  const labels = {
    major: version.major,
    minor: version.minor,
    git_version: version.gitVersion,
    git_commit: version.gitCommit,
    git_tree_state: version.gitTreeState,
    build_date: version.buildDate,
    go_version: version.goVersion,
    compiler: version.compiler,
    platform: version.platform,
  };
  registry
    .gauge({
      name: 'kubernetes_build_info',
      help: 'Always 1; its labels say which version this is.',
      labels: Object.keys(labels),
    })
    .of(...Object.values(labels))
    .set(1);
}
