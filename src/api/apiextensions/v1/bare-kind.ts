// The kind of custom resources, good enough to list and delete them: for those who know the definition and care for no field.
import { defineKind, field, type KindDef, ObjectSchema } from '../../../machinery/index.ts';
import type { CustomResourceDefinition } from '../../generated/apiextensions-v1.ts';
import { shape } from '../../shape.ts';

/** In the stored version, or the first that is served; undefined = none is served. */
export function bareKind({ spec, status }: CustomResourceDefinition): KindDef | undefined {
  const served = spec.versions.filter((version) => version.served);
  const version = served.find(({ storage }) => storage) ?? served[0];
  if (version === undefined) return undefined;
  const { kind, plural } = status?.acceptedNames ?? spec.names;
  const fields = () =>
    new Map([['metadata', field('metadata', shape('meta.v1.ObjectMeta'), { emit: 'always' })]]);
  return defineKind({
    group: spec.group,
    version: version.name,
    kind,
    plural,
    scope: spec.scope === 'Cluster' ? 'Cluster' : 'Namespaced',
    schema: new ObjectSchema(`${spec.group}.${version.name}.${kind}`, fields, true),
  });
}
