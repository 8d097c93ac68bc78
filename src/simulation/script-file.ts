// Reads a script from YAML. Every mistake is refused with its path: a stage that silently does nothing would make a simulation lie.

import type { Pod } from '../api/index.ts';
import {
  compileLabelSelector,
  formatQuantity,
  type LabelMatcher,
  loadYaml,
  mustParseQuantity,
  parseDuration,
  quantityError,
  toMilli,
  toValue,
} from '../machinery/index.ts';
import {
  between,
  type Delay,
  defaultPark,
  type Ending,
  type Fault,
  type Incident,
  jobStage,
  type MachinePark,
  type MachineType,
  noFault,
  plainStage,
  type Script,
  type Stage,
  type Usage,
} from './script.ts';

/** What is wrong with a file, for the person who wrote it. */
export class ScriptError extends Error {
  constructor(path: string, what: string) {
    super(path === '' ? what : `${path}: ${what}`);
    this.name = 'ScriptError';
  }
}

/** Throws ScriptError. Stages of the file come before the built-in ones. */
export async function parseScript(text: string): Promise<Script> {
  const { parseYaml } = await loadYaml();
  const parsed = parseYaml(text);
  if (!parsed.ok) throw new ScriptError('', parsed.error);
  return readScript(parsed.value ?? {});
}

/** The same of what was parsed already. */
export function readScript(value: unknown): Script {
  const file = new Fields(value, '');
  const script = {
    park: file.optional('nodes', readPark) ?? defaultPark,
    stages: [...(file.optional('pods', listOf(readStage)) ?? []), jobStage, plainStage],
    incidents: file.optional('incidents', listOf(readIncident)) ?? [],
  };
  file.end();
  return script;
}

type Read<T> = (value: unknown, path: string) => T;

/** An object's fields, each asked for by name; what nobody asked for is refused at the end. */
class Fields {
  readonly #path: string;
  readonly #rest: Map<string, unknown>;

  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new ScriptError(path, 'must be a map');
    this.#path = path;
    this.#rest = new Map(Object.entries(value));
  }

  optional<T>(name: string, read: Read<T>): T | undefined {
    const value = this.#rest.get(name);
    this.#rest.delete(name);
    return value === undefined || value === null ? undefined : read(value, this.#at(name));
  }

  need<T>(name: string, read: Read<T>): T {
    const value = this.optional(name, read);
    if (value === undefined) throw new ScriptError(this.#at(name), 'is missing');
    return value;
  }

  end(): void {
    for (const name of this.#rest.keys()) throw new ScriptError(this.#at(name), 'no such field');
  }

  #at(name: string): string {
    return this.#path === '' ? name : `${this.#path}.${name}`;
  }
}

const listOf =
  <T>(read: Read<T>): Read<T[]> =>
  (value, path) => {
    if (!Array.isArray(value)) throw new ScriptError(path, 'must be a list');
    return value.map((item, i) => read(item, `${path}[${i}]`));
  };

const text: Read<string> = (value, path) => {
  if (typeof value !== 'string' || value === '') throw new ScriptError(path, 'must be a text');
  return value;
};

const textMap: Read<Record<string, string>> = (value, path) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new ScriptError(path, 'must be a map');
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, text(v, `${path}.${key}`)]));
};

const number =
  (min: number, max: number): Read<number> =>
  (value, path) => {
    if (typeof value !== 'number' || !(value >= min && value <= max))
      throw new ScriptError(path, `must be a number from ${min} to ${max}`);
    return value;
  };

const whole =
  (min: number, max: number): Read<number> =>
  (value, path) => {
    const found = number(min, max)(value, path);
    if (!Number.isInteger(found)) throw new ScriptError(path, 'must be a whole number');
    return found;
  };

const quantity =
  (scale: (text: string) => number): Read<number> =>
  (value, path) => {
    const written = typeof value === 'number' ? String(value) : text(value, path);
    if (quantityError(written) !== undefined)
      throw new ScriptError(path, `${written} is not a quantity such as 500m or 2Gi`);
    const found = scale(written);
    if (found < 0) throw new ScriptError(path, 'must not be negative');
    return found;
  };

const milli = quantity((written) => toMilli(mustParseQuantity(written)));
const units = quantity((written) => toValue(mustParseQuantity(written)));

const durationMs: Read<number> = (value, path) => {
  const ms = value === 0 ? 0 : parseDuration(text(value, path));
  if (ms === undefined || ms < 0) throw new ScriptError(path, 'must be a time such as 300ms or 1m30s');
  return ms;
};

/** `2s`, or `1s..3s` for a time drawn between the two. */
const delay: Read<Delay> = (value, path) => {
  const [from, to, ...more] = typeof value === 'string' ? value.split('..') : [value];
  if (more.length > 0) throw new ScriptError(path, 'must be a time such as 2s, or two such as 1s..3s');
  const fromMs = durationMs(from, path);
  const toMs = to === undefined ? fromMs : durationMs(to, path);
  if (toMs < fromMs) throw new ScriptError(path, 'the second time is shorter than the first');
  return between(fromMs, toMs);
};

const selector: Read<LabelMatcher> = (value, path) => {
  const fields = new Fields(value, path);
  const expressions = listOf((item, at) => {
    const of = new Fields(item, at);
    const found = {
      key: of.need('key', text),
      operator: of.need('operator', text),
      values: of.optional('values', listOf(text)) ?? [],
    };
    of.end();
    return found;
  });
  const found = {
    matchLabels: fields.optional('matchLabels', textMap) ?? {},
    matchExpressions: fields.optional('matchExpressions', expressions) ?? [],
  };
  fields.end();
  try {
    return compileLabelSelector(found);
  } catch (error) {
    throw new ScriptError(path, (error as Error).message);
  }
};

