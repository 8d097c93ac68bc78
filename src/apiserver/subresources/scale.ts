// scale: the number of replicas of any kind that declares where it keeps it, as an autoscaling/v1 Scale.
import { scaleBody } from '../../api/index.ts';
import { Causes, conflict, type KubeObject, type ScalePaths } from '../../machinery/index.ts';
import { applyToLive, readConfiguration } from '../registry/apply.ts';
import { checkNames, type Place, refOf, requireEntry } from '../registry/core.ts';
import { decodeRequestBody } from '../registry/decode.ts';
import { type Answer, mutableCopy, objectOf } from '../registry/objects.ts';
import { applyPatch } from '../registry/patch.ts';
import { inVersion } from '../registry/translated.ts';
import { applyUpdate } from '../registry/update.ts';
import { type UpdateRules, wholeObject } from '../registry/update-rules.ts';
import { scaleKind } from './scale-kind.ts';
import { readPath, type Scale, toScale } from './scale-object.ts';
import type { Subresource } from './subresource.ts';

function writePath(object: unknown, path: string, value: unknown): void {
  const parts = path.split('.');
  let inner = object as Record<string, unknown>;
  for (const part of parts.slice(0, -1)) inner = (inner[part] ??= {}) as Record<string, unknown>;
  inner[parts.at(-1)!] = value;
}

/** A change of the replicas is a change of the object: it goes through all of the kind's rules. */
const rules: UpdateRules = { ...wholeObject, subresource: 'scale' };

export const scale: Subresource = {
  name: 'scale',
  verbs: ['get', 'patch', 'update'],
  body: scaleBody,
  answers: scaleKind,
  appliesTo: (kind) => kind.subresources.scale !== undefined,

  async handle(core, { verb, at, body, patchType, context }) {
    const paths = at.kind.subresources.scale!;
    const answerOf = ({ object, entry }: Answer) => shown(toScale(object ?? objectOf(entry!), paths));
    if (verb === 'get')
      return shown(toScale(objectOf(await inVersion(at.kind, requireEntry(core, at))), paths));
    if (verb === 'patch' && patchType === 'apply') {
      const configuration = configurationOf(at, readConfiguration(scaleBody, body, context), paths);
      return answerOf(await applyToLive(core, { at, context }, rules, configuration));
    }
    const result = await applyUpdate(core, { at, context }, rules, (current) => {
      const before = toScale(objectOf(current), paths);
      const value = verb === 'patch' ? applyPatch({ type: patchType, body }, scaleKind, before) : body.value;
      const wanted = decodeRequestBody<Scale>(scaleBody, { ...body, value }, context);
      const replicas = checkedReplicas(at, before, wanted);
      const object = mutableCopy(current);
      writePath(object, paths.replicas, replicas);
      object.metadata.resourceVersion = wanted.metadata.resourceVersion ?? '';
      return object;
    });
    return answerOf(result);
  },
};

/** What an applied Scale says, in the words of the object: its replicas, and which object it is about. */
function configurationOf(
  at: Place,
  scale: Record<string, unknown>,
  paths: ScalePaths,
): Record<string, unknown> {
  const { name, namespace, uid, resourceVersion } = (scale['metadata'] ?? {}) as Partial<
    KubeObject['metadata']
  >;
  const identity = Object.entries({ name, namespace, uid, resourceVersion }).filter(
    ([, value]) => value !== undefined,
  );
  const out = {
    apiVersion: at.kind.apiVersion,
    kind: at.kind.kind,
    metadata: Object.fromEntries(identity),
  };
  const replicas = readPath(scale, 'spec.replicas');
  if (replicas !== undefined) writePath(out, paths.replicas, replicas);
  return out;
}

function checkedReplicas(at: Place, before: Scale, { metadata, spec }: Scale): number {
  checkNames(at, metadata);
  const { uid } = metadata;
  if (uid !== undefined && uid !== '' && uid !== before.metadata.uid)
    throw conflict(
      refOf(at.kind),
      at.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${before.metadata.uid}`,
    );
  const replicas = spec?.replicas ?? 0;
  const causes = new Causes();
  if (replicas < 0) causes.invalid('spec.replicas', replicas, 'must be greater than or equal to 0');
  const error = causes.toError('autoscaling', 'Scale', at.name);
  if (error !== undefined) throw error;
  return replicas;
}

const shown = (object: Scale): Answer => ({ code: 200, entry: null, object });
