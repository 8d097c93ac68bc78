// pods/eviction: a delete that disruption budgets may refuse. No budgets exist yet, so nothing refuses.
import { type Eviction, evictionBody } from '../../api/index.ts';
import { badRequest, type DeleteOptions } from '../../machinery/index.ts';
import type { Body } from '../registry/call.ts';
import { decodeRequestBody } from '../registry/decode.ts';
import { checkDeleteOptions, remove } from '../registry/delete.ts';
import type { Subresource } from './subresource.ts';
import { succeeded } from './success.ts';

/** What clients before Kubernetes 1.22 send, kubectl drain among them: the same fields under the older name. */
function asCurrent(body: Body): Body {
  const { value } = body;
  if ((value as { apiVersion?: unknown } | null)?.apiVersion !== 'policy/v1beta1') return body;
  return { ...body, value: { ...(value as object), apiVersion: 'policy/v1' } };
}

export const eviction: Subresource = {
  name: 'eviction',
  verbs: ['create'],
  body: evictionBody,
  appliesTo: (kind) => kind.group === '' && kind.kind === 'Pod',

  async handle(core, { at, body, context }) {
    const wanted = decodeRequestBody<Eviction>(evictionBody, asCurrent(body), context);
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
