// namespaces/finalize: the namespace controller takes its finalizer out of spec.finalizers; the last one gone ends the namespace.
import { badRequest, type KubeObject } from '../../machinery/index.ts';
import { mutableCopy } from '../registry/objects.ts';
import { applyUpdate } from '../registry/update.ts';
import type { Subresource } from './subresource.ts';

type WithFinalizers = KubeObject & { spec?: { finalizers?: string[] } };

export const finalize: Subresource = {
  name: 'finalize',
  verbs: ['update'],
  body: { group: '', version: 'v1', kind: 'Namespace' },
  appliesTo: (kind) => kind.group === '' && kind.kind === 'Namespace',

  async handle(core, { at, body, context }) {
    const wanted = body.value as WithFinalizers | null;
    if (typeof wanted !== 'object' || wanted === null)
      throw badRequest('Namespace in version "v1" cannot be handled as a Namespace');
    return applyUpdate(core, at, context, {
      subresource: 'finalize',
      change: (entry) => {
        const namespace = mutableCopy<WithFinalizers>(entry);
        namespace.spec = { ...namespace.spec, finalizers: wanted.spec?.finalizers ?? [] };
        if (namespace.spec.finalizers!.length === 0) delete namespace.spec.finalizers;
        namespace.metadata.resourceVersion = wanted.metadata?.resourceVersion ?? '';
        return namespace;
      },
    });
  },
};
