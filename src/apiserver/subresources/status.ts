// status: the part of an object that controllers write.
import { answer, requireEntry } from '../registry/core.ts';
import { patch } from '../registry/patch.ts';
import { update } from '../registry/update.ts';
import type { Subresource } from './subresource.ts';

export const status: Subresource = {
  name: 'status',
  verbs: ['get', 'patch', 'update'],
  body: { group: '', version: '', kind: '' },
  appliesTo: (kind) => kind.subresources.status,

  async handle(core, { verb, at, body, patchType, context }) {
    if (verb === 'get') return answer(at.kind, requireEntry(core, at));
    if (verb === 'patch') return patch(core, at, patchType, body, context, 'status');
    return update(core, at, body, context, 'status');
  },
};
