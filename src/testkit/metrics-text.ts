// Reads Prometheus' text format, strictly and by its specification alone: the judge of what the server writes.

export interface ReadFamily {
  readonly type: string;
  readonly help: string;
  readonly samples: ReadSample[];
}

export interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Families by name. Throws on whatever a scraper may refuse, histograms that do not add up included. */
export function readMetrics(text: string): ReadonlyMap<string, ReadFamily> {
  const families = new Map<string, ReadFamily>();
  if (text !== '' && !text.endsWith('\n')) throw new Error('the last line has no end');
  let help = { name: '', text: '' };
  let current: { name: string; family: ReadFamily } | undefined;
  const seen = new Set<string>();
  for (const line of text.split('\n').slice(0, -1)) {
    const head = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.*)$/.exec(line);
    if (head !== null) {
      const [, what, name = '', rest = ''] = head;
      if (what === 'HELP') help = { name, text: rest };
      else {
        if (families.has(name)) throw new Error(`${name} comes twice`);
        if (!['counter', 'gauge', 'histogram'].includes(rest)) throw new Error(`the type ${rest} is unknown`);
        if (help.name !== name) throw new Error(`${name} has no help`);
        current = { name, family: { type: rest, help: help.text, samples: [] } };
        families.set(name, current.family);
      }
      continue;
    }
    const sample = readSample(line);
    if (current === undefined || !belongs(sample.name, current.name, current.family.type))
      throw new Error(`the sample ${line} stands outside its family`);
    const identity = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
    if (seen.has(identity)) throw new Error(`the series of ${line} comes twice`);
    seen.add(identity);
    current.family.samples.push(sample);
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

const belongs = (sample: string, family: string, type: string): boolean =>
  type === 'histogram'
    ? [`${family}_bucket`, `${family}_sum`, `${family}_count`].includes(sample)
    : sample === family;

function readSample(line: string): ReadSample {
  const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0];
  if (name === undefined) throw new Error(`no metric name in ${line}`);
  let at = name.length;
  const labels: Record<string, string> = {};
  if (line[at] === '{') {
    at++;
    while (line[at] !== '}') {
      const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"/.exec(line.slice(at));
      if (label === null) throw new Error(`no label at ${line.slice(at)}`);
      const [all, key = '', value = ''] = label;
      if (key in labels) throw new Error(`the label ${key} comes twice in ${line}`);
      labels[key] = value.replace(/\\(.)/g, (_, c: string) => (c === 'n' ? '\n' : c));
      at += all.length;
      if (line[at] === ',') at++;
      else if (line[at] !== '}') throw new Error(`no comma at ${line.slice(at)}`);
    }
    at++;
  }
  const value = /^ ([^ ]+)$/.exec(line.slice(at))?.[1];
  const number = /^[+-]Inf$/.test(value ?? '') ? Number(`${value}inity`) : Number(value);
  if (value === undefined || (Number.isNaN(number) && value !== 'NaN'))
    throw new Error(`no value in ${line}`);
  return { name, labels, value: number };
}

/** Buckets rise to +Inf, which counts everything. */
function checkHistogram(name: string, { samples }: ReadFamily): void {
  const series = new Map<string, { buckets: [number, number][]; sum?: number; count?: number }>();
  for (const { name: part, labels, value } of samples) {
    const { le, ...rest } = labels;
    const key = JSON.stringify(Object.entries(rest).sort());
    const one = series.get(key) ?? { buckets: [] };
    series.set(key, one);
    if (part === `${name}_sum`) one.sum = value;
    else if (part === `${name}_count`) one.count = value;
    else one.buckets.push([le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le), value]);
  }
  for (const { buckets, sum, count } of series.values()) {
    if (sum === undefined || count === undefined) throw new Error(`${name} lacks its sum or count`);
    const [last, most] = buckets.at(-1) ?? [];
    if (last !== Number.POSITIVE_INFINITY || most !== count)
      throw new Error(`${name} does not count up to +Inf`);
    for (let i = 1; i < buckets.length; i++)
      if (buckets[i]![0] <= buckets[i - 1]![0] || buckets[i]![1] < buckets[i - 1]![1])
        throw new Error(`the buckets of ${name} do not rise`);
  }
}

/** The value of the one sample with this name and at least these labels; undefined = there is none. Throws when there are several. */
export function sampleOf(
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  const found: number[] = [];
  for (const { samples } of readMetrics(text).values())
    for (const sample of samples)
      if (
        sample.name === name &&
        Object.entries(labels).every(([key, value]) => sample.labels[key] === value)
      )
        found.push(sample.value);
  if (found.length > 1) throw new Error(`${name} ${JSON.stringify(labels)} names ${found.length} series`);
  return found[0];
}
