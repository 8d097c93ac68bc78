// scale: the number of replicas of any kind that declares where it keeps it, as an autoscaling/v1 Scale.
import {
  badRequest,
  Causes,
  formatLabelSelector,
  type KubeObject,
  notFound,
  type ScalePaths,
} from '../../machinery/index.ts';
import { type Place, parseRevision, refOf, requireEntry } from '../registry/core.ts';
import { type Answer, mutableCopy, objectOf } from '../registry/objects.ts';
import { applyPatch } from '../registry/patch.ts';
import { applyUpdate } from '../registry/update.ts';
import { scaleKind } from './scale-kind.ts';
import type { Subresource } from './subresource.ts';

interface Scale extends KubeObject {
  spec: { replicas?: number };
  status?: { replicas: number; selector?: string };
}

function readPath(object: unknown, path: string): unknown {
  let value: unknown = object;
  for (const part of path.split('.')) value = (value as Record<string, unknown> | undefined)?.[part];
  return value;
}

function writePath(object: unknown, path: string, value: unknown): void {
  const parts = path.split('.');
  let inner = object as Record<string, unknown>;
  for (const part of parts.slice(0, -1)) inner = (inner[part] ??= {}) as Record<string, unknown>;
  inner[parts.at(-1)!] = value;
}

function toScale(object: KubeObject, paths: ScalePaths): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = readPath(object, paths.selector);
  const replicas = (readPath(object, paths.replicas) as number | undefined) ?? 0;
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: replicas === 0 ? {} : { replicas },
    status: {
      replicas: (readPath(object, paths.statusReplicas) as number | undefined) ?? 0,
      ...(selector !== undefined && { selector: formatLabelSelector(selector) }),
    },
  };
}

export const scale: Subresource = {
  name: 'scale',
  verbs: ['get', 'patch', 'update'],
  body: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  appliesTo: (kind) => kind.subresources.scale !== undefined,

  async handle(core, { verb, at, body, patchType, context }) {
    const paths = at.kind.subresources.scale!;
    const entry = requireEntry(core, at);
    if (verb === 'get') return shown(toScale(objectOf(entry), paths));
    const result = await applyUpdate(core, at, context, {
      subresource: 'scale',
      change: (current) => {
        const before = toScale(objectOf(current), paths);
        const wanted = (
          verb === 'patch' ? applyPatch(scaleKind, patchType, before, body.value) : body.value
        ) as Scale;
        const replicas = checkedReplicas(at, before, wanted);
        const object = mutableCopy(current);
        writePath(object, paths.replicas, replicas);
        object.metadata.resourceVersion = wanted.metadata?.resourceVersion ?? '';
        return object;
      },
    });
    const object = result.object ?? objectOf(result.entry!);
    return shown(toScale(object, paths));
  },
};

function checkedReplicas(at: Place, before: Scale, wanted: Scale): number {
  if (wanted?.metadata?.name !== undefined && wanted.metadata.name !== before.metadata.name) {
    throw badRequest(
      `the name of the object (${wanted.metadata.name}) does not match the name on the URL (${at.name})`,
    );
  }
  if (wanted.metadata?.uid !== undefined && wanted.metadata.uid !== before.metadata.uid)
    throw notFound(refOf(at.kind), at.name);
  if (wanted.metadata?.resourceVersion) parseRevision(wanted.metadata.resourceVersion);
  const replicas = wanted.spec?.replicas ?? 0;
  const causes = new Causes();
  if (!Number.isInteger(replicas))
    throw badRequest('Scale in version "v1" cannot be handled as a Scale: spec.replicas is not an integer');
  if (replicas < 0) causes.invalid('spec.replicas', replicas, 'must be greater than or equal to 0');
  const error = causes.toError('autoscaling', 'Scale', at.name);
  if (error !== undefined) throw error;
  return replicas;
}

const shown = (object: Scale): Answer => ({ code: 200, entry: null, object });
