// The text of the ConfigMap cluster-autoscaler-status. Pure. Unlike cluster-autoscaler's it has no times of the last look, only of the last
// change: at rest nothing is written.

export interface GroupStatus {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  readonly target: number;
  readonly registered: number;
  readonly ready: number;
  /** Not needed, and not going yet. */
  readonly candidates: number;
  readonly isBackedOff: boolean;
}

export function statusText(groups: readonly GroupStatus[]): string {
  const sum = (of: (group: GroupStatus) => number) => groups.reduce((total, group) => total + of(group), 0);
  const whole = sectionOf({
    registered: sum(({ registered }) => registered),
    ready: sum(({ ready }) => ready),
    candidates: sum(({ candidates }) => candidates),
    growing: groups.some(isGrowing),
    isBackedOff: groups.length > 0 && groups.every(({ isBackedOff }) => isBackedOff),
    extra: [],
  });
  const lines = [
    'autoscalerStatus: Running',
    'clusterWide:',
    ...whole.map((line) => `  ${line}`),
    'nodeGroups:',
  ];
  for (const group of groups) {
    const { name, target, min, max } = group;
    const section = sectionOf({
      ...group,
      growing: isGrowing(group),
      extra: [`cloudProviderTarget: ${target}`, `minSize: ${min}`, `maxSize: ${max}`],
    });
    lines.push(`- name: ${name}`, ...section.map((line) => `  ${line}`));
  }
  return `${lines.join('\n')}\n`;
}

const isGrowing = ({ target, ready }: GroupStatus): boolean => target > ready;

function sectionOf(about: {
  readonly registered: number;
  readonly ready: number;
  readonly candidates: number;
  readonly growing: boolean;
  readonly isBackedOff: boolean;
  readonly extra: readonly string[];
}): readonly string[] {
  const { registered, ready, candidates, growing, isBackedOff, extra } = about;
  return [
    'health:',
    '  status: Healthy',
    '  nodeCounts:',
    '    registered:',
    `      total: ${registered}`,
    `      ready: ${ready}`,
    `      notStarted: ${registered - ready}`,
    ...extra.map((line) => `  ${line}`),
    'scaleUp:',
    `  status: ${isBackedOff ? 'Backoff' : growing ? 'InProgress' : 'NoActivity'}`,
    'scaleDown:',
    `  status: ${candidates > 0 ? 'CandidatesPresent' : 'NoCandidates'}`,
    `  candidates: ${candidates}`,
  ];
}
