// A pod of a DaemonSet: made for one node, to which its affinity ties it; the scheduler does the binding. Pure.
import type { coreV1, DaemonSet, Pod } from '../../api/index.ts';
import { templateGenerationAnnotation } from '../../api/index.ts';
import type { Draft } from '../../machinery/index.ts';
import { podFromTemplate } from '../pod-facts.ts';
import { daemonTolerations } from './placement.ts';

/** Holds the hash of the pod's revision. */
export const hashLabel = 'controller-revision-hash';
const generationLabel = 'pod-template-generation';
const nameField = 'metadata.name';

export function podDraft(set: DaemonSet, nodeName: string, hash: string): Draft<Pod> {
  const draft = podFromTemplate(set, set.spec.template);
  const generation = set.metadata.annotations?.[templateGenerationAnnotation];
  return {
    ...draft,
    metadata: {
      ...draft.metadata,
      labels: {
        ...draft.metadata.labels,
        ...(generation !== undefined && { [generationLabel]: generation }),
        [hashLabel]: hash,
      },
    },
    spec: {
      ...draft.spec,
      affinity: tiedTo(nodeName, draft.spec.affinity),
      tolerations: daemonTolerations(draft.spec),
    },
  };
}

/** What the template requires of nodes, this node fulfils: it need not be asked again. */
const tiedTo = (nodeName: string, affinity: coreV1.Affinity | undefined): coreV1.Affinity => ({
  ...affinity,
  nodeAffinity: {
    ...affinity?.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: {
      nodeSelectorTerms: [{ matchFields: [{ key: nameField, operator: 'In', values: [nodeName] }] }],
    },
  },
});

/** The node that a pod runs on or waits for; undefined = it is not tied to one. */
export function nodeOf({ spec }: Pod): string | undefined {
  if (spec.nodeName) return spec.nodeName;
  const terms =
    spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  for (const { matchFields = [] } of terms ?? [])
    for (const { key, operator, values } of matchFields)
      if (key === nameField && operator === 'In') return values?.length === 1 ? values[0] : undefined;
  return undefined;
}
