// pods/eviction: a delete that disruption budgets may refuse. No budgets exist yet, so nothing refuses.
import { type Eviction, evictionBody } from '../../api/index.ts';
import { badRequest, type DeleteOptions } from '../../machinery/index.ts';
import { decodeRequestBody } from '../registry/decode.ts';
import { checkDeleteOptions, remove } from '../registry/delete.ts';
import type { Subresource } from './subresource.ts';
import { succeeded } from './success.ts';

export const eviction: Subresource = {
  name: 'eviction',
  verbs: ['create'],
  body: evictionBody,
  appliesTo: (kind) => kind.group === '' && kind.kind === 'Pod',

  async handle(core, { at, body, context }) {
    const wanted = decodeRequestBody<Eviction>(evictionBody, body, context);
    const name = wanted.metadata?.name;
    if (name !== undefined && name !== at.name)
      throw badRequest(`name in URL does not match name in Eviction object: "${name}" != "${at.name}"`);
    const options = wanted.deleteOptions ?? {};
    const dryRun = context.dryRun || (options.dryRun?.length ?? 0) > 0;
    await remove(core, {
      at,
      options: checkDeleteOptions(options as DeleteOptions),
      context: { ...context, dryRun },
    });
    return succeeded(201);
  },
};
