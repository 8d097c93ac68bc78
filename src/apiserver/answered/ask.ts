// The steps that every question of a review goes through: decode, note who asks it, check its rules. Nothing of it is stored, and no
// admission is asked.
import { Causes, type KubeObject } from '../../machinery/index.ts';
import type { WriteCall } from '../registry/call.ts';
import { type RegistryCore, throwIfInvalid } from '../registry/core.ts';
import { settleNamespace } from '../registry/create.ts';
import { decodeBody } from '../registry/decode.ts';
import type { Answer } from '../registry/objects.ts';
import { noteOwners } from '../registry/owners.ts';
import { wholeObject } from '../registry/update-rules.ts';

/** The question in a body. Throws 400 for what cannot be read, 422 for what its rules refuse. */
export function readQuestion<T extends KubeObject>(core: RegistryCore, { at, body, context }: WriteCall): T {
  const object = decodeBody({ kind: at.kind, kinds: core.kinds }, body, context);
  settleNamespace(at.kind, object, at.namespace);
  noteOwners(core, { at, context }, wholeObject, { before: undefined, after: object });
  const causes = new Causes();
  at.kind.validate?.(object, undefined, causes);
  throwIfInvalid(at.kind, object, causes);
  return object as T;
}

/** The answer: 201, and the question with its status. */
export const answered = (object: KubeObject): Answer => ({ code: 201, entry: null, object });
