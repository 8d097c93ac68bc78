// namespaces/finalize: the namespace controller takes its finalizer out of spec.finalizers; the last one gone ends the namespace.
import { type Namespace, validateNamespaceFinalizers } from '../../api/index.ts';
import { update } from '../registry/update.ts';
import { type UpdateRules, wholeObject } from '../registry/update-rules.ts';
import type { Subresource } from './subresource.ts';

const rules: UpdateRules = {
  subresource: 'finalize',
  prepare(_, object, old) {
    const namespace = object as Namespace;
    namespace.status = (old as Namespace).status;
  },
  validate(kind, object, old, causes) {
    const { finalizers } = (object as Namespace).spec;
    wholeObject.validate(kind, object, old, causes);
    validateNamespaceFinalizers(finalizers, 'spec.finalizers', causes, { indexed: true });
  },
  owns: 'whole',
  desired: false,
};

export const finalize: Subresource = {
  name: 'finalize',
  verbs: ['update'],
  body: undefined,
  appliesTo: (kind) => kind.group === '' && kind.kind === 'Namespace',
  handle: (core, call) => update(core, call, rules),
};
