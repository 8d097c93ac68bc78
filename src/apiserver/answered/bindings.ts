// bindings: pods/binding under its old address, where the body alone names the pod.
import { Binding, bindingBody, Pod } from '../../api/index.ts';
import { badRequest, invalid } from '../../machinery/index.ts';
import type { AnsweredKind } from '../registry/core.ts';
import { decodeRequestBody } from '../registry/decode.ts';
import { binding } from '../subresources/binding.ts';

export const bindings: AnsweredKind = {
  kind: Binding,
  async create(core, { at, body, context }) {
    const { metadata } = decodeRequestBody<Binding>(bindingBody, body, { ...context, warnings: [] });
    const { name = '', namespace = '' } = metadata ?? {};
    if (namespace !== '' && namespace !== at.namespace)
      throw badRequest(
        'the namespace of the provided object does not match the namespace sent on the request',
      );
    if (name === '')
      throw invalid('', 'Binding', '', [
        {
          reason: 'FieldValueRequired',
          message: 'Required value: name or generateName is required',
          field: 'metadata.name',
        },
      ]);
    return binding.handle(core, {
      verb: 'create',
      at: { kind: Pod, namespace: at.namespace, name },
      body,
      patchType: 'merge',
      context,
    });
  },
};
