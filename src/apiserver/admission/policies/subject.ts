// What a policy is shown of a request: the objects in the version that its rules name, and the request as an AdmissionReview has it.
import type { KindDef, KubeObject } from '../../../machinery/index.ts';
import { toScale } from '../../subresources/scale-object.ts';
import type { AdmissionRequest } from '../admission.ts';
import { reviewOf } from '../webhooks/review.ts';

export interface Subject {
  readonly object: unknown;
  readonly oldObject: unknown;
  /** The request of an AdmissionReview without its uid and its objects. */
  readonly request: unknown;
}

type Shown = KubeObject | null;

/** A promise only where somebody else must be asked for the version; rejects when he does not say. */
export function subjectOf(request: AdmissionRequest, kind: KindDef): Subject | Promise<Subject> {
  const object = inVersion(request, request.object, kind);
  const old = inVersion(request, request.old, kind);
  return object instanceof Promise || old instanceof Promise
    ? Promise.all([object, old]).then(([now, before]) => made(request, kind, now, before))
    : made(request, kind, object, old);
}

function made(request: AdmissionRequest, kind: KindDef, object: Shown, old: Shown): Subject {
  const { object: shown, oldObject, uid: _, ...rest } = reviewOf({ ...request, object, old }, '').request;
  const asked = request.kind;
  return {
    object: shown,
    oldObject,
    request: {
      ...rest,
      resource: { group: kind.group, version: kind.version, resource: kind.plural },
      requestResource: { group: asked.group, version: asked.version, resource: asked.plural },
      ...(kind !== asked && {
        requestKind: { group: asked.group, version: asked.version, kind: asked.kind },
      }),
    },
  };
}

/** Objects are passed about in the version that is stored, those that somebody else converts in the one that was asked for. */
function inVersion(
  { kind: asked, subresource }: AdmissionRequest,
  object: Shown,
  kind: KindDef,
): Shown | Promise<Shown> {
  if (object === null) return null;
  // The scale of a thing is changed by way of the thing.
  if (subresource === 'scale') return toScale(object, asked.subresources.scale!);
  // What else lies below a kind may be of another kind.
  if (object.kind !== asked.kind) return object;
  if (kind === asked) return kind.conversion === null ? object : kind.conversion.fromStored(object);
  if (asked.translation === null && kind.translation === null)
    return kind.conversion === null ? object : kind.conversion.fromStored(object);
  return translated(asked, object, kind);
}

async function translated(asked: KindDef, object: KubeObject, kind: KindDef): Promise<KubeObject> {
  const stored = asked.translation === null ? object : await asked.translation.toStored(object);
  if (kind.translation === null)
    return kind.conversion === null ? stored : kind.conversion.fromStored(stored);
  return (await kind.translation.fromStored([stored]))[0]!;
}
