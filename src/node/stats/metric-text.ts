// Prometheus' text format, as the node's pages write it. Pure.

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  readonly labels: Labels;
  readonly value: number;
  /** When it was measured, in milliseconds since the epoch. */
  readonly atMs?: number | undefined;
}

export interface Family {
  readonly name: string;
  readonly type: 'counter' | 'gauge';
  readonly help: string;
  readonly samples: readonly Sample[];
}

const escaped = (text: string): string => text.replace(/[\\"\n]/g, (c) => (c === '\n' ? '\\n' : `\\${c}`));

/** Families without samples are left out. */
export function metricText(families: readonly Family[]): string {
  const lines = families.flatMap(({ name, type, help, samples }) =>
    samples.length === 0
      ? []
      : [
          `# HELP ${name} ${help}`,
          `# TYPE ${name} ${type}`,
          ...samples.map(({ labels, value, atMs }) => {
            const pairs = Object.entries(labels).map(([key, text]) => `${key}="${escaped(text)}"`);
            const at = atMs === undefined ? '' : ` ${Math.round(atMs)}`;
            return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}${at}`;
          }),
        ],
  );
  return [...lines, ''].join('\n');
}
