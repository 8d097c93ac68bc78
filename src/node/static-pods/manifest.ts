// From a manifest in the node's folder to a pod of this node. Pure; names, uids and annotations are the kubelet's
// (pkg/kubelet/config/common.go), so that tools know static pods when they see them.
import { createHash } from 'node:crypto';
import { Pod, placedContainers } from '../../api/index.ts';
import { Causes, decodeObject, formatTime, validateObjectMeta } from '../../machinery/index.ts';
import { annotation } from '../container/names.ts';
import { referencesOf } from '../references.ts';

export interface ManifestContext {
  /** Where it was read: part of what the pod's uid is made of. */
  readonly file: string;
  readonly nodeName: string;
  readonly nowMs: number;
}

const systemPriorities: Readonly<Record<string, number>> = {
  'system-node-critical': 2_000_001_000,
  'system-cluster-critical': 2_000_000_000,
};

/** What a pod that nobody in the API vouches for may not name. */
function forbiddenReference(pod: Pod): string | undefined {
  const { spec } = pod;
  if (spec.serviceAccountName) return 'service accounts';
  const { configMaps, secrets } = referencesOf(pod);
  if (configMaps.size > 0) return 'configmaps';
  if (secrets.size > 0) return 'secrets';
  if ((spec.resourceClaims ?? []).length > 0) return 'resourceclaims';
  for (const { persistentVolumeClaim, ephemeral, projected } of spec.volumes ?? []) {
    if (persistentVolumeClaim !== undefined || ephemeral !== undefined) return 'persistentvolumeclaims';
    if (projected?.sources?.some((s) => s.serviceAccountToken !== undefined)) return 'service account tokens';
  }
  return undefined;
}

/** `manifest` is what the file holds. Throws with why it is no pod that this node could run. */
export function readManifest(manifest: unknown, { file, nodeName, nowMs }: ManifestContext): Pod {
  if (manifest === null || typeof manifest !== 'object') throw new Error('it holds no object');
  const body = manifest as { apiVersion?: unknown; kind?: unknown };
  if (body.apiVersion !== 'v1' || body.kind !== 'Pod')
    throw new Error(`it holds ${String(body.apiVersion)} ${String(body.kind)}, not a v1 Pod`);
  const pod = decodeObject(Pod.schema, body, []) as unknown as Pod;
  const meta = (pod.metadata ??= {} as Pod['metadata']);
  delete (pod as { status?: unknown }).status;
  pod.apiVersion = 'v1';
  pod.kind = 'Pod';
  const uid =
    meta.uid ||
    createHash('md5').update(`host:${nodeName}file:${file}`).update(JSON.stringify(body)).digest('hex');
  Object.assign(meta, {
    uid,
    name: `${meta.name ?? ''}-${nodeName.toLowerCase()}`,
    namespace: meta.namespace || 'default',
    creationTimestamp: formatTime(nowMs),
    annotations: {
      ...meta.annotations,
      [annotation.configHash]: uid,
      [annotation.configSeen]: formatTime(nowMs),
      [annotation.configSource]: 'file',
    },
  });
  pod.spec ??= { containers: [] } as unknown as Pod['spec'];
  pod.spec.nodeName = nodeName;
  const priority = systemPriorities[pod.spec.priorityClassName ?? ''];
  if (priority !== undefined) pod.spec.priority ??= priority;
  // Trouble of the node evicts none of them.
  const noExecute = { operator: 'Exists', effect: 'NoExecute' };
  const tolerations = pod.spec.tolerations ?? [];
  if (!tolerations.some((t) => t.operator === 'Exists' && t.effect === 'NoExecute' && !t.key))
    pod.spec.tolerations = [...tolerations, noExecute];
  Pod.defaults?.(pod);
  check(pod);
  const reference = forbiddenReference(pod);
  if (reference !== undefined) throw new Error(`static pods may not reference ${reference}`);
  if ((pod.spec.ephemeralContainers ?? []).length > 0)
    throw new Error('static pods may not have ephemeral containers');
  return { ...pod, status: { phase: 'Pending' } };
}

function check(pod: Pod): void {
  const causes = new Causes();
  validateObjectMeta(pod.metadata, { namespaced: true, nameRule: Pod.nameRule }, causes);
  if (placedContainers(pod.spec, '').length === 0) causes.required('spec.containers');
  else Pod.validate?.(pod, undefined, causes);
  if (causes.empty) return;
  throw new Error(causes.list.map((c) => `${c.field}: ${c.message}`).join(', '));
}
