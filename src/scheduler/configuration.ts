// `--scheduler-config`: kube-scheduler's KubeSchedulerConfiguration, as far as it is about decisions. What is unknown or cannot be had
// here is refused with its path: a scheduler that silently does something else is worse than none.
import { booleanOf, fieldsOf, join, listOf, textOf, wholeOf } from './arguments.ts';
import { ArgumentError, type Plugin, type PluginContext, type PluginFactory, PodRefusal } from './plugin.ts';
import { buildPlugins, catalogue, type Profile } from './profile.ts';

export interface SchedulerConfiguration {
  readonly profiles: readonly Profile[];
  /** How long a pod waits after its first failure, doubled with each further one up to the second. */
  readonly backoffInitialMs: number;
  readonly backoffMaxMs: number;
}

const apiVersion = 'kubescheduler.config.k8s.io/v1';
const kind = 'KubeSchedulerConfiguration';

/** Points at which kube-scheduler lets a plugin be switched on and off by itself. */
const points = [
  'preEnqueue',
  'queueSort',
  'preFilter',
  'filter',
  'postFilter',
  'preScore',
  'score',
  'reserve',
  'permit',
  'preBind',
  'bind',
  'postBind',
] as const;
type Point = (typeof points)[number];

/** It binds pods; it is no plugin here, but it has a name that configurations know. */
const binder = 'DefaultBinder';

const elsewhere: Readonly<Record<string, string>> = {
  parallelism: 'decisions are made one after the other',
  leaderElection: 'see the --leader-elect flags',
  clientConnection: 'the scheduler talks to the API server of its own process',
  enableProfiling: 'there are no profiling handlers',
  enableContentionProfiling: 'there are no profiling handlers',
  extenders: 'extenders are not supported',
  healthzBindAddress: 'the API server answers health checks',
  metricsBindAddress: 'the API server answers /metrics',
};

/** Checks a decoded file. Throws ArgumentError, whose message starts with the path of what is wrong. */
export function readConfiguration(value: unknown): SchedulerConfiguration {
  const root = fieldsOf(value, '', [
    'apiVersion',
    'kind',
    'profiles',
    'percentageOfNodesToScore',
    'podInitialBackoffSeconds',
    'podMaxBackoffSeconds',
    'delayCacheUntilActive',
    ...Object.keys(elsewhere),
  ]);
  if (root.apiVersion !== apiVersion)
    throw new ArgumentError(
      `apiVersion: Unsupported value: ${JSON.stringify(root.apiVersion)}: supported values: "${apiVersion}"`,
    );
  if (root.kind !== kind)
    throw new ArgumentError(
      `kind: Unsupported value: ${JSON.stringify(root.kind)}: supported values: "${kind}"`,
    );
  for (const [field, why] of Object.entries(elsewhere))
    if (root[field] !== undefined) throw new ArgumentError(`${field}: Forbidden: ${why}`);
  if (
    root.delayCacheUntilActive !== undefined &&
    booleanOf(root.delayCacheUntilActive, 'delayCacheUntilActive')
  )
    throw new ArgumentError(
      'delayCacheUntilActive: Forbidden: the cache is filled when the scheduler starts',
    );

  const seconds = (field: string, unsaid: number, least: number) =>
    wholeOf(root[field] ?? unsaid, field, { least, most: 2 ** 31 });
  const initial = seconds('podInitialBackoffSeconds', 1, 1);
  const most = seconds('podMaxBackoffSeconds', Math.max(10, initial), 1);
  if (most < initial)
    throw new ArgumentError(
      `podMaxBackoffSeconds: Invalid value: ${most}: must be greater than or equal to PodInitialBackoffSeconds`,
    );
  const percentage = percentageOf(root.percentageOfNodesToScore, 'percentageOfNodesToScore') ?? 0;
  const given = listOf(root.profiles, 'profiles');
  const profiles = (given.length === 0 ? [{}] : given).map((one, i) =>
    readProfile(one, { at: `profiles[${i}]`, only: given.length <= 1, percentage }),
  );
  const names = profiles.map(({ schedulerName }) => schedulerName);
  names.forEach((name, i) => {
    if (names.indexOf(name) < i)
      throw new ArgumentError(`profiles[${i}].schedulerName: Duplicate value: ${JSON.stringify(name)}`);
  });
  return { profiles, backoffInitialMs: initial * 1000, backoffMaxMs: most * 1000 };
}