const readPark: Read<MachinePark> = (value, path) => {
  const fields = new Fields(value, path);
  const park = {
    region: fields.optional('region', text) ?? defaultPark.region,
    zones: fields.optional('zones', listOf(text)) ?? defaultPark.zones,
    types: fields.optional('types', listOf(readType)) ?? defaultPark.types,
  };
  fields.end();
  if (park.zones.length === 0) throw new ScriptError(`${path}.zones`, 'must not be empty');
  if (park.types.length === 0) throw new ScriptError(`${path}.types`, 'must not be empty');
  return park;
};

const readType: Read<MachineType> = (value, path) => {
  const fields = new Fields(value, path);
  const plain = defaultPark.types[0]!;
  const resources = (map: unknown, at: string): Record<string, string> =>
    Object.fromEntries(
      Object.entries(map as object).map(([name, amount]) => {
        units(amount, `${at}.${name}`);
        return [name, formatQuantity(mustParseQuantity(String(amount)))];
      }),
    );
  const type = {
    name: fields.need('name', text),
    share: fields.optional('share', number(0, 1e6)) ?? 1,
    cpus: (fields.optional('cpu', milli) ?? plain.cpus * 1000) / 1000,
    memoryBytes: fields.optional('memory', units) ?? plain.memoryBytes,
    storageBytes: fields.optional('storage', units) ?? plain.storageBytes,
    pods: fields.optional('pods', whole(1, 100_000)) ?? plain.pods,
    labels: fields.optional('labels', textMap) ?? {},
    resources: fields.optional('resources', resources) ?? {},
  };
  fields.end();
  return type;
};

const readStage: Read<Stage> = (value, path) => {
  const fields = new Fields(value, path);
  const labels = fields.optional('selector', selector);
  const annotations = Object.entries(fields.optional('annotations', textMap) ?? {});
  const namespace = fields.optional('namespace', text);
  const ready: Read<Stage['ready']> = (given, at) => (given === 'never' ? 'never' : delay(given, at));
  const stage: Stage = {
    name: fields.need('name', text),
    matches: ({ metadata }: Pod) =>
      (namespace === undefined || metadata.namespace === namespace) &&
      (labels === undefined || labels(metadata.labels)) &&
      annotations.every(([key, wanted]) => metadata.annotations?.[key] === wanted),
    start: fields.optional('start', delay) ?? plainStage.start,
    ready: fields.optional('ready', ready) ?? plainStage.ready,
    init: fields.optional('init', readEnding) ?? plainStage.init,
    ends: fields.optional('ends', readEnding),
    pullFailures: fields.optional('pullFailures', timesOf) ?? 0,
    fails: fields.optional('fails', readFailure),
    stop: fields.optional('stop', delay) ?? plainStage.stop,
    containers: fields.optional('containers', listOf(text)) ?? [],
    usage: fields.optional('usage', readUsage),
  };
  fields.end();
  return stage;
};

const timesOf: Read<number> = (value, path) =>
  value === 'always' ? Number.POSITIVE_INFINITY : whole(0, 1e9)(value, path);

const oomExitCode = 137;

const readEnding: Read<Ending> = (value, path) => {
  const fields = new Fields(value, path);
  const reason = fields.optional('reason', text) ?? '';
  const ending = {
    after: fields.need('after', delay),
    exitCode: fields.optional('exitCode', whole(0, 255)) ?? (reason === 'OOMKilled' ? oomExitCode : 0),
    reason,
    message: fields.optional('message', text) ?? '',
    times: fields.optional('times', timesOf) ?? Number.POSITIVE_INFINITY,
  };
  fields.end();
  return ending;
};

const readFailure: Read<NonNullable<Stage['fails']>> = (value, path) => {
  const fields = new Fields(value, path);
  const failure = {
    after: fields.need('after', delay),
    reason: fields.need('reason', text),
    message: fields.optional('message', text) ?? '',
  };
  fields.end();
  return failure;
};

const readUsage: Read<Usage> = (value, path) => {
  const fields = new Fields(value, path);
  const usage = { cpuMilli: fields.need('cpu', milli), memoryBytes: fields.need('memory', units) };
  fields.end();
  return usage;
};

const pressures = ['MemoryPressure', 'DiskPressure', 'PIDPressure'];

/** A condition that a fault can make true. */
export const pressure: Read<string> = (value, path) => {
  const name = text(value, path);
  if (!pressures.includes(name)) throw new ScriptError(path, `must be one of ${pressures.join(', ')}`);
  return name;
};

const only =
  <T extends string>(...words: readonly T[]): Read<T> =>
  (value, path) => {
    // YAML reads a bare `off` as false, and `on` as true.
    const word = value === false ? 'off' : value === true ? 'on' : value;
    if (!words.includes(word as T)) throw new ScriptError(path, `must be ${words.join(' or ')}`);
    return word as T;
  };

const readIncident: Read<Incident> = (value, path) => {
  const fields = new Fields(value, path);
  const matches = fields.optional('selector', selector) ?? (() => true);
  const fault: Fault = {
    off: fields.optional('power', only('off', 'on')) === 'off',
    cut: fields.optional('network', only('cut', 'on')) === 'cut',
    delayMs: fields.optional('delay', durationMs) ?? noFault.delayMs,
    conditions: fields.optional('conditions', listOf(pressure)) ?? [],
  };
  const incident = {
    name: fields.need('name', text),
    matches,
    after: fields.need('after', delay),
    lasts: fields.optional('lasts', delay),
    share: fields.optional('share', number(0, 1)) ?? 1,
    fault,
  };
  fields.end();
  return incident;
};
