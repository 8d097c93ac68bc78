// Subresources that are a part of the object: the whole object goes in and out, and rules say what of it may change.
import type { KindDef } from '../../machinery/index.ts';
import { answer, requireEntry } from '../registry/core.ts';
import { patch } from '../registry/patch.ts';
import { inVersion } from '../registry/translated.ts';
import { update } from '../registry/update.ts';
import type { UpdateRules } from '../registry/update-rules.ts';
import type { Subresource } from './subresource.ts';

export const partOf = (rules: UpdateRules, appliesTo: (kind: KindDef) => boolean): Subresource => ({
  name: rules.subresource,
  verbs: ['get', 'patch', 'update'],
  body: undefined,
  appliesTo,
  async handle(core, call) {
    if (call.verb === 'get')
      return answer(call.at.kind, await inVersion(call.at.kind, requireEntry(core, call.at)));
    if (call.verb === 'patch') return patch(core, { ...call, type: call.patchType }, rules);
    return update(core, call, rules);
  },
});