const percentageOf = (value: unknown, at: string): number | undefined =>
  value === undefined ? undefined : wholeOf(value, at, { least: 0, most: 100 });

function readProfile(value: unknown, given: { at: string; only: boolean; percentage: number }): Profile {
  const { at, only } = given;
  const fields = fieldsOf(value, at, [
    'schedulerName',
    'percentageOfNodesToScore',
    'plugins',
    'pluginConfig',
  ]);
  const schedulerName =
    fields.schedulerName === undefined && only
      ? 'default-scheduler'
      : textOf(fields.schedulerName ?? '', `${at}.schedulerName`);
  if (schedulerName === '') throw new ArgumentError(`${at}.schedulerName: Required value`);
  const switches = readSwitches(fields.plugins, `${at}.plugins`);
  const args = readArguments(fields.pluginConfig, `${at}.pluginConfig`);
  return {
    schedulerName,
    build: (context) => build(context, { switches, args }),
    percentageOfNodesToScore:
      percentageOf(fields.percentageOfNodesToScore, `${at}.percentageOfNodesToScore`) ?? given.percentage,
  };
}

function readArguments(value: unknown, at: string): ReadonlyMap<string, unknown> {
  const out = new Map<string, unknown>();
  for (const [i, one] of listOf(value, at).entries()) {
    const here = `${at}[${i}]`;
    const { name: text, args } = fieldsOf(one, here, ['name', 'args']);
    const name = knownName(text, `${here}.name`);
    if (out.has(name)) throw new ArgumentError(`${here}: Duplicate value: ${JSON.stringify(name)}`);
    const entry = catalogue.find((plugin) => plugin.name === name);
    const reader = entry !== undefined && 'build' in entry ? entry.readArgs : null;
    if (reader === null) throw new ArgumentError(`${here}: Forbidden: the plugin ${name} takes no arguments`);
    if (args !== undefined && (args === null || typeof args !== 'object' || Array.isArray(args)))
      throw new ArgumentError(`${here}.args: Invalid value: ${JSON.stringify(args)}: must be an object`);
    const { apiVersion: version, kind: itsKind, ...rest } = (args ?? {}) as Record<string, unknown>;
    if (version !== undefined && version !== apiVersion)
      throw new ArgumentError(
        `${here}.args.apiVersion: Unsupported value: ${JSON.stringify(version)}: supported values: "${apiVersion}"`,
      );
    if (itsKind !== undefined && itsKind !== `${name}Args`)
      throw new ArgumentError(
        `${here}.args.kind: Unsupported value: ${JSON.stringify(itsKind)}: supported values: "${name}Args"`,
      );
    try {
      out.set(name, reader(rest));
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      throw new ArgumentError(`${here}.args.${error.message}`, { cause: error });
    }
  }
  return out;
}

interface Chosen {
  /** By name; the weight is 0 when none was said. */
  readonly enabled: ReadonlyMap<string, number>;
  readonly disabled: ReadonlySet<string>;
}

interface Switches {
  readonly at: string;
  readonly multiPoint: Chosen;
  readonly points: ReadonlyMap<Point, Chosen>;
}

function knownName(value: unknown, at: string): string {
  const name = textOf(value, at);
  if (name !== binder && !catalogue.some((plugin) => plugin.name === name))
    throw new ArgumentError(`${at}: plugin "${name}" does not exist`);
  return name;
}

function readChosen(value: unknown, at: string): Chosen {
  const fields = fieldsOf(value, at, ['enabled', 'disabled']);
  const enabled = new Map<string, number>();
  for (const [i, one] of listOf(fields.enabled, `${at}.enabled`).entries()) {
    const here = `${at}.enabled[${i}]`;
    const { name: text, weight } = fieldsOf(one, here, ['name', 'weight']);
    const name = knownName(text, `${here}.name`);
    if (enabled.has(name)) throw new ArgumentError(`${here}.name: plugin "${name}" already registered`);
    enabled.set(name, wholeOf(weight ?? 0, join(here, 'weight'), { least: 0, most: 2 ** 31 - 1 }));
  }
  const disabled = new Set<string>();
  for (const [i, one] of listOf(fields.disabled, `${at}.disabled`).entries()) {
    const here = `${at}.disabled[${i}]`;
    const { name: text } = fieldsOf(one, here, ['name', 'weight']);
    const name = textOf(text, `${here}.name`);
    disabled.add(name === '*' ? name : knownName(name, `${here}.name`));
  }
  return { enabled, disabled };
}

