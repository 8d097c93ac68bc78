// pods/eviction: a delete that disruption budgets may refuse. No budgets exist yet, so nothing refuses.
import { badRequest, type DeleteOptions } from '../../machinery/index.ts';
import { checkDeleteOptions, remove } from '../registry/delete.ts';
import type { Subresource } from './subresource.ts';
import { succeeded } from './success.ts';

interface Eviction {
  metadata?: { name?: string };
  deleteOptions?: DeleteOptions & { dryRun?: readonly string[] };
}

export const eviction: Subresource = {
  name: 'eviction',
  verbs: ['create'],
  body: { group: 'policy', version: 'v1', kind: 'Eviction' },
  appliesTo: (kind) => kind.group === '' && kind.kind === 'Pod',

  async handle(core, { at, body, context }) {
    const wanted = (body.value ?? {}) as Eviction;
    const name = wanted.metadata?.name;
    if (name !== undefined && name !== '' && name !== at.name) {
      throw badRequest(`name in URL does not match name in Eviction object: ${at.name} != ${name}`);
    }
    const dryRun = context.dryRun || (wanted.deleteOptions?.dryRun?.length ?? 0) > 0;
    await remove(core, at, checkDeleteOptions(wanted.deleteOptions ?? {}), { ...context, dryRun });
    return succeeded(201);
  },
};
