// What a process counts and measures, and its text for Prometheus (exposition format 0.0.4). HOT: a series is looked up once by its
// label values and then kept by whoever counts, so that counting is one addition and never builds a string (docs/design/0006).

/** A total that only grows. */
export class Counter {
  total = 0;

  add(amount: number): void {
    this.total += amount;
  }

  increment(): void {
    this.total++;
  }
}

/** A value of now. */
export class Gauge {
  value = 0;

  set(value: number): void {
    this.value = value;
  }

  add(amount: number): void {
    this.value += amount;
  }
}

/** How often values fell between which bounds. */
export class Histogram {
  /** Upper bounds, inclusive, ascending; +Inf is not among them. */
  readonly bounds: Float64Array;
  /** Per bound, not cumulative; one more than bounds. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = Float64Array.from(bounds);
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    // Most values are small: the first bounds decide.
    let at = 0;
    while (at < bounds.length && value > bounds[at]!) at++;
    counts[at]!++;
    this.sum += value;
  }
}

export type MetricType = 'counter' | 'gauge' | 'histogram';

/** All series of one name, by the values of its labels. */
export class MetricFamily<Series> {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  readonly labels: readonly string[];
  /** By the labels as they are written, e.g. `verb="GET",code="200"`. */
  readonly #series = new Map<string, Series>();
  readonly #make: () => Series;

  constructor(input: MetricInput & { type: MetricType; make: () => Series }) {
    this.name = input.name;
    this.type = input.type;
    this.help = input.help;
    this.labels = input.labels ?? [];
    this.#make = input.make;
  }

  /**
   * The series of these label values, one for each label in the order of `labels`; the same values give the same series. Builds a
   * string: on a hot path keep what it returned. Values come from sets that are bounded, never from what a client may invent.
   */
  of(...values: readonly string[]): Series {
    const key = this.#key(values);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = this.#make();
      this.#series.set(key, series);
    }
    return series;
  }

  /** Forgets one series: what it was about is gone. */
  delete(...values: readonly string[]): void {
    this.#series.delete(this.#key(values));
  }

  /** Forgets all series: for those that `onRead` makes anew. */
  clear(): void {
    this.#series.clear();
  }

  entries(): Iterable<[labels: string, series: Series]> {
    return this.#series;
  }

  #key(values: readonly string[]): string {
    if (values.length !== this.labels.length)
      throw new RangeError(`${this.name} has ${this.labels.length} labels, ${values.length} values given`);
    return this.labels.map((label, i) => `${label}="${escapeLabel(values[i]!)}"`).join(',');
  }
}

export interface MetricInput {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
}

export interface HistogramInput extends MetricInput {
  readonly buckets: readonly number[];
}

/** The metrics of one process. Made by whoever wires and handed down; there is no global one. */
export class MetricRegistry {
  readonly #families = new Map<string, MetricFamily<unknown>>();
  readonly #readers = new Set<() => void>();

  counter(input: MetricInput): MetricFamily<Counter> {
    return this.#family({ ...input, type: 'counter', make: () => new Counter() });
  }

  gauge(input: MetricInput): MetricFamily<Gauge> {
    return this.#family({ ...input, type: 'gauge', make: () => new Gauge() });
  }

  histogram(input: HistogramInput): MetricFamily<Histogram> {
    return this.#family({ ...input, type: 'histogram', make: () => new Histogram(input.buckets) });
  }

  /** `update` is called before each `text`, to set what nobody counts as it happens. Returns the end of that. */
  onRead(update: () => void): () => void {
    this.#readers.add(update);
    return () => this.#readers.delete(update);
  }

  /** Everything, as `text/plain; version=0.0.4`. Families in order of their names; those without a series are left out. */
  text(): string {
    for (const update of this.#readers) update();
    const names = [...this.#families.keys()].sort();
    return names.map((name) => familyText(this.#families.get(name)!)).join('');
  }

  /** Parts that count the same thing share its family; a name with two meanings is a mistake of the program. */
  #family<Series>(input: MetricInput & { type: MetricType; make: () => Series }): MetricFamily<Series> {
    const known = this.#families.get(input.name);
    if (known === undefined) {
      const family = new MetricFamily(input);
      this.#families.set(input.name, family);
      return family;
    }
    if (known.type !== input.type || known.labels.join() !== (input.labels ?? []).join())
      throw new Error(`the metric ${input.name} is registered with another type or other labels already`);
    return known as MetricFamily<Series>;
  }
}

export const metricsContentType = 'text/plain; version=0.0.4; charset=utf-8';

/** `count` bounds, each `factor` times the one before. */
export function exponentialBuckets(start: number, factor: number, count: number): number[] {
  const bounds = [start];
  while (bounds.length < count) bounds.push(bounds[bounds.length - 1]! * factor);
  return bounds;
}

function familyText(family: MetricFamily<unknown>): string {
  const { name, help, type } = family;
  let out = '';
  for (const [labels, series] of family.entries()) {
    if (series instanceof Histogram) out += histogramText(name, labels, series);
    else {
      const value = series instanceof Counter ? series.total : (series as Gauge).value;
      out += `${name}${braced(labels)} ${valueText(value)}\n`;
    }
  }
  if (out === '') return '';
  const line = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return `# HELP ${name} ${line}\n# TYPE ${name} ${type}\n${out}`;
}

function histogramText(name: string, labels: string, { bounds, counts, sum }: Histogram): string {
  const before = labels === '' ? '' : `${labels},`;
  let out = '';
  let seen = 0;
  for (let i = 0; i < counts.length; i++) {
    seen += counts[i]!;
    const bound = i < bounds.length ? boundText(bounds[i]!) : '+Inf';
    out += `${name}_bucket{${before}le="${bound}"} ${seen}\n`;
  }
  return `${out}${name}_sum${braced(labels)} ${valueText(sum)}\n${name}_count${braced(labels)} ${seen}\n`;
}

const braced = (labels: string): string => (labels === '' ? '' : `{${labels}}`);

function valueText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

/** As Go writes it (`0.005`, `1e-06`, `1e+06`): queries compare the label `le` as text. */
function boundText(bound: number): string {
  const [digits, exponent = '0'] = bound.toExponential().split('e');
  const power = Number(exponent);
  if (bound === 0 || (power >= -4 && power < 6)) return String(bound);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

const escapeLabel = (value: string): string =>
  value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