function readSwitches(value: unknown, at: string): Switches {
  const fields = fieldsOf(value, at, [...points, 'multiPoint']);
  const switches: Switches = {
    at,
    multiPoint: readChosen(fields.multiPoint, `${at}.multiPoint`),
    points: new Map(points.map((point) => [point, readChosen(fields[point], `${at}.${point}`)])),
  };
  for (const point of ['queueSort', 'bind'] as const)
    if (![...names(switches)].some((name) => isOn(switches, point, name) && serves(point, name)))
      throw new ArgumentError(`${at}: at least one ${point} plugin is needed`);
  // A plugin's preparation is not run by itself here.
  for (const [before, after] of [
    ['preFilter', 'filter'],
    ['preScore', 'score'],
  ] as const)
    for (const { name } of catalogue)
      if (!isOn(switches, before, name) && isOn(switches, after, name))
        throw new ArgumentError(
          `${at}.${before}.disabled: Forbidden: ${name} cannot be left out at ${before} alone: disable it at ${after} too`,
        );
  return switches;
}

const serves = (point: 'queueSort' | 'bind', name: string): boolean =>
  point === 'bind'
    ? name === binder
    : catalogue.some((p) => p.name === name && !('build' in p) && p.before !== null);

/** In the order in which they are asked: those that were named first. */
function names({ multiPoint, points: chosen }: Switches): ReadonlySet<string> {
  return new Set([
    ...chosen.get('filter')!.enabled.keys(),
    ...catalogue.map(({ name }) => name),
    binder,
    ...multiPoint.enabled.keys(),
  ]);
}

function isOn(switches: Switches, point: Point, name: string): boolean {
  const here = switches.points.get(point)!;
  if (here.enabled.has(name)) return true;
  if (here.disabled.has(name) || here.disabled.has('*')) return false;
  const { enabled, disabled } = switches.multiPoint;
  return enabled.has(name) || !(disabled.has(name) || disabled.has('*'));
}

function weightOf({ multiPoint, points: chosen }: Switches, { name, weight }: Plugin): number {
  const said = chosen.get('score')!.enabled.get(name) ?? multiPoint.enabled.get(name);
  // Named without a weight it counts once, as in Kubernetes, whatever its default.
  return said === undefined ? weight : said || 1;
}

function build(
  context: PluginContext,
  { switches, args }: { switches: Switches; args: ReadonlyMap<string, unknown> },
): readonly Plugin[] {
  const entries: (Plugin | PluginFactory)[] = [];
  for (const name of names(switches)) {
    if (!points.some((point) => isOn(switches, point, name))) continue;
    const entry = catalogue.find((plugin) => plugin.name === name);
    if (entry !== undefined) entries.push(entry);
  }
  return buildPlugins(entries, context, args).map((plugin) => switched(plugin, switches));
}

/** The plugin with what is off taken out. */
function switched(plugin: Plugin, switches: Switches): Plugin {
  const on = (point: Point) => isOn(switches, point, plugin.name);
  const filters = on('filter');
  const scores = on('score');
  return {
    ...plugin,
    weight: weightOf(switches, plugin),
    gate: on('preEnqueue') ? plugin.gate : null,
    before: on('queueSort') ? plugin.before : null,
    preFilter: filters ? plugin.preFilter : withoutRefusal(plugin),
    filter: filters ? plugin.filter : null,
    narrow: filters ? plugin.narrow : null,
    score: scores ? plugin.score : null,
    preScore: scores ? plugin.preScore : null,
    postFilter: on('postFilter') ? plugin.postFilter : null,
    reserve: on('reserve') ? plugin.reserve : null,
    unreserve: on('reserve') ? plugin.unreserve : null,
    preBind: on('preBind') ? plugin.preBind : null,
  };
}

function withoutRefusal(plugin: Plugin): Plugin['preFilter'] {
  return (pod, nodes) => {
    const state = plugin.preFilter(pod, nodes);
    return state instanceof PodRefusal ? undefined : state;
  };
}
