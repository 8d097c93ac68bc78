// Who a pod of a StatefulSet is: its ordinal, and the name, labels and volumes that follow from it. Pure.
import type { coreV1, Pod, StatefulSet } from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { podFromTemplate } from '../pod-facts.ts';

export const podNameLabel = 'statefulset.kubernetes.io/pod-name';
export const podIndexLabel = 'apps.kubernetes.io/pod-index';
/** Holds the name of the pod's revision. */
export const revisionLabel = 'controller-revision-hash';

const maxOrdinal = 2 ** 31 - 1;

/** The ordinal of a pod of the set; undefined = its name is not one of the set's. */
export function ordinalOf(set: StatefulSet, podName: string): number | undefined {
  const prefix = `${set.metadata.name}-`;
  if (!podName.startsWith(prefix)) return undefined;
  const text = podName.slice(prefix.length);
  if (!/^(?:0|[1-9]\d{0,9})$/.test(text)) return undefined;
  const ordinal = Number(text);
  return ordinal <= maxOrdinal ? ordinal : undefined;
}

export interface OrdinalRange {
  readonly start: number;
  /** The first that is not wanted any more. */
  readonly end: number;
}

export function rangeOf({ spec }: StatefulSet): OrdinalRange {
  const start = spec.ordinals?.start ?? 0;
  return { start, end: start + (spec.replicas ?? 1) };
}

export const revisionOf = (pod: { metadata: { labels?: Record<string, string> | undefined } }): string =>
  pod.metadata.labels?.[revisionLabel] ?? '';

export const claimName = (
  set: StatefulSet,
  template: coreV1.PersistentVolumeClaim,
  ordinal: number,
): string => `${template.metadata.name}-${set.metadata.name}-${ordinal}`;

/** What the ordinal says in labels. */
export function identityLabels(set: StatefulSet, ordinal: number): Record<string, string> {
  return { [podNameLabel]: `${set.metadata.name}-${ordinal}`, [podIndexLabel]: String(ordinal) };
}

/** The volumes of the template with those of the claims before them; a claim replaces a volume of its name. */
function volumesOf(
  set: StatefulSet,
  ordinal: number,
  given: readonly coreV1.Volume[] | undefined,
): coreV1.Volume[] | undefined {
  const templates = set.spec.volumeClaimTemplates ?? [];
  if (templates.length === 0) return given === undefined ? undefined : [...given];
  const claimed = new Set(templates.map((template) => template.metadata.name));
  return [
    ...templates.map((template) => ({
      name: template.metadata.name,
      persistentVolumeClaim: { claimName: claimName(set, template, ordinal) },
    })),
    ...(given ?? []).filter((volume) => !claimed.has(volume.name)),
  ];
}

/** A new pod of the set, from a template of one of its revisions. */
export function podDraft(
  set: StatefulSet,
  ordinal: number,
  from: { readonly template: coreV1.PodTemplateSpec; readonly revision: string },
): Draft<Pod> {
  const name = `${set.metadata.name}-${ordinal}`;
  const draft = podFromTemplate(set, from.template);
  const volumes = volumesOf(set, ordinal, draft.spec.volumes);
  return {
    ...draft,
    metadata: {
      ...draft.metadata,
      name,
      labels: { ...draft.metadata.labels, ...identityLabels(set, ordinal), [revisionLabel]: from.revision },
    },
    spec: {
      ...draft.spec,
      hostname: name,
      ...(set.spec.serviceName && { subdomain: set.spec.serviceName }),
      ...(volumes !== undefined && { volumes }),
    },
  };
}

/** The pod with the name label and the volumes of its ordinal; the pod itself when nothing is amiss. */
export function withIdentity(set: StatefulSet, pod: Pod, ordinal: number): Pod {
  const named = pod.metadata.labels?.[podNameLabel] === pod.metadata.name;
  const stored = (set.spec.volumeClaimTemplates ?? []).every((template) =>
    pod.spec.volumes?.some(
      (volume) =>
        volume.name === template.metadata.name &&
        volume.persistentVolumeClaim?.claimName === claimName(set, template, ordinal),
    ),
  );
  if (named && stored) return pod;
  const volumes = volumesOf(set, ordinal, pod.spec.volumes);
  return {
    ...pod,
    metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, ...identityLabels(set, ordinal) } },
    spec: { ...pod.spec, ...(volumes !== undefined && { volumes }) },
  };
}
