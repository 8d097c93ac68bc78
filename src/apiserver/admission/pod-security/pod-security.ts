// PodSecurity: pods keep to the level that the labels of their namespace ask for. Templates of pods are never refused, but their author
// is warned.
import { type coreV1, Namespace, Pod } from '../../../api/index.ts';
import { forbidden, type KindDef, type KubeObject, semanticEqual } from '../../../machinery/index.ts';
import type { Store } from '../../../storage/index.ts';
import { refOf } from '../../registry/core.ts';
import { keyFor, objectOf } from '../../registry/objects.ts';
import type { AdmissionPlugin, AdmissionRequest } from '../admission.ts';
import { containersOf } from './check.ts';
import { complaintsOf } from './checks.ts';
import { checkLabels, isStricter, type LevelAt, policyOf } from './levels.ts';

type PodSpec = coreV1.PodSpec;

const shown = ({ level, version }: LevelAt): string => JSON.stringify(`${level}:${version}`);

/** `reason (detail), …`; '' = the pod is of the level. */
const detailsOf = (spec: PodSpec, at: LevelAt): string =>
  complaintsOf(spec, at)
    .map(({ reason, detail }) => `${reason} (${detail})`)
    .join(', ');

export function podSecurity(store: Store): AdmissionPlugin {
  function validatePods(request: AdmissionRequest, spec: PodSpec, isPod: boolean): void {
    const { kind, name, namespace, context } = request;
    const entry = store.get(keyFor(Namespace as unknown as KindDef, undefined, namespace ?? ''));
    const { enforce, warn } = policyOf(entry && objectOf(entry).metadata.labels);
    if (isPod) {
      const why = detailsOf(spec, enforce);
      if (why !== '') throw forbidden(refOf(kind), name, `violates PodSecurity ${shown(enforce)}: ${why}`);
    }
    const why = detailsOf(spec, warn);
    if (why !== '') context.warnings.push(`would violate PodSecurity ${shown(warn)}: ${why}`);
  }

  function validateNamespace({ kind, name, object, old, context }: AdmissionRequest): void {
    const causes = checkLabels(object!.metadata.labels);
    const same = old !== null && semanticEqual(causes.list, checkLabels(old.metadata.labels).list);
    const error = same ? undefined : causes.toError(kind.group, kind.kind, name);
    if (error !== undefined) throw error;
    if (old === null) return;
    const [before, after] = [
      policyOf(old.metadata.labels).enforce,
      policyOf(object!.metadata.labels).enforce,
    ];
    if (semanticEqual(before, after)) return;
    if (before.version === after.version && !isStricter(after.level, before.level)) return;
    context.warnings.push(...warningsOfPods(name, after));
  }

  /** What the pods that are there already do against the level. */
  function warningsOfPods(namespace: string, at: LevelAt): string[] {
    const names = new Map<string, string[]>();
    for (const entry of store.list(`${Pod.storagePrefix}${namespace}/`)) {
      const { metadata, spec } = objectOf<Pod>(entry);
      const reasons = complaintsOf(spec, at).map(({ reason }) => reason);
      if (reasons.length === 0) continue;
      const why = reasons.join(', ');
      names.set(why, [...(names.get(why) ?? []), metadata.name]);
    }
    if (names.size === 0) return [];
    const lines = [...names].map(([why, [first, ...others]]) => {
      const more =
        others.length === 0 ? '' : ` (and ${others.length} other pod${others.length === 1 ? '' : 's'})`;
      return `${first}${more}: ${why}`;
    });
    const head = `existing pods in namespace ${JSON.stringify(namespace)} violate the new PodSecurity enforce level ${shown(at)}`;
    return [head, ...lines.sort()];
  }

  return {
    name: 'PodSecurity',
    validate(request) {
      const { operation, kind, subresource, object, old } = request;
      if (operation === 'delete' || object === null) return;
      if (kind.group === '' && kind.kind === 'Namespace') {
        if (subresource === '') validateNamespace(request);
        return;
      }
      const isPod = kind.group === '' && kind.kind === 'Pod';
      if (isPod ? isIgnored(subresource) : subresource !== '') return;
      const spec = podSpecOf(kind, object);
      if (spec === undefined) return;
      if (isPod && old !== null && !changesMuch((old as Pod).spec, spec)) return;
      validatePods(request, spec, isPod);
    },
  };
}

const ignored = new Set(['exec', 'attach', 'binding', 'eviction', 'log', 'portforward', 'proxy', 'status']);
const isIgnored = (subresource: string): boolean => ignored.has(subresource);

const templated = new Set([
  'replicationcontrollers',
  'replicasets.apps',
  'deployments.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'jobs.batch',
]);

interface Templated {
  readonly spec?: PodSpec & {
    readonly template?: Template;
    readonly jobTemplate?: { readonly spec?: { readonly template?: Template } };
  };
  readonly template?: Template;
}
type Template = { readonly spec?: PodSpec };

/** Of the kinds that are, or make, pods. */
function podSpecOf({ group, plural }: KindDef, object: KubeObject): PodSpec | undefined {
  const name = group === '' ? plural : `${plural}.${group}`;
  const { spec, template } = object as KubeObject & Templated;
  if (name === 'pods') return spec;
  if (templated.has(name)) return spec?.template?.spec;
  if (name === 'cronjobs.batch') return spec?.jobTemplate?.spec?.template?.spec;
  return name === 'podtemplates' ? template?.spec : undefined;
}

/** What an update may change of a pod and matters here: its images, and which containers there are. */
const changesMuch = (old: PodSpec, spec: PodSpec): boolean => {
  const what = (one: PodSpec) =>
    containersOf(one).map(({ name, image, securityContext }) => [name, image, securityContext]);
  return !semanticEqual(what(old), what(spec));
};
